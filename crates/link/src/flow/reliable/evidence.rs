//! What acks, their absence, and lost pipes tell about packets under way (channels.md, Loss
//! detection).

use core::time::Duration;

use telehash_e3x::Instant;

use super::{
    outbound::Outbound,
    segment::{Segment, State},
};
use crate::flow::{
    lane::{Arrival, Lane},
    lanes::{Lanes, Timing},
    rtt::PEER_ACK_DELAY,
    types::PipeSlot,
};

/// Timeouts double up to this, if they are not longer anyway.
const MAX_TIMEOUT: Duration = Duration::from_secs(3);

/// An open is retransmitted this often, or every three round trips if they take longer: JS runs it
/// again whenever it sees one, so no sooner; it times out soon, so no later.
const OPEN_RETRANSMIT: Duration = Duration::from_secs(1);

/// An ack of packets that were never sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::flow) struct BeyondSent;

impl Outbound {
    /// The peer's first packet on this channel came: the open need not be repeated.
    pub(in crate::flow) fn on_heard(&mut self, now: Instant) {
        if !self.heard {
            self.heard = true;
            self.progress_at = now;
        }
        self.alive_at = now;
    }

    /// Takes an `ack` and the deltas of its `miss`.
    ///
    /// # Errors
    /// It acknowledges what was never sent; nothing is taken from it.
    pub(in crate::flow) fn on_ack(
        &mut self,
        now: Instant,
        ack: u32,
        deltas: &[u32],
        lanes: &mut Lanes,
    ) -> Result<(), BeyondSent> {
        if ack > self.last_sent() {
            return Err(BeyondSent);
        }
        if ack < self.acked {
            return Ok(());
        }
        if ack > self.acked {
            self.backoff = 0;
            self.progress_at = now;
        }
        let sum = deltas.iter().copied().reduce(u32::saturating_add);
        let opened = self.peer.on_ack(ack, sum);
        let advanced = ack > self.acked;
        let resent = self.acknowledge(now, ack, lanes);
        let listed = self.read_misses(now, ack, deltas, lanes);
        // What arrives now was sent lately, by the pipe that sends: the first that the peer misses may
        // have gone by the one before.
        if let Some(lane) = lanes.current_mut() {
            match (listed, advanced) {
                (true, false) => lane.on_unknown_arrived(now),
                (true, true) => {}
                (false, _) => lane.on_all_known(),
            }
        }
        if let Some((slot, number)) = resent
            && !listed
        {
            self.overtaken(now, slot, number, lanes);
        }
        if opened {
            self.on_window_opened();
        }
        Ok(())
    }

    /// Removes what the ack covers. Returns the newest retransmission that must have arrived.
    fn acknowledge(
        &mut self,
        now: Instant,
        ack: u32,
        lanes: &mut Lanes,
    ) -> Option<(PipeSlot, u64)> {
        let mut resent = None;
        while self.acked < ack {
            let Some(segment) = self.flight.pop_front() else {
                break;
            };
            self.acked += 1;
            self.unfragmented -= u32::from(!segment.frag);
            self.buffer.release(segment.address + segment.len as u64);
            if let Some(lane) = lanes.get_mut(segment.slot) {
                let too_soon = on_acknowledged(now, &segment, lane);
                if segment.attempts > 1 && !too_soon {
                    resent = resent.max(Some((segment.slot, segment.number)));
                }
            }
        }
        resent
    }

    /// Reads a `miss` list. Returns whether it lists anything.
    fn read_misses(&mut self, now: Instant, ack: u32, deltas: &[u32], lanes: &mut Lanes) -> bool {
        let Some((_, missing)) = deltas.split_last() else {
            return false;
        };
        // Old peers leave out the gap right after the ack.
        let unlisted = self.peer.may_be_old() && missing.first() != Some(&1);
        if unlisted {
            self.on_reported(now, ack + 1, lanes);
        }
        // Arrivals first: they tell how far behind the missing ones are.
        let mut last = ack;
        for (before, seq) in listed(ack, missing, self.last_sent()) {
            if before > ack {
                self.on_passed_over(now, before, seq, lanes);
            }
            last = seq;
        }
        for (_, seq) in listed(ack, missing, self.last_sent()) {
            self.on_reported(now, seq, lanes);
        }
        self.judged = self.judged.max(last);
        unlisted || last > ack
    }

    /// What stands between two listed packets has arrived.
    fn on_passed_over(&mut self, now: Instant, before: u32, seq: u32, lanes: &mut Lanes) {
        for arrived in before.max(self.judged) + 1..seq {
            let Some(segment) = self.segment_mut(arrived) else {
                continue;
            };
            if segment.state != State::Sent {
                continue;
            }
            segment.state = State::Arrived;
            if let Some(lane) = lanes.get_mut(segment.slot) {
                // Its own ack is not told apart from that of others: no round trip.
                lane.on_arrived(
                    now,
                    Arrival {
                        timed: false,
                        ..arrival(segment)
                    },
                );
            }
        }
    }

