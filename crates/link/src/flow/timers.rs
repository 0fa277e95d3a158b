//! The next deadline of each channel, the earliest first.
//!
//! A channel's deadline moves with nearly every packet, mostly to later. So a timer is only ever
//! moved to earlier; one that has become too early fires for nothing, and is set anew then.

use alloc::{collections::BTreeSet, vec::Vec};

use telehash_e3x::Instant;

use super::table::Key;

/// One timer for each channel that needs one.
#[derive(Debug, Default)]
pub(super) struct Timers {
    queue: BTreeSet<(Instant, Key)>,
    armed: Vec<Option<Instant>>,
}

impl Timers {
    /// Makes sure that the channel's timer fires at `at`, or before.
    pub(super) fn fire_by(&mut self, key: Key, at: Instant) {
        if key.index() >= self.armed.len() {
            self.armed.resize(key.index() + 1, None);
        }
        let Some(armed) = self.armed.get_mut(key.index()) else {
            return;
        };
        if armed.is_some_and(|armed| armed <= at) {
            return;
        }
        if let Some(later) = armed.replace(at) {
            self.queue.remove(&(later, key));
        }
        self.queue.insert((at, key));
    }

    pub(super) fn cancel(&mut self, key: Key) {
        if let Some(at) = self.armed.get_mut(key.index()).and_then(Option::take) {
            self.queue.remove(&(at, key));
        }
    }

    /// When the next timer fires.
    pub(super) fn next(&self) -> Option<Instant> {
        self.queue.first().map(|(at, _)| *at)
    }

    /// Takes off a timer that is due.
    pub(super) fn expire(&mut self, now: Instant) -> Option<Key> {
        let (at, key) = *self.queue.first()?;
        if at > now {
            return None;
        }
        self.cancel(key);
        Some(key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timers_fire_in_order_and_only_move_to_earlier() {
        let at = Instant::from_micros;
        let (a, b) = (Key::test(0), Key::test(5));
        let mut timers = Timers::default();
        timers.fire_by(a, at(30));
        timers.fire_by(b, at(20));
        timers.fire_by(a, at(10));
        timers.fire_by(a, at(40));
        assert_eq!(timers.next(), Some(at(10)));
        assert_eq!(timers.expire(at(9)), None);
        assert_eq!(timers.expire(at(25)), Some(a));
        assert_eq!(timers.expire(at(25)), Some(b));
        assert_eq!(timers.expire(at(99)), None);
        timers.fire_by(a, at(40));
        timers.cancel(a);
        timers.cancel(b);
        assert_eq!(timers.next(), None);
    }
}
