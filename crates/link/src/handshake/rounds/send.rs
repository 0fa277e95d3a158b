//! What goes out: rounds of ours, their repetitions, echoes.

use telehash_e3x::{Instant, Token};

use super::Rounds;
use crate::{
    DownReason, PipeSlot,
    handshake::{
        actions::{Action, SendKind, Target},
        at,
        jitter::draw,
        limits::{CHALLENGE_SPREAD, GIVE_UP},
        resend::{Schedule, Throttle},
        targets::{PipeSet, Targets},
    },
};

/// What a round is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Purpose {
    /// To agree, or to show that we are alive.
    Plain,
    /// To find out, beside a session, whether the peer has another ephemeral by now.
    Challenge,
}

/// The newest round of ours.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct OwnRound {
    /// The S of links.md.
    pub(super) at: u64,
    pub(super) purpose: Purpose,
    /// Where it goes.
    pub(super) targets: Targets,
    /// The pipes it went to, of a round that goes to all.
    pub(super) sent: PipeSet,
    /// Its repetitions; none if they are over or were stopped.
    pub(super) schedule: Option<Schedule>,
    /// Bounds the reminders to a peer that missed it.
    pub(super) reminder: Throttle,
}

impl OwnRound {
    pub(super) fn forget(&mut self, slot: PipeSlot) {
        self.targets.forget(slot);
        self.sent.remove(slot);
    }

    #[cfg(test)]
    pub(super) fn rebase(&mut self, now: Instant) {
        self.reminder.rebase(now);
        self.schedule
            .iter_mut()
            .for_each(|schedule| schedule.rebase(now));
    }
}

/// Our newest answer with the peer's own value.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Echo {
    pub(super) at: u64,
    /// Whose handshake it answers.
    pub(super) remote: Token,
    /// All bytes of that handshake.
    pub(super) digest: [u8; 16],
    /// It may be repeated: no channel packet has authenticated since.
    pub(super) repeats: bool,
    pub(super) throttle: Throttle,
}

impl Rounds {
    /// Sends our newest round to `targets` if it can still be agreed to and is "above every value
    /// seen", else begins one that is. Without a session there is nothing to challenge.
    pub(super) fn fire(&mut self, now: Instant, unix: u64, targets: Targets, purpose: Purpose) {
        let purpose = if self.session.is_some() {
            purpose
        } else {
            Purpose::Plain
        };
        let seen = self.seen;
        let serves = |own: &&mut OwnRound| {
            let fits = purpose == Purpose::Plain || own.purpose == purpose;
            own.at > seen && fits
        };
        let at = match self.own.as_mut().filter(serves) {
            Some(own) => {
                own.targets.merge(targets);
                Some(own.at)
            }
            None => self.begin(now, unix, targets, purpose),
        };
        let Some(at) = at else { return };
        // Sealed anew each time: old implementations ignore bytes that they have seen.
        self.send_each(at, targets, SendKind::Round);
        self.arm(now);
        self.note_all_sent();
    }

    /// Begins a round: from now on only its value can be agreed to. `None` if there is no value
    /// left.
    pub(super) fn begin(
        &mut self,
        now: Instant,
        unix: u64,
        targets: Targets,
        purpose: Purpose,
    ) -> Option<u64> {
        let Some(at) = self.next_at(unix, purpose) else {
            if self.session.is_none() && self.wanted {
                self.actions
                    .push_back(Action::Down(DownReason::Unreachable));
            }
            return None;
        };
        self.highest = at;
        self.own = Some(OwnRound {
            at,
            purpose,
            targets,
            sent: PipeSet::default(),
            schedule: None,
            reminder: Throttle::new(now),
        });
        self.remember();
        Some(at)
    }

    /// Has our newest round repeated, and bounds how long it waits. Whoever only answers, and has no
    /// session, leaves repeating to the peer; and such an answer is no attempt to bring the link up,
    /// whose silence would mean anything.
    pub(super) fn arm(&mut self, now: Instant) {
        let Some(own) = &mut self.own else { return };
        if self.session.is_some() || self.wanted {
            own.schedule
                .get_or_insert_with(|| Schedule::new(now, self.ours));
        }
        if self.session.is_some() || self.wanted && own.targets.is_all() {
            self.deadline.get_or_insert(now + GIVE_UP);
            self.retry = None;
        }
    }

