//! A pipe as the flow sees it: round trip, congestion, pacing, and what is under way on it.

use alloc::{boxed::Box, collections::VecDeque};
use core::time::Duration;

use telehash_e3x::Instant;

use super::{
    config::ControllerKind,
    congestion::{Controller, Departure, LostPacket, RateSample},
    ledger::{Ledger, Record},
    pacer::{Pace, Pacer},
    pinned::Pinned,
    rate::{Deliveries, Stamp},
    rtt::{GRANULARITY, PEER_ACK_DELAY, Rtt, RttEstimate},
    stall::Stall,
    types::PipeProfile,
};

/// A packet is lost once one sent this many places after it arrived, or once it was reported
/// missing as often (RFC 9002, 6.1.1).
const PACKET_THRESHOLD: u64 = 3;

/// How many eighths of a round trip a packet may be late before it is lost (RFC 9002, 6.1.2: one),
/// and the most this becomes on pipes that reorder.
const LATE_EIGHTHS: (u32, u32) = (1, 8);

/// A round trip that is only guessed counts as so many known ones at most.
const GUESSED_ROUND_TRIPS: u32 = 3;

/// On reliable pipes nothing is lost but what the peer itself dropped: probes are this rare.
const RELIABLE_PROBE_TIMEOUT: Duration = Duration::from_secs(3);

/// Packets beyond the window that may leave after a timeout (RFC 9002, 6.2.4).
const PROBES: u8 = 2;

/// Unanswered timeouts in a row after which a loss voids what was learnt of the path.
const PERSISTENT_TIMEOUTS: u32 = 2;

/// Figures of a pipe.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct PipeStats {
    /// Congestion window, in bytes.
    pub window: u64,
    /// Bytes under way.
    pub in_flight: u64,
    /// Round trip; nothing until it was measured.
    pub rtt: Option<RttEstimate>,
    /// Bytes a second at which packets leave; nothing where that is unlimited or unknown.
    pub pacing_rate: Option<u64>,
    /// Inner plaintext bytes sent, of all packets.
    pub sent: u64,
    /// Bytes of sequenced packets that were acknowledged.
    pub acked: u64,
    /// Bytes of sequenced packets that were found lost.
    pub lost: u64,
    /// Packets that were retransmitted but had only been late.
    pub spurious: u64,
}

/// Whether another packet may leave now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Gate {
    Open,
    /// Not before then.
    Paced(Instant),
    /// Not before something arrives or is lost.
    Congested,
}

/// One pipe.
#[derive(Debug)]
pub(super) struct Lane {
    profile: PipeProfile,
    controller: Box<dyn Controller>,
    rtt: Rtt,
    pacer: Pacer,
    ledger: Ledger,
    deliveries: Deliveries,
    /// What may leave by this pipe only.
    pub(super) pinned: VecDeque<Pinned>,
    /// Bytes of a full packet.
    packet: u64,
    gate: Gate,
    /// Packets that may still leave in spite of the window.
    probes: u8,
    /// Unanswered timeouts in a row, and when the last one was.
    timeouts: u32,
    timed_out_at: Option<Instant>,
    stall: Stall,
    /// It became suspect, and nobody asked yet.
    suspect: bool,
    /// When something was last sent or acknowledged.
    active_at: Instant,
    /// How late packets may be.
    late_eighths: u32,
    /// The newest packet that arrived.
    newest: Option<u64>,
    /// The newest packet that is taken to have arrived, by how many did.
    guess: Option<u64>,
    /// How long it took, as long as nothing better is known: while the peer misses a packet its acks
    /// tell of no round trip, though a queue may grow meanwhile.
    guessed_rtt: Duration,
    recovery: Option<Recovery>,
    /// Bytes under way that must have arrived, though it is not known which.
    credit: u64,
    batch: Batch,
    stats: PipeStats,
}

/// What one received packet says about the packets of a pipe; settled once it is all read.
#[derive(Debug, Default)]
struct Batch {
    arrived: u32,
    bytes: u64,
    newest: Option<(u64, Stamp, Instant)>,
    /// A round trip, and whether the peer answered at once.
    rtt: Option<(Duration, bool)>,
    /// When the newest lost packet left, the bytes of all, and how many there are.
    lost: Option<(Instant, u64, u32)>,
    spurious: u32,
    /// Something that we sent lately arrived.
    alive: bool,
}

/// The losses of one round trip, of which the controller makes one reduction.
#[derive(Clone, Copy, Debug)]
struct Recovery {
    since: Instant,
    /// Packets found lost, and those of them that had only been late.
    lost: u32,
    late: u32,
}

