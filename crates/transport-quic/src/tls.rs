//! The TLS of an endpoint.

use std::{io, sync::Arc};

use quinn::crypto::rustls::{NoInitialCipherSuite, QuicClientConfig, QuicServerConfig};
use telehash_transport::tls::{self, ALPN};

use crate::config::Verification;

/// The TLS of an endpoint, both ways.
#[derive(Clone)]
pub(crate) struct Tls {
    pub(crate) server: Arc<QuicServerConfig>,
    pub(crate) client: Arc<QuicClientConfig>,
    /// Whom to expect when dialling. If that is nobody, the peer's address stands for it, which
    /// TLS does not send.
    pub(crate) server_name: Option<Arc<str>>,
}

impl Tls {
    /// With a certificate of our own making, for peers with any.
    pub(crate) fn anonymous() -> io::Result<Self> {
        Self::new(tls::server()?, tls::client()?, None)
    }

    /// As the application wants it.
    pub(crate) fn verified(verification: &Verification) -> io::Result<Self> {
        let Verification {
            server,
            client,
            server_name,
        } = verification.clone();
        Self::new(server, client, Some(server_name))
    }

    fn new(
        mut server: rustls::ServerConfig,
        mut client: rustls::ClientConfig,
        server_name: Option<Arc<str>>,
    ) -> io::Result<Self> {
        server.alpn_protocols = vec![ALPN.to_vec()];
        client.alpn_protocols = vec![ALPN.to_vec()];
        Ok(Self {
            server: Arc::new(server.try_into().map_err(unusable)?),
            client: Arc::new(client.try_into().map_err(unusable)?),
            server_name,
        })
    }
}

fn unusable(error: NoInitialCipherSuite) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, error)
}