    /// The peer misses a packet, and has a later one.
    fn on_reported(&mut self, now: Instant, seq: u32, lanes: &mut Lanes) {
        let Some(segment) = self.segment_mut(seq) else {
            return;
        };
        let Some(lane) = lanes.get_mut(segment.slot) else {
            return;
        };
        if segment.state == State::Lost || segment.is_open() {
            return;
        }
        // It may have been taken for arrived by mistake.
        segment.state = State::Sent;
        segment.reported = segment.reported.saturating_add(1);
        let late_at = late_at(segment, lane);
        // Numbers count for packets sent once: a retransmission is still on its way when others,
        // sent before it, are reported to have arrived.
        let by_number = segment.attempts == 1 && lane.has_passed(segment.number, segment.reported);
        let lost = late_at <= now || by_number;
        if lost {
            self.lose(now, seq, lane);
        } else {
            self.suspect_at = Some(self.suspect_at.map_or(late_at, |at| at.min(late_at)));
        }
    }

    /// A retransmission was acknowledged, and the peer knows of no gap: what was sent well before
    /// it on the same pipe is lost.
    fn overtaken(&mut self, now: Instant, slot: PipeSlot, number: u64, lanes: &mut Lanes) {
        let Some(lane) = lanes.get_mut(slot) else {
            return;
        };
        let Some(threshold) = lane.packet_threshold() else {
            return;
        };
        let newest_lost = number.saturating_sub(threshold);
        for seq in self.acked + 1..=self.last_sent() {
            let Some(segment) = self.segment(seq) else {
                break;
            };
            let before = segment.slot == slot && segment.number < newest_lost;
            if before && segment.state == State::Sent && !segment.probe && !segment.is_open() {
                self.lose(now, seq, lane);
            }
        }
    }

    fn lose(&mut self, now: Instant, seq: u32, lane: &mut Lane) {
        let Some(segment) = self.segment_mut(seq) else {
            return;
        };
        segment.state = State::Lost;
        if segment.probe {
            lane.on_withdrawn(segment.number);
        } else {
            segment.blamed = true;
            lane.on_lost(
                now,
                segment.number,
                segment.sent_at,
                u64::from(segment.wire),
            );
        }
        // In order: what the peer has waited for longest lets it acknowledge the most.
        let at = self.lost.partition_point(|other| *other < seq);
        self.lost.insert(at, seq);
    }

    /// The peer has room again: a probe that it dropped may go now.
    fn on_window_opened(&mut self) {
        self.backoff = 0;
        self.may_probe = false;
        let last = self.last_sent();
        if let Some(segment) = self.flight.back_mut()
            && segment.probe
            && last <= self.peer.limit()
        {
            segment.probe = false;
            if segment.state == State::Sent {
                segment.state = State::Lost;
                self.lost.push_back(last);
            }
        }
    }

    /// A pipe is gone, and what was under way on it: that goes by the next one.
    pub(in crate::flow) fn on_pipe_lost(&mut self, slot: PipeSlot) {
        self.backoff = 0;
        for segment in &mut self.flight {
            if segment.slot == slot && segment.state == State::Sent && !segment.is_open() {
                segment.state = State::Lost;
            }
        }
        // In order: a peer that misses more packets than it can list says nothing of what arrives
        // beyond them.
        let lost = self.flight.iter().zip(self.acked + 1..);
        let lost = lost.filter(|(segment, _)| segment.state == State::Lost);
        self.lost = lost.map(|(_, seq)| seq).collect();
    }
}

/// Timers.
impl Outbound {
    /// The next moment at which [`handle_timeout`](Self::handle_timeout) has something to do.
    pub(in crate::flow) fn deadline(&self, timing: Timing) -> Option<Instant> {
        let timers = [
            self.suspect_at,
            self.open_at(timing),
            self.retransmit_at(timing).map(|(at, _)| at),
            self.probe_at(timing),
        ];
        timers.into_iter().flatten().min()
    }

    pub(in crate::flow) fn handle_timeout(&mut self, now: Instant, lanes: &mut Lanes) {
        let timing = lanes.timing();
        if self.suspect_at.is_some_and(|at| at <= now) {
            self.lose_suspects(now, lanes);
        }
        if self.open_at(timing).is_some_and(|at| at <= now) {
            self.withdraw_segment(self.acked + 1, lanes);
            let lane = lanes.current_mut().into_iter();
            lane.for_each(|lane| lane.on_open_timeout(now));
        }
        if let Some((at, seq)) = self.retransmit_at(timing)
            && at <= now
        {
            self.backoff += 1;
            let probe = self.segment(seq).is_some_and(|segment| segment.probe);
            self.withdraw_segment(seq, lanes);
            if let Some(lane) = lanes.current_mut() {
                if probe {
                    lane.on_probe();
                } else {
                    lane.on_channel_timeout(now);
                }
            }
        }
        if self.probe_at(timing).is_some_and(|at| at <= now) {
            self.backoff += 1;
            self.may_probe = true;
        }
    }

