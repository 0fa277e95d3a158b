//! An endpoint that sends back whatever streams bring, to everybody.
//!
//! ```text
//! cargo run -p telehash-examples --bin echo_server
//! ```
//!
//! It prints the URI to link to, and runs until its standard input ends.

use mesh::HandlerError;
use mesh::prelude::*;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

#[tokio::main]
async fn main() -> Result<(), HandlerError> {
    let mesh = mesh::builder()
        .udp("127.0.0.1:0".parse()?)
        .accept(Accept::All)
        .on_stream(echo)
        .build()
        .await?;
    println!("{}", mesh.uri());
    tokio::io::stdin().read_to_end(&mut Vec::new()).await?;
    mesh.close().await;
    Ok(())
}

async fn echo(incoming: IncomingStream) -> Result<(), HandlerError> {
    let (mut reader, mut writer) = incoming.accept()?.into_split();
    tokio::io::copy(&mut reader, &mut writer).await?;
    // The end of ours follows the end of theirs.
    writer.shutdown().await?;
    Ok(())
}
