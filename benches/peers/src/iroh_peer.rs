//! iroh, with its default configuration but for relays and look-ups, of which there are none on the
//! loopback interface.

use std::{
    net::{Ipv4Addr, SocketAddr},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use async_trait::async_trait;
use iroh::{
    Endpoint, EndpointAddr,
    endpoint::{RecvStream, SendStream, presets},
};

use crate::library::{Connection, Library, Server};

const ALPN: &[u8] = b"bench/1";

/// The library.
pub struct Iroh;

struct IrohServer {
    endpoint: Endpoint,
}

struct IrohConnection {
    endpoint: Endpoint,
    connection: iroh::endpoint::Connection,
}

#[async_trait]
impl Library for Iroh {
    async fn serve(&self) -> Result<Box<dyn Server>> {
        let endpoint = endpoint().await?;
        tokio::spawn(accept(endpoint.clone()));
        Ok(Box::new(IrohServer { endpoint }))
    }

    async fn dial(&self, address: &str) -> Result<Box<dyn Connection>> {
        let address: EndpointAddr = serde_json::from_str(address)?;
        let endpoint = endpoint().await?;
        let connection = endpoint.connect(address, ALPN).await?;
        Ok(Box::new(IrohConnection {
            endpoint,
            connection,
        }))
    }
}

impl Server for IrohServer {
    fn address(&self) -> String {
        let mut address = EndpointAddr::new(self.endpoint.id());
        for socket in self.endpoint.bound_sockets() {
            address = address.with_ip_addr(socket);
        }
        serde_json::to_string(&address).expect("it has no maps with odd keys")
    }
}

#[async_trait]
impl Connection for IrohConnection {
    async fn upload(&self, bytes: u64) -> Result<()> {
        let (mut send, mut receive) = self.connection.open_bi().await?;
        let chunk = vec![0x5a; 64 << 10];
        let mut left = bytes;
        while left > 0 {
            let now = left.min(chunk.len() as u64) as usize;
            send.write_all(&chunk[..now]).await?;
            left -= now as u64;
        }
        send.finish()?;
        let answer = receive.read_to_end(1).await?;
        ensure!(answer == [1], "the far end did not confirm");
        Ok(())
    }

    async fn pings(&self, count: usize) -> Result<Vec<Duration>> {
        let (mut send, mut receive) = self.connection.open_bi().await?;
        let mut packet = [b'p'; 64];
        let mut times = Vec::with_capacity(count);
        for _ in 0..count {
            let start = Instant::now();
            send.write_all(&packet).await?;
            receive.read_exact(&mut packet).await?;
            times.push(start.elapsed());
        }
        send.finish()?;
        Ok(times)
    }

    async fn close(self: Box<Self>) {
        self.connection.close(0u32.into(), b"");
        self.endpoint.close().await;
    }
}

/// A new identity on the loopback interface.
async fn endpoint() -> Result<Endpoint> {
    let builder = Endpoint::builder(presets::Minimal)
        .clear_ip_transports()
        .bind_addr(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))
        .context("the loopback interface is no address")?;
    Ok(builder.alpns(vec![ALPN.to_vec()]).bind().await?)
}

async fn accept(endpoint: Endpoint) {
    while let Some(incoming) = endpoint.accept().await {
        tokio::spawn(async move {
            let Ok(connection) = incoming.await else {
                return;
            };
            while let Ok((send, receive)) = connection.accept_bi().await {
                tokio::spawn(stream(send, receive));
            }
        });
    }
}

/// A stream that begins with `p` is echoed, any other discarded and confirmed at its end.
async fn stream(mut send: SendStream, mut receive: RecvStream) -> Result<()> {
    let mut buf = vec![0; 64 << 10];
    let mut echo = false;
    while let Some(read) = receive.read(&mut buf).await? {
        echo |= buf[0] == b'p';
        if echo {
            send.write_all(&buf[..read]).await?;
        }
    }
    if !echo {
        send.write_all(&[1]).await?;
    }
    send.finish()?;
    Ok(())
}
