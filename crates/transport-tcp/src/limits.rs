//! What bounds a transport and its connections.

use std::time::Duration;

use telehash_transport::Capabilities;

/// Connections of one transport, dialled and accepted. Beyond them a newcomer takes the place of the
/// oldest stranger that has not said anything; if there is none it is refused, and dialling fails.
pub const MAX_CONNECTIONS: usize = 4096;

/// Accepted connections that no link uses yet, TLS handshakes included. One more takes the place of
/// the oldest of them that has not shown a whole packet; if there is none it is refused.
pub const MAX_STRANGERS: usize = 1024;

/// The same from one host: an IPv4 address, or a /64 of IPv6. This machine is no such host, since
/// whatever comes through a proxy on it would count as one.
pub const MAX_STRANGERS_PER_HOST: usize = 64;

/// Longest packet of a peer that no link uses yet, in bytes: no handshake is longer. A longer one
/// closes the connection.
pub const MAX_STRANGER_PACKET: usize = 8192;

/// Bytes that one connection holds for a peer that does not take them. When a packet would exceed
/// them it is refused with `WouldBlock`, except when nothing else is waiting.
pub const MAX_UNSENT: usize = 256 * 1024;

/// The same for a peer that no link uses yet.
pub const MAX_STRANGER_UNSENT: usize = 16 * 1024;

/// Events that wait to be polled. At the limit the oldest is forgotten.
pub(crate) const MAX_EVENTS: usize = 2 * MAX_CONNECTIONS;

/// Connections that wait for their turn to be acknowledged. At the limit they get it at once, instead
/// of when there is nothing to receive.
pub(crate) const MAX_ACKS_DUE: usize = 64;

/// Batches after which connections are acknowledged though there is more to receive.
pub(crate) const MAX_BATCHES_UNACKED: usize = 64;

/// Connections that one poll serves without finding a packet. Then it lets other tasks run first.
pub(crate) const MAX_TURNS: usize = 64;

/// Connections that are accepted in one turn, before others are served.
pub(crate) const MAX_ACCEPTS: usize = 16;

/// Connections that the system accepts for us before we see them. What it does with more is its
/// affair: most let the peer try again.
///
/// Limit: also bounded by the system (`net.core.somaxconn`).
pub(crate) const BACKLOG: i32 = 1024;

/// An accepted connection shows its first whole packet within this time, TLS handshake included, or
/// is closed.
///
/// Limit: on the time that a silent stranger occupies a place.
pub const FIRST_PACKET_TIMEOUT: Duration = Duration::from_secs(10);

/// A connection is taken into use by a link within this time or closed.
///
/// Limit: on the time that a stranger occupies a place.
pub const STRANGER_TIMEOUT: Duration = Duration::from_secs(30);

/// A packet that has begun is complete within this time, or its connection is closed.
///
/// Limit: on the time that a slow peer makes us hold half a packet.
pub const PACKET_TIMEOUT: Duration = Duration::from_secs(30);

/// A connection in use on which nothing is heard for so long is closed: more than two keepalives are
/// missing.
///
/// Limit: on the time that a dead peer occupies a place.
pub const IDLE_TIMEOUT: Duration =
    Duration::from_secs(2 * Capabilities::STREAM_KEEPALIVE.as_secs() + 60);

/// What was accepted leaves within this time when a connection is closed, or is given up.
///
/// Limit: on the time that a closing connection occupies a place.
pub const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);

/// How long a closing transport waits for its peers to close as well, after everything has left. It
/// keeps the system from resetting connections on which the peer was still sending.
pub(crate) const LINGER: Duration = Duration::from_millis(250);

/// Longest pause after the system failed to accept a connection; the first one is
/// [`FIRST_PAUSE`], and each doubles.
///
/// Limit: on the time for which a transport that ran out of file descriptors hears no newcomer after
/// there are some again.
pub(crate) const MAX_PAUSE: Duration = Duration::from_secs(1);

/// First pause after the system failed to accept a connection.
pub(crate) const FIRST_PAUSE: Duration = Duration::from_millis(10);