/// What the ack of a packet tells besides its arrival.
#[derive(Clone, Copy, Debug)]
pub(super) struct Arrival {
    pub(super) number: u64,
    pub(super) bytes: u64,
    /// It was sent once and acknowledged without waiting for the application.
    pub(super) timed: bool,
    /// The peer had to answer it at once.
    pub(super) prompt: bool,
}

impl Lane {
    /// A new pipe, which numbers its packets from `first` on.
    pub(super) fn new(
        now: Instant,
        profile: PipeProfile,
        controller: ControllerKind,
        first: u64,
    ) -> Self {
        Self {
            profile,
            controller: controller.build(),
            rtt: Rtt::new(profile.initial_rtt),
            pacer: Pacer::new(now),
            ledger: Ledger::new(first),
            deliveries: Deliveries::new(now),
            pinned: VecDeque::new(),
            packet: 0,
            gate: Gate::Open,
            probes: 0,
            timeouts: 0,
            timed_out_at: None,
            stall: Stall::new(profile.reliable),
            suspect: false,
            active_at: now,
            late_eighths: LATE_EIGHTHS.0,
            newest: None,
            guess: None,
            guessed_rtt: Duration::ZERO,
            recovery: None,
            credit: 0,
            batch: Batch::default(),
            stats: PipeStats::default(),
        }
    }

    /// Forgets what was learnt of the path: traffic moves here.
    pub(super) fn restart(&mut self, now: Instant, controller: ControllerKind) {
        let packet = self.packet;
        let fresh = Self::new(now, self.profile, controller, 0);
        let old = core::mem::replace(self, fresh);
        self.ledger = old.ledger;
        self.pinned = old.pinned;
        self.stats = old.stats;
        self.newest = old.newest;
        self.guess = old.guess;
        self.set_packet_size(packet);
    }

    /// Full packets have this many bytes.
    pub(super) fn set_packet_size(&mut self, bytes: u64) {
        if bytes != self.packet && bytes > 0 {
            self.packet = bytes;
            self.controller.set_packet_size(bytes);
        }
    }

    pub(super) const fn rtt(&self) -> &Rtt {
        &self.rtt
    }

    /// Whether our own congestion control stands back.
    const fn stands_back(&self) -> bool {
        self.profile.reliable || self.profile.own_congestion_control
    }

    /// How long to wait for an ack that is sent at once.
    pub(super) fn probe_timeout(&self) -> Duration {
        let timeout = self.rtt.probe_timeout();
        if self.profile.reliable {
            timeout.max(RELIABLE_PROBE_TIMEOUT)
        } else {
            timeout
        }
    }

    /// How long after it was sent a packet counts as lost when later ones arrived.
    pub(super) fn loss_delay(&self) -> Duration {
        let recent = self.rtt.recent().max(self.guessed_rtt);
        (recent * (8 + self.late_eighths) / 8).max(GRANULARITY)
    }

    /// How many later packets must have arrived for one to be lost. Where packets were seen to
    /// overtake each other numbers say nothing, only time does.
    pub(super) const fn packet_threshold(&self) -> Option<u64> {
        if self.late_eighths == LATE_EIGHTHS.0 {
            Some(PACKET_THRESHOLD)
        } else {
            None
        }
    }

    /// Whether a packet is lost because others overtook it: by far, or as often as `reported`.
    pub(super) fn has_passed(&self, number: u64, reported: u8) -> bool {
        self.packet_threshold().is_some_and(|threshold| {
            self.newest
                .is_some_and(|newest| newest >= number + threshold)
                || u64::from(reported) >= threshold
        })
    }

    pub(super) fn stats(&self) -> PipeStats {
        PipeStats {
            window: self.controller.window(),
            in_flight: self.in_flight(),
            rtt: self.rtt.estimate(),
            pacing_rate: (!self.stands_back())
                .then(|| self.controller.pacing_rate())
                .flatten(),
            ..self.stats
        }
    }
}

/// Sending.
impl Lane {
    /// Whether another packet may leave. A refusal is remembered for the timers.
    pub(super) fn gate(&mut self, now: Instant) -> Gate {
        self.gate = self.check(now);
        self.gate
    }

    fn check(&mut self, now: Instant) -> Gate {
        if self.stands_back() || self.probes > 0 {
            return Gate::Open;
        }
        if !self.has_window(self.packet) {
            return Gate::Congested;
        }
        match self.pacer.ready(now, self.pace()) {
            Ok(()) => Gate::Open,
            Err(later) => Gate::Paced(later),
        }
    }

