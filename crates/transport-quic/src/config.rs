//! How to open a QUIC endpoint.

use std::{net::SocketAddr, sync::Arc};

use telehash_transport::ip::Listen;

/// The port that telehash over QUIC prefers: 42424/udp is telehash's own.
pub const DEFAULT_PORT: u16 = 42_425;

/// How to open a QUIC endpoint.
///
/// By default it listens on every address, IPv6 and IPv4, on port 42425 or any other if that one is
/// taken; on a system without IPv6, on IPv4 alone. Its certificate is made anew and says nothing,
/// and whatever certificate a peer has is accepted: who is there is E3X's to find out.
#[derive(Clone, Debug)]
pub struct QuicConfig {
    pub(crate) listen: Listen,
    pub(crate) verification: Option<Verification>,
}

/// What an application wants of TLS.
#[derive(Clone, Debug)]
pub(crate) struct Verification {
    pub(crate) server: rustls::ServerConfig,
    pub(crate) client: rustls::ClientConfig,
    pub(crate) server_name: Arc<str>,
}

impl Default for QuicConfig {
    fn default() -> Self {
        Listen::everywhere(DEFAULT_PORT).into()
    }
}

impl From<Listen> for QuicConfig {
    fn from(listen: Listen) -> Self {
        Self {
            listen,
            verification: None,
        }
    }
}

impl QuicConfig {
    /// Listens on exactly this address; see [`Listen::at`], and [`Listen`] for more choices.
    #[must_use]
    pub fn at(address: SocketAddr) -> Self {
        Listen::at(address).into()
    }

    /// Uses certificates that mean something, on top of what E3X proves: `server` for whoever
    /// connects here, `client` and `server_name` for dialling. Both have to allow TLS 1.3; the
    /// protocol name is set here.
    ///
    /// Build them with [`rustls`] as this crate exports it, and with its `ring` provider.
    #[must_use]
    pub fn verification(
        mut self,
        server: rustls::ServerConfig,
        client: rustls::ClientConfig,
        server_name: &str,
    ) -> Self {
        self.verification = Some(Verification {
            server,
            client,
            server_name: server_name.into(),
        });
        self
    }
}
