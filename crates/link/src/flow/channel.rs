//! One channel: its stage of life, and what it does with what it receives (channels.md, States).

use alloc::{boxed::Box, collections::VecDeque};

use bytes::Bytes;
use telehash_e3x::Instant;
use telehash_lob::ChannelHeader;

use super::{
    config::FlowConfig,
    error::{ChannelError, PacketError},
    grave::Grave,
    lanes::{Lanes, Timing},
    reliable::{Content, Fate, Outlet, Reliable},
    types::{ChannelEvent, ChannelId, Packet, PipeSlot},
    unreliable::Unreliable,
    wire,
};

/// A blocked writer hears of room once there is this much, or all there can be.
const ROOM_WORTH_TELLING: usize = 64 << 10;

/// Figures of a channel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ChannelStats {
    /// Packets with content sent, retransmissions included.
    pub sent: u64,
    /// Of these, retransmissions.
    pub retransmitted: u64,
    /// Packets with content accepted.
    pub received: u64,
    /// Packets received that had been received before.
    pub duplicates: u64,
    /// Packets received that there was no room for; for unreliable channels, the oldest dropped.
    pub dropped: u64,
    /// Packets of ours that an unreliable channel dropped unsent.
    pub dropped_unsent: u64,
    /// Bytes that wait for the reader, at the charge that limits them.
    pub held: usize,
    /// Bytes that wait to be sent or acknowledged.
    pub buffered: usize,
}

/// What a channel is made of.
#[derive(Debug)]
pub(super) enum Flavor {
    Reliable(Box<Reliable>),
    Unreliable(Box<Unreliable>),
    /// Buffers are gone.
    Nothing,
}

/// Where a channel is in its life.
#[derive(Debug)]
pub(super) enum Stage {
    /// Opened by us; nothing came yet.
    Opening {
        until: Instant,
    },
    /// Opened by the peer; not accepted yet.
    Offered {
        until: Instant,
    },
    Open,
    /// Both directions have ended; late packets are still answered.
    Closed {
        until: Instant,
    },
    /// Failed by us; late packets are still answered.
    Failed(Box<Grave>),
}

/// A channel packet, decoded.
#[derive(Debug)]
pub(super) struct Received<'a> {
    pub(super) header: ChannelHeader<'a>,
    pub(super) body: &'a [u8],
    /// Bytes of the whole packet.
    pub(super) len: usize,
    pub(super) slot: PipeSlot,
}

/// What a channel needs of the flow.
#[derive(Debug)]
pub(super) struct Context<'a> {
    pub(super) now: Instant,
    pub(super) config: &'a FlowConfig,
    pub(super) lanes: &'a mut Lanes,
    pub(super) events: &'a mut VecDeque<ChannelEvent>,
    /// Bytes that all channels together may still hold for their readers.
    pub(super) spare: usize,
}

/// One channel.
#[derive(Debug)]
pub(super) struct Channel {
    pub(super) id: ChannelId,
    /// We opened it.
    pub(super) ours: bool,
    pub(super) stage: Stage,
    pub(super) flavor: Flavor,
    /// Bytes it may still send in its turn.
    pub(super) deficit: i64,
    /// A writer waits for room.
    pub(super) blocked: bool,
    told_readable: bool,
    told_finished: bool,
    pub(super) stats: ChannelStats,
}

impl Channel {
    pub(super) fn new(id: ChannelId, ours: bool, stage: Stage, flavor: Flavor) -> Self {
        Self {
            id,
            ours,
            stage,
            flavor,
            deficit: 0,
            blocked: false,
            told_readable: false,
            told_finished: false,
            stats: ChannelStats::default(),
        }
    }

    pub(super) fn stats(&self) -> ChannelStats {
        let mut stats = self.stats;
        match &self.flavor {
            Flavor::Reliable(reliable) => {
                stats.retransmitted = reliable.outbound.retransmitted();
                stats.buffered = reliable.outbound.buffered();
            }
            Flavor::Unreliable(unreliable) => {
                (stats.dropped, stats.dropped_unsent) = unreliable.dropped();
            }
            Flavor::Nothing => {}
        }
        stats.held = self.cost();
        stats
    }

    /// What the packets that wait for the reader cost.
    pub(super) fn cost(&self) -> usize {
        match &self.flavor {
            Flavor::Reliable(reliable) => reliable.inbound.cost(),
            Flavor::Unreliable(unreliable) => unreliable.cost(),
            Flavor::Nothing => 0,
        }
    }