    /// Bytes that may still be in the network.
    fn in_flight(&self) -> u64 {
        self.ledger.in_flight().saturating_sub(self.credit)
    }

    /// Whether another `bytes` may be under way. A packet always may.
    fn has_window(&self, bytes: u64) -> bool {
        let in_flight = self.in_flight();
        in_flight == 0 || in_flight + bytes <= self.controller.window()
    }

    /// Whether the window has no room for one more packet after the next.
    pub(super) fn is_last(&self) -> bool {
        !self.stands_back() && !self.has_window(2 * self.packet)
    }

    /// How many packets are a quarter of the window.
    pub(super) fn quarter(&self) -> u64 {
        self.controller.window() / (4 * self.packet.max(1))
    }

    fn pace(&self) -> Pace {
        let rtt = self.rtt.smoothed();
        let micros = u64::try_from(rtt.as_micros()).unwrap_or(u64::MAX).max(1);
        let rate = self
            .controller
            .pacing_rate()
            .unwrap_or_else(|| self.controller.window().saturating_mul(1_000_000) / micros);
        Pace {
            rate,
            rtt,
            packet: self.packet,
        }
    }

    /// A packet leaves that is never acknowledged.
    pub(super) fn on_sent(&mut self, bytes: u64) {
        self.stats.sent += bytes;
    }

    /// A packet leaves that is paced, but never acknowledged.
    pub(super) fn on_sent_paced(&mut self, bytes: u64) {
        self.on_sent(bytes);
        self.pacer.spend(bytes);
        self.probes = self.probes.saturating_sub(1);
    }

    /// A sequenced packet leaves; returns its number. Not all of them count as under way: an open
    /// is acknowledged when the peer's application says so.
    pub(super) fn on_sent_sequenced(&mut self, now: Instant, bytes: u64, counts: bool) -> u64 {
        self.on_sent_paced(bytes);
        self.active_at = now;
        self.stall.on_sent(now);
        let booked = if counts { bytes } else { 0 };
        let stamp = self.deliveries.on_sent(now, booked, self.in_flight());
        let number = self.ledger.push(Record {
            bytes: booked,
            sent_at: now,
            stamp,
        });
        self.controller.on_sent(&Departure {
            now,
            bytes: booked,
            in_flight: self.in_flight(),
            app_limited: stamp.app_limited,
        });
        number
    }

    /// There was nothing to send although the gate was open.
    pub(super) fn on_idle(&mut self) {
        self.gate = Gate::Open;
        if self.has_window(self.packet) {
            self.deliveries.app_limited(self.in_flight());
        }
    }
}

/// What acks tell. [`settle`](Self::settle) ends each batch.
impl Lane {
    /// A packet arrived.
    pub(super) fn on_arrived(&mut self, now: Instant, arrival: Arrival) {
        self.stats.acked += arrival.bytes;
        let Some(record) = self.ledger.take(arrival.number) else {
            return;
        };
        // What was counted when it arrived, though unknown, is not counted again.
        let counted = self.credit.min(record.bytes);
        self.credit -= counted;
        self.newest = self.newest.max(Some(arrival.number));
        self.guess = self.guess.max(self.newest);
        self.deliver(now, record.bytes - counted);
        let batch = &mut self.batch;
        batch.alive = true;
        batch.arrived += 1;
        if batch
            .newest
            .is_none_or(|(newest, ..)| newest < arrival.number)
        {
            batch.newest = Some((arrival.number, record.stamp, record.sent_at));
            let rtt = now.saturating_duration_since(record.sent_at);
            batch.rtt = arrival.timed.then_some((rtt, arrival.prompt));
        }
    }

    /// A retransmitted packet was acknowledged sooner than the retransmission can have arrived.
    pub(super) fn on_spurious(&mut self) {
        self.batch.spurious += 1;
        self.stats.spurious += 1;
    }

    fn deliver(&mut self, now: Instant, bytes: u64) {
        self.deliveries.on_delivered(now, bytes);
        self.batch.bytes += bytes;
    }

