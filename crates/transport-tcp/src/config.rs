//! How to open a TCP transport.

use std::net::SocketAddr;

use telehash_transport::ip::Listen;

/// The port that telehash prefers.
pub const DEFAULT_PORT: u16 = 42_424;

/// How to open a TCP transport.
///
/// By default it listens on every address, IPv6 and IPv4, on port 42424 or any other if that one is
/// taken; on a system without IPv6, on IPv4 alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TcpConfig {
    pub(crate) listen: Listen,
    pub(crate) always_cloak: bool,
}

impl Default for TcpConfig {
    fn default() -> Self {
        Listen::everywhere(DEFAULT_PORT).into()
    }
}

impl From<Listen> for TcpConfig {
    fn from(listen: Listen) -> Self {
        Self {
            listen,
            always_cloak: false,
        }
    }
}

impl TcpConfig {
    /// Listens on exactly this address; see [`Listen::at`], and [`Listen`] for more choices.
    #[must_use]
    pub fn at(address: SocketAddr) -> Self {
        Listen::at(address).into()
    }

    /// Whether packets leave cloaked to everyone, instead of to those who cloak their own. Older
    /// implementations can neither send nor receive cloaked packets over TCP.
    #[must_use]
    pub const fn always_cloak(mut self, always: bool) -> Self {
        self.always_cloak = always;
        self
    }
}
