//! Whose turn it is to make room: what is kept of each sender, and how much it weighs.

use std::collections::{BTreeMap, VecDeque};

use telehash_hashname::Hashname;

/// Limit: bytes of messages of one chat that are kept in memory, each counted with 512 more. At the limit
/// whoever has the most loses the oldest, so that nobody pushes out what others said.
pub const MAX_HISTORY: usize = 16 << 20;

/// What a message costs besides its bytes.
pub(crate) const OVERHEAD: usize = 512;

/// Things that are kept of several senders, by age.
#[derive(Debug)]
pub(crate) struct Shares<T> {
    of: BTreeMap<Hashname, Share<T>>,
    weight: usize,
}

#[derive(Debug)]
struct Share<T> {
    /// With their weights; the oldest comes first.
    things: VecDeque<(T, usize)>,
    weight: usize,
}

impl<T> Shares<T> {
    /// What all of it weighs.
    pub(crate) fn weight(&self) -> usize {
        self.weight
    }
}

impl<T: PartialEq> Shares<T> {
    /// Adds the newest of `sender`, which has so many bytes.
    pub(crate) fn push(&mut self, sender: Hashname, thing: T, bytes: usize) {
        let weight = bytes.saturating_add(OVERHEAD);
        let share = self.of.entry(sender).or_default();
        share.things.push_back((thing, weight));
        share.weight += weight;
        self.weight += weight;
    }

    /// What is there of `sender` has so many bytes now.
    pub(crate) fn resize(&mut self, sender: Hashname, thing: &T, bytes: usize) {
        let new = bytes.saturating_add(OVERHEAD);
        let Some(share) = self.of.get_mut(&sender) else {
            return;
        };
        // What changes is new, mostly.
        let Some((_, weight)) = { share.things.iter_mut().rev() }.find(|(of, _)| of == thing)
        else {
            return;
        };
        self.weight = self.weight - *weight + new;
        share.weight = share.weight - *weight + new;
        *weight = new;
    }

    /// The oldest of who has the most, if all together is beyond the limit.
    pub(crate) fn pop_beyond(&mut self, limit: usize) -> Option<(Hashname, T)> {
        if self.weight <= limit {
            return None;
        }
        let (sender, share) = { self.of.iter_mut() }.max_by_key(|(_, share)| share.weight)?;
        let (thing, weight) = share.things.pop_front()?;
        share.weight -= weight;
        self.weight -= weight;
        Some((*sender, thing))
    }
}

impl<T> Default for Shares<T> {
    fn default() -> Self {
        Self {
            of: BTreeMap::new(),
            weight: 0,
        }
    }
}

impl<T> Default for Share<T> {
    fn default() -> Self {
        Self {
            things: VecDeque::new(),
            weight: 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_has_the_most_makes_room_and_loses_the_oldest() {
        let [ann, bob] = [1, 2].map(|byte| Hashname::from_bytes([byte; 32]));
        let mut shares = Shares::default();
        shares.push(ann, 0, 1000 - OVERHEAD);
        for number in 0..9 {
            shares.push(bob, number, 500 - OVERHEAD.min(500));
        }
        let bobs = 9 * OVERHEAD;
        assert_eq!(shares.pop_beyond(1000 + bobs), None);
        assert_eq!(shares.pop_beyond(999 + bobs), Some((bob, 0)));
        assert_eq!(shares.pop_beyond(999 + bobs), None);
        shares.resize(ann, &0, bobs);
        assert_eq!(shares.pop_beyond(bobs), Some((ann, 0)));
        assert_eq!(shares.pop_beyond(0), Some((bob, 1)));
        shares.resize(ann, &0, 7);
        shares.resize(Hashname::from_bytes([3; 32]), &0, 7);
        assert_eq!(shares.weight, 7 * OVERHEAD);
    }
}
