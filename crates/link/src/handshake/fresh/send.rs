//! Rounds of ours: how they begin, where they go, how they are repeated.

use telehash_e3x::{Instant, Token};

use super::{Action, FreshRounds};
use crate::{
    DownReason, PipeSlot,
    handshake::{
        actions::Target,
        at,
        limits::GIVE_UP,
        resend::{Schedule, Throttle, backoff},
        targets::{PipeSet, Targets},
    },
};

/// Who has such a cipher set is of our own kind: repetitions are the same bytes, and dense.
const OURS: bool = true;

/// A round of ours that has not been answered.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct OwnRound {
    pub(super) at: u64,
    /// Where it goes.
    targets: Targets,
    /// The pipes it went to, of a round that goes to all.
    sent: PipeSet,
    /// The sessions that it names: either may be renewed.
    pub(super) names: [Option<Token>; 2],
    /// Its repetitions; none if they are over, or are left to the peer.
    schedule: Option<Schedule>,
    /// Bounds what a peer that does not know of it gets beyond that.
    reminder: Throttle,
    /// Something authenticated in the session since it began.
    pub(super) heard: bool,
    /// When it has waited too long.
    deadline: Instant,
}

impl OwnRound {
    pub(super) fn forget(&mut self, slot: PipeSlot) {
        self.targets.forget(slot);
        self.sent.remove(slot);
    }

    pub(super) fn resend_due(&self) -> Option<Instant> {
        self.schedule.map(|schedule| schedule.due())
    }

    pub(super) fn deadline(&self) -> Instant {
        self.deadline
    }

    #[cfg(test)]
    pub(super) fn rebase(&mut self, now: Instant) {
        self.schedule.iter_mut().for_each(|own| own.rebase(now));
        self.reminder.rebase(now);
        self.deadline = crate::handshake::tests::rebased(self.deadline, now);
    }
}

impl FreshRounds {
    /// Sends our round to `targets` if it can still be answered, else begins one that can. Beside an
    /// unconfirmed session there is none: that one shows soon enough whether the peer is there.
    pub(super) fn fire(&mut self, now: Instant, clock: u64, targets: Targets) {
        if !self.unconfirmed.is_empty() {
            return;
        }
        let lives = self.own.as_ref().is_some_and(|own| own.at >= self.seen);
        if !lives && !self.begin(now, clock) {
            // Whoever used up all values can be asked nothing any more.
            return self.give_up(now);
        }
        // Whoever only answers, and has no session, leaves repeating to the peer.
        let repeats = self.wanted || self.session.is_some();
        let Some(own) = &mut self.own else { return };
        own.targets.merge(targets);
        if repeats {
            own.schedule.get_or_insert_with(|| Schedule::new(now, OURS));
        }
        self.send_round(targets);
    }

    /// Begins a round, "above every value seen"; its `at` is the only one that an answer can have.
    /// False if there is no value left.
    fn begin(&mut self, now: Instant, clock: u64) -> bool {
        let least = self.seen.checked_add(1);
        let Some(at) = least.and_then(|least| at::next(self.order, least, clock)) else {
            self.drop_round();
            return false;
        };
        self.seen = at;
        let names = self.names();
        self.own = Some(OwnRound {
            at,
            targets: Targets::default(),
            sent: PipeSet::default(),
            names,
            schedule: None,
            reminder: Throttle::at_once(now),
            heard: false,
            deadline: now + GIVE_UP,
        });
        self.actions.push_back(Action::Begin { at, names });
        true
    }

    /// Sends the bytes of our round; toward all pipes only to those that do not have them.
    fn send_round(&mut self, targets: Targets) {
        let Some(own) = &mut self.own else { return };
        if targets.is_all() {
            let missing = self.pipes.all().without(own.sent);
            own.sent = self.pipes.all();
            let sends = missing.iter().map(Target::Pipe);
            self.actions
                .extend(sends.map(|to| Action::SendRound { to }));
        } else {
            let sends = targets.iter(self.pipes.validated());
            self.actions
                .extend(sends.map(|to| Action::SendRound { to }));
        }
    }

    /// Repeats our round, the same bytes. From 3 s on that of a session goes to all pipes, wherever
    /// it went before: only what is unanswered on every pipe may end the session.
    pub(super) fn resend(&mut self, now: Instant) {
        let has_session = self.session.is_some();
        let Some(own) = &mut self.own else { return };
        let Some(schedule) = own.schedule else { return };
        if has_session && schedule.is_late(OURS) {
            own.targets.merge(Targets::all());
        }
        own.schedule = schedule.advance(now, OURS);
        own.sent = PipeSet::default();
        let targets = own.targets;
        self.send_round(targets);
    }

    /// The peer began a round with a lower `at` than ours: it answers ours once it knows of it.
    pub(super) fn remind(&mut self, now: Instant, pipe: PipeSlot) {
        let Some(own) = &mut self.own else { return };
        if own.reminder.permit(now) {
            let to = Target::PacketSource(pipe);
            self.actions.push_back(Action::SendRound { to });
        }
    }

    /// Begins a round that finds out whether the peer has lost its state, or sends the one under
    /// way, at most once in [`FORCED_INTERVAL`]; what comes too early waits.
    ///
    /// [`FORCED_INTERVAL`]: crate::handshake::limits::FORCED_INTERVAL
    pub(super) fn force(&mut self, now: Instant, clock: u64, targets: Targets) {
        if let Some(targets) = self.forced.admit(now, targets) {
            self.fire(now, clock, targets);
        }
    }

    /// Erases our round, if there is one.
    pub(super) fn drop_round(&mut self) {
        if self.own.take().is_some() {
            self.actions.push_back(Action::EraseRound);
        }
    }

    /// "The round gives up." A session whose peer was heard meanwhile goes on, and is renewed later.
    pub(super) fn give_up(&mut self, now: Instant) {
        let heard = self.own.as_ref().is_some_and(|own| own.heard);
        self.drop_round();
        match self.session {
            None => self.unreachable(now),
            Some(_) if heard => self.renew_later(now),
            Some(_) => self.down(now, DownReason::Silent),
        }
    }

    /// Down, unless there is something left that may become a session.
    pub(super) fn unreachable(&mut self, now: Instant) {
        if self.session.is_none() && self.own.is_none() && self.unconfirmed.is_empty() {
            self.down(now, DownReason::Unreachable);
        }
    }

    /// "A `Down` link that the application still wants retries with backoff and jitter."
    fn down(&mut self, now: Instant, reason: DownReason) {
        self.erase(reason);
        if self.wanted {
            self.failures = self.failures.saturating_add(1);
            self.retry = Some(now + backoff(self.failures, self.seed));
        }
    }
}