    /// Repeats our newest round: "verbatim at 1 s, then at 3, 7, 15 s with a higher own-parity `at`
    /// and the same ephemeral"; toward our own kind the same bytes.
    ///
    /// From 3 s on the round of a session goes to all pipes, wherever it went before: only what is
    /// "unanswered on every pipe" may end the session. It does so with a higher `at` in any case: a
    /// peer to which channel packets came does not repeat an echo, even one that got lost.
    pub(super) fn resend(&mut self, now: Instant, unix: u64) {
        let ours = self.ours;
        let Some(own) = &mut self.own else { return };
        let Some(schedule) = own.schedule.take() else {
            return;
        };
        let is_late = self.session.is_some() && schedule.is_late(ours);
        if is_late {
            own.targets.merge(Targets::all());
        }
        let (targets, purpose) = (own.targets, own.purpose);
        let following = schedule.advance(now, ours);
        let (at, kind) = if schedule.is_verbatim(ours) && !is_late {
            (Some(own.at), SendKind::Resend)
        } else {
            (self.begin(now, unix, targets, purpose), SendKind::Round)
        };
        let Some(at) = at else { return };
        self.own.iter_mut().for_each(|own| own.schedule = following);
        self.send_each(at, targets, kind);
        self.note_all_sent();
    }

    /// Sends the round that is under way to the pipes that joined since.
    pub(super) fn send_to_new_pipes(&mut self) {
        let Some(own) = &self.own else { return };
        let (at, sent) = (own.at, own.sent);
        for pipe in self.pipes.all().iter().filter(|pipe| !sent.contains(*pipe)) {
            self.send(at, Target::Pipe(pipe), SendKind::Resend);
        }
        self.note_all_sent();
    }

    /// "A round with the same ephemeral and a higher `at`" on the pipes that need a sign of life, of
    /// ours or of the peer. If it stays unanswered it is repeated on all.
    pub(super) fn keep_alive(&mut self, now: Instant, unix: u64) {
        let due = self.pipes.take_due(now);
        let Some(at) = self.begin(now, unix, Targets::all(), Purpose::Plain) else {
            return;
        };
        for pipe in due.iter() {
            self.send(at, Target::Pipe(pipe), SendKind::Keepalive);
        }
        self.arm(now);
    }

    pub(super) fn send_echo(&mut self, pipe: PipeSlot, at: u64) {
        self.send(at, Target::PacketSource(pipe), SendKind::Echo);
    }

    pub(super) fn send(&mut self, at: u64, to: Target, kind: SendKind) {
        self.actions.push_back(Action::Send { at, to, kind });
    }

    /// Hands out the highest `at`, sent or seen, if it is a new one.
    pub(super) fn remember(&mut self) {
        let at = self.highest.max(self.seen);
        if at > self.remembered {
            self.remembered = at;
            self.actions.push_back(Action::RememberAt(at));
        }
    }

    fn next_at(&mut self, unix: u64, purpose: Purpose) -> Option<u64> {
        let least = self.highest.max(self.seen).checked_add(1)?;
        let next = at::next(self.order, least, unix)?;
        match purpose {
            Purpose::Plain => Some(next),
            Purpose::Challenge => {
                self.challenges = self.challenges.wrapping_add(1);
                let draw = draw(self.seed, self.challenges) % CHALLENGE_SPREAD;
                at::next(self.order, next + 2 * u64::from(draw), unix)
            }
        }
    }

    fn send_each(&mut self, at: u64, targets: Targets, kind: SendKind) {
        let sends = targets.iter(self.pipes.validated());
        self.actions
            .extend(sends.map(|to| Action::Send { at, to, kind }));
    }

    fn note_all_sent(&mut self) {
        if let Some(own) = self.own.as_mut().filter(|own| own.targets.is_all()) {
            own.sent = self.pipes.all();
        }
    }
}
