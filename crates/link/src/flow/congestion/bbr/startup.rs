//! The first model: double the rate until no more arrives, then let the queue run empty.

use super::{Ack, BaseLoss, Bbr, State};

/// A round in which this much more arrived, in hundredths, is growth.
const GROWTH: u64 = 125;

/// Rounds without growth after which the path is full.
const FULL_ROUNDS: u32 = 3;

/// Runs of lost packets in a round that end the start (StartupFullLossCnt).
const LOSS_RUNS: u32 = 6;

/// Rounds that draining may take.
const DRAIN_ROUNDS: u64 = 3;

/// Whether sending faster still makes more arrive.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct FullPipe {
    rate: u64,
    rounds: u32,
    /// It does not at the moment, …
    pub(super) now: bool,
    /// … and it once did not.
    pub(super) reached: bool,
    /// When draining began, in rounds.
    drain_began: u64,
}

impl FullPipe {
    /// Looks anew, at what arrives beyond this rate.
    pub(super) fn restart(&mut self, rate: u64) {
        (self.rate, self.rounds, self.now) = (rate, 0, false);
    }

    pub(super) fn on_ack(&mut self, ack: &Ack, round_began: bool) {
        if self.now || !round_began || ack.app_limited || ack.rate == 0 {
            return;
        }
        if ack.rate >= self.rate.saturating_mul(GROWTH) / 100 {
            self.restart(ack.rate);
            return;
        }
        self.rounds += 1;
        self.now = self.rounds >= FULL_ROUNDS;
        self.reached |= self.now;
    }
}

impl Bbr {
    pub(super) fn check_startup_done(&mut self) {
        self.check_startup_losses();
        if self.state == State::Startup && self.full_pipe.reached {
            self.state = State::Drain;
            self.full_pipe.drain_began = self.round.count;
        }
    }

    /// A round that lost much, in many places, ends the start as well.
    fn check_startup_losses(&mut self) {
        let losses = &self.losses;
        let many = losses.ended && losses.any && losses.runs >= LOSS_RUNS;
        if self.state != State::Startup || self.full_pipe.reached || !many {
            return;
        }
        let volume = losses.inflight_latest.saturating_add(losses.lost);
        // Chance alone would lose more than the threshold of a hundred packets every other time.
        let tolerated = BaseLoss::THRESHOLD.of(volume, self.packet);
        if losses.lost > tolerated {
            self.undo.state = Some(State::Startup);
            self.full_pipe.reached = true;
            self.bounds.inflight_longterm = self.bdp().max(self.losses.inflight_latest);
        }
    }

    pub(super) fn check_drain_done(&mut self, ack: &Ack) {
        let late = self.round.count > self.full_pipe.drain_began + DRAIN_ROUNDS;
        if self.state == State::Drain && (late || ack.in_flight <= self.inflight_at(self.bw)) {
            self.start_down(ack.now);
        }
    }
}
