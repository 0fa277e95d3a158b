//! What the data plane of a link is configured with: every limit, with its default.

use alloc::{boxed::Box, string::String};
use core::{fmt, str::FromStr, time::Duration};

use super::congestion::{Bbr, Controller, Cubic};

/// Limit: how long a channel that we opened waits for any packet of the peer, and one that the peer
/// opened for our decision; then it fails with "timeout".
pub const OPEN_TIMEOUT: Duration = Duration::from_secs(10);

/// Limit: how long a reliable channel retransmits without a sign of life of its peer; then it fails
/// with "timeout".
pub const GIVE_UP: Duration = Duration::from_secs(30);

/// Limit: how long an ended or failed channel is remembered to answer late packets; then it is
/// forgotten.
pub const ENDED_LINGER: Duration = Duration::from_secs(10);

/// Limit: channels that each side may have open at once. At the limit our own opens fail, and
/// those of the peer are refused with an `err`.
pub const MAX_CHANNELS: usize = 1024;

/// Limit: packets that one reliable channel buffers for its reader. At the limit the advertised
/// window is closed; packets beyond what was advertised are dropped.
pub const RECV_PACKETS: u32 = 2048;

/// The receive window of a new channel, in packets; it grows up to [`RECV_PACKETS`] as its reader
/// keeps up. JS has no send window and writes 80 packets at once.
pub const FIRST_RECV_PACKETS: u32 = 128;

/// Limit: bytes that one channel buffers for its reader, at a fixed charge a packet. At the limit
/// the advertised window closes; packets that exceed it by more than a quarter are dropped.
pub const RECV_BYTES: usize = 4 << 20;

/// Limit: bytes that all channels of a link buffer for their readers. At the limit windows stay
/// closed, and a channel takes only the very packet its empty buffer waits for.
pub const LINK_RECV_BYTES: usize = 32 << 20;

/// Limit: bytes that one reliable channel holds until they are acknowledged. At the limit writers
/// are blocked.
pub const SEND_BYTES: usize = 4 << 20;

/// Limit: bytes of one channel that wait to be sent for the first time. At the limit writers are
/// blocked.
pub const UNSENT_BYTES: usize = 256 << 10;

/// Limit: packets of one reliable channel that wait to be sent for the first time. At the limit
/// writers are blocked.
pub const UNSENT_PACKETS: usize = 1024;

/// Limit: packets that an unreliable channel queues, each way. At the limit the oldest is dropped
/// and counted.
pub const UNRELIABLE_PACKETS: usize = 128;

/// Limit: bytes that an unreliable channel queues, each way. At the limit the oldest packets are
/// dropped and counted.
pub const UNRELIABLE_BYTES: usize = 256 << 10;

/// Packets that a peer is taken to have room for until it tells: JS drops above 50 without a word.
pub const DEFAULT_PEER_WINDOW: u32 = 50;

/// The timeouts, limits and algorithms of a [`Flow`](super::Flow).
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct FlowConfig {
    /// See [`OPEN_TIMEOUT`]; [`Open::timeout`](super::Open::timeout) overrides it for one channel.
    pub open_timeout: Duration,
    /// See [`GIVE_UP`].
    pub give_up: Duration,
    /// See [`ENDED_LINGER`].
    pub ended_linger: Duration,
    /// See [`MAX_CHANNELS`]; for each direction on its own.
    pub max_channels: usize,
    /// See [`RECV_PACKETS`]; less than [`FIRST_RECV_PACKETS`] counts as that.
    pub recv_packets: u32,
    /// See [`RECV_BYTES`].
    pub recv_bytes: usize,
    /// See [`LINK_RECV_BYTES`].
    pub link_recv_bytes: usize,
    /// See [`SEND_BYTES`].
    pub send_bytes: usize,
    /// See [`UNSENT_BYTES`].
    pub unsent_bytes: usize,
    /// See [`UNSENT_PACKETS`].
    pub unsent_packets: usize,
    /// See [`UNRELIABLE_PACKETS`].
    pub unreliable_packets: usize,
    /// See [`UNRELIABLE_BYTES`].
    pub unreliable_bytes: usize,
    /// See [`DEFAULT_PEER_WINDOW`].
    pub default_peer_window: u32,
    /// How pipes without congestion control of their own are controlled.
    pub controller: ControllerKind,
}

impl FlowConfig {
    /// The largest receive window of a channel, in packets.
    pub(super) fn max_window(&self) -> u32 {
        self.recv_packets.max(FIRST_RECV_PACKETS)
    }
}

impl Default for FlowConfig {
    fn default() -> Self {
        Self {
            open_timeout: OPEN_TIMEOUT,
            give_up: GIVE_UP,
            ended_linger: ENDED_LINGER,
            max_channels: MAX_CHANNELS,
            recv_packets: RECV_PACKETS,
            recv_bytes: RECV_BYTES,
            link_recv_bytes: LINK_RECV_BYTES,
            send_bytes: SEND_BYTES,
            unsent_bytes: UNSENT_BYTES,
            unsent_packets: UNSENT_PACKETS,
            unreliable_packets: UNRELIABLE_PACKETS,
            unreliable_bytes: UNRELIABLE_BYTES,
            default_peer_window: DEFAULT_PEER_WINDOW,
            controller: ControllerKind::Cubic,
        }
    }
}

/// Which congestion controller pipes get.
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub enum ControllerKind {
    /// CUBIC (RFC 9438) with a gentle end of slow start.
    #[default]
    Cubic,
    /// BBRv3 (draft-ietf-ccwg-bbr): sends as fast as packets arrive, whatever gets lost on the way.
    Bbr,
    /// Made by the application.
    Custom(fn() -> Box<dyn Controller>),
}

/// There is no congestion controller of this name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no congestion controller \"{0}\": take cubic or bbr")]
pub struct UnknownController(pub String);

impl FromStr for ControllerKind {
    type Err = UnknownController;

    /// Reads the name that [`Display`](fmt::Display) writes.
    fn from_str(name: &str) -> Result<Self, UnknownController> {
        match name {
            "cubic" => Ok(Self::Cubic),
            "bbr" => Ok(Self::Bbr),
            _ => Err(UnknownController(name.into())),
        }
    }
}

impl fmt::Display for ControllerKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Cubic => "cubic",
            Self::Bbr => "bbr",
            Self::Custom(_) => "custom",
        })
    }
}

impl ControllerKind {
    /// A new one, for one pipe.
    #[must_use]
    pub fn build(self) -> Box<dyn Controller> {
        match self {
            Self::Cubic => Box::new(Cubic::new()),
            Self::Bbr => Box::new(Bbr::new()),
            Self::Custom(build) => build(),
        }
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;

    use super::*;

    #[test]
    fn controllers_are_chosen_by_name() {
        for name in ["cubic", "bbr"] {
            let kind: ControllerKind = name.parse().expect("a name");
            assert_eq!(kind.to_string(), name);
        }
        let error = "reno".parse::<ControllerKind>().expect_err("no such thing");
        assert!(error.to_string().contains("cubic or bbr"), "{error}");
    }
}
