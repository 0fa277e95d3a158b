//! Rounds that wait for their turn.

use telehash_e3x::Instant;

use super::{limits::FORCED_INTERVAL, targets::Targets};
use crate::PipeSlot;

/// Rounds that the peer's packets or the network ask for, at most one in [`FORCED_INTERVAL`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Forced {
    /// From when on one may begin at once.
    next: Instant,
    /// One that waits, and where it will go.
    pub(crate) pending: Option<Targets>,
}

impl Forced {
    pub(crate) fn new(now: Instant) -> Self {
        Self {
            next: now,
            pending: None,
        }
    }

    /// When the one that waits is due.
    pub(crate) fn due(&self) -> Option<Instant> {
        self.pending.map(|_| self.next)
    }

    pub(crate) fn cancel(&mut self) {
        self.pending = None;
    }

    /// One more round is wanted; returns where it goes, if it may go now. What comes too early
    /// waits and joins the next.
    pub(crate) fn admit(&mut self, now: Instant, targets: Targets) -> Option<Targets> {
        self.pending.get_or_insert_default().merge(targets);
        self.take_due(now)
    }

    /// What waited and may go now.
    pub(crate) fn take_due(&mut self, now: Instant) -> Option<Targets> {
        if now < self.next {
            return None;
        }
        let due = self.pending.take()?;
        self.next = now + FORCED_INTERVAL;
        Some(due)
    }

    /// The live peer answered: nobody else needs an answer. What goes to all pipes still does.
    pub(crate) fn answered(&mut self) {
        self.pending = self.pending.filter(|targets| targets.is_all());
    }

    pub(crate) fn forget(&mut self, slot: PipeSlot) {
        self.pending
            .iter_mut()
            .for_each(|targets| targets.forget(slot));
    }

    #[cfg(test)]
    pub(super) fn rebase(&mut self, now: Instant) {
        self.next = super::tests::rebased(self.next, now);
    }
}
