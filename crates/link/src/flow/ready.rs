//! Whose turn it is: queues of channels that have something to send.
//!
//! The queues are doubly linked lists threaded through one array, so that joining, leaving, and
//! going to the back take constant time however many channels there are.

use alloc::vec::Vec;

use super::table::Key;

/// What a channel waits in line for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    /// An `err` or an ack: goes at once, whatever the pipe's congestion.
    Control = 0,
    /// Its opening packet.
    Open = 1,
    /// A retransmission.
    Lost = 2,
    /// Content that was never sent.
    Fresh = 3,
}

const TURNS: usize = 4;

/// A channel's place in one queue.
#[derive(Clone, Copy, Debug, Default)]
struct Place {
    queued: bool,
    before: Option<Key>,
    after: Option<Key>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Queue {
    first: Option<Key>,
    last: Option<Key>,
}

/// One queue for each [`Turn`].
#[derive(Debug, Default)]
pub(super) struct Ready {
    queues: [Queue; TURNS],
    places: Vec<[Place; TURNS]>,
}

impl Ready {
    /// Lets a channel join the back of a queue, or leave it.
    pub(super) fn set(&mut self, turn: Turn, key: Key, ready: bool) {
        match (self.place(turn, key).queued, ready) {
            (false, true) => self.join(turn, key),
            (true, false) => self.leave(turn, key),
            _ => {}
        }
    }

    /// Takes a channel out of all queues.
    pub(super) fn forget(&mut self, key: Key) {
        for turn in [Turn::Control, Turn::Open, Turn::Lost, Turn::Fresh] {
            self.set(turn, key, false);
        }
    }

    /// The channel at the front.
    pub(super) fn first(&self, turn: Turn) -> Option<Key> {
        self.queues[turn as usize].first
    }

    /// Sends a channel to the back.
    pub(super) fn rotate(&mut self, turn: Turn, key: Key) {
        if self.place(turn, key).queued {
            self.leave(turn, key);
            self.join(turn, key);
        }
    }

    /// Whether nobody waits for anything.
    pub(super) fn is_empty(&self) -> bool {
        self.queues.iter().all(|queue| queue.first.is_none())
    }

    fn join(&mut self, turn: Turn, key: Key) {
        if key.index() >= self.places.len() {
            self.places.resize(key.index() + 1, Default::default());
        }
        let before = self.queues[turn as usize].last.replace(key);
        *self.place_mut(turn, key) = Place {
            queued: true,
            before,
            after: None,
        };
        match before {
            Some(before) => self.place_mut(turn, before).after = Some(key),
            None => self.queues[turn as usize].first = Some(key),
        }
    }

    fn leave(&mut self, turn: Turn, key: Key) {
        let Place { before, after, .. } = core::mem::take(self.place_mut(turn, key));
        match before {
            Some(before) => self.place_mut(turn, before).after = after,
            None => self.queues[turn as usize].first = after,
        }
        match after {
            Some(after) => self.place_mut(turn, after).before = before,
            None => self.queues[turn as usize].last = before,
        }
    }

    fn place(&self, turn: Turn, key: Key) -> Place {
        self.places
            .get(key.index())
            .map(|places| places[turn as usize])
            .unwrap_or_default()
    }

    /// The place of a channel that joined some queue before: its row exists.
    fn place_mut(&mut self, turn: Turn, key: Key) -> &mut Place {
        &mut self.places[key.index()][turn as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: Key = Key::test(0);
    const B: Key = Key::test(1);
    const C: Key = Key::test(7);

    fn drain(ready: &mut Ready, turn: Turn) -> Vec<Key> {
        core::iter::from_fn(|| {
            let key = ready.first(turn)?;
            ready.set(turn, key, false);
            Some(key)
        })
        .collect()
    }

    #[test]
    fn channels_take_turns_in_the_order_they_came() {
        let mut ready = Ready::default();
        for key in [C, A, B, A] {
            ready.set(Turn::Fresh, key, true);
        }
        ready.rotate(Turn::Fresh, C);
        assert_eq!(ready.first(Turn::Fresh), Some(A));
        assert_eq!(drain(&mut ready, Turn::Fresh), [A, B, C]);
        assert!(ready.is_empty());
    }

    #[test]
    fn a_channel_may_leave_from_anywhere() {
        for gone in [A, B, C] {
            let mut ready = Ready::default();
            for key in [A, B, C] {
                ready.set(Turn::Lost, key, true);
                ready.set(Turn::Control, key, true);
            }
            ready.forget(gone);
            let rest: Vec<Key> = [A, B, C].into_iter().filter(|key| *key != gone).collect();
            assert_eq!(drain(&mut ready, Turn::Lost), rest);
            assert_eq!(drain(&mut ready, Turn::Control), rest);
            ready.forget(gone);
            ready.rotate(Turn::Lost, gone);
            assert!(ready.is_empty());
        }
    }
}