    /// Since when the peer has owed us an answer.
    pub(in crate::flow) fn unanswered_since(&self) -> Option<Instant> {
        (self.heard && !self.flight.is_empty()).then_some(self.alive_at)
    }

    /// When to retransmit an open that nothing answered.
    fn open_at(&self, timing: Timing) -> Option<Instant> {
        let open = self
            .flight
            .front()
            .filter(|segment| !self.heard && segment.is_open())?;
        if open.state == State::Lost {
            return None;
        }
        Some(open.sent_at + OPEN_RETRANSMIT.max(timing.rtt * 3))
    }

    /// When to retransmit the first packet that should have been acknowledged, and which that is.
    fn retransmit_at(&self, timing: Timing) -> Option<(Instant, u32)> {
        if !self.heard {
            return None;
        }
        // An open that was heard of but not acknowledged: the application has not decided.
        let skip = usize::from(self.flight.front()?.is_open());
        self.flight
            .get(skip)
            .filter(|segment| segment.state != State::Lost)?;
        // Unless the last packet makes the peer answer at once, it may wait for another.
        let delay = if self.sent_prompt {
            Duration::ZERO
        } else {
            PEER_ACK_DELAY
        };
        let at = self.sent_at.max(self.progress_at) + self.backed_off(timing.probe + delay);
        Some((at, self.acked + 1 + skip as u32))
    }

    /// When to look whether a closed window has opened.
    fn probe_at(&self, timing: Timing) -> Option<Instant> {
        let closed = self.last_sent() >= self.peer.limit() && self.has_unsent();
        let idle = self.heard && self.flight.is_empty() && !self.may_probe;
        (closed && idle)
            .then(|| self.progress_at.max(self.alive_at) + self.backed_off(timing.probe))
    }

    fn backed_off(&self, timeout: Duration) -> Duration {
        (timeout * (1 << self.backoff.min(16))).min(timeout.max(MAX_TIMEOUT))
    }

    /// Declares lost what was reported missing and is late by now.
    fn lose_suspects(&mut self, now: Instant, lanes: &mut Lanes) {
        self.suspect_at = None;
        for seq in self.acked + 1..=self.judged.min(self.last_sent()) {
            let Some(segment) = self.segment(seq) else {
                break;
            };
            if segment.reported == 0 || segment.state != State::Sent {
                continue;
            }
            let Some(lane) = lanes.get_mut(segment.slot) else {
                continue;
            };
            let late_at = late_at(segment, lane);
            if late_at <= now {
                self.lose(now, seq, lane);
            } else {
                self.suspect_at = Some(self.suspect_at.map_or(late_at, |at| at.min(late_at)));
            }
        }
    }

    /// Queues a packet for retransmission without blaming the path.
    fn withdraw_segment(&mut self, seq: u32, lanes: &mut Lanes) {
        let Some(segment) = self.segment_mut(seq) else {
            return;
        };
        segment.state = State::Lost;
        if let Some(lane) = lanes.get_mut(segment.slot) {
            lane.on_withdrawn(segment.number);
        }
        self.lost.push_front(seq);
    }
}

/// The numbers that a `miss` list names, each with the one before it, up to the first that was never
/// sent.
fn listed(ack: u32, deltas: &[u32], sent: u32) -> impl Iterator<Item = (u32, u32)> {
    let next = move |seq: &mut u32, delta: &u32| {
        let before = *seq;
        *seq = before.checked_add(*delta).filter(|next| *next <= sent)?;
        Some((before, *seq))
    };
    deltas.iter().scan(ack, next)
}

/// When a packet that the peer misses is lost, whatever else arrived. A retransmission gets more
/// time: while its predecessor blocked the acks there were no new round-trip samples.
fn late_at(segment: &Segment, lane: &Lane) -> Instant {
    let delay = lane.loss_delay();
    let delay = if segment.attempts > 1 {
        delay.max(lane.probe_timeout())
    } else {
        delay
    };
    segment.sent_at + delay
}

fn arrival(segment: &Segment) -> Arrival {
    Arrival {
        number: segment.number,
        bytes: segment.wire.into(),
        timed: segment.attempts == 1 && !segment.is_open(),
        prompt: segment.prompt,
    }
}

/// Tells the pipe of a packet that the cumulative ack covers. Returns whether it was sent so lately
/// that the ack must be that of an earlier attempt.
fn on_acknowledged(now: Instant, segment: &Segment, lane: &mut Lane) -> bool {
    let since = now.saturating_duration_since(segment.sent_at);
    let too_soon = lane
        .rtt()
        .estimate()
        .is_some_and(|rtt| since < rtt.min * 7 / 8);
    if segment.state == State::Sent {
        lane.on_arrived(now, arrival(segment));
    }
    let unsent = segment.state == State::Lost && segment.attempts == 1;
    if segment.blamed && (unsent || (segment.attempts == 2 && too_soon)) {
        lane.on_spurious();
    }
    too_soon
}
