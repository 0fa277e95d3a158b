//! The sending side of a session: the one place that hands out counters.

use core::time::Duration;

#[cfg(test)]
use super::epoch::epoch_of;
use super::epoch::{Chain, EPOCH_LEN, Keys};
use crate::Instant;

/// How long after its first packet an epoch is left, full or not.
pub(super) const EPOCH_AGE: Duration = Duration::from_secs(120);

/// Highest counter of one direction of a session of CS42, the last one of an epoch; after it nothing more is
/// sealed (`SealError::Exhausted`).
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
        let within = self.counter % EPOCH_LEN;
        let is_old = self
            .since
            .is_some_and(|since| now.saturating_duration_since(since) >= EPOCH_AGE);
        if within != 0 && is_old {
            self.counter += EPOCH_LEN - within;
        }
        if self.exhausted() {
            return None;
        }
        if self.counter.is_multiple_of(EPOCH_LEN) {
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
        self.counter > MAX_COUNTER
    }

    /// Goes on at `counter`, with the keys of its epoch.
    #[cfg(test)]
    pub(super) fn skip_to(&mut self, counter: u64) {
        for _ in epoch_of(self.counter)..epoch_of(counter) {
            self.chain = self.chain.next();
        }
        self.keys = self.chain.keys();
        self.counter = counter;
    }

    /// Goes on at `counter`, with the keys of another epoch: the way there is too long.
    #[cfg(test)]
    pub(super) const fn pretend(&mut self, counter: u64) {
        self.counter = counter;
    }
}

const _: () = assert!((MAX_COUNTER + 1).is_multiple_of(EPOCH_LEN));
