//! A web server with certificates of our own.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::serve::Listener;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use telehash_resolve::LookUps;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::name_server::{NameServer, Zone};

/// A certificate authority, and what it signs.
pub(crate) struct Authority {
    certificate: CertificateDer<'static>,
    issuer: Issuer<'static, KeyPair>,
}

/// It serves until it is dropped.
pub(crate) struct WebServer {
    pub(crate) address: SocketAddr,
    authority: Authority,
    names: NameServer,
    serving: JoinHandle<()>,
}

impl Authority {
    pub(crate) fn new() -> Self {
        let key = KeyPair::generate().unwrap();
        let mut parameters = CertificateParams::new([]).unwrap();
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let certificate = parameters.self_signed(&key).unwrap().der().clone();
        let issuer = Issuer::new(parameters, key);
        Self {
            certificate,
            issuer,
        }
    }

    fn server(&self, name: &str) -> ServerConfig {
        let key = KeyPair::generate().unwrap();
        let parameters = CertificateParams::new([name.to_owned()]).unwrap();
        let certificate = parameters.signed_by(&key, &self.issuer).unwrap();
        let key = PrivatePkcs8KeyDer::from(key.serialize_der());
        ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key.into())
            .unwrap()
    }
}

impl WebServer {
    /// Serves `example.org`, with a certificate for that.
    pub(crate) async fn new(router: Router) -> Self {
        Self::named("example.org", router).await
    }

    /// Serves `example.org`, with a certificate for `name`.
    pub(crate) async fn named(name: &str, router: Router) -> Self {
        let authority = Authority::new();
        let tls = authority.server(name);
        let tcp = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = tcp.local_addr().unwrap();
        let listener = TlsListener {
            tcp,
            acceptor: TlsAcceptor::from(Arc::new(tls)),
        };
        let serving = axum::serve(listener, router);
        Self {
            address,
            authority,
            names: Zone::default().serve().await,
            serving: tokio::spawn(async move { serving.await.unwrap() }),
        }
    }

    /// Look-ups that reach this server, trust its authority, and find nothing in DNS.
    pub(crate) fn look_ups(&self) -> LookUps {
        self.look_ups_of(&self.authority)
    }

    /// The same, trusting this authority.
    pub(crate) fn look_ups_of(&self, authority: &Authority) -> LookUps {
        LookUps::new()
            .name_servers([self.names.address])
            .connect_to("example.org", self.address)
            .root_certificate(authority.certificate.to_vec())
    }
}

impl Drop for WebServer {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

struct TlsListener {
    tcp: TcpListener,
    acceptor: TlsAcceptor,
}

impl Listener for TlsListener {
    type Io = TlsStream<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        loop {
            let (stream, address) = self.tcp.accept().await.unwrap();
            // Whoever does not like our certificate goes away.
            if let Ok(stream) = self.acceptor.accept(stream).await {
                return (stream, address);
            }
        }
    }

    fn local_addr(&self) -> std::io::Result<SocketAddr> {
        self.tcp.local_addr()
    }
}
