//! BBRv3 (draft-ietf-ccwg-bbr), in integers.
//!
//! A model of the path, made of what arrived how fast ([`bandwidth`]), of the least round trip
//! ([`probe_rtt`]) and of how much may be under way before packets get lost ([`bounds`]), decides how
//! fast packets leave ([`control`]). [`startup`] makes the first model, [`probe_bw`] keeps trying
//! whether it still holds. Names are those of the draft; gains are in hundredths.
//!
//! What differs from the draft:
//! - **Loss that a path has anyway is no congestion** ([`base_loss`]): the draft slows down after any
//!   loss, and takes more than 2 % while it probes for a full queue, which keeps it far below the
//!   rate of a radio link that loses 3 %. Here the threshold is 2 % above what the path loses when
//!   it is not pushed. On a path that loses nothing by itself the rules are the draft's.
//! - There is no generator to draw waits from: what the clock and the counters show is mixed.
//! - A timeout counts as a round with losses, so that a path that collapsed is not overrun again.

mod bandwidth;
mod base_loss;
mod bounds;
mod control;
mod probe_bw;
mod probe_rtt;
mod startup;
#[cfg(test)]
mod tests;

use core::time::Duration;

use telehash_e3x::Instant;

use self::{
    bandwidth::{Aggregation, MaxBandwidth, Round},
    base_loss::BaseLoss,
    bounds::{Bounds, LossRound, Undo},
    control::{MAX_RATE, MIN_PACKETS, part},
    probe_bw::Probe,
    probe_rtt::MinRtt,
    startup::FullPipe,
};
use super::{Controller, Departure, FIRST_PACKETS, LostPacket, MAX_WINDOW, PACKET, RateSample};

/// No bound, or nothing known.
const UNBOUNDED: u64 = u64::MAX;

/// What a round with losses leaves of a bound at least (Beta), in hundredths.
const BETA: u64 = 70;

/// What the controller does at the moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Doubles the rate every round trip.
    Startup,
    /// Lets the queue run empty that this made.
    Drain,
    /// Leaves room, for the queue and for others.
    Down,
    /// Sends as fast as packets arrive.
    Cruise,
    /// Fills the path, without pushing.
    Refill,
    /// Pushes, to see whether more arrives.
    Up,
    /// Sends little, to see the round trip without a queue.
    ProbeRtt,
}

impl State {
    const fn pacing_gain(self) -> u64 {
        match self {
            Self::Startup => 277,
            Self::Drain => 50,
            Self::Down => 90,
            Self::Up => 125,
            Self::Cruise | Self::Refill | Self::ProbeRtt => 100,
        }
    }

    const fn window_gain(self) -> u64 {
        match self {
            Self::Up => 225,
            Self::ProbeRtt => 50,
            _ => 200,
        }
    }

    const fn is_probe_bw(self) -> bool {
        matches!(self, Self::Down | Self::Cruise | Self::Refill | Self::Up)
    }

    /// Whether losses are expected, being asked for.
    const fn is_probing(self) -> bool {
        matches!(self, Self::Startup | Self::Refill | Self::Up)
    }
}

/// The controller of one pipe.
#[derive(Clone, Copy, Debug)]
pub(in super::super) struct Bbr {
    state: State,
    /// Bytes of a full packet.
    packet: u64,
    /// Bytes that had been delivered at the last ack.
    delivered: u64,
    round: Round,
    max_bw: MaxBandwidth,
    /// The lesser of `max_bw` and its short-term bound, in bytes a second.
    bw: u64,
    full_pipe: FullPipe,
    min_rtt: MinRtt,
    aggregation: Aggregation,
    losses: LossRound,
    base_loss: BaseLoss,
    bounds: Bounds,
    undo: Undo,
    probe: Probe,
    window: u64,
    /// The window before something other than the model reduced it.
    prior_window: u64,
    pacing_rate: Option<u64>,
    /// Whether the window was the limit in this round and in the one before.
    window_limited: [bool; 2],
    idle_restart: bool,
    /// When a timeout reduced the window, until something sent later arrives.
    timed_out_at: Option<Instant>,
}

/// What is taken from one sample.
#[derive(Clone, Copy, Debug)]
struct Ack {
    now: Instant,
    newest_sent_at: Instant,
    /// Bytes newly delivered.
    acked: u64,
    /// Bytes delivered since the newest arrived packet left.
    delivered: u64,
    /// Bytes a second; zero if not known.
    rate: u64,
    in_flight: u64,
    sent_in_flight: u64,
    lost: u64,
    rtt: Option<Duration>,
    smoothed_rtt: Duration,
    app_limited: bool,
}

impl Ack {
    /// How long the newest of the arrived packets took, more or less: it may not be known which it was.
    fn delay(&self) -> Duration {
        self.now.saturating_duration_since(self.newest_sent_at)
    }
}

impl Bbr {
    pub(in super::super) fn new() -> Self {
        Self {
            state: State::Startup,
            packet: PACKET,
            delivered: 0,
            round: Round::default(),
            max_bw: MaxBandwidth::default(),
            bw: 0,
            full_pipe: FullPipe::default(),
            min_rtt: MinRtt::default(),
            aggregation: Aggregation::default(),
            losses: LossRound::default(),
            base_loss: BaseLoss::default(),
            bounds: Bounds::default(),
            undo: Undo::default(),
            probe: Probe::default(),
            window: FIRST_PACKETS * PACKET,
            prior_window: 0,
            pacing_rate: None,
            window_limited: [false; 2],
            idle_restart: false,
            timed_out_at: None,
        }
    }

