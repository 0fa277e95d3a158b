//! What an endpoint is configured with; every limit is a named constant here or beside its code.

use alloc::{vec, vec::Vec};
use core::time::Duration;

use telehash_lob::Compression;

use crate::{FlowConfig, PipeCapabilities};

/// Limit: pipes of one link. At the limit the worst unvalidated pipe is forgotten; if all are
/// validated a new one is refused.
pub const MAX_PIPES: usize = 16;

/// Limit: handshakes of strangers that wait for their `link` message or for the application's
/// decision, per endpoint. At the limit the oldest is forgotten, of those whose sender is not known
/// yet if there are any.
pub const MAX_HALF_OPEN: usize = 64;

/// Limit: how long a half-open handshake waits, then it is forgotten.
pub const HALF_OPEN_TIMEOUT: Duration = Duration::from_secs(10);

/// Limit: messages of one half-open handshake that wait for its `link` message; more are dropped.
pub const MAX_HALF_OPEN_MESSAGES: usize = 4;

/// Limit: bytes of one handshake packet; larger ones are dropped before any public-key work.
pub const MAX_HANDSHAKE_PACKET: usize = 8192;

/// Limit: sources (a /24, a /64, a connection, a router, a friend behind it) with a bucket of their
/// own, of each kind. At the limit all that are full (not busy lately) make room, else the fullest.
pub const MAX_STRANGER_PREFIXES: usize = 1024;

/// Limit: keystream bytes a second that one /24 or /64 may cost us for packets that are cloaked more
/// than once; beyond it such packets are dropped. The first round is always free.
pub const KEYSTREAM_PER_SECOND: u32 = 1 << 20;

/// Limit: authenticated ephemerals of the peer that one link remembers. At the limit the oldest
/// without a session is forgotten; if all have one a new one is not remembered.
pub const MAX_REMOTE_EPHEMERALS: usize = 3;

/// Limit: sealed handshake packets of one link that wait for the transport; the oldest is dropped.
pub const MAX_CONTROL_QUEUE: usize = 64;

/// Limit: application events of one link that wait to be drained; at the limit state changes and
/// news of channels still enter, pipe news and further handshake messages are dropped.
pub const MAX_LINK_EVENTS: usize = 1024;

/// Size of a datagram that every path is taken to carry, in bytes (architecture.md, "How packets
/// flow").
pub const BASE_DATAGRAM: usize = 1200;

/// Size of a datagram on paths that are proven to carry it, and on loopback at once, in bytes.
pub const PROVEN_DATAGRAM: usize = 1400;

/// Size of the largest datagram that is probed for, in bytes: all that Ethernet's jumbo frames carry of UDP over IPv6.
pub const JUMBO_DATAGRAM: usize = 8952;

/// Size of packets toward ends of our kind while every pipe is reliable, in bytes (links.md, "Packet
/// size").
pub const STREAM_PACKET: usize = 8 * 1024;

/// How much public-key work strangers may cause (links.md, "Trust: silence is the default").
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct StrangerBudget {
    /// Handshakes a second from one /24 or /64.
    pub per_prefix: u32,
    /// Handshakes a second from all of them; as many again are reserved for the addresses of links.
    pub global: u32,
    /// Seconds' worth that a quiet source saves up.
    pub burst: u32,
}

impl Default for StrangerBudget {
    fn default() -> Self {
        Self {
            per_prefix: 50,
            global: 500,
            burst: 2,
        }
    }
}

/// Configuration of an [`Endpoint`](crate::Endpoint) and its links.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Config {
    /// Capabilities of the transports, indexed by [`TransportId`](crate::TransportId).
    pub transports: Vec<PipeCapabilities>,
    /// Channels, windows and congestion control.
    pub flow: FlowConfig,
    /// Public-key work for strangers.
    pub strangers: StrangerBudget,
    /// Payload compression that handshakes offer (packets.md, `z`).
    pub compression: Compression,
    /// Offer to cloak channel packets only at their head, the rest of which is uniform anyway
    /// (packets.md, `hc`). Handshakes are always cloaked in full.
    pub head_only_cloak: bool,
    /// Datagrams of this system may leave in fragments. Then packets are of up to [`STREAM_PACKET`]
    /// bytes while every pipe is reliable: what is under way when these break can go on by others.
    pub fragments: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            transports: vec![PipeCapabilities::DATAGRAM],
            flow: FlowConfig::default(),
            strangers: StrangerBudget::default(),
            compression: Compression::Cbor,
            head_only_cloak: true,
            fragments: true,
        }
    }
}
