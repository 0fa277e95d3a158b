//! Opens a channel of a type that nobody knows, and prints what the other endpoint says to that.
//!
//! ```text
//! cargo run -p telehash-examples --bin open_unknown -- link.json
//! ```
//!
//! The file holds the link JSON of the other endpoint. The interoperability matrix runs this against other
//! implementations.

use std::time::Duration;

use mesh::prelude::*;
use mesh::{ChannelError, HandlerError};

/// For the link, and again for the answer.
const PATIENCE: Duration = Duration::from_secs(15);

#[tokio::main]
async fn main() -> Result<(), HandlerError> {
    let file = std::env::args().nth(1).ok_or("which file?")?;
    let mesh = mesh::builder().udp("127.0.0.1:0".parse()?).build().await?;
    let link = mesh.link(std::fs::read_to_string(file)?).await?;
    link.wait_up(PATIENCE).await?;

    let mut channel = link.open(Open::unreliable("no-such-channel")).await?;
    match tokio::time::timeout(PATIENCE, channel.recv()).await? {
        Err(ChannelError::Peer(reason)) => println!("refused: {reason}"),
        other => return Err(format!("not refused: {other:?}").into()),
    }
    mesh.close().await;
    Ok(())
}
