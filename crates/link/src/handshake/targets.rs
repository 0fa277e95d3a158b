//! Sets of pipes that a handshake goes to.

use super::actions::Target;
use crate::PipeSlot;

/// A set of pipes. Slots from 64 on, more than any pipe table has, are left out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct PipeSet(u64);

impl PipeSet {
    pub(crate) fn of(slot: PipeSlot) -> Self {
        Self(bit(slot))
    }

    pub(crate) fn insert(&mut self, slot: PipeSlot) {
        self.0 |= bit(slot);
    }

    pub(crate) fn remove(&mut self, slot: PipeSlot) {
        self.0 &= !bit(slot);
    }

    pub(crate) fn contains(self, slot: PipeSlot) -> bool {
        self.0 & bit(slot) != 0
    }

    /// Those that are not in `other`.
    pub(crate) fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    pub(crate) fn iter(self) -> impl Iterator<Item = PipeSlot> {
        (0..64)
            .map(PipeSlot)
            .filter(move |slot| self.contains(*slot))
    }
}

fn bit(slot: PipeSlot) -> u64 {
    1_u64.checked_shl(u32::from(slot.0)).unwrap_or(0)
}

/// Where a round goes, and its repetitions after it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Targets {
    all: bool,
    validated: bool,
    sources: PipeSet,
}

impl Targets {
    /// Every pipe of the link.
    pub(crate) fn all() -> Self {
        Self {
            all: true,
            ..Self::default()
        }
    }

    /// Every validated pipe.
    pub(crate) fn validated() -> Self {
        Self {
            validated: true,
            ..Self::default()
        }
    }

    /// The same, and the pipe that a packet came from.
    pub(crate) fn and_source(mut self, pipe: PipeSlot) -> Self {
        self.sources.insert(pipe);
        self
    }

    pub(crate) fn is_all(self) -> bool {
        self.all
    }

    /// Whether it goes to this pipe. `validated` says which pipes are.
    pub(crate) fn cover(self, pipe: PipeSlot, validated: PipeSet) -> bool {
        let is_validated = self.validated && validated.contains(pipe);
        self.all || is_validated || self.sources.contains(pipe)
    }

    /// Adds where `other` goes.
    pub(crate) fn merge(&mut self, other: Self) {
        self.all |= other.all;
        self.validated |= other.validated;
        self.sources.0 |= other.sources.0;
    }

    /// Forgets a pipe that is gone.
    pub(crate) fn forget(&mut self, pipe: PipeSlot) {
        self.sources.remove(pipe);
    }

    /// One target after the other, none of them twice. `validated` says which pipes are.
    pub(crate) fn iter(self, validated: PipeSet) -> impl Iterator<Item = Target> {
        let group = match (self.all, self.validated) {
            (true, _) => Some(Target::AllPipes),
            (false, true) => Some(Target::ValidatedPipes),
            (false, false) => None,
        };
        let covered = move |pipe| self.all || self.validated && validated.contains(pipe);
        let sources = self.sources.iter().filter(move |pipe| !covered(*pipe));
        group.into_iter().chain(sources.map(Target::PacketSource))
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::*;

    fn targets(targets: Targets, validated: &[u8]) -> Vec<Target> {
        let mut set = PipeSet::default();
        validated
            .iter()
            .for_each(|slot| set.insert(PipeSlot(*slot)));
        targets.iter(set).collect()
    }

    #[test]
    fn a_source_that_is_validated_is_not_sent_to_twice() {
        let both = Targets::validated()
            .and_source(PipeSlot(1))
            .and_source(PipeSlot(3));
        let unproven = Target::PacketSource(PipeSlot(3));
        assert_eq!(targets(both, &[1]), [Target::ValidatedPipes, unproven]);
        assert_eq!(
            targets(Targets::all().and_source(PipeSlot(1)), &[]),
            [Target::AllPipes]
        );
    }

    #[test]
    fn slots_beyond_any_table_are_left_out() {
        let last = Targets::default().and_source(PipeSlot(63));
        assert_eq!(
            targets(last.and_source(PipeSlot(64)), &[]),
            targets(last, &[])
        );
        assert_eq!(
            targets(Targets::default().and_source(PipeSlot(255)), &[]),
            []
        );
    }

    #[test]
    fn a_pipe_that_is_gone_is_forgotten() {
        let mut source = Targets::default().and_source(PipeSlot(2));
        source.forget(PipeSlot(2));
        assert_eq!(source, Targets::default());
    }
}
