//! What losses say about how much may be under way.

use core::time::Duration;

use telehash_e3x::Instant;

use super::{
    Ack, BETA, BaseLoss, Bbr, LostPacket, State, UNBOUNDED,
    base_loss::{THRESHOLD, share_of},
    part,
};

/// Bounds of the model; unbounded until losses set them.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    /// Bytes a second, and bytes under way, that arrived in rounds with losses; forgotten before the
    /// next probe.
    pub(super) bw_shortterm: u64,
    pub(super) inflight_shortterm: u64,
    /// Bytes under way beyond which too much was lost while probing.
    pub(super) inflight_longterm: u64,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            bw_shortterm: UNBOUNDED,
            inflight_shortterm: UNBOUNDED,
            inflight_longterm: UNBOUNDED,
        }
    }
}

/// The model before the first loss of a round, should that prove to be a mistake.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Undo {
    /// What the losses ended.
    pub(super) state: Option<State>,
    before: Bounds,
}

/// What arrived and what was lost in this round, which begins anew with the first loss.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct LossRound {
    /// It ends once a packet arrives that left after this.
    since: Instant,
    /// What the path was known to lose by itself when the round began: losses do not excuse themselves.
    pub(super) base: BaseLoss,
    /// The shortest time that a packet took meanwhile.
    delay: Option<Duration>,
    /// The last ack ended one.
    pub(super) ended: bool,
    pub(super) any: bool,
    /// Bytes lost, and in how many runs of packets.
    pub(super) lost: u64,
    pub(super) runs: u32,
    last: Option<u64>,
    /// The most that was delivered in a round trip, as bytes a second and as bytes.
    pub(super) bw_latest: u64,
    pub(super) inflight_latest: u64,
}

impl LossRound {
    pub(super) fn count(&mut self, lost: &LostPacket) {
        if !self.any {
            self.any = true;
            self.since = lost.now;
        }
        self.lost = self.lost.saturating_add(lost.bytes);
        let follows = self
            .last
            .is_some_and(|last| lost.number == last.wrapping_add(1));
        self.runs = self.runs.saturating_add(u32::from(!follows));
        self.last = Some(lost.number);
    }

    pub(super) fn on_ack(&mut self, ack: &Ack) {
        self.bw_latest = self.bw_latest.max(ack.rate);
        self.inflight_latest = self.inflight_latest.max(ack.delivered);
        let delay = ack.delay();
        self.delay = Some(self.delay.map_or(delay, |least| least.min(delay)));
        self.ended = ack.newest_sent_at >= self.since;
        if self.ended {
            self.since = ack.now;
        }
    }

    /// The next round begins with what this ack showed.
    pub(super) fn advance(&mut self, ack: &Ack) {
        if self.ended {
            self.bw_latest = ack.rate;
            self.inflight_latest = ack.delivered;
            self.forget_losses();
        }
    }

    pub(super) fn reset(&mut self) {
        (self.bw_latest, self.inflight_latest) = (0, 0);
        self.forget_losses();
    }

    pub(super) fn forget_losses(&mut self) {
        (self.any, self.lost, self.runs, self.last) = (false, 0, 0, None);
        self.delay = None;
    }
}

impl Bbr {
    /// Whether so much lost of what was under way means that this was too much.
    pub(super) fn is_too_high(&self, lost: u64, in_flight: u64) -> bool {
        in_flight > 0 && lost > self.tolerated(in_flight)
    }

    fn tolerated(&self, in_flight: u64) -> u64 {
        share_of(in_flight, THRESHOLD).saturating_add(self.base_loss.of(in_flight, self.packet))
    }

    /// How much was under way when the losses before this one became too many.
    pub(super) fn inflight_at_loss(&self, lost: &LostPacket) -> u64 {
        let in_flight = lost.in_flight.saturating_sub(lost.bytes);
        let before = lost.lost.saturating_sub(lost.bytes);
        let more = self.tolerated(in_flight).saturating_sub(before);
        // Of what follows the threshold is tolerated as well: / (1 - threshold).
        in_flight + share_of(more, 1_020_408).min(lost.bytes)
    }

    pub(super) fn on_inflight_too_high(&mut self, now: Instant, in_flight: u64, app_limited: bool) {
        self.probe.too_high = true;
        self.probe.is_sample = false;
        if !app_limited {
            let floor = part(self.target_inflight(), BETA);
            self.bounds.inflight_longterm = in_flight.max(floor);
        }
        if self.state == State::Up {
            self.undo.state = Some(State::Up);
            self.start_down(now);
        }
    }

    /// At the end of a round with losses that nobody asked for: closer to what arrives.
    pub(super) fn adapt_lower_bounds(&mut self) {
        if !self.losses.ended || !self.losses.any || self.state.is_probing() {
            return;
        }
        let volume = self.losses.inflight_latest.saturating_add(self.losses.lost);
        // Where packets wait, what gets lost is lost to the queue.
        let waits = self
            .losses
            .delay
            .is_some_and(|delay| self.min_rtt.is_queue(delay));
        if waits || self.losses.lost > self.losses.base.of(volume, self.packet) {
            let (bw, inflight) = (self.losses.bw_latest, self.losses.inflight_latest);
            self.lower_bounds(bw, inflight);
        }
    }

    /// Nothing arrived for long: as after a round with losses in which nothing did.
    pub(super) fn lower_after_timeout(&mut self) {
        if self.full_pipe.reached {
            self.lower_bounds(0, 0);
        }
    }

    fn lower_bounds(&mut self, bw_latest: u64, inflight_latest: u64) {
        let bounds = &mut self.bounds;
        let bw = bounds.bw_shortterm.min(self.max_bw.get());
        let inflight = bounds.inflight_shortterm.min(self.window);
        bounds.bw_shortterm = bw_latest.max(part(bw, BETA));
        bounds.inflight_shortterm = inflight_latest.max(part(inflight, BETA));
    }

    pub(super) fn reset_short_term(&mut self) {
        self.bounds.bw_shortterm = UNBOUNDED;
        self.bounds.inflight_shortterm = UNBOUNDED;
    }

    pub(super) fn save_before_losses(&mut self) {
        self.save_window();
        self.undo = Undo {
            state: None,
            before: self.bounds,
        };
    }

    /// The losses were none.
    pub(super) fn undo_losses(&mut self, now: Instant) {
        self.restore_window();
        self.losses.forget_losses();
        self.full_pipe.restart(0);
        let (bounds, before) = (&mut self.bounds, self.undo.before);
        bounds.bw_shortterm = bounds.bw_shortterm.max(before.bw_shortterm);
        bounds.inflight_shortterm = bounds.inflight_shortterm.max(before.inflight_shortterm);
        bounds.inflight_longterm = bounds.inflight_longterm.max(before.inflight_longterm);
        match self.undo.state.take() {
            Some(State::Startup) if self.state != State::Startup => {
                self.full_pipe.reached = false;
                if self.state != State::ProbeRtt {
                    self.state = State::Startup;
                }
            }
            Some(State::Up) if !matches!(self.state, State::Up | State::ProbeRtt) => {
                self.start_refill(now);
            }
            _ => {}
        }
    }
}
