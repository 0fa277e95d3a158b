//! This library, with its defaults, over one of its transports, in CS3a unless `TELEHASH_BENCH_CS` names another set.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    time::{Duration, Instant},
};

use anyhow::{Result, ensure};
use async_trait::async_trait;
use mesh::{Builder, Csid, StrangerBudget, prelude::*};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::library::{Connection, Library, Server};

const LOOPBACK: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

/// Handshakes a second, more than can be.
const UNLIMITED: u32 = 1_000_000;

const PATIENCE: Duration = Duration::from_secs(10);

/// The library, over one transport.
pub struct Ours(pub Carrier);

/// Which transport.
#[derive(Clone, Copy, Debug)]
pub enum Carrier {
    Udp,
    Tcp,
    Quic,
}

impl Carrier {
    /// Its name, after which the library is called in the table.
    pub fn name(self) -> &'static str {
        match self {
            Self::Udp => "udp",
            Self::Tcp => "tcp",
            Self::Quic => "quic",
        }
    }

    /// The one of this name.
    pub fn named(name: &str) -> Option<Self> {
        [Self::Udp, Self::Tcp, Self::Quic]
            .into_iter()
            .find(|carrier| carrier.name() == name)
    }

    /// A new identity that listens on it.
    fn endpoint(self) -> Result<Builder> {
        let builder = mesh::builder().new_identity([csid()?]);
        Ok(match self {
            Self::Udp => builder.udp(LOOPBACK),
            Self::Tcp => builder.tcp(LOOPBACK),
            Self::Quic => builder.quic(LOOPBACK),
        })
    }
}

struct OurServer {
    mesh: Mesh,
}

struct OurConnection {
    mesh: Mesh,
    link: Link,
}

#[async_trait]
impl Library for Ours {
    fn name(&self) -> &'static str {
        self.0.name()
    }

    async fn serve(&self) -> Result<Box<dyn Server>> {
        // All the strangers come from one address, which would be suspicious elsewhere.
        let mut budget = StrangerBudget::default();
        (budget.per_prefix, budget.global) = (UNLIMITED, UNLIMITED);
        let builder = self.0.endpoint()?.accept(Accept::All).strangers(budget);
        let mesh = builder.on_stream(stream).build().await?;
        Ok(Box::new(OurServer { mesh }))
    }

    async fn dial(&self, address: &str) -> Result<Box<dyn Connection>> {
        // An endpoint and an identity for each connection, as quinn gets a client endpoint.
        let mesh = self.0.endpoint()?.accept(Accept::None).build().await?;
        let link = mesh.link(address).await?;
        link.wait_up(PATIENCE).await?;
        Ok(Box::new(OurConnection { mesh, link }))
    }
}

/// The cipher set that is measured; the far end of a two-process run inherits it.
fn csid() -> Result<Csid> {
    match std::env::var("TELEHASH_BENCH_CS") {
        Ok(set) => Ok(set.parse()?),
        Err(_) => Ok(Csid::CS3A),
    }
}

impl Server for OurServer {
    fn address(&self) -> String {
        self.mesh.uri().to_string()
    }
}

#[async_trait]
impl Connection for OurConnection {
    async fn upload(&self, bytes: u64) -> Result<()> {
        let mut stream = self.link.stream(StreamOptions::new()).await?;
        let chunk = vec![0x5a; 64 << 10];
        let mut left = bytes;
        while left > 0 {
            let now = left.min(chunk.len() as u64) as usize;
            stream.write_all(&chunk[..now]).await?;
            left -= now as u64;
        }
        stream.shutdown().await?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await?;
        ensure!(answer == [1], "the far end did not confirm");
        Ok(())
    }

    async fn pings(&self, count: usize) -> Result<Vec<Duration>> {
        let mut stream = self.link.stream(StreamOptions::new()).await?;
        let mut packet = [b'p'; 64];
        let mut times = Vec::with_capacity(count);
        for _ in 0..count {
            let start = Instant::now();
            stream.write_all(&packet).await?;
            stream.read_exact(&mut packet).await?;
            times.push(start.elapsed());
        }
        stream.shutdown().await?;
        Ok(times)
    }

    async fn close(self: Box<Self>) {
        self.mesh.close().await;
    }
}

/// A stream that begins with `p` is echoed, any other discarded and confirmed at its end.
async fn stream(incoming: IncomingStream) -> io::Result<()> {
    let mut stream = incoming.accept()?;
    let mut buf = vec![0; 64 << 10];
    let mut echo = false;
    loop {
        let read = stream.read(&mut buf).await?;
        if read == 0 {
            break;
        }
        echo |= buf[0] == b'p';
        if echo {
            stream.write_all(&buf[..read]).await?;
        }
    }
    if !echo {
        stream.write_all(&[1]).await?;
    }
    stream.shutdown().await
}
