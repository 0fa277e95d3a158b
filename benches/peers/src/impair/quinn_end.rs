//! quinn with the controller that is measured and its defaults otherwise.

use std::{
    net::{Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::{Arc, atomic::AtomicU64},
};

use anyhow::Result;
use async_trait::async_trait;
use quinn::{
    ClientConfig, Connection, Endpoint, ServerConfig, TransportConfig,
    congestion::{BbrConfig, CubicConfig},
};
use rustls::{
    RootCertStore,
    pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer},
};

use super::contender::{Far, Kind, Near, Reader, State, Writer, serve_stream};

struct QuinnFar {
    endpoint: Endpoint,
    certificate: CertificateDer<'static>,
    kind: Kind,
}

struct QuinnNear {
    endpoint: Endpoint,
    connection: Connection,
}

/// A far end, and where it listens.
pub fn serve(kind: Kind, arrived: Arc<AtomicU64>) -> Result<(SocketAddr, Box<dyn Far>)> {
    let (config, certificate) = server_config(kind)?;
    let endpoint = Endpoint::server(config, (Ipv4Addr::LOCALHOST, 0).into())?;
    tokio::spawn(accept(endpoint.clone(), arrived));
    let far = QuinnFar {
        endpoint: endpoint.clone(),
        certificate,
        kind,
    };
    Ok((endpoint.local_addr()?, Box::new(far)))
}

/// What a server is configured with, and its new certificate.
pub fn server_config(kind: Kind) -> Result<(ServerConfig, CertificateDer<'static>)> {
    let generated = rcgen::generate_simple_self_signed(["localhost".to_owned()])?;
    let certificate = generated.cert.der().clone();
    let key = PrivatePkcs8KeyDer::from(generated.signing_key.serialize_der());
    let chain = vec![certificate.clone()];
    let mut config = ServerConfig::with_single_cert(chain, PrivateKeyDer::from(key))?;
    config.transport_config(transport(kind));
    Ok((config, certificate))
}

/// What a client of the server with this certificate is configured with.
pub fn client_config(kind: Kind, certificate: &CertificateDer<'static>) -> Result<ClientConfig> {
    let mut roots = RootCertStore::empty();
    roots.add(certificate.clone())?;
    let mut config = ClientConfig::with_root_certificates(Arc::new(roots))?;
    config.transport_config(transport(kind));
    Ok(config)
}

fn transport(kind: Kind) -> Arc<TransportConfig> {
    let mut config = TransportConfig::default();
    match kind {
        Kind::Cubic => config.congestion_controller_factory(Arc::new(CubicConfig::default())),
        Kind::Bbr => config.congestion_controller_factory(Arc::new(BbrConfig::default())),
    };
    Arc::new(config)
}

async fn accept(endpoint: Endpoint, arrived: Arc<AtomicU64>) {
    while let Some(incoming) = endpoint.accept().await {
        let arrived = Arc::clone(&arrived);
        tokio::spawn(async move {
            let Ok(connection) = incoming.await else {
                return;
            };
            while let Ok((writer, reader)) = connection.accept_bi().await {
                let arrived = Arc::clone(&arrived);
                tokio::spawn(serve_stream(Box::new(reader), Box::new(writer), arrived));
            }
        });
    }
}

#[async_trait]
impl Far for QuinnFar {
    async fn dial(&self, via: SocketAddr) -> Result<Box<dyn Near>> {
        let config = client_config(self.kind, &self.certificate)?;
        let mut endpoint = Endpoint::client((Ipv6Addr::LOCALHOST, 0).into())?;
        endpoint.set_default_client_config(config);
        let connection = endpoint.connect(via, "localhost")?.await?;
        Ok(Box::new(QuinnNear {
            endpoint,
            connection,
        }))
    }

    async fn close(self: Box<Self>) {
        self.endpoint.close(0u32.into(), b"");
        self.endpoint.wait_idle().await;
    }
}

#[async_trait]
impl Near for QuinnNear {
    async fn open(&self) -> Result<(Reader, Writer)> {
        let (writer, reader) = self.connection.open_bi().await?;
        Ok((Box::new(reader), Box::new(writer)))
    }

    fn state(&self) -> State {
        let stats = self.connection.stats();
        State {
            window: stats.path.cwnd,
            rtt: stats.path.rtt,
            packet: stats.path.current_mtu.into(),
            sent: stats.udp_tx.bytes,
            lost: stats.path.lost_bytes,
            pacing: None,
        }
    }

    async fn close(self: Box<Self>) {
        self.connection.close(0u32.into(), b"");
        self.endpoint.wait_idle().await;
    }
}
