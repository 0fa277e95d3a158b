//! The transports for the builder.

#[cfg(any(feature = "udp", feature = "tcp", feature = "tls", feature = "quic"))]
use std::net::SocketAddr;

use telehash_runtime::Builder;
#[cfg(feature = "quic")]
use telehash_transport_quic::{QuicConfig, QuicTransport};
#[cfg(feature = "tls")]
use telehash_transport_tcp::TlsConfig;
#[cfg(feature = "tcp")]
use telehash_transport_tcp::{TcpConfig, TcpTransport};
#[cfg(feature = "udp")]
use telehash_transport_udp::{UdpConfig, UdpTransport};

/// Adds transports to [`Builder`]. Each can be added more than once.
///
/// In every address port 0 is any free port, `0.0.0.0` every IPv4 address, and `[::]` every address
/// of both families.
pub trait BuilderTransportExt {
    /// Listens on this UDP address.
    #[cfg(feature = "udp")]
    #[must_use]
    fn udp(self, address: SocketAddr) -> Self;

    /// Listens on this TCP address.
    #[cfg(feature = "tcp")]
    #[must_use]
    fn tcp(self, address: SocketAddr) -> Self;

    /// Listens for TLS on this TCP address. Certificates prove nothing here: links do.
    #[cfg(feature = "tls")]
    #[must_use]
    fn tls(self, address: SocketAddr) -> Self;

    /// Listens for QUIC on this UDP address.
    #[cfg(feature = "quic")]
    #[must_use]
    fn quic(self, address: SocketAddr) -> Self;
}

impl BuilderTransportExt for Builder {
    #[cfg(feature = "udp")]
    fn udp(self, address: SocketAddr) -> Self {
        self.open_transport(async move { UdpTransport::bind(&UdpConfig::at(address)).await })
    }

    #[cfg(feature = "tcp")]
    fn tcp(self, address: SocketAddr) -> Self {
        self.open_transport(async move { TcpTransport::bind(&TcpConfig::at(address)).await })
    }

    #[cfg(feature = "tls")]
    fn tls(self, address: SocketAddr) -> Self {
        self.open_transport(async move { TcpTransport::bind_tls(&TlsConfig::at(address)).await })
    }

    #[cfg(feature = "quic")]
    fn quic(self, address: SocketAddr) -> Self {
        self.open_transport(async move { QuicTransport::bind(&QuicConfig::at(address)).await })
    }
}

/// Listens on every address with every transport, on telehash's ports or others, unless a transport
/// is added.
pub(crate) fn by_default(builder: Builder) -> Builder {
    #[cfg(feature = "udp")]
    let builder =
        builder.default_transport(async { UdpTransport::bind(&UdpConfig::default()).await });
    #[cfg(feature = "quic")]
    let builder =
        builder.default_transport(async { QuicTransport::bind(&QuicConfig::default()).await });
    #[cfg(feature = "tcp")]
    let builder =
        builder.default_transport(async { TcpTransport::bind(&TcpConfig::default()).await });
    #[cfg(feature = "tls")]
    let builder =
        builder.default_transport(async { TcpTransport::bind_tls(&TlsConfig::default()).await });
    builder
}
