//! What a reliable channel received: put in order, held until it is read, acknowledged.

use alloc::collections::VecDeque;
use core::time::Duration;

use bytes::{Bytes, BytesMut};
use telehash_e3x::Instant;
use telehash_lob::{Extra, Misses};

use super::{
    acks::Acks,
    recv_window::{Advert, RecvWindow},
    sequence::{Novelty, Sequence},
};
use crate::flow::{
    config::FlowConfig,
    types::{AckMode, Packet, PipeSlot},
    wire,
};

/// Bodies are copied into chunks of this many bytes, smaller ones at first.
const CHUNK: (usize, usize) = (1 << 10, 16 << 10);

/// Packets are taken to cost at least this much when room is told, in bytes.
const USUAL_COST: usize = 1500;

/// Content of one received packet.
#[derive(Debug)]
pub(in crate::flow) struct Content<'a> {
    pub(in crate::flow) seq: u32,
    pub(in crate::flow) body: &'a [u8],
    /// Bytes of the whole packet.
    pub(in crate::flow) len: usize,
    pub(in crate::flow) head: Extra,
    pub(in crate::flow) frag: bool,
    pub(in crate::flow) end: bool,
    /// It carried an `ack` too, which asks for an answer.
    pub(in crate::flow) acks: bool,
    pub(in crate::flow) pipe: PipeSlot,
}

/// What became of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::flow) enum Fate {
    /// Accepted: the channel may be readable.
    Accepted,
    /// Had been received before.
    Duplicate,
    /// No room was granted for it, or there is none.
    NoRoom,
    /// Beyond the `end`, or an `end` before other content.
    AfterEnd,
}

/// One packet in the buffer.
#[derive(Debug)]
struct Held {
    packet: Packet,
    cost: usize,
}

/// The receiving half of a reliable channel.
#[derive(Debug)]
pub(in crate::flow) struct Inbound {
    mode: AckMode,
    acks: Acks,
    window: RecvWindow,
    sequence: Sequence,
    /// Packets from `consumed + 1` on.
    held: VecDeque<Option<Held>>,
    /// The last number that was read.
    consumed: u32,
    /// What `held` costs, in bytes.
    cost: usize,
    /// The costliest packet so far.
    usual: usize,
    end: Option<u32>,
    chunk: BytesMut,
    next_chunk: usize,
}

impl Inbound {
    /// The half of a channel that we opened.
    pub(super) fn opener(now: Instant, mode: AckMode) -> Self {
        Self::new(now, mode, false)
    }

    /// The half of a channel that the peer opened. The opening packet is handed out with the event;
    /// it counts as read, and nothing is acknowledged before it is accepted.
    pub(super) fn opened(now: Instant, end: bool) -> Self {
        let mut inbound = Self::new(now, AckMode::OnAccept, true);
        inbound.sequence.insert(1);
        inbound.consumed = 1;
        inbound.end = end.then_some(1);
        inbound
    }

    fn new(now: Instant, mode: AckMode, withheld: bool) -> Self {
        Self {
            mode,
            acks: Acks::new(withheld),
            window: RecvWindow::new(now),
            sequence: Sequence::default(),
            held: VecDeque::new(),
            consumed: 0,
            cost: 0,
            usual: USUAL_COST,
            end: None,
            chunk: BytesMut::new(),
            next_chunk: CHUNK.0,
        }
    }

    pub(in crate::flow) fn set_mode(&mut self, mode: AckMode) {
        self.mode = mode;
    }

    /// The opening packet is accepted: its ack opens the channel.
    pub(in crate::flow) fn accept(&mut self) {
        self.acks.release();
    }

    /// Whether an ack is to be sent now.
    pub(in crate::flow) const fn ack_due(&self) -> bool {
        self.acks.due()
    }

    pub(super) const fn acks(&self) -> &Acks {
        &self.acks
    }

    /// The last acks may be lost with the pipe that they went by.
    pub(in crate::flow) fn on_pipe_lost(&mut self) {
        if self.acks.has_content() {
            self.acks.at_once();
        }
    }

    pub(super) fn handle_timeout(&mut self, now: Instant) {
        if self.acks.handle_timeout(now) {
            self.window.refresh();
        }
    }

