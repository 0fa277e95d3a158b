//! What a link knows of a pipe: an active delivery path to one remote place (transports.md).

use core::{fmt, net::SocketAddr, time::Duration};

use telehash_hashname::Hashname;
use telehash_lob::cloak;

use crate::config::BASE_DATAGRAM;

/// Index of a transport in [`Config::transports`](crate::Config::transports).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TransportId(pub u8);

impl TransportId {
    /// What carries packets through routers: their links, no transport of the configuration.
    pub const ROUTERS: Self = Self(u8::MAX);
}

/// The far end of a pipe, as its transport names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Remote {
    /// A socket address: datagram transports.
    Socket(SocketAddr),
    /// A connection that the transport numbered itself: stream transports.
    Connection(u64),
    /// Whoever this router reaches for us (channel-types.md, "peer, connect").
    Router(Hashname),
}

/// Names a pipe within an endpoint: the transport, and the far end within it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PipeId {
    /// The transport that carries the packets.
    pub transport: TransportId,
    /// Where they go to and come from.
    pub remote: Remote,
}

impl PipeId {
    /// The pipe of `transport` to the socket address `remote`.
    #[must_use]
    pub const fn socket(transport: TransportId, remote: SocketAddr) -> Self {
        Self {
            transport,
            remote: Remote::Socket(remote),
        }
    }

    /// The pipe through this router.
    #[must_use]
    pub const fn router(router: Hashname) -> Self {
        Self {
            transport: TransportId::ROUTERS,
            remote: Remote::Router(router),
        }
    }

    /// The router that it leads through, if it is not direct.
    #[must_use]
    pub const fn through(&self) -> Option<Hashname> {
        match self.remote {
            Remote::Router(router) => Some(router),
            Remote::Socket(_) | Remote::Connection(_) => None,
        }
    }

    /// Whether both ends are on this machine, as far as the address tells.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        match self.remote {
            Remote::Socket(address) => address.ip().to_canonical().is_loopback(),
            Remote::Connection(_) | Remote::Router(_) => false,
        }
    }
}

impl fmt::Display for PipeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.remote {
            Remote::Socket(address) => write!(f, "{address}#{}", self.transport.0),
            Remote::Connection(number) => write!(f, "connection {number}#{}", self.transport.0),
            Remote::Router(router) => write!(f, "router {}", router.short()),
        }
    }
}

/// Whether packets leave cloaked (packets.md, Cloaking).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CloakPolicy {
    /// Every packet is cloaked; uncloaked ones are accepted.
    Always,
    /// Cloaked once the peer cloaked: what streams do toward implementations of 2015.
    MatchPeer,
    /// Never: the transport encrypts already.
    Never,
}

/// What the pipes of a transport can do; decides how the link treats them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PipeCapabilities {
    /// Largest packet the transport takes, in bytes.
    pub max_packet: usize,
    /// Delivers everything in order or closes: retransmission timers stand back.
    pub reliable: bool,
    /// Does congestion control itself: ours stands back.
    pub own_congestion_control: bool,
    /// Whether packets leave cloaked.
    pub cloak: CloakPolicy,
    /// Longest silence before a keepalive is due: of ours, or of a peer that we send to.
    pub keepalive: Duration,
    /// The transport refuses packets when its queue is full, and says when there is room.
    pub backpressure: bool,
}

impl PipeCapabilities {
    /// A plain datagram socket: UDP (transports.md, udp).
    pub const DATAGRAM: Self = Self {
        max_packet: 65_507,
        reliable: false,
        own_congestion_control: false,
        cloak: CloakPolicy::Always,
        keepalive: Duration::from_secs(30),
        backpressure: false,
    };

    /// A pipe through a router: as unreliable as the worse half of the way, and with room for the
    /// cloak that the router's own pipe puts on.
    pub const ROUTED: Self = Self {
        max_packet: BASE_DATAGRAM - cloak::NONCE_LEN,
        cloak: CloakPolicy::Never,
        ..Self::DATAGRAM
    };
}

impl Default for PipeCapabilities {
    fn default() -> Self {
        Self::DATAGRAM
    }
}

/// How a pipe became known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PathSource {
    /// The application or its stored links name it: sent to freely.
    Dialed,
    /// The peer offered it (path channel): probed within a budget.
    Offered,
    /// A packet came from it: answered with at most three times what it sent.
    Arrived,
}
