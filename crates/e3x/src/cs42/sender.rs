//! The sending side of a session: the one place that hands out counters.

use core::time::Duration;

use super::epoch::{Chain, EPOCH_LEN, Keys, epoch_of};
use crate::Instant;

/// How long after its first packet an epoch is left, full or not.
pub(super) const EPOCH_AGE: Duration = Duration::from_secs(120);

/// Limit: packets of one direction of a session, and with it the highest counter; more are refused
/// with `SealError::Exhausted`.
pub(super) const MAX_COUNTER: u64 = (1 << 63) - 1;

#[derive(Debug)]
pub(super) struct Sender {
    chain: Chain,
    keys: Keys,
    /// Of the next packet.
    counter: u64,
    /// When the present epoch sealed its first packet.
    since: Option<Instant>,
}

impl Sender {
    pub(super) fn new(chain: Chain) -> Self {
        Self {
            keys: chain.keys(),
            chain,
            counter: 0,
            since: None,
        }
    }

    /// The counter of the next packet and its keys, or `None` if there are no more. The counter
    /// counts as used.
    pub(super) fn next(&mut self, now: Instant) -> Option<(u64, &Keys)> {
        if self.exhausted() {
            return None;
        }
        let within = self.counter % EPOCH_LEN;
        let is_old = self
            .since
            .is_some_and(|since| now.saturating_duration_since(since) >= EPOCH_AGE);
        if within != 0 && is_old {
            self.counter += EPOCH_LEN - within;
        }
        if self.counter % EPOCH_LEN == 0 {
            if self.counter != 0 {
                // What sealed the last epoch is overwritten.
                self.chain = self.chain.next();
                self.keys = self.chain.keys();
            }
            self.since = Some(now);
        }
        let counter = self.counter;
        self.counter += 1;
        Some((counter, &self.keys))
    }

    pub(super) const fn exhausted(&self) -> bool {
        self.counter > MAX_COUNTER - EPOCH_LEN
    }

    /// Goes on with the last packets of this epoch.
    #[cfg(test)]
    pub(super) fn skip_to(&mut self, counter: u64) {
        while epoch_of(self.counter) < epoch_of(counter) {
            self.chain = self.chain.next();
            self.counter = (epoch_of(self.counter) + 1) * EPOCH_LEN;
        }
        self.keys = self.chain.keys();
        self.counter = counter;
    }
}

const _: () = assert!(epoch_of(EPOCH_LEN) == 1);
