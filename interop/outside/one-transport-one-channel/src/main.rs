//! Two endpoints over UDP on the loopback interface, with the stream channel and nothing else.

use telehash_channel_stream::{
    BuilderStreamExt as _, IncomingStream, LinkStreamExt as _, StreamOptions,
};
use telehash_runtime::{Accept, HandlerError, Mesh};
use telehash_transport_udp::{UdpConfig, UdpTransport};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let here = UdpConfig::at("127.0.0.1:0".parse()?);
    let server = Mesh::builder()
        .transport(UdpTransport::bind(&here).await?)
        .accept(Accept::All)
        .on_stream(|stream: IncomingStream| async move {
            let (mut reader, mut writer) = stream.accept()?.into_split();
            tokio::io::copy(&mut reader, &mut writer).await?;
            writer.shutdown().await?;
            Ok::<_, HandlerError>(())
        })
        .build()
        .await?;
    let client = Mesh::builder().transport(UdpTransport::bind(&here).await?).build().await?;

    let link = client.link(server.local_link_json()).await?;
    let mut stream = link.stream(StreamOptions::new()).await?;
    stream.write_all(b"there and back").await?;
    stream.shutdown().await?;
    let mut echo = String::new();
    stream.read_to_string(&mut echo).await?;
    assert_eq!(echo, "there and back");
    println!("{echo} over {:?}", link.pipes().iter().map(|pipe| &pipe.path).collect::<Vec<_>>());

    client.close().await;
    server.close().await;
    Ok(())
}
