//! What bounds a transport: its connections, and what those whom nobody knows may take of them.

use std::time::Duration;

/// Connections of one transport, dialled and accepted; and closed ones whose end nobody asked for.
/// At the limit the oldest stranger makes room; without one, whoever comes is refused and dialling
/// fails.
pub const MAX_CONNECTIONS: usize = 16_384;

/// Accepted connections that no link uses yet. The oldest makes room for a further one.
pub const MAX_STRANGERS: usize = 512;

/// Strangers from one IPv4 address or one IPv6 /64, and handshakes of theirs. Of strangers the
/// oldest makes room, a further handshake is refused.
pub const MAX_STRANGERS_PER_HOST: usize = 64;

/// Limit: how long a stranger may send no packet; then its connection is closed.
pub const FIRST_PACKET_TIMEOUT: Duration = Duration::from_secs(10);

/// Limit: how long a connection may be a stranger's; then it is closed.
pub const STRANGER_TIMEOUT: Duration = Duration::from_secs(30);

/// Incoming handshakes that are not done; further ones are refused.
pub const MAX_HANDSHAKES: usize = 256;

/// Limit: incoming handshakes that may be under way on behalf of addresses that prove nothing.
/// While there are as many, whoever comes has to show that packets reach it (a QUIC retry), which
/// costs one more round trip.
pub const UNVALIDATED_HANDSHAKES: usize = 32;

/// Limit: how long a handshake may take, in either direction; then it is given up.
pub const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// Packets too large for a datagram that are under way on one connection in one direction, each on
/// a stream of its own. Further ones wait at their sender.
pub const MAX_STREAMS: usize = 32;

/// The same on the connection of a stranger.
pub const MAX_STRANGER_STREAMS: usize = 4;

/// The numbers that tests make small.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub(crate) connections: usize,
    pub(crate) handshakes: usize,
    pub(crate) unvalidated: usize,
    pub(crate) first_packet: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: MAX_CONNECTIONS,
            handshakes: MAX_HANDSHAKES,
            unvalidated: UNVALIDATED_HANDSHAKES,
            first_packet: FIRST_PACKET_TIMEOUT,
        }
    }
}