    fn read(&self, sample: &RateSample) -> Ack {
        // What took less than a round trip was not measured but mistaken.
        let plausible = self
            .min_rtt
            .least
            .is_none_or(|least| sample.interval >= least);
        let rate = sample.rate().filter(|_| plausible);
        let prior_delivered = sample.prior_delivered();
        Ack {
            now: sample.now,
            newest_sent_at: sample.newest_sent_at,
            acked: sample.acked,
            delivered: sample.delivered,
            rate: rate.unwrap_or(0).min(MAX_RATE),
            in_flight: sample.in_flight,
            sent_in_flight: sample.sent_in_flight,
            lost: sample.lost,
            rtt: sample.rtt,
            smoothed_rtt: sample.smoothed_rtt,
            app_limited: sample.app_limited || self.min_rtt.is_limiting(prior_delivered),
        }
    }

    /// The bytes of one round trip at the estimated rate.
    fn bdp(&self) -> u64 {
        self.bdp_at(self.bw)
    }

    fn bdp_at(&self, rate: u64) -> u64 {
        self.min_rtt
            .least
            .map_or(FIRST_PACKETS * self.packet, |rtt| {
                control::bytes_in(rate, rtt).min(MAX_WINDOW)
            })
    }

    /// The same, and no less than keeps the path busy.
    fn inflight_at(&self, rate: u64) -> u64 {
        self.quantized(self.bdp_at(rate))
    }

    /// How much should be under way: unless losses cut the window, what the path holds.
    fn target_inflight(&self) -> u64 {
        self.bdp().min(self.window)
    }

    const fn least_window(&self) -> u64 {
        MIN_PACKETS * self.packet
    }

    fn start_round(&mut self, now: Instant) {
        self.round.since = now;
    }

    /// Remembers the window as the last one that was known to be good.
    fn save_window(&mut self) {
        let modulated = self.timed_out_at.is_some() || self.state == State::ProbeRtt;
        self.prior_window = if modulated {
            self.prior_window.max(self.window)
        } else {
            self.window
        };
    }

    fn restore_window(&mut self) {
        self.window = self.window.max(self.prior_window);
    }
}

impl Controller for Bbr {
    fn set_packet_size(&mut self, bytes: u64) {
        let bytes = bytes.clamp(1, MAX_WINDOW / FIRST_PACKETS);
        if self.window == FIRST_PACKETS * self.packet && self.delivered == 0 {
            self.window = FIRST_PACKETS * bytes;
        }
        self.packet = bytes;
        self.window = self.window.clamp(self.least_window(), MAX_WINDOW);
    }

    fn on_sent(&mut self, departure: &Departure) {
        let Departure {
            now,
            bytes,
            in_flight,
            app_limited,
        } = *departure;
        self.window_limited[0] |= in_flight.saturating_add(self.packet) > self.window;
        if in_flight <= bytes && app_limited {
            self.restart_from_idle(now);
        }
    }

    fn on_packet_lost(&mut self, lost: &LostPacket) {
        if !self.losses.any {
            self.save_before_losses();
            self.losses.base = self.base_loss;
        }
        self.losses.count(lost);
        self.base_loss.on_lost(lost.bytes);
        if self.was_probe(lost.sent_at) && self.is_too_high(lost.lost, lost.in_flight) {
            let in_flight = self.inflight_at_loss(lost);
            self.on_inflight_too_high(lost.now, in_flight, lost.app_limited);
        }
    }

    fn on_ack(&mut self, sample: &RateSample) {
        let ack = self.read(sample);
        self.delivered = sample.total_delivered;
        // The model, and with it the state …
        self.losses.on_ack(&ack);
        self.max_bw.on_ack(&ack);
        self.adapt_lower_bounds();
        self.base_loss.on_arrived(ack.acked, ack.delay());
        self.update_round(&ack);
        self.update_aggregation(&ack);
        self.full_pipe.on_ack(&ack, self.round.began);
        self.check_startup_done();
        self.check_drain_done(&ack);
        self.update_probe_bw(&ack);
        let expired = self.update_min_rtt(&ack);
        self.check_probe_rtt(&ack, expired);
        self.losses.advance(&ack);
        self.bw = self.max_bw.get().min(self.bounds.bw_shortterm);
        // … and what follows from it.
        self.set_pacing_rate(&ack);
        self.set_window(&ack);
    }

    fn on_spurious_loss(&mut self, now: Instant) {
        self.undo_losses(now);
    }

    fn on_persistent_congestion(&mut self, now: Instant) {
        self.save_window();
        self.save_before_losses();
        self.lower_after_timeout();
        self.window = self.least_window();
        self.timed_out_at = Some(now);
    }

    fn window(&self) -> u64 {
        self.window
    }

    fn pacing_rate(&self) -> Option<u64> {
        self.pacing_rate
    }
}

impl Bbr {
    fn update_round(&mut self, ack: &Ack) {
        if !self.round.on_ack(ack) {
            return;
        }
        self.probe.rounds = self.probe.rounds.saturating_add(1);
        self.window_limited = [false, self.window_limited[0]];
        let quiet = self.full_pipe.reached && matches!(self.state, State::Down | State::Cruise);
        let waits = self
            .base_loss
            .delay
            .is_none_or(|delay| self.min_rtt.is_queue(delay));
        self.base_loss.end_round(quiet && !waits, self.packet);
    }

    fn is_window_limited(&self) -> bool {
        self.window_limited.contains(&true)
    }

    /// After a pause of the application packets leave at the known rate: no slow start.
    fn restart_from_idle(&mut self, now: Instant) {
        self.idle_restart = true;
        self.aggregation.restart(now);
        if self.state.is_probe_bw() {
            self.set_pacing_rate_with(100);
        } else if self.state == State::ProbeRtt {
            self.check_probe_rtt_done(now);
        }
    }
}
