//! Two endpoints on this machine: one echoes every stream, the other one says something.
//!
//! `cargo run -p telehash-channel-stream --example echo -- "anything"`

use telehash_channel_stream::{
    BuilderStreamExt as _, IncomingStream, LinkStreamExt as _, StreamOptions,
};
use telehash_runtime::{Accept, Mesh};
use telehash_transport_udp::{UdpConfig, UdpTransport};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let words = std::env::args()
        .nth(1)
        .unwrap_or_else(|| "hello".to_owned());
    let here = UdpConfig::at("127.0.0.1:0".parse()?);

    let echo = |incoming: IncomingStream| async move {
        println!("{} opened a stream", incoming.peer());
        let (mut reader, mut writer) = incoming.accept()?.into_split();
        tokio::io::copy_buf(&mut reader, &mut writer).await?;
        writer.shutdown().await
    };
    let server = Mesh::builder()
        .transport(UdpTransport::bind(&here).await?)
        .accept(Accept::All)
        .on_stream(echo)
        .build()
        .await?;
    println!("echoing at {}", server.uri());

    let client = Mesh::builder()
        .transport(UdpTransport::bind(&here).await?)
        .build()
        .await?;
    let link = client.link(server.uri()).await?;
    let mut stream = link.stream(StreamOptions::new()).await?;
    stream.write_all(words.as_bytes()).await?;
    stream.shutdown().await?;
    let mut echoed = String::new();
    stream.read_to_string(&mut echoed).await?;
    println!("the echo: {echoed}");

    client.close().await;
    server.close().await;
    Ok(())
}
