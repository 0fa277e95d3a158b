//! How fast and how unevenly packets arrive.

use telehash_e3x::Instant;

use super::{Ack, Bbr, control::bytes_in};

/// How many rounds the unevenness of acks is remembered (ExtraAckedFilterLen).
const AGGREGATION_ROUNDS: usize = 10;

/// Counts round trips by packets: one ends when a packet arrives that left after it began.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Round {
    /// When it began. (The draft marks that by the bytes delivered, which here may stand still for a
    /// while: what a peer that misses packets has got besides is counted late.)
    pub(super) since: Instant,
    pub(super) count: u64,
    /// The last ack began one.
    pub(super) began: bool,
}

impl Round {
    /// Whether a round begins with this ack.
    pub(super) fn on_ack(&mut self, ack: &Ack) -> bool {
        self.began = ack.newest_sent_at >= self.since;
        if self.began {
            self.since = ack.now;
            self.count += 1;
        }
        self.began
    }
}

/// The highest rate of this probing cycle and of the one before, in bytes a second.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct MaxBandwidth {
    cycles: [u64; 2],
}

impl MaxBandwidth {
    pub(super) fn get(&self) -> u64 {
        self.cycles[0].max(self.cycles[1])
    }

    /// What the application limited tells nothing, unless it is more than was known.
    pub(super) fn on_ack(&mut self, ack: &Ack) {
        if ack.rate >= self.get() || !ack.app_limited {
            self.cycles[0] = self.cycles[0].max(ack.rate);
        }
    }

    /// A probing cycle is over.
    pub(super) fn advance(&mut self) {
        if self.cycles[0] > 0 {
            self.cycles = [0, self.cycles[0]];
        }
    }
}

/// How much more is acknowledged at once than the rate explains.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Aggregation {
    since: Option<Instant>,
    delivered: u64,
    /// The most of each of the last rounds.
    extra: [u64; AGGREGATION_ROUNDS],
}

impl Aggregation {
    pub(super) fn restart(&mut self, now: Instant) {
        self.since = Some(now);
    }

    /// The most of the last ten rounds.
    pub(super) fn extra(&self) -> u64 {
        self.extra.into_iter().max().unwrap_or(0)
    }

    fn slot(&mut self, round: u64) -> &mut u64 {
        // A remainder of ten fits.
        &mut self.extra[(round % AGGREGATION_ROUNDS as u64) as usize]
    }
}

impl Bbr {
    pub(super) fn update_aggregation(&mut self, ack: &Ack) {
        let aggregation = &mut self.aggregation;
        let since = *aggregation.since.get_or_insert(ack.now);
        let elapsed = ack.now.saturating_duration_since(since);
        let mut expected = bytes_in(self.bw, elapsed);
        if aggregation.delivered <= expected {
            aggregation.delivered = 0;
            aggregation.since = Some(ack.now);
            expected = 0;
        }
        aggregation.delivered = aggregation.delivered.saturating_add(ack.acked);
        let extra = (aggregation.delivered - expected).min(self.window);
        if !self.full_pipe.reached && self.round.began {
            // While starting up, only this round counts.
            aggregation.extra = Default::default();
        }
        let began = self.round.began;
        let slot = aggregation.slot(self.round.count);
        *slot = if began { extra } else { extra.max(*slot) };
    }
}