    /// Bytes that the buffer takes.
    pub(in crate::flow) const fn cost(&self) -> usize {
        self.cost
    }

    /// Whether there is something to read.
    pub(in crate::flow) fn is_readable(&self) -> bool {
        self.sequence.accepted() > self.consumed
    }

    /// Whether nothing is left to read but perhaps a bare `end`.
    pub(in crate::flow) fn is_drained(&self) -> bool {
        let mut left = self.held.iter().flatten().map(|held| &held.packet);
        left.all(|packet| packet.end && packet.body.is_empty() && packet.head.is_none())
    }

    /// Whether everything up to the `end` has been received.
    pub(in crate::flow) fn is_finished(&self) -> bool {
        self.end == Some(self.sequence.accepted())
    }

    /// The number up to which everything is acknowledged.
    fn ack(&self) -> u32 {
        match self.mode {
            _ if self.acks.withheld() => 0,
            AckMode::OnAccept => self.sequence.accepted(),
            AckMode::OnConsume => self.consumed,
        }
    }

    /// Takes content. `spare` is what the link has room for.
    pub(in crate::flow) fn receive(
        &mut self,
        now: Instant,
        content: Content<'_>,
        spare: usize,
        config: &FlowConfig,
    ) -> Fate {
        self.acks.on_arrival();
        let fate = self.judge(&content, spare, config);
        if fate != Fate::Accepted {
            // The peer is behind: let it know where we are.
            self.acks.at_once();
            self.window.refresh();
            return fate;
        }
        let Content {
            seq,
            frag,
            end,
            acks,
            ..
        } = content;
        let fills = self.sequence.has_gaps();
        let novelty = self.sequence.insert(seq);
        self.hold(content, novelty);
        if end {
            self.end = Some(seq);
        }
        // The peer waits to hear of every change of a gap.
        let at_once = novelty == Novelty::Ahead || fills || acks;
        match self.mode {
            AckMode::OnAccept => self.acks.on_content(now, at_once || end || !frag),
            AckMode::OnConsume if at_once => self.acks.at_once(),
            AckMode::OnConsume => {}
        }
        fate
    }

    fn judge(&self, content: &Content<'_>, spare: usize, config: &FlowConfig) -> Fate {
        let seq = content.seq;
        if self.sequence.contains(seq) {
            return Fate::Duplicate;
        }
        let after = self.end.is_some_and(|end| seq > end);
        let early = content.end && seq < self.sequence.highest();
        if after || early {
            return Fate::AfterEnd;
        }
        // A reader that has nothing gets the packet it waits for, whatever the limits say.
        let awaited = !self.is_readable() && seq == self.sequence.accepted() + 1;
        let cost = cost(content);
        let room = self.cost + cost <= config.recv_bytes + config.recv_bytes / 4 && cost <= spare;
        if awaited || (room && seq <= self.window.acceptable(self.consumed)) {
            Fate::Accepted
        } else {
            Fate::NoRoom
        }
    }

    fn hold(&mut self, content: Content<'_>, novelty: Novelty) {
        let cost = cost(&content);
        let body = match novelty {
            Novelty::Next => self.store(content.body),
            // A chunk must not be kept alive by a few bytes that wait for others.
            _ => Bytes::copy_from_slice(content.body),
        };
        let Content {
            seq,
            head,
            frag,
            end,
            pipe,
            ..
        } = content;
        let packet = Packet {
            head,
            body,
            frag,
            end,
            pipe: Some(pipe),
        };
        // `judge` let nothing pass that was read before, or is further ahead than the window.
        let index = (seq - self.consumed - 1) as usize;
        if index >= self.held.len() {
            self.held.resize_with(index + 1, || None);
        }
        if let Some(place) = self.held.get_mut(index) {
            *place = Some(Held { packet, cost });
        }
        self.cost += cost;
        // Slowly forgotten: what is usual on a byte stream is not on the next pipe.
        self.usual = cost.max(self.usual - self.usual / 64).max(USUAL_COST);
    }

    /// Copies a body into the current chunk.
    fn store(&mut self, body: &[u8]) -> Bytes {
        if body.is_empty() {
            return Bytes::new();
        }
        if self.chunk.capacity() - self.chunk.len() < body.len() {
            self.chunk.reserve(body.len().max(self.next_chunk));
            self.next_chunk = (self.next_chunk * 2).min(CHUNK.1);
        }
        self.chunk.extend_from_slice(body);
        self.chunk.split().freeze()
    }