    /// A packet was lost.
    pub(super) fn on_lost(&mut self, now: Instant, number: u64, sent_at: Instant, bytes: u64) {
        let record = self.ledger.take(number);
        let stamp = record.as_ref().map(|record| &record.stamp);
        let lost = self.deliveries.on_lost(bytes, stamp);
        self.controller.on_packet_lost(&LostPacket {
            now,
            sent_at,
            number,
            bytes,
            in_flight: stamp.map_or(0, |stamp| stamp.in_flight),
            lost,
            app_limited: stamp.is_some_and(|stamp| stamp.app_limited),
        });
        self.stats.lost += bytes;
        let (newest, total, packets) = self.batch.lost.unwrap_or((sent_at, 0, 0));
        self.batch.lost = Some((newest.max(sent_at), total + bytes, packets + 1));
    }

    /// A packet is given up without blaming the path.
    pub(super) fn on_withdrawn(&mut self, number: u64) {
        self.ledger.take(number);
    }

    /// Something that was sent lately arrived, though it is not known what: a peer that misses
    /// packets says so with each one that it gets.
    ///
    /// Paths keep the order of most packets, so it counts as the one that left after the newest that
    /// is taken to have arrived.
    pub(super) fn on_unknown_arrived(&mut self, now: Instant) {
        self.batch.alive = true;
        if self.in_flight() < self.packet {
            return;
        }
        self.credit += self.packet;
        self.deliver(now, self.packet);
        let number = self.guess.map_or(self.ledger.first(), |guess| guess + 1);
        let number = number.max(self.ledger.first());
        if let Some(record) = self.ledger.get(number) {
            self.guess = Some(number);
            let rtt = now.saturating_duration_since(record.sent_at);
            self.guessed_rtt = rtt.min(self.rtt.recent() * GUESSED_ROUND_TRIPS);
            self.batch.newest = Some((number, record.stamp, record.sent_at));
        }
    }

    /// The peer misses nothing: all that arrived is known.
    pub(super) fn on_all_known(&mut self) {
        self.credit = 0;
        self.guess = self.newest;
    }

    /// The whole of a received packet was read: draw the conclusions. Returns whether a retransmission
    /// must [not wait](Self::hurry).
    pub(super) fn settle(&mut self, now: Instant) -> bool {
        let mut urgent = false;
        let batch = core::mem::take(&mut self.batch);
        let rtt = batch.rtt.and_then(|(sample, prompt)| {
            // An ack of one packet may have waited for a second one.
            let delayed = !prompt && batch.arrived < 2;
            (!delayed || sample < self.rtt.smoothed()).then_some(sample)
        });
        if let Some(rtt) = rtt {
            self.rtt.sample(rtt);
            self.guessed_rtt = Duration::ZERO;
        }
        let timeouts = self.timeouts;
        if let Some((_, stamp, sent_at)) = batch.newest {
            self.timeouts = 0;
            self.active_at = now;
            self.stall.on_arrived(now, self.ledger.in_flight() > 0);
            self.inform(now, batch.bytes, rtt, &stamp, sent_at);
        }
        if let Some((sent_at, bytes, packets)) = batch.lost {
            if timeouts >= PERSISTENT_TIMEOUTS {
                self.controller.on_persistent_congestion(now);
                self.recovery = None;
            } else {
                self.controller.on_loss(now, sent_at, bytes);
                urgent = self.recover(now, sent_at, packets);
            }
        }
        if batch.spurious > 0 {
            self.on_late(now, batch.spurious);
        }
        if batch.alive {
            self.release_old(now);
            self.credit = self.credit.min(self.ledger.in_flight());
        }
        urgent
    }

    /// The first retransmission of a loss leaves in spite of the window, be it this pipe's loss or
    /// that of the one before: the window has shrunk below what is under way, and must not wait until
    /// that has left (RFC 9002, 7.3.2).
    pub(super) fn hurry(&mut self) {
        self.probes = self.probes.max(1);
    }

    /// Counts losses toward the reduction that they belong to. Returns whether they begin one.
    fn recover(&mut self, now: Instant, sent_at: Instant, packets: u32) -> bool {
        match &mut self.recovery {
            Some(recovery) if sent_at <= recovery.since => {
                recovery.lost += packets;
                false
            }
            _ => {
                self.recovery = Some(Recovery {
                    since: now,
                    lost: packets,
                    late: 0,
                });
                true
            }
        }
    }

    /// Packets had only been late: wait longer from now on. If none of a reduction's packets was
    /// really lost, it is undone.
    fn on_late(&mut self, now: Instant, packets: u32) {
        self.late_eighths = (self.late_eighths * 2).min(LATE_EIGHTHS.1);
        if let Some(recovery) = &mut self.recovery {
            recovery.late += packets;
            if recovery.late >= recovery.lost {
                self.recovery = None;
                self.controller.on_spurious_loss(now);
            }
        }
    }

