//! Figures of a link.

use super::Link;
use crate::{ChannelId, ChannelStats, LinkState, PipeStats};

/// Counters of a link since it was made, and its present figures.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct LinkStats {
    /// State now.
    pub up: bool,
    /// Packets handed in that were its own.
    pub datagrams_received: u64,
    /// Bytes of them, cloak included.
    pub bytes_received: u64,
    /// Packets sent.
    pub datagrams_sent: u64,
    /// Bytes of them, cloak included.
    pub bytes_sent: u64,
    /// Packets that did not authenticate or did not parse.
    pub rejected: u64,
    /// Packets received before.
    pub replayed: u64,
    /// Handshake messages received that authenticated.
    pub handshakes_received: u64,
    /// Handshake messages sent.
    pub handshakes_sent: u64,
    /// Sessions so far; of cipher sets that confirm them, those that were confirmed.
    pub sessions: u64,
    /// Times that traffic moved from one pipe to another.
    pub moves: u64,
    /// Times that the pipes were doubted: nothing came back by the one that sends, or the network
    /// changed. A path that ceased to carry large packets, and a sending pipe that its transport lost,
    /// count too.
    pub doubts: u64,
    /// Channels open now.
    pub channels: usize,
    /// The active pipe's congestion state.
    pub pipe: Option<PipeStats>,
}

impl Link {
    /// Counters and present figures.
    #[must_use]
    pub fn stats(&self) -> LinkStats {
        LinkStats {
            up: self.state == LinkState::Up,
            channels: self.flow.channels(),
            pipe: self.pipes.active().map(|slot| self.flow.pipe_stats(slot)),
            ..self.stats.clone()
        }
    }

    /// Figures of a channel; `None` once it is forgotten.
    #[must_use]
    pub fn channel_stats(&self, id: ChannelId) -> Option<ChannelStats> {
        self.flow.channel_stats(id)
    }

    /// Whether something of ours may still be on its way on this channel: to be sent, or to be sent again.
    #[must_use]
    pub fn is_delivering(&self, id: ChannelId) -> bool {
        self.flow.is_delivering(id)
    }
}
