//! Whether the model still holds: leave room, cruise, fill up, push, over and over.

use core::time::Duration;

use telehash_e3x::Instant;

use super::{Ack, Bbr, State, UNBOUNDED, part};

/// How long to wait between probes, at least, and how much more at random.
const WAIT: (Duration, Duration) = (Duration::from_secs(2), Duration::from_secs(1));

/// Rounds between probes at most, so that flows that grow by a packet a round get their share.
const ROUNDS: u64 = 63;

/// What is left free of the long-term bound, in hundredths (Headroom).
const HEADROOM: u64 = 15;

/// Doublings of growth while probing.
const DOUBLINGS: u32 = 30;

/// Where the acks of a probe are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum AckPhase {
    /// None is awaited.
    #[default]
    Init,
    /// The path is being filled.
    Refilling,
    /// Probing began, acks tell of packets before.
    Starting,
    /// Acks tell of packets that probe.
    Feedback,
    /// Probing ended, acks still tell of it.
    Stopping,
}

/// The cycle of probes.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Probe {
    acks: AckPhase,
    /// When the path was filled to be pushed.
    filled: Instant,
    /// When the present cycle began, and how long it waits to probe.
    began: Instant,
    wait: Duration,
    /// Rounds since.
    pub(super) rounds: u64,
    /// Acks tell of packets that left while probing.
    pub(super) is_sample: bool,
    /// The last probe lost too much.
    pub(super) too_high: bool,
    /// The last probe was broken off where the one before had lost too much.
    cautious: bool,
    /// Bytes acknowledged for each packet that the long-term bound grows by, and since it did.
    acked_per_packet: u64,
    acked: u64,
    doublings: u32,
}

/// The states.
impl Bbr {
    pub(super) fn start_down(&mut self, now: Instant) {
        self.losses.reset();
        self.probe.acked_per_packet = UNBOUNDED;
        self.pick_wait(now);
        self.probe.began = now;
        self.probe.acks = AckPhase::Stopping;
        self.start_round(now);
        self.state = State::Down;
    }

    pub(super) fn start_cruise(&mut self) {
        self.state = State::Cruise;
    }

    pub(super) fn start_refill(&mut self, now: Instant) {
        self.probe.filled = now;
        self.reset_short_term();
        self.probe.doublings = 0;
        self.probe.acked = 0;
        self.probe.cautious = false;
        self.probe.acks = AckPhase::Refilling;
        self.start_round(now);
        self.state = State::Refill;
    }

    fn start_up(&mut self, ack: &Ack) {
        self.probe.is_sample = true;
        self.probe.acks = AckPhase::Starting;
        self.start_round(ack.now);
        self.full_pipe.restart(ack.rate);
        self.state = State::Up;
        self.steepen();
    }

    /// Acks of what was sent in another state than this one follow.
    pub(super) fn stop_probing(&mut self, now: Instant) {
        self.probe.acks = AckPhase::Stopping;
        self.start_round(now);
    }
}

/// When to change them.
impl Bbr {
    pub(super) fn update_probe_bw(&mut self, ack: &Ack) {
        if !self.full_pipe.reached || self.adapt_long_term(ack) {
            return;
        }
        let state = self.state;
        match state {
            State::Down | State::Cruise if self.is_time_to_probe(ack.now) => {
                self.start_refill(ack.now);
            }
            State::Down if self.is_time_to_cruise(ack) => self.start_cruise(),
            State::Refill if self.round.began => self.start_up(ack),
            State::Up if self.is_time_to_go_down(ack) => {
                self.probe.too_high = false;
                self.start_down(ack.now);
            }
            _ => {}
        }
    }

    fn is_time_to_probe(&self, now: Instant) -> bool {
        let rounds = (self.target_inflight() / self.packet).min(ROUNDS);
        now > self.probe.began + self.probe.wait || self.probe.rounds >= rounds
    }