    fn inform(
        &mut self,
        now: Instant,
        acked: u64,
        rtt: Option<Duration>,
        stamp: &Stamp,
        newest_sent_at: Instant,
    ) {
        let delivery = self.deliveries.sample(stamp);
        let total_delivered = self.deliveries.delivered();
        self.controller.on_ack(&RateSample {
            now,
            newest_sent_at,
            acked,
            delivered: delivery.bytes,
            interval: delivery.interval,
            sent_in_flight: delivery.sent_in_flight,
            lost: delivery.lost,
            rtt,
            smoothed_rtt: self.rtt.smoothed(),
            in_flight: self.in_flight(),
            sent: total_delivered + self.in_flight(),
            total_delivered,
            app_limited: delivery.app_limited,
        });
    }

    /// Later packets arrive, so what was sent a while ago has left the network, arrived or not.
    fn release_old(&mut self, now: Instant) {
        let age = self.loss_delay().as_micros();
        let age = u64::try_from(age).unwrap_or(u64::MAX);
        if let Some(then) = now.as_micros().checked_sub(age) {
            let then = Instant::from_micros(then);
            let guessed = self.ledger.release_before(then, self.guess);
            self.credit = self.credit.saturating_sub(guessed);
        }
    }
}

/// Timers.
impl Lane {
    /// When [`handle_timeout`](Self::handle_timeout) is due.
    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        let gate = self.gate_at();
        let stall = self.stall.deadline().filter(|_| self.in_flight() > 0);
        gate.into_iter().chain(stall).min()
    }

    /// When the gate may open by itself.
    fn gate_at(&self) -> Option<Instant> {
        match self.gate {
            Gate::Open => None,
            Gate::Paced(at) => Some(at),
            Gate::Congested => Some(self.active_at + self.stuck_after()),
        }
    }

    /// Whether the pipe became suspect of carrying nothing any more. Says so once, until
    /// [`on_proof`](Self::on_proof) or an arrival.
    pub(super) fn take_suspicion(&mut self) -> bool {
        core::mem::take(&mut self.suspect)
    }

    /// The pipe proved that it works.
    pub(super) fn on_proof(&mut self, now: Instant) {
        self.stall.on_proof(now);
    }

    pub(super) const fn assume_rtt(&mut self, rtt: Duration) {
        self.rtt.assume(rtt);
    }

    /// Nothing that is under way will arrive.
    pub(super) fn on_given_up(&mut self) {
        self.ledger.release_all();
        self.credit = 0;
        self.stall = Stall::new(self.profile.reliable);
    }

    /// How long a full window waits for any answer.
    fn stuck_after(&self) -> Duration {
        (self.rtt.probe_timeout() + PEER_ACK_DELAY) * 2 * (1 << self.timeouts.min(5))
    }

    /// Gives back what the packets needed that were under way.
    pub(super) fn trim(&mut self) {
        self.pinned.shrink_to_fit();
        self.ledger.release();
    }

    /// The pacer may have tokens again; a window that nothing empties is given up.
    pub(super) fn handle_timeout(&mut self, now: Instant) {
        self.open_gate(now);
        self.suspect |= self.stall.is_suspect(now);
    }

    fn open_gate(&mut self, now: Instant) {
        if self.gate_at().is_none_or(|at| at > now) {
            return;
        }
        if self.gate == Gate::Congested {
            self.ledger.release_all();
            self.credit = 0;
            self.controller.on_persistent_congestion(now);
            self.timeouts += 1;
            self.stall.on_timeout();
            self.active_at = now;
        }
        self.gate = Gate::Open;
    }

    /// The retransmission timer of a channel fired: let its packet out in spite of the window.
    pub(super) fn on_channel_timeout(&mut self, now: Instant) {
        self.probes = PROBES;
        let timeout = self.rtt.probe_timeout();
        if self.timed_out_at.is_none_or(|at| at + timeout <= now) {
            self.timed_out_at = Some(now);
            self.timeouts += 1;
            self.stall.on_timeout();
            self.suspect |= self.stall.is_suspect(now);
        }
    }

    /// An open got no answer: it must leave again in spite of the window.
    pub(super) fn on_open_timeout(&mut self, now: Instant) {
        self.stall.on_open_timeout();
        self.suspect |= self.stall.is_suspect(now);
        self.on_probe();
    }

    /// A packet must leave in spite of the window.
    pub(super) fn on_probe(&mut self) {
        self.probes = PROBES;
    }
}