    /// Hands out the next packet, in order.
    pub(in crate::flow) fn read(
        &mut self,
        now: Instant,
        rtt: Duration,
        spare: usize,
        config: &FlowConfig,
    ) -> Option<Packet> {
        if !self.is_readable() {
            return None;
        }
        let Held { packet, cost } = self.held.pop_front()??;
        self.consumed += 1;
        self.cost -= cost;
        if self.mode == AckMode::OnConsume {
            self.acks.on_content(now, packet.end || !packet.frag);
        }
        self.window
            .on_consumed(now, self.consumed, rtt, config.max_window());
        self.announce(now, spare + cost, config);
        Some(packet)
    }

    /// Tells the peer of room that it does not know of.
    fn announce(&mut self, now: Instant, spare: usize, config: &FlowConfig) {
        if self.end.is_some() || !self.window.has_news(self.limit(spare, config)) {
            return;
        }
        if self.window.is_exhausted(self.sequence.highest()) {
            self.acks.reopened(now);
        } else {
            self.acks.at_once();
        }
    }

    /// The highest number that there is room for.
    fn limit(&self, spare: usize, config: &FlowConfig) -> u32 {
        let bytes = config.recv_bytes.saturating_sub(self.cost).min(spare);
        let packets = u32::try_from(bytes / self.usual).unwrap_or(u32::MAX);
        let by_bytes = self.sequence.highest().saturating_add(packets);
        by_bytes.min(self.consumed.saturating_add(self.window.size()))
    }

    /// What an ack would say now.
    pub(super) fn advert(&self, spare: usize, config: &FlowConfig) -> Advert {
        let limit = self.limit(spare, config).max(self.sequence.highest());
        self.window
            .advert(self.ack(), limit, self.sequence.has_gaps())
    }

    /// The `miss` of that ack.
    pub(super) fn misses(&self, advert: Advert) -> Option<Misses> {
        Some(self.sequence.misses(advert.ack, advert.limit?))
    }

    /// The ack was sent.
    pub(super) fn on_ack_sent(&mut self, advert: Advert) {
        self.window.on_sent(advert);
        self.acks.on_sent();
    }
}

