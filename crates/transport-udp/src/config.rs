//! How to open a UDP socket.

use std::net::SocketAddr;

use telehash_transport::ip::Listen;

/// The port that telehash prefers.
pub const DEFAULT_PORT: u16 = 42_424;

/// Bytes that are asked for as send and as receive buffer of a socket. The system may grant less;
/// datagrams that do not fit are lost (receiving) or wait (sending).
pub const SOCKET_BUFFER: usize = 4 * 1024 * 1024;

/// How to open a UDP socket.
///
/// By default it listens on every address, IPv6 and IPv4, on port 42424 or any other if that one is
/// taken; on a system without IPv6, on IPv4 alone. It takes part in LAN discovery, unless it is
/// bound to a loopback address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UdpConfig {
    pub(crate) listen: Listen,
    pub(crate) buffer: usize,
    pub(crate) discovery: bool,
}

impl Default for UdpConfig {
    fn default() -> Self {
        Listen::everywhere(DEFAULT_PORT).into()
    }
}

impl From<Listen> for UdpConfig {
    fn from(listen: Listen) -> Self {
        Self {
            listen,
            buffer: SOCKET_BUFFER,
            discovery: !listen.address().ip().to_canonical().is_loopback(),
        }
    }
}

impl UdpConfig {
    /// Listens on exactly this address; see [`Listen::at`], and [`Listen`] for more choices.
    #[must_use]
    pub fn at(address: SocketAddr) -> Self {
        Listen::at(address).into()
    }

    /// Bytes to ask for as send and as receive buffer; [`SOCKET_BUFFER`] unless told otherwise.
    #[must_use]
    pub const fn buffer(mut self, bytes: usize) -> Self {
        self.buffer = bytes;
        self
    }

    /// Whether to take part in LAN discovery: to hear what others announce on
    /// [`DISCOVERY_PORT`](crate::DISCOVERY_PORT), and to be able to announce ourselves.
    ///
    /// Hearing sends nothing but the system's own notice that this host listens to a group.
    #[must_use]
    pub const fn discovery(mut self, discovery: bool) -> Self {
        self.discovery = discovery;
        self
    }
}
