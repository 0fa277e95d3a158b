//! Which bytes of a block have come.

use std::ops::Range;

/// Ranges of bytes: sorted, none empty, none touching another.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Runs(Vec<Range<usize>>);

impl Runs {
    /// Adds a range, joined with those that it touches. Nothing happens, and it is `false`, if some of
    /// it is there already.
    pub(crate) fn add(&mut self, range: Range<usize>) -> bool {
        let next = self.0.partition_point(|run| run.end <= range.start);
        if self.0.get(next).is_some_and(|run| run.start < range.end) {
            return false;
        }
        if range.is_empty() {
            return true;
        }
        let (before, after) = self.0.split_at_mut(next);
        let before = before.last_mut().filter(|run| run.end == range.start);
        let after = after.first_mut().filter(|run| run.start == range.end);
        match (before, after) {
            (Some(before), Some(after)) => {
                before.end = after.end;
                self.0.remove(next);
            }
            (Some(before), None) => before.end = range.end,
            (None, Some(after)) => after.start = range.start,
            (None, None) => self.0.insert(next, range),
        }
        true
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// Where the last one ends.
    pub(crate) fn end(&self) -> usize {
        self.0.last().map_or(0, |run| run.end)
    }

    /// Whether they are all of `0..len` and nothing else.
    pub(crate) fn are_whole(&self, len: usize) -> bool {
        match self.0.as_slice() {
            [] => len == 0,
            [run] => *run == (0..len),
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::*;

    proptest! {
        #[test]
        fn runs_are_what_a_map_of_bytes_says(ranges in vec((0_usize..64, 0_usize..9), 0..40)) {
            let (mut runs, mut map) = (Runs::default(), [false; 80]);
            for (start, len) in ranges {
                let range = start..start + len;
                let free = !map[range.clone()].iter().any(|there| *there);
                let added = runs.add(range.clone());
                // An empty range within a run says nothing, whatever comes of it.
                prop_assert!(added == free || range.is_empty());
                if added {
                    map[range].fill(true);
                }
            }
            let changes = map.windows(2).filter(|pair| !pair[0] && pair[1]).count();
            prop_assert_eq!(runs.len(), changes + usize::from(map[0]));
            let end = map.iter().rposition(|there| *there).map_or(0, |last| last + 1);
            prop_assert_eq!(runs.end(), end);
            prop_assert_eq!(runs.are_whole(end), !map[..end].contains(&false));
        }
    }
}