fn cost(content: &Content<'_>) -> usize {
    wire::held_cost(content.len, content.body.len(), &content.head)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flow::config::{RECV_BYTES, RECV_PACKETS};

    const SPARE: usize = 1 << 30;

    fn content(seq: u32, body: &[u8]) -> Content<'_> {
        Content {
            seq,
            body,
            len: body.len() + 20,
            head: None,
            frag: true,
            end: false,
            acks: false,
            pipe: PipeSlot(0),
        }
    }

    fn inbound() -> (Inbound, FlowConfig) {
        (
            Inbound::opener(Instant::default(), AckMode::OnAccept),
            FlowConfig::default(),
        )
    }

    fn receive(inbound: &mut Inbound, config: &FlowConfig, seq: u32, body: &[u8]) -> Fate {
        inbound.receive(Instant::default(), content(seq, body), SPARE, config)
    }

    fn read(inbound: &mut Inbound, config: &FlowConfig) -> Option<Packet> {
        inbound.read(Instant::default(), Duration::from_secs(1), SPARE, config)
    }

    #[test]
    fn packets_are_read_in_order_whatever_way_they_came() {
        let (mut inbound, config) = inbound();
        for seq in [3, 1, 5, 4, 2] {
            assert_eq!(
                receive(&mut inbound, &config, seq, &[seq as u8; 100]),
                Fate::Accepted
            );
        }
        assert_eq!(receive(&mut inbound, &config, 3, b"again"), Fate::Duplicate);
        for seq in 1..=5 {
            assert_eq!(
                read(&mut inbound, &config).expect("in order").body,
                [seq; 100][..]
            );
        }
        assert_eq!((read(&mut inbound, &config), inbound.cost()), (None, 0));
        assert_eq!(receive(&mut inbound, &config, 3, b"again"), Fate::Duplicate);
    }

    #[test]
    fn a_peer_without_a_send_window_finds_room_for_its_first_packets() {
        let (mut inbound, config) = inbound();
        for seq in 1..=crate::flow::config::FIRST_RECV_PACKETS {
            assert_eq!(
                receive(&mut inbound, &config, seq, &[0; 1000]),
                Fate::Accepted,
                "{seq}"
            );
        }
        let beyond = crate::flow::config::FIRST_RECV_PACKETS + 1;
        assert_eq!(
            receive(&mut inbound, &config, beyond, &[0; 1000]),
            Fate::NoRoom
        );
        assert!(
            inbound.acks.due(),
            "a packet beyond the window asks where we are"
        );
    }

    #[test]
    fn bytes_close_the_window_too() {
        let (mut inbound, config) = inbound();
        // Few enough packets to stay within the window of a new channel.
        let body = alloc::vec![0; RECV_BYTES / 64];
        let mut seq = 0;
        while receive(&mut inbound, &config, seq + 1, &body) == Fate::Accepted {
            seq += 1;
            let advert = inbound.advert(SPARE, &config);
            let room = RECV_BYTES.saturating_sub(inbound.cost()) / inbound.usual;
            assert_eq!(inbound.limit(SPARE, &config), seq + room as u32);
            inbound.on_ack_sent(advert);
        }
        let most = RECV_BYTES + RECV_BYTES / 4;
        assert!(inbound.cost() <= most && inbound.cost() + inbound.usual > most);
        while read(&mut inbound, &config).is_some() {}
        assert_eq!(
            receive(&mut inbound, &config, seq + 1, &body),
            Fate::Accepted
        );
    }

    #[test]
    fn a_reader_that_keeps_up_gets_room_for_as_many_packets_as_the_limit() {
        let (mut inbound, config) = inbound();
        let mut seq = 0;
        for _ in 0..3 * RECV_PACKETS {
            seq += 1;
            assert_eq!(receive(&mut inbound, &config, seq, b"x"), Fate::Accepted);
            assert!(read(&mut inbound, &config).is_some());
        }
        let next = seq + 1..;
        let accepted =
            next.take_while(|seq| receive(&mut inbound, &config, *seq, b"x") == Fate::Accepted);
        assert_eq!(accepted.count(), RECV_PACKETS as usize);
        assert_eq!(
            inbound.advert(SPARE, &config).limit,
            Some(seq + RECV_PACKETS)
        );
    }

    #[test]
    fn a_full_link_still_takes_the_packet_an_empty_channel_waits_for() {
        let (mut inbound, config) = inbound();
        let now = Instant::default();
        assert_eq!(
            inbound.receive(now, content(2, b"two"), 0, &config),
            Fate::NoRoom
        );
        assert_eq!(
            inbound.receive(now, content(1, b"one"), 0, &config),
            Fate::Accepted
        );
        assert_eq!(
            inbound.receive(now, content(2, b"two"), 0, &config),
            Fate::NoRoom
        );
    }

    #[test]
    fn content_cannot_follow_the_end() {
        let (mut inbound, config) = inbound();
        receive(&mut inbound, &config, 2, b"two");
        let now = Instant::default();
        let end = |seq| Content {
            end: true,
            ..content(seq, b"")
        };
        assert_eq!(inbound.receive(now, end(1), SPARE, &config), Fate::AfterEnd);
        assert_eq!(inbound.receive(now, end(3), SPARE, &config), Fate::Accepted);
        assert_eq!(receive(&mut inbound, &config, 4, b"four"), Fate::AfterEnd);
        assert!(!inbound.is_finished());
        receive(&mut inbound, &config, 1, b"one");
        assert!(inbound.is_finished());
    }

    #[test]
    fn acks_on_consume_wait_for_the_reader() {
        let (mut inbound, config) = inbound();
        inbound.set_mode(AckMode::OnConsume);
        for seq in 1..=4 {
            receive(&mut inbound, &config, seq, b"message");
        }
        assert!(!inbound.acks.due());
        assert_eq!(inbound.advert(SPARE, &config).ack, 0);
        read(&mut inbound, &config);
        read(&mut inbound, &config);
        assert!(inbound.acks.due());
        assert_eq!(inbound.advert(SPARE, &config).ack, 2);
    }
}
