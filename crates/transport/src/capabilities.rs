//! What a pipe can do, so that the layers above treat it rightly.

use std::time::Duration;

/// Whether packets leave cloaked (packets.md, "Cloaking"). Transports only state the policy; the
/// link core cloaks and accepts both forms everywhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CloakPolicy {
    /// Every packet leaves cloaked: UDP.
    Always,
    /// Packets leave as the peer sends its own: TCP, for the sake of implementations that can
    /// neither send nor receive cloaked packets there.
    MatchPeer,
    /// Packets leave uncloaked, because the transport encrypts already: QUIC, TLS.
    Never,
}

/// What one pipe of a transport can do (architecture.md, "How packets flow").
///
/// Start from [`Capabilities::datagram`] or [`Capabilities::stream`] and set the fields that
/// differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Capabilities {
    /// Largest packet that the transport takes, in bytes as given to
    /// [`try_send`](crate::Transport::try_send). A path may carry less: the link probes for that.
    pub max_packet: usize,
    /// Delivers every packet once and in order, or closes the pipe. Retransmission timers stand
    /// back on such a pipe.
    pub reliable: bool,
    /// Controls congestion itself, so that ours stands back. A reliable pipe normally does, an
    /// unreliable one may (QUIC datagrams).
    pub own_congestion_control: bool,
    /// Whether packets leave cloaked.
    pub cloak: CloakPolicy,
    /// Longest silence of ours before a keepalive is due on this pipe.
    pub keepalive: Duration,
    /// Refuses packets with [`WouldBlock`](std::io::ErrorKind::WouldBlock) while the *peer* does
    /// not take them, not only while the local socket is busy.
    pub backpressure: bool,
    /// Both ends are on this machine: no path to probe, the largest packets work at once.
    pub loopback: bool,
}

impl Capabilities {
    /// Largest datagram that UDP over IPv4 can carry, in bytes.
    pub const MAX_DATAGRAM: usize = 65_507;

    /// Keepalive of datagram pipes: mappings of address translators expire quickly.
    pub const DATAGRAM_KEEPALIVE: Duration = Duration::from_secs(30);

    /// Keepalive of connections.
    pub const STREAM_KEEPALIVE: Duration = Duration::from_secs(300);

    /// A plain datagram socket: unreliable, uncontrolled, cloaked (transports.md, "udp").
    #[must_use]
    pub const fn datagram() -> Self {
        Self {
            max_packet: Self::MAX_DATAGRAM,
            reliable: false,
            own_congestion_control: false,
            cloak: CloakPolicy::Always,
            keepalive: Self::DATAGRAM_KEEPALIVE,
            backpressure: false,
            loopback: false,
        }
    }

    /// A connected byte stream that carries packets in chunks (transports.md, "tcp").
    #[must_use]
    pub const fn stream() -> Self {
        Self {
            max_packet: Self::MAX_DATAGRAM,
            reliable: true,
            own_congestion_control: true,
            cloak: CloakPolicy::MatchPeer,
            keepalive: Self::STREAM_KEEPALIVE,
            backpressure: true,
            loopback: false,
        }
    }
}