    /// Whether it only answers late packets.
    pub(super) fn is_over(&self) -> bool {
        matches!(self.stage, Stage::Failed(_))
            || matches!(self.stage, Stage::Closed { .. }) && self.is_drained()
    }

    /// Whether the reader has nothing left that it could miss.
    fn is_drained(&self) -> bool {
        match &self.flavor {
            Flavor::Reliable(reliable) => reliable.inbound.is_drained(),
            Flavor::Unreliable(unreliable) => !unreliable.is_readable(),
            Flavor::Nothing => true,
        }
    }

    /// Whether something that was written may still arrive by what we do: packets of unreliable channels
    /// leave once.
    pub(super) fn is_delivering(&self) -> bool {
        match &self.flavor {
            Flavor::Reliable(_) => true,
            Flavor::Unreliable(unreliable) => unreliable.wants_open() || unreliable.wants_fresh(),
            Flavor::Nothing => false,
        }
    }

    fn is_readable(&self) -> bool {
        match &self.flavor {
            Flavor::Reliable(reliable) => reliable.inbound.is_readable(),
            Flavor::Unreliable(unreliable) => unreliable.is_readable(),
            Flavor::Nothing => false,
        }
    }

    fn is_finished(&self) -> bool {
        match &self.flavor {
            Flavor::Reliable(reliable) => reliable.inbound.is_finished(),
            Flavor::Unreliable(unreliable) => unreliable.is_finished(),
            Flavor::Nothing => false,
        }
    }

    /// Whether we ended our direction.
    pub(super) fn is_ended(&self) -> bool {
        match &self.flavor {
            Flavor::Reliable(reliable) => reliable.outbound.is_ended(),
            Flavor::Unreliable(unreliable) => unreliable.is_ended(),
            Flavor::Nothing => true,
        }
    }

    /// Bytes that a write would take.
    pub(super) fn room(&self, config: &FlowConfig) -> usize {
        match &self.flavor {
            Flavor::Reliable(reliable) if !reliable.outbound.is_ended() => {
                reliable.outbound.room(config)
            }
            _ => 0,
        }
    }

    /// The peer may learn now that the channel is open.
    pub(super) fn accept(&mut self, cx: &mut Context<'_>) {
        if !matches!(self.stage, Stage::Offered { .. }) {
            return;
        }
        self.stage = Stage::Open;
        if let Flavor::Reliable(reliable) = &mut self.flavor {
            reliable.inbound.accept();
        }
        self.told_readable = false;
        self.tell(cx);
    }
}

/// Receiving.
impl Channel {
    /// Takes a packet of the peer that is no `err`.
    pub(super) fn receive(
        &mut self,
        cx: &mut Context<'_>,
        packet: Received<'_>,
    ) -> Result<(), PacketError> {
        if matches!(self.stage, Stage::Opening { .. }) {
            self.stage = Stage::Open;
            cx.events.push_back(ChannelEvent::Established(self.id));
        }
        let result = match &mut self.flavor {
            Flavor::Reliable(_) => self.receive_reliable(cx, packet),
            Flavor::Unreliable(_) => self.receive_unreliable(cx, packet),
            Flavor::Nothing => Ok(()),
        };
        self.tell(cx);
        result
    }

    fn receive_reliable(
        &mut self,
        cx: &mut Context<'_>,
        packet: Received<'_>,
    ) -> Result<(), PacketError> {
        let Flavor::Reliable(reliable) = &mut self.flavor else {
            return Ok(());
        };
        let Received {
            header,
            body,
            len,
            slot,
        } = packet;
        let id = self.id;
        reliable.outbound.on_heard(cx.now);
        let mut result = Ok(());
        if let Some(ack) = header.ack {
            let deltas = header.miss.as_deref().unwrap_or_default();
            let taken = reliable.outbound.on_ack(cx.now, ack, deltas, cx.lanes);
            result = taken.map_err(|_| PacketError::AckBeyondSent(id));
        }
        let seq = match header.seq {
            Some(0 | u32::MAX) => return Err(PacketError::BadSeq(id)),
            Some(seq) => seq,
            None if header.ack.is_some() => return result,
            None => return Err(PacketError::BadSeq(id)),
        };
        let content = Content {
            seq,
            body,
            len,
            head: header.extra,
            frag: header.frag,
            end: header.end,
            acks: header.ack.is_some(),
            pipe: slot,
        };
        let fate = reliable
            .inbound
            .receive(cx.now, content, cx.spare, cx.config);
        result.and(self.count(fate))
    }

