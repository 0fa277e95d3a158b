//! How to open a TLS transport.

use std::{net::SocketAddr, sync::Arc};

use rustls::{ClientConfig, ServerConfig, pki_types::ServerName};
use telehash_transport::ip::Listen;

/// How to open a TLS transport, with [`TcpTransport::bind_tls`](crate::TcpTransport::bind_tls).
///
/// By default it listens on every address, IPv6 and IPv4, on any free port: 42424 is that of bare
/// TCP, and nobody guesses the port of TLS, since it is in our paths.
///
/// Whom a link is with is proved inside, by the cipher sets. So a certificate says nothing: ours is
/// made anew each time, signs itself and names nobody, and those of peers are accepted as they are.
/// An application that wants more brings configurations of its own. They must use the `ring`
/// provider if another part of the program chooses none; the protocol ([`ALPN`](crate::ALPN)) is set
/// here.
#[derive(Clone, Debug)]
pub struct TlsConfig {
    pub(crate) listen: Listen,
    pub(super) client: Option<Arc<ClientConfig>>,
    pub(super) server: Option<Arc<ServerConfig>>,
    pub(super) name: Option<ServerName<'static>>,
}

impl Default for TlsConfig {
    fn default() -> Self {
        Listen::everywhere(0).into()
    }
}

impl From<Listen> for TlsConfig {
    fn from(listen: Listen) -> Self {
        Self {
            listen,
            client: None,
            server: None,
            name: None,
        }
    }
}

impl TlsConfig {
    /// Listens on exactly this address; see [`Listen::at`], and [`Listen`] for more choices.
    #[must_use]
    pub fn at(address: SocketAddr) -> Self {
        Listen::at(address).into()
    }

    /// How we dial: which certificates of peers are accepted, and which one we show.
    #[must_use]
    pub fn client(mut self, config: Arc<ClientConfig>) -> Self {
        self.client = Some(config);
        self
    }

    /// How we listen: which certificate we show, and whether peers have to show one.
    #[must_use]
    pub fn server(mut self, config: Arc<ServerConfig>) -> Self {
        self.server = Some(config);
        self
    }

    /// The name that certificates of the peers we dial have to carry if they are verified. It is
    /// sent, unencrypted, to whom we dial. By default that is the address of the path, which is not
    /// sent.
    #[must_use]
    pub fn server_name(mut self, name: ServerName<'static>) -> Self {
        self.name = Some(name);
        self
    }
}
