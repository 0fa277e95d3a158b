//! Sends a line through a stream and prints what comes back.
//!
//! ```text
//! cargo run -p telehash-examples --bin echo_client -- 'link://…' 'hello'
//! ```
//!
//! The URI introduces the other endpoint; from then on its hashname is enough.

use std::env;
use std::time::Duration;

use mesh::prelude::*;
use mesh::{HandlerError, LinkUri};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

#[tokio::main]
async fn main() -> Result<(), HandlerError> {
    let mut args = env::args().skip(1);
    let uri = args.next().ok_or("which URI?")?;
    let line = args.next().ok_or("and what to say?")?;

    let mesh = mesh::builder().udp("127.0.0.1:0".parse()?).build().await?;
    let server = LinkUri::parse(&uri)?
        .uri
        .link_json()
        .ok_or("the URI holds no keys")?;
    let hashname = server.hashname;
    mesh.known().remember(server)?;

    let link = mesh.link(hashname).await?;
    link.wait_up(Duration::from_secs(10)).await?;
    let mut stream = link.stream(StreamOptions::new()).await?;
    stream.write_all(line.as_bytes()).await?;
    stream.shutdown().await?;
    let mut echo = String::new();
    stream.read_to_string(&mut echo).await?;
    println!("{echo}");
    mesh.close().await;
    Ok(())
}