    fn count(&mut self, fate: Fate) -> Result<(), PacketError> {
        match fate {
            Fate::Accepted => self.stats.received += 1,
            Fate::Duplicate => self.stats.duplicates += 1,
            Fate::AfterEnd => return Err(PacketError::AfterEnd(self.id)),
            Fate::NoRoom => {
                self.stats.dropped += 1;
                return Err(PacketError::BeyondWindow(self.id));
            }
        }
        Ok(())
    }

    fn receive_unreliable(
        &mut self,
        cx: &mut Context<'_>,
        packet: Received<'_>,
    ) -> Result<(), PacketError> {
        let Flavor::Unreliable(unreliable) = &mut self.flavor else {
            return Ok(());
        };
        let Received {
            header,
            body,
            len,
            slot,
        } = packet;
        if header.seq.is_some() {
            return Err(PacketError::BadSeq(self.id));
        }
        if header.kind.is_some() {
            self.stats.duplicates += 1;
            return Ok(());
        }
        let cost = wire::held_cost(len, body.len(), &header.extra);
        let packet = Packet {
            head: header.extra,
            body: Bytes::copy_from_slice(body),
            frag: header.frag,
            end: header.end,
            pipe: Some(slot),
        };
        unreliable.receive(cx.now, packet, cost, cx.config);
        self.stats.received += 1;
        Ok(())
    }

    /// Hands out the next packet.
    pub(super) fn read(&mut self, cx: &mut Context<'_>) -> Option<Packet> {
        let rtt = cx.lanes.smoothed_rtt();
        let packet = match &mut self.flavor {
            Flavor::Reliable(reliable) => reliable.inbound.read(cx.now, rtt, cx.spare, cx.config),
            Flavor::Unreliable(unreliable) => unreliable.read(),
            Flavor::Nothing => None,
        };
        if packet.is_none() {
            self.told_readable = false;
        }
        packet
    }

    /// Tells the owner what is new.
    pub(super) fn tell(&mut self, cx: &mut Context<'_>) {
        if !self.told_readable && self.is_readable() {
            self.told_readable = true;
            cx.events.push_back(ChannelEvent::Readable(self.id));
        }
        if !self.told_finished && self.is_finished() {
            self.told_finished = true;
            cx.events.push_back(ChannelEvent::Finished(self.id));
        }
        self.tell_writable(cx.config, cx.events);
        let closed = matches!(&self.flavor, Flavor::Reliable(reliable) if reliable.is_closed());
        if closed && matches!(self.stage, Stage::Open) {
            self.close(cx);
        }
    }

    /// Tells a blocked writer once there is room worth writing to.
    pub(super) fn tell_writable(
        &mut self,
        config: &FlowConfig,
        events: &mut VecDeque<ChannelEvent>,
    ) {
        let most = config.unsent_bytes.min(config.send_bytes);
        if self.blocked && self.room(config) >= ROOM_WORTH_TELLING.min(most / 2).max(1) {
            self.blocked = false;
            events.push_back(ChannelEvent::Writable(self.id));
        }
    }

    fn close(&mut self, cx: &mut Context<'_>) {
        self.stage = Stage::Closed {
            until: cx.now + cx.config.ended_linger,
        };
        cx.events.push_back(ChannelEvent::Closed(self.id));
    }
}

/// Sending.
impl Channel {
    /// Whether an `err` or an ack is due.
    pub(super) fn wants_control(&self) -> bool {
        match (&self.stage, &self.flavor) {
            (Stage::Failed(grave), _) => grave.is_due(),
            (_, Flavor::Reliable(reliable)) => reliable.inbound.ack_due(),
            _ => false,
        }
    }

    pub(super) fn wants_open(&self) -> bool {
        match &self.flavor {
            Flavor::Reliable(reliable) => reliable.wants_open(),
            Flavor::Unreliable(unreliable) => unreliable.wants_open(),
            Flavor::Nothing => false,
        }
    }

    pub(super) fn wants_lost(&mut self) -> bool {
        match &mut self.flavor {
            Flavor::Reliable(reliable) => reliable.outbound.wants_lost(),
            _ => false,
        }
    }

    pub(super) fn wants_fresh(&self) -> bool {
        match &self.flavor {
            Flavor::Reliable(reliable) => !reliable.wants_open() && reliable.outbound.wants_fresh(),
            Flavor::Unreliable(unreliable) => unreliable.wants_fresh(),
            Flavor::Nothing => false,
        }
    }

