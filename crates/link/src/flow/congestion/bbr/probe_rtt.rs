//! The round trip without a queue. Once it was not seen for long, little is sent for a while.

use core::time::Duration;

use telehash_e3x::Instant;

use super::{Ack, Bbr, State};

/// How long the least round trip counts (MinRTTFilterLen), and so how often it is looked for.
const LIFETIME: Duration = Duration::from_secs(10);

/// How long little is sent at least (ProbeRTTDuration).
const DURATION: Duration = Duration::from_millis(200);

/// The least round trip, and how it is looked for.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct MinRtt {
    pub(super) least: Option<Duration>,
    /// When it was seen.
    seen_at: Option<Instant>,
    /// Bytes that may be under way while it is looked for: half of what the path holds, by the round
    /// trip known before.
    pub(super) window: u64,
    /// When that may end, since so little is under way.
    until: Option<Instant>,
    /// A round began and ended meanwhile.
    round_done: bool,
    /// Packets that left before this much was delivered tell of the search, not of the path.
    limited_until: u64,
}

impl MinRtt {
    /// Whether a packet that took so long waited on the way.
    pub(super) fn is_queue(&self, delay: Duration) -> bool {
        self.least.is_some_and(|least| delay > least * 5 / 4)
    }

    /// Whether what left at `prior_delivered` did so while the round trip was looked for.
    pub(super) const fn is_limiting(&self, prior_delivered: u64) -> bool {
        prior_delivered < self.limited_until
    }
}

impl Bbr {
    /// Returns whether the least round trip had expired.
    pub(super) fn update_min_rtt(&mut self, ack: &Ack) -> bool {
        let seen_at = *self.min_rtt.seen_at.get_or_insert(ack.now);
        let expired = ack.now > seen_at + LIFETIME;
        if expired && self.state != State::ProbeRtt {
            let half = self.bdp() / 2;
            self.min_rtt.window = half.max(self.least_window());
        }
        if let Some(rtt) = ack.rtt
            && (expired || self.min_rtt.least.is_none_or(|least| rtt < least))
        {
            self.min_rtt.least = Some(rtt);
            self.min_rtt.seen_at = Some(ack.now);
        }
        expired
    }

    pub(super) fn check_probe_rtt(&mut self, ack: &Ack, expired: bool) {
        if expired && self.state != State::ProbeRtt && !self.idle_restart {
            self.save_window();
            self.state = State::ProbeRtt;
            self.min_rtt.until = None;
            self.stop_probing(ack.now);
        }
        if self.state == State::ProbeRtt {
            self.probe_rtt(ack);
        }
        if ack.delivered > 0 {
            self.idle_restart = false;
        }
    }

    fn probe_rtt(&mut self, ack: &Ack) {
        self.min_rtt.limited_until = self.delivered.saturating_add(ack.in_flight).max(1);
        if self.min_rtt.until.is_some() {
            self.min_rtt.round_done |= self.round.began;
            if self.min_rtt.round_done {
                self.check_probe_rtt_done(ack.now);
            }
        } else if ack.in_flight <= self.min_rtt.window {
            self.min_rtt.until = Some(ack.now + DURATION);
            self.min_rtt.round_done = false;
            self.start_round(ack.now);
        }
    }

    pub(super) fn check_probe_rtt_done(&mut self, now: Instant) {
        if self.min_rtt.until.is_none_or(|until| now <= until) {
            return;
        }
        self.min_rtt.seen_at = Some(now);
        self.restore_window();
        self.reset_short_term();
        if self.full_pipe.reached {
            self.start_down(now);
            self.start_cruise();
        } else {
            self.state = State::Startup;
        }
    }
}
