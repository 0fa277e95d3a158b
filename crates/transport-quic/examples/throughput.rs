//! How fast packets go through this transport on one host, beside a bare stream of quinn.
//!
//! `cargo run --release -p telehash-transport-quic --example throughput`

use std::{sync::Arc, time::Duration};

use quinn::{
    ClientConfig, Endpoint, ServerConfig,
    crypto::rustls::{QuicClientConfig, QuicServerConfig},
};
use telehash_transport::{Transmit, Transport, TransportExt, tls};
use telehash_transport_quic::{QuicConfig, QuicTransport};
use tokio::time::{Instant, timeout};

/// Bytes that are sent each time.
const BYTES: usize = 256 * 1024 * 1024;

/// Packets of a run, as a link makes them.
const RUN: usize = 64;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    for round in 1..=3 {
        println!("round {round}");
        println!("    bare stream         {:6.0} MB/s", bare_stream().await?);
        for size in [1_200, 1_400, 9_000, 60_000] {
            let (rate, arrived) = packets(size).await?;
            let share = arrived * 100 / (BYTES / size);
            println!("    packets of {size:6}   {rate:6.0} MB/s, {share} % arrived");
        }
    }
    Ok(())
}

/// Packets through the transport: megabytes a second that arrive, and how many packets do.
async fn packets(size: usize) -> Result<(f64, usize), Box<dyn std::error::Error>> {
    let here = QuicConfig::at("127.0.0.1:0".parse()?);
    let (alice, bob) = (
        QuicTransport::bind(&here).await?,
        QuicTransport::bind(&here).await?,
    );
    let path = bob.local_paths().remove(0);
    let receiving = tokio::spawn(async move {
        let (mut batch, mut kept) = (bob.recv_batch(), false);
        let (mut packets, mut last) = (0, Instant::now());
        while packets < BYTES / size
            && let Ok(Ok(count)) = timeout(Duration::from_secs(1), bob.recv(&mut batch)).await
        {
            (packets, last) = (packets + count, Instant::now());
            if !std::mem::replace(&mut kept, true)
                && let Some(packet) = batch.packets().next()
            {
                bob.keep(&packet.remote);
            }
        }
        (packets, last)
    });
    let alice = Arc::new(alice);
    let driver = tokio::spawn({
        let alice = alice.clone();
        async move { while alice.recv(&mut alice.recv_batch()).await.is_ok() {} }
    });
    let to_bob = alice.dial(&path).await?;
    let run = vec![7; (RUN * size).min(1024 * 1024) / size * size];
    let start = Instant::now();
    let mut rest = BYTES / size * size;
    while rest > 0 {
        let run = &run[..run.len().min(rest)];
        alice.send(&Transmit::run(to_bob, run, size)).await?;
        rest -= run.len();
    }
    let (packets, last) = receiving.await?;
    alice.close().await;
    driver.await?;
    let seconds = (last - start).as_secs_f64();
    Ok((megabytes(packets * size) / seconds, packets))
}

/// One stream of quinn as it comes: megabytes a second.
async fn bare_stream() -> Result<f64, Box<dyn std::error::Error>> {
    let (server, client) = (tls::server()?, tls::client()?);
    let server = ServerConfig::with_crypto(Arc::new(QuicServerConfig::try_from(server)?));
    let client = ClientConfig::new(Arc::new(QuicClientConfig::try_from(client)?));
    let bob = Endpoint::server(server, "127.0.0.1:0".parse()?)?;
    let alice = Endpoint::client("127.0.0.1:0".parse()?)?;
    let to_bob = bob.local_addr()?;
    let receiving = tokio::spawn(async move {
        let connection = bob
            .accept()
            .await
            .expect("open")
            .await
            .expect("a handshake");
        let mut stream = connection.accept_uni().await.expect("a stream");
        let mut bytes = 0;
        while let Ok(Some(chunk)) = stream.read_chunk(64 * 1024, true).await {
            bytes += chunk.bytes.len();
        }
        (bytes, Instant::now())
    });
    let connection = alice.connect_with(client, to_bob, "bare.example")?.await?;
    let mut stream = connection.open_uni().await?;
    let chunk = vec![7; 64 * 1024];
    let start = Instant::now();
    for _ in 0..BYTES / chunk.len() {
        stream.write_all(&chunk).await?;
    }
    stream.finish()?;
    let (bytes, end) = receiving.await?;
    Ok(megabytes(bytes) / (end - start).as_secs_f64())
}

fn megabytes(bytes: usize) -> f64 {
    bytes as f64 / 1e6
}
