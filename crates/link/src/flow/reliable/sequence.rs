//! Which sequence numbers of a channel have arrived.

use alloc::collections::VecDeque;

use telehash_lob::{Misses, channel::MAX_MISSES};

/// What the arrival of a number means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Novelty {
    /// It was the next one: the accepted numbers advanced.
    Next,
    /// It arrived ahead of others.
    Ahead,
    /// It had arrived before.
    Duplicate,
}

/// Everything up to `accepted` arrived, nothing above `highest`; in between there are gaps.
#[derive(Debug, Default)]
pub(super) struct Sequence {
    highest: u32,
    /// Missing numbers as ranges, first and last, in order.
    gaps: VecDeque<(u32, u32)>,
}

impl Sequence {
    /// The last number up to which all have arrived.
    pub(super) fn accepted(&self) -> u32 {
        self.gaps
            .front()
            .map_or(self.highest, |(first, _)| first - 1)
    }

    /// The highest number that has arrived.
    pub(super) const fn highest(&self) -> u32 {
        self.highest
    }

    pub(super) fn has_gaps(&self) -> bool {
        !self.gaps.is_empty()
    }

    /// Whether a number has arrived.
    pub(super) fn contains(&self, seq: u32) -> bool {
        seq <= self.highest && self.gap_of(seq).is_err()
    }

    /// Takes note of an arrival.
    pub(super) fn insert(&mut self, seq: u32) -> Novelty {
        if seq > self.highest {
            if seq - self.highest > 1 {
                self.gaps.push_back((self.highest + 1, seq - 1));
            }
            self.highest = seq;
            return if self.gaps.is_empty() {
                Novelty::Next
            } else {
                Novelty::Ahead
            };
        }
        let Ok(at) = self.gap_of(seq) else {
            return Novelty::Duplicate;
        };
        let next = seq == self.accepted() + 1;
        self.fill(at, seq);
        if next { Novelty::Next } else { Novelty::Ahead }
    }

    /// Takes one number out of a gap.
    fn fill(&mut self, at: usize, seq: u32) {
        let Some(gap) = self.gaps.get_mut(at) else {
            return;
        };
        let (first, last) = *gap;
        match (first == seq, last == seq) {
            (true, true) => _ = self.gaps.remove(at),
            (true, false) => gap.0 += 1,
            (false, true) => gap.1 -= 1,
            (false, false) => {
                gap.1 = seq - 1;
                self.gaps.insert(at + 1, (seq + 1, last));
            }
        }
    }

    /// The index of the gap that `seq` is in.
    fn gap_of(&self, seq: u32) -> Result<usize, usize> {
        self.gaps.binary_search_by(|(first, last)| {
            if seq < *first {
                core::cmp::Ordering::Greater
            } else if seq > *last {
                core::cmp::Ordering::Less
            } else {
                core::cmp::Ordering::Equal
            }
        })
    }

    /// The `miss` of an `ack`: the gaps above it, and the way to `limit`, the highest acceptable
    /// number. Of too many gaps the first are listed.
    pub(super) fn misses(&self, ack: u32, limit: u32) -> Misses {
        let mut misses = Misses::new();
        let mut from = ack;
        let missing = self.gaps.iter().flat_map(|&(first, last)| first..=last);
        for seq in missing.take(MAX_MISSES - 1) {
            // `ack` is below every gap, and the list is shorter than its bound.
            let _ = misses.push(seq.saturating_sub(from));
            from = seq;
        }
        let _ = misses.push(limit.saturating_sub(from));
        misses
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sequence(seqs: impl IntoIterator<Item = u32>) -> Sequence {
        let mut sequence = Sequence::default();
        seqs.into_iter().for_each(|seq| _ = sequence.insert(seq));
        sequence
    }

    #[test]
    fn the_example_of_the_specification() {
        let missing = [78_235, 78_236, 78_238, 78_245];
        let sequence = sequence((1..=78_250).filter(|seq| !missing.contains(seq)));
        assert_eq!(sequence.misses(78_231, 78_251).as_slice(), [4, 1, 2, 7, 6]);
    }

    #[test]
    fn nothing_missing_is_the_bare_room() {
        assert_eq!(sequence(1..=5).misses(5, 105).as_slice(), [100]);
        assert_eq!(sequence(1..=5).misses(5, 5).as_slice(), [0]);
    }

    #[test]
    fn numbers_arrive_in_any_order() {
        let mut sequence = Sequence::default();
        assert_eq!(sequence.insert(1), Novelty::Next);
        assert_eq!(sequence.insert(5), Novelty::Ahead);
        assert_eq!(sequence.insert(3), Novelty::Ahead);
        assert_eq!(sequence.insert(3), Novelty::Duplicate);
        assert_eq!((sequence.accepted(), sequence.highest()), (1, 5));
        assert!(sequence.contains(3) && !sequence.contains(4) && !sequence.contains(6));
        assert_eq!(sequence.insert(2), Novelty::Next);
        assert_eq!(sequence.accepted(), 3);
        assert_eq!(sequence.insert(4), Novelty::Next);
        assert_eq!(sequence.accepted(), 5);
        assert!(!sequence.has_gaps());
        assert_eq!(sequence.insert(1), Novelty::Duplicate);
    }

    #[test]
    fn a_wide_gap_splits_and_shrinks() {
        let mut sequence = sequence([10]);
        for seq in [5, 1, 9, 3, 7, 2, 8, 4, 6] {
            assert_ne!(sequence.insert(seq), Novelty::Duplicate, "{seq}");
        }
        assert_eq!((sequence.accepted(), sequence.has_gaps()), (10, false));
    }

    #[test]
    fn more_gaps_than_a_list_takes_are_told_later() {
        let sequence = sequence((1..=500).map(|n| n * 2));
        let misses = sequence.misses(0, 2000);
        assert_eq!(misses.len(), MAX_MISSES);
        assert_eq!(misses.iter().sum::<u32>(), 2000);
        assert_eq!(misses[..3], [1, 2, 2]);
    }
}
