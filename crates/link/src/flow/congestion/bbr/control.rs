//! What follows from the model: how fast packets leave, and how much may be under way.

use core::time::Duration;

use super::{Ack, Bbr, FIRST_PACKETS, MAX_WINDOW, State, UNBOUNDED};

/// Packets that may always be under way (MinPipeCwnd): two on their way, and two whose acks are.
pub(super) const MIN_PACKETS: u64 = 4;

/// Limit: bytes a second that a path is believed to carry; what arrives faster counts as this.
pub(super) const MAX_RATE: u64 = 1 << 40;

/// Packets leave so much slower than they arrive, in hundredths, that a queue runs empty
/// (PacingMarginPercent).
const MARGIN: u64 = 1;

/// So many hundredths of this.
pub(super) fn part(of: u64, hundredths: u64) -> u64 {
    let part = u128::from(of) * u128::from(hundredths) / 100;
    u64::try_from(part).unwrap_or(u64::MAX)
}

/// Bytes that this rate yields in this time.
pub(super) fn bytes_in(rate: u64, time: Duration) -> u64 {
    let bytes = u128::from(rate).saturating_mul(time.as_micros()) / 1_000_000;
    u64::try_from(bytes).unwrap_or(u64::MAX)
}

impl Bbr {
    pub(super) fn set_pacing_rate(&mut self, ack: &Ack) {
        if self.pacing_rate.is_none() {
            let micros = ack.smoothed_rtt.as_micros().max(1);
            let nominal = u128::from(self.window) * 1_000_000 / micros;
            let nominal = u64::try_from(nominal).unwrap_or(MAX_RATE);
            self.pacing_rate = Some(self.paceable(part(nominal, State::Startup.pacing_gain())));
        }
        self.set_pacing_rate_with(self.state.pacing_gain());
    }

    /// Sets the rate, unless the start is not over and it would fall: all that was seen so far may
    /// have been the application's.
    pub(super) fn set_pacing_rate_with(&mut self, gain: u64) {
        let rate = self.paceable(part(part(self.bw, gain), 100 - MARGIN));
        if self.full_pipe.reached || self.pacing_rate.is_none_or(|now| rate > now) {
            self.pacing_rate = Some(rate);
        }
    }

    /// A rate within bounds: never so slow that a packet takes over a second.
    fn paceable(&self, rate: u64) -> u64 {
        rate.clamp(self.packet.max(1), MAX_RATE)
    }

    pub(super) fn set_window(&mut self, ack: &Ack) {
        if self.timed_out_at.is_some_and(|at| ack.newest_sent_at > at) {
            self.timed_out_at = None;
            self.restore_window();
        }
        let most = self.max_inflight();
        let grown = self.window.saturating_add(ack.acked);
        if self.full_pipe.reached {
            self.window = grown.min(most);
        } else if self.window < most || self.delivered < FIRST_PACKETS * self.packet {
            self.window = grown;
        }
        self.window = self
            .window
            .min(self.cap())
            .clamp(self.least_window(), MAX_WINDOW);
    }

    /// What full throughput takes.
    fn max_inflight(&self) -> u64 {
        let bdp = part(self.bdp(), self.state.window_gain());
        self.quantized(bdp.saturating_add(self.aggregation.extra()))
    }

    /// No less than batches and a few packets take.
    pub(super) fn quantized(&self, inflight: u64) -> u64 {
        let least = inflight.max(self.send_quantum()).max(self.least_window());
        let more = if self.state == State::Up {
            2 * self.packet
        } else {
            0
        };
        least.saturating_add(more)
    }

    /// Bytes that leave at once: what the rate yields in a millisecond.
    fn send_quantum(&self) -> u64 {
        let yields = self.pacing_rate.unwrap_or(0) / 1000;
        yields.min(64 << 10).max(2 * self.packet)
    }

    /// What losses and the search for the round trip leave of it.
    fn cap(&self) -> u64 {
        let bounds = &self.bounds;
        let long = match self.state {
            State::Down | State::Refill | State::Up => bounds.inflight_longterm,
            State::Cruise => self.with_headroom(),
            State::ProbeRtt => self.with_headroom().min(self.min_rtt.window),
            State::Startup | State::Drain => UNBOUNDED,
        };
        long.min(bounds.inflight_shortterm)
    }
}
