//! quinn, with its default configuration.

use std::{
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use async_trait::async_trait;
use quinn::{ClientConfig, Endpoint, ServerConfig};
use rustls::{
    RootCertStore,
    pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer},
};

use crate::library::{Connection, Library, Server};

const LOOPBACK: SocketAddr =
    SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 0);

/// The library.
pub struct Quinn;

struct QuinnServer {
    endpoint: Endpoint,
    certificate: CertificateDer<'static>,
}

struct QuinnConnection {
    endpoint: Endpoint,
    connection: quinn::Connection,
}

#[async_trait]
impl Library for Quinn {
    async fn serve(&self) -> Result<Box<dyn Server>> {
        let generated = rcgen::generate_simple_self_signed(["localhost".to_owned()])?;
        let certificate = generated.cert.der().clone();
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(
            generated.signing_key.serialize_der(),
        ));
        let config = ServerConfig::with_single_cert(vec![certificate.clone()], key)?;
        let endpoint = Endpoint::server(config, LOOPBACK)?;
        tokio::spawn(accept(endpoint.clone()));
        Ok(Box::new(QuinnServer {
            endpoint,
            certificate,
        }))
    }

    async fn dial(&self, address: &str) -> Result<Box<dyn Connection>> {
        let (address, certificate) = address.split_once(' ').context("no certificate")?;
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from(from_hex(certificate)?))?;
        let mut endpoint = Endpoint::client(LOOPBACK)?;
        endpoint.set_default_client_config(ClientConfig::with_root_certificates(Arc::new(roots))?);
        let connection = endpoint.connect(address.parse()?, "localhost")?.await?;
        Ok(Box::new(QuinnConnection {
            endpoint,
            connection,
        }))
    }
}

impl Server for QuinnServer {
    fn address(&self) -> String {
        let address = self
            .endpoint
            .local_addr()
            .expect("a bound socket has an address");
        let hex: String = self
            .certificate
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        format!("{address} {hex}")
    }
}

#[async_trait]
impl Connection for QuinnConnection {
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
        self.endpoint.wait_idle().await;
    }
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
async fn stream(mut send: quinn::SendStream, mut receive: quinn::RecvStream) -> Result<()> {
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

fn from_hex(hex: &str) -> Result<Vec<u8>> {
    (0..hex.len())
        .step_by(2)
        .map(|at| {
            Ok(u8::from_str_radix(
                hex.get(at..at + 2).context("odd hex")?,
                16,
            )?)
        })
        .collect()
}
