//! How fast a tunnel is beside a stream, in one run over UDP on the loopback interface.
//!
//! `cargo run --release -p telehash-channel-sock --example bulk -- 200` for 200 MB each, in turns.

use std::time::Instant;

use telehash_channel_sock::{BuilderSockExt as _, LinkSockExt as _, SockPolicy, splice};
use telehash_channel_stream::{
    BuilderStreamExt as _, IncomingStream, LinkStreamExt as _, StreamOptions,
};
use telehash_runtime::{Accept, HandlerError, Link, Mesh};
use telehash_transport_udp::{UdpConfig, UdpTransport};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// Measurements of each, of which the median counts.
const TURNS: usize = 7;

/// The share of a stream's rate that a tunnel reaches at least.
const SHARE: f64 = 0.7;

#[tokio::main]
async fn main() -> Result<(), HandlerError> {
    let megabytes = std::env::args().nth(1).unwrap_or_else(|| "200".to_owned());
    let bytes = megabytes.parse::<usize>()? * 1_000_000;
    let here = UdpConfig::at("127.0.0.1:0".parse()?);
    let server = Mesh::builder()
        .transport(UdpTransport::bind(&here).await?)
        .accept(Accept::All)
        .on_stream(|incoming: IncomingStream| async move { swallow(incoming.accept()?).await })
        .serve_sock(SockPolicy::new().allow("127.0.0.1".parse()?))
        .build()
        .await?;
    let client = Mesh::builder()
        .transport(UdpTransport::bind(&here).await?)
        .build()
        .await?;
    let link = client.link(server.uri()).await?;

    let (mut streams, mut tunnels) = (Vec::new(), Vec::new());
    for _ in 0..TURNS {
        streams.push(rate(bytes, push(link.stream(StreamOptions::new()).await?, bytes)).await?);
        tunnels.push(rate(bytes, push(tunnel(&link).await?, bytes)).await?);
    }
    let (stream, tunnel) = (median(streams), median(tunnels));
    println!(
        "stream {stream:.0} MB/s, tunnel {tunnel:.0} MB/s: {:.2} x",
        tunnel / stream
    );
    client.close().await;
    server.close().await;
    if tunnel < SHARE * stream {
        return Err(format!("below {SHARE} x").into());
    }
    Ok(())
}

/// A TCP connection that goes through a tunnel to a TCP server beyond the peer.
async fn tunnel(link: &Link) -> Result<TcpStream, HandlerError> {
    let far = TcpListener::bind("127.0.0.1:0").await?;
    let near = TcpListener::bind("127.0.0.1:0").await?;
    let tunnel = link.connect(far.local_addr()?.into()).await?;
    tokio::spawn(async move { swallow(far.accept().await?.0).await });
    let program = TcpStream::connect(near.local_addr()?).await?;
    let (tcp, _) = near.accept().await?;
    tokio::spawn(splice(tunnel, tcp));
    Ok(program)
}

/// Reads everything, and says so.
async fn swallow(mut from: impl AsyncRead + AsyncWrite + Unpin) -> std::io::Result<()> {
    let mut buffer = vec![0; 256 * 1024];
    while from.read(&mut buffer).await? > 0 {}
    from.write_all(b"done").await?;
    from.shutdown().await
}

/// Writes so much and waits until all of it was read.
async fn push(mut to: impl AsyncRead + AsyncWrite + Unpin, bytes: usize) -> std::io::Result<()> {
    let piece = vec![7; 256 * 1024];
    let mut left = bytes;
    while left > 0 {
        let len = left.min(piece.len());
        to.write_all(&piece[..len]).await?;
        left -= len;
    }
    to.shutdown().await?;
    to.read_exact(&mut [0; 4]).await.map(|_| ())
}

/// Megabytes a second.
async fn rate(
    bytes: usize,
    work: impl Future<Output = std::io::Result<()>>,
) -> Result<f64, HandlerError> {
    let since = Instant::now();
    work.await?;
    Ok(bytes as f64 / 1e6 / since.elapsed().as_secs_f64())
}

fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}