    /// Sends the next packet for the first time; returns its length and whether the peer will
    /// acknowledge it.
    pub(super) fn emit_fresh(
        &mut self,
        outlet: Outlet<'_>,
        spare: usize,
        config: &FlowConfig,
    ) -> Option<(usize, bool)> {
        let (len, eliciting) = match &mut self.flavor {
            Flavor::Reliable(reliable) => (reliable.emit_fresh(outlet, spare, config)?, true),
            Flavor::Unreliable(unreliable) => (unreliable.emit(outlet)?, false),
            Flavor::Nothing => return None,
        };
        self.stats.sent += 1;
        self.deficit -= i64::try_from(len).unwrap_or(i64::MAX);
        Some((len, eliciting))
    }

    /// Retransmits a lost packet; returns its length.
    pub(super) fn emit_lost(
        &mut self,
        outlet: Outlet<'_>,
        spare: usize,
        config: &FlowConfig,
    ) -> Option<usize> {
        let Flavor::Reliable(reliable) = &mut self.flavor else {
            return None;
        };
        let len = reliable.emit_lost(outlet, spare, config)?;
        self.stats.sent += 1;
        Some(len)
    }
}

/// What time does to a channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Lives,
    /// Fail it, and tell the peer.
    Fails(ChannelError),
    /// Forget it.
    Forgotten,
}

/// Timers.
impl Channel {
    /// The next moment at which [`handle_timeout`](Self::handle_timeout) has something to do.
    pub(super) fn deadline(&self, timing: Timing, config: &FlowConfig) -> Option<Instant> {
        let stage = match &self.stage {
            Stage::Opening { until } | Stage::Offered { until } => Some(*until),
            Stage::Open => None,
            Stage::Closed { until } => self.is_drained().then_some(*until),
            Stage::Failed(grave) => return Some(grave.deadline()),
        };
        let flavor = match &self.flavor {
            Flavor::Reliable(reliable) => reliable.deadline(timing, config),
            Flavor::Unreliable(unreliable) if matches!(self.stage, Stage::Open) => {
                unreliable.over_since().map(|at| at + config.ended_linger)
            }
            _ => None,
        };
        [stage, flavor].into_iter().flatten().min()
    }

    pub(super) fn handle_timeout(&mut self, cx: &mut Context<'_>) -> Verdict {
        let (now, drained) = (cx.now, self.is_drained());
        match &mut self.stage {
            Stage::Opening { until } | Stage::Offered { until } if *until <= now => {
                return Verdict::Fails(ChannelError::Timeout);
            }
            Stage::Closed { until } if *until <= now && drained => {
                return Verdict::Forgotten;
            }
            Stage::Failed(grave) => {
                grave.handle_timeout(now);
                return if grave.until() <= now {
                    Verdict::Forgotten
                } else {
                    Verdict::Lives
                };
            }
            _ => {}
        }
        match self.flavor {
            Flavor::Reliable(_) => self.on_reliable_timeout(cx),
            Flavor::Unreliable(_) => self.on_unreliable_timeout(cx),
            Flavor::Nothing => Verdict::Lives,
        }
    }

    fn on_reliable_timeout(&mut self, cx: &mut Context<'_>) -> Verdict {
        let Flavor::Reliable(reliable) = &mut self.flavor else {
            return Verdict::Lives;
        };
        if reliable.outbound.is_exhausted() {
            return Verdict::Fails(ChannelError::Exhausted);
        }
        reliable.handle_timeout(cx.now, cx.lanes);
        if reliable
            .given_up_at(cx.config)
            .is_some_and(|at| at <= cx.now)
        {
            return Verdict::Fails(ChannelError::Timeout);
        }
        let abandoned = reliable
            .abandoned_at(cx.config)
            .is_some_and(|at| at <= cx.now);
        if abandoned && matches!(self.stage, Stage::Open) {
            reliable.outbound.abandon(cx.lanes);
            self.close(cx);
        }
        Verdict::Lives
    }

    fn on_unreliable_timeout(&mut self, cx: &mut Context<'_>) -> Verdict {
        let Flavor::Unreliable(unreliable) = &self.flavor else {
            return Verdict::Lives;
        };
        let over = unreliable
            .over_since()
            .is_some_and(|at| at + cx.config.ended_linger <= cx.now);
        if over && matches!(self.stage, Stage::Open) {
            cx.events.push_back(ChannelEvent::Closed(self.id));
            self.stage = Stage::Closed { until: cx.now };
        }
        Verdict::Lives
    }
}
