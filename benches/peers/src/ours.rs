//! This library, with its defaults but for what a [`Variant`] says.

use std::{
    any::Any,
    io,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    time::{Duration, Instant},
};

use anyhow::{Result, ensure};
use async_trait::async_trait;
use mesh::{Builder, Share, StrangerBudget, UdpConfig, UdpTransport, prelude::*};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::{
    capped::Capped,
    library::{Connection, Library, Server},
    variant::{Carrier, Variant},
};

const LOOPBACK: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

/// Handshakes a second, more than can be.
const UNLIMITED: u32 = 1_000_000;

/// How long a link may take; thousands that come at once have to wait for each other.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// The library, in one of its variants.
pub struct Ours(pub Variant);

struct OurServer {
    mesh: Mesh,
    /// It is reached through this router.
    router: Option<String>,
}

struct OurConnection {
    mesh: Mesh,
    link: Link,
}

impl Ours {
    /// A new identity, without a transport.
    pub fn identity(&self) -> Builder {
        mesh::builder()
            .new_identity([self.0.set])
            .head_only_cloak(!self.0.full_cloak)
    }

    /// A new identity that listens.
    fn endpoint(&self) -> Builder {
        let builder = self.identity();
        match (self.0.carrier, self.0.datagram) {
            (Carrier::Udp, None) => builder.udp(LOOPBACK),
            (Carrier::Udp, Some(most)) => builder.open_transport(async move {
                let transport = UdpTransport::bind(&UdpConfig::at(LOOPBACK)).await?;
                Ok(Capped { transport, most })
            }),
            (Carrier::Tcp, _) => builder.tcp(LOOPBACK),
            (Carrier::Quic, _) => builder.quic(LOOPBACK),
        }
    }

    /// One that takes in everybody: all of them come from one address, which would be suspicious
    /// elsewhere.
    fn host(&self) -> Builder {
        let mut budget = StrangerBudget::default();
        (budget.per_prefix, budget.global) = (UNLIMITED, UNLIMITED);
        let builder = self.endpoint().accept(Accept::All).strangers(budget);
        builder.on_stream(stream)
    }

    /// A router for everybody.
    pub async fn route(&self) -> Result<Box<dyn Server>> {
        let mesh = self.host().router(true).build().await?;
        Ok(Box::new(OurServer { mesh, router: None }))
    }

    /// A far end that is reached through this router only.
    pub async fn serve_behind(&self, router: &str) -> Result<Box<dyn Server>> {
        let mesh = self.host().share_paths(Share::Nothing).build().await?;
        let link = mesh.use_router(router).await?;
        link.wait_up(PATIENCE).await?;
        let router = Some(router.to_owned());
        Ok(Box::new(OurServer { mesh, router }))
    }

    /// A connection through a router, to a far end that has no other way.
    async fn dial_through(&self, router: &str, name: &str) -> Result<Box<dyn Connection>> {
        let builder = self.endpoint().share_paths(Share::Nothing);
        let mesh = builder.accept(Accept::None).build().await?;
        let link = mesh.use_router(router).await?;
        link.wait_up(PATIENCE).await?;
        let link = mesh.link(name).await?;
        link.wait_up(PATIENCE).await?;
        ensure!(link.through().is_some(), "the link goes round the router");
        Ok(Box::new(OurConnection { mesh, link }))
    }
}

#[async_trait]
impl Library for Ours {
    async fn serve(&self) -> Result<Box<dyn Server>> {
        let mesh = self.host().build().await?;
        Ok(Box::new(OurServer { mesh, router: None }))
    }

    async fn dial(&self, address: &str) -> Result<Box<dyn Connection>> {
        if let Some((name, router)) = address.split_once(' ') {
            return self.dial_through(router, name).await;
        }
        // An endpoint and an identity for each connection, as quinn gets a client endpoint.
        let mesh = self.endpoint().accept(Accept::None).build().await?;
        let link = mesh.link(address).await?;
        link.wait_up(PATIENCE).await?;
        Ok(Box::new(OurConnection { mesh, link }))
    }
}

#[async_trait]
impl Server for OurServer {
    fn address(&self) -> String {
        match &self.router {
            Some(router) => format!("{} {router}", self.mesh.hashname()),
            None => self.mesh.uri().to_string(),
        }
    }

    async fn reach(&self, address: &str) -> Result<()> {
        let link = self.mesh.link(address).await?;
        Ok(link.wait_up(PATIENCE).await?)
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

    async fn idle_stream(&self) -> Result<Box<dyn Any + Send>> {
        let mut stream = self.link.stream(StreamOptions::new()).await?;
        let mut packet = [b'p'; 64];
        stream.write_all(&packet).await?;
        stream.read_exact(&mut packet).await?;
        Ok(Box::new(stream))
    }

    async fn close(self: Box<Self>) {
        self.mesh.close().await;
    }
}

/// A stream that begins with `p` is echoed, any other discarded and confirmed at its end.
pub async fn stream(incoming: IncomingStream) -> io::Result<()> {
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
