//! Unreliable channels: no order, no retransmission; queues that drop the oldest (channels.md).

use alloc::{borrow::Cow, boxed::Box, collections::VecDeque};

use telehash_e3x::Instant;
use telehash_lob::ChannelHeader;

use super::{config::FlowConfig, reliable::Outlet, types::Packet, wire};

/// A bounded queue of packets, each with what it costs.
#[derive(Debug, Default)]
struct Mailbox {
    packets: VecDeque<(Packet, usize)>,
    cost: usize,
    dropped: u64,
}

impl Mailbox {
    fn push(&mut self, packet: Packet, cost: usize, config: &FlowConfig) {
        self.cost += cost;
        self.packets.push_back((packet, cost));
        while self.packets.len() > config.unreliable_packets.max(1)
            || (self.cost > config.unreliable_bytes && self.packets.len() > 1)
        {
            self.pop();
            self.dropped += 1;
        }
    }

    fn pop(&mut self) -> Option<Packet> {
        let (packet, cost) = self.packets.pop_front()?;
        self.cost -= cost;
        Some(packet)
    }
}

/// An unreliable channel.
#[derive(Debug, Default)]
pub(super) struct Unreliable {
    inbox: Mailbox,
    outbox: Mailbox,
    /// The opening packet with its `type`, until it is sent.
    open: Option<(Box<str>, Packet)>,
    /// Our direction has ended, and when that was sent.
    ended: bool,
    end_sent_at: Option<Instant>,
    /// When the peer's direction ended.
    finished_at: Option<Instant>,
}

impl Unreliable {
    /// A channel that we open with this packet.
    pub(super) fn opener(kind: Box<str>, packet: Packet) -> Self {
        Self {
            open: Some((kind, packet)),
            ..Self::default()
        }
    }

    /// A channel that the peer opened, with a packet that perhaps was an `end` too.
    pub(super) fn opened(now: Instant, end: bool) -> Self {
        Self {
            finished_at: end.then_some(now),
            ..Self::default()
        }
    }

    /// What the packets that wait for the reader cost.
    pub(super) const fn cost(&self) -> usize {
        self.inbox.cost
    }

    pub(super) fn is_readable(&self) -> bool {
        !self.inbox.packets.is_empty()
    }

    pub(super) const fn is_ended(&self) -> bool {
        self.ended
    }

    pub(super) const fn is_finished(&self) -> bool {
        self.finished_at.is_some()
    }

    /// Since when the channel has been over. An `end` may be lost, so one is enough.
    pub(super) fn over_since(&self) -> Option<Instant> {
        [self.end_sent_at, self.finished_at]
            .into_iter()
            .flatten()
            .min()
    }

    /// Packets dropped because a queue was full: received ones and ours.
    pub(super) const fn dropped(&self) -> (u64, u64) {
        (self.inbox.dropped, self.outbox.dropped)
    }

    /// Takes a packet of the peer.
    pub(super) fn receive(
        &mut self,
        now: Instant,
        packet: Packet,
        cost: usize,
        config: &FlowConfig,
    ) {
        if packet.end {
            self.finished_at.get_or_insert(now);
        }
        self.inbox.push(packet, cost, config);
    }

    pub(super) fn read(&mut self) -> Option<Packet> {
        self.inbox.pop()
    }

    /// Queues a packet.
    pub(super) fn send(&mut self, packet: Packet, config: &FlowConfig) {
        self.ended |= packet.end;
        let cost = wire::held_cost(packet.body.len(), packet.body.len(), &packet.head);
        self.outbox.push(packet, cost, config);
    }

    /// Packets of this many body bytes that are queued without dropping earlier ones.
    pub(super) fn room(&self, body: usize, config: &FlowConfig) -> usize {
        let cost = wire::held_cost(body, body, &None);
        let bytes = config.unreliable_bytes.saturating_sub(self.outbox.cost);
        let packets = config
            .unreliable_packets
            .saturating_sub(self.outbox.packets.len());
        packets.min(bytes / cost.max(1))
    }

    /// A packet left, perhaps by a pipe of its own: it may end this direction.
    pub(super) fn on_sent(&mut self, now: Instant, end: bool) {
        if end {
            self.ended = true;
            self.end_sent_at = Some(now);
        }
    }

    pub(super) const fn wants_open(&self) -> bool {
        self.open.is_some()
    }

    pub(super) fn wants_fresh(&self) -> bool {
        self.open.is_none() && !self.outbox.packets.is_empty()
    }

    /// Sends the next packet; returns its length.
    pub(super) fn emit(&mut self, outlet: Outlet<'_>) -> Option<usize> {
        let (kind, packet) = match self.open.take() {
            Some((kind, packet)) => (Some(kind), packet),
            None => (None, self.outbox.pop()?),
        };
        let mut header = ChannelHeader::new(outlet.id.get());
        header.kind = kind.as_deref().map(Cow::Borrowed);
        header.frag = packet.frag;
        header.end = packet.end;
        header.extra = packet.head;
        let Outlet {
            now, z, lane, out, ..
        } = outlet;
        let len = wire::append(out, &header, &packet.body, z)?;
        self.on_sent(now, packet.end);
        lane.on_sent_paced(len as u64);
        Some(len)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flow::config::UNRELIABLE_BYTES;

    fn packet(len: usize) -> Packet {
        Packet::new(alloc::vec![0; len])
    }

    #[test]
    fn the_oldest_packets_make_room_for_new_ones() {
        let config = FlowConfig {
            unreliable_packets: 3,
            ..FlowConfig::default()
        };
        let mut channel = Unreliable::default();
        for n in 0..5_u8 {
            channel.receive(Instant::default(), Packet::new(alloc::vec![n]), 1, &config);
        }
        assert_eq!(channel.dropped(), (2, 0));
        assert_eq!(channel.read().expect("queued").body, [2][..]);
    }

    #[test]
    fn bytes_are_bounded_too_but_one_packet_always_fits() {
        let config = FlowConfig::default();
        let mut mailbox = Mailbox::default();
        let quarter = UNRELIABLE_BYTES / 4;
        (0..4).for_each(|_| mailbox.push(packet(1), quarter, &config));
        assert_eq!((mailbox.packets.len(), mailbox.dropped), (4, 0));
        mailbox.push(packet(1), 1, &config);
        assert_eq!((mailbox.packets.len(), mailbox.dropped), (4, 1));
        mailbox.push(packet(2), UNRELIABLE_BYTES + 1, &config);
        assert_eq!((mailbox.packets.len(), mailbox.dropped), (1, 5));
        mailbox.pop();
        assert_eq!(mailbox.cost, 0);
    }
}