    fn is_time_to_cruise(&self, ack: &Ack) -> bool {
        ack.in_flight <= self.with_headroom()
            && ack.in_flight <= self.inflight_at(self.max_bw.get())
    }

    fn is_time_to_go_down(&mut self, ack: &Ack) -> bool {
        let bound = self.bounds.inflight_longterm;
        if self.probe.too_high && ack.in_flight >= bound {
            self.probe.cautious = true;
            return true;
        }
        if self.is_window_limited() && self.window >= bound {
            // It is the bound that keeps more from arriving, not the path.
            self.full_pipe.restart(ack.rate);
            return false;
        }
        self.full_pipe.now
    }

    /// Picks how long to wait. The core draws no randomness: what the clock and the counters happen
    /// to show is mixed (SplitMix64), which is enough for flows not to probe in step.
    fn pick_wait(&mut self, now: Instant) {
        let mut seed = now.as_micros() ^ self.delivered.rotate_left(32) ^ self.round.count;
        seed = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        seed = (seed ^ (seed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        seed = (seed ^ (seed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        seed ^= seed >> 31;
        self.probe.rounds = seed & 1;
        self.probe.wait = WAIT.0 + WAIT.1 * ((seed >> 32) as u32 & 0x3ff) / 0x400;
    }
}

/// What probes tell.
impl Bbr {
    /// Whether a packet that left then was one to push with, of a probe that is not judged yet. Losses
    /// may be found out long after.
    pub(super) fn was_probe(&self, sent_at: Instant) -> bool {
        let over = !self.state.is_probing() && sent_at > self.probe.began;
        self.probe.is_sample && !over && sent_at >= self.probe.filled
    }

    /// The long-term bound with room left for others.
    pub(super) fn with_headroom(&self) -> u64 {
        let bound = self.bounds.inflight_longterm;
        if bound == UNBOUNDED {
            return UNBOUNDED;
        }
        let headroom = part(bound, HEADROOM).max(self.packet);
        bound.saturating_sub(headroom).max(self.least_window())
    }

    /// Takes what the acks of a probe tell. Returns whether that changed the state.
    fn adapt_long_term(&mut self, ack: &Ack) -> bool {
        let began = self.round.began;
        if began && self.probe.acks == AckPhase::Starting {
            self.probe.acks = AckPhase::Feedback;
        }
        if began && self.probe.acks == AckPhase::Stopping {
            self.probe.is_sample = false;
            self.probe.acks = AckPhase::Init;
            let in_cycle = self.state.is_probe_bw();
            if in_cycle && !ack.app_limited {
                self.max_bw.advance();
            }
            if in_cycle && self.probe.cautious && !self.probe.too_high {
                self.start_refill(ack.now);
                return true;
            }
        }
        let bounded = self.bounds.inflight_longterm != UNBOUNDED;
        if bounded && !self.is_too_high(ack.lost, ack.sent_in_flight) {
            let bound = self.bounds.inflight_longterm;
            self.bounds.inflight_longterm = bound.max(ack.sent_in_flight);
            if self.state == State::Up {
                self.raise_long_term(ack);
            }
        }
        false
    }

    /// The bound grows faster every round: by a packet, two, four, … a round.
    fn steepen(&mut self) {
        let growth = 1_u64 << self.probe.doublings;
        self.probe.doublings = (self.probe.doublings + 1).min(DOUBLINGS);
        self.probe.acked_per_packet = (self.window / growth).max(self.packet);
    }

    fn raise_long_term(&mut self, ack: &Ack) {
        if !self.is_window_limited() || self.window < self.bounds.inflight_longterm {
            return;
        }
        let acked = self.probe.acked.saturating_add(ack.acked);
        let packets = acked / self.probe.acked_per_packet.max(1);
        self.probe.acked = acked % self.probe.acked_per_packet.max(1);
        let bound = &mut self.bounds.inflight_longterm;
        *bound = bound.saturating_add(packets.saturating_mul(self.packet));
        if self.round.began {
            self.steepen();
        }
    }
}
