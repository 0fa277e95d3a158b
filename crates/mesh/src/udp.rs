//! UDP for the builder.

use std::net::SocketAddr;

use telehash_runtime::Builder;
use telehash_transport_udp::{UdpConfig, UdpTransport};

/// Adds UDP to [`Builder`].
pub trait BuilderUdpExt {
    /// Listens on this UDP address; port 0 is any free one, `[::]` every address of both families.
    #[must_use]
    fn udp(self, address: SocketAddr) -> Self;
}

impl BuilderUdpExt for Builder {
    fn udp(self, address: SocketAddr) -> Self {
        self.open_transport(async move { UdpTransport::bind(&UdpConfig::at(address)).await })
    }
}

/// Listens on port 42424 of every address, or on another port, unless another transport is added.
pub(crate) fn by_default(builder: Builder) -> Builder {
    builder.default_transport(async { UdpTransport::bind(&UdpConfig::default()).await })
}
