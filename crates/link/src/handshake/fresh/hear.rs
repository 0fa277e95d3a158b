//! What the peer's packets mean.

use telehash_e3x::{Instant, Token};

use super::{
    Action, FreshRounds, Heard,
    sessions::{Origin, Unconfirmed},
};
use crate::{
    PipeSlot,
    handshake::{
        actions::Target,
        at::{self, MAX_AT},
        limits::{MAX_BEHIND_MILLIS, MAX_UNCONFIRMED},
        machine::{Arrived, Duplicate},
        targets::Targets,
    },
};

/// What an authenticated `at` says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Meaning {
    /// That of our round: its answer.
    Answer,
    /// A round of the peer's, above everything that was confirmed.
    Round,
    /// The same, but below a round of ours.
    LowerRound,
    /// A repetition, a round that ours overtook, or an answer to one that is over.
    Late,
    /// A peer that restarted with a clock behind, or a replay.
    Other,
}

impl FreshRounds {
    /// A `link` handshake of the peer, authenticated.
    pub(crate) fn on_message(&mut self, now: Instant, clock: u64, arrived: Arrived) {
        let Arrived { pipe, at, .. } = arrived;
        if self.closed || at > MAX_AT {
            return;
        }
        let meaning = self.meaning(at, clock, arrived.remote);
        self.seen = self.seen.max(at);
        if meaning != Meaning::Late {
            { arrived.names }.into_iter().flatten().for_each(|named| {
                self.confirm(now, named);
            });
        }
        match meaning {
            Meaning::Answer => self.answered(now, arrived),
            Meaning::Round => self.answer(now, arrived),
            Meaning::LowerRound => self.remind(now, pipe),
            Meaning::Late => {}
            Meaning::Other => self.challenge(now, clock, pipe),
        }
    }

    /// A packet that may be a byte-identical duplicate of a handshake that led to a session: if it
    /// is, it needs no further work. Compare before any public-key work.
    ///
    /// It gets the stored answer again, "at most 4 times, at most once in 900 ms, only until a
    /// channel packet authenticates"; but a pipe that it has not gone to gets it at once, as the way
    /// back of the others may be dead. `pipe` is `None` if it came from no pipe of the link.
    #[must_use = "a duplicate needs no decryption"]
    pub(crate) fn on_duplicate(
        &mut self,
        now: Instant,
        pipe: Option<PipeSlot>,
        digest: [u8; 16],
    ) -> Duplicate {
        let confirmed = self.session.as_ref();
        if confirmed.is_some_and(|session| session.digest == digest) {
            return Duplicate::Known;
        }
        let unconfirmed = self.unconfirmed.iter_mut();
        let Some(session) = { unconfirmed }.find(|session| session.digest == digest) else {
            return Duplicate::No;
        };
        if let Some(pipe) = pipe
            && session.origin == Origin::Theirs
            && (!session.answered.contains(pipe) || session.throttle.permit(now))
        {
            session.answered.insert(pipe);
            let (remote, to) = (session.remote, Target::PacketSource(pipe));
            self.actions.push_back(Action::SendAnswer { remote, to });
            return Duplicate::Answered;
        }
        Duplicate::Known
    }

    /// A channel packet authenticated, and was no replay, in the session of the peer's ephemeral
    /// `remote`.
    pub(crate) fn on_channel_packet(
        &mut self,
        now: Instant,
        pipe: PipeSlot,
        remote: Token,
        heard: Heard,
    ) {
        if self.closed {
            return;
        }
        if self.confirm(now, remote) {
            self.actions.push_back(Action::PipeAnswered(pipe));
        }
        let is_renewed = |renewed: &super::Renewed| renewed.remote == remote;
        let mut known = self.renewed.as_ref().is_some_and(is_renewed);
        if let Some(session) = self.session.as_mut().filter(|own| own.remote == remote) {
            session.alive(heard);
            self.own.iter_mut().for_each(|own| own.heard = true);
            self.pipes.heard();
            self.failures = 0;
            known = true;
            self.drop_renewed();
        }
        if known && heard == Heard::Ping {
            self.actions.push_back(Action::Pong { remote, to: pipe });
        }
    }

    fn meaning(&self, at: u64, clock: u64, remote: Token) -> Meaning {
        let own = self.own.as_ref().map(|own| own.at);
        let unconfirmed = self.unconfirmed.iter().map(|session| session.remote);
        let confirmed = self.session.iter().map(|session| session.remote);
        let renewed = self.renewed.iter().map(|session| session.remote);
        if unconfirmed
            .chain(confirmed)
            .chain(renewed)
            .any(|known| known == remote)
        {
            return Meaning::Late;
        }
        if own == Some(at) {
            return Meaning::Answer;
        }
        if at::is_of(at, self.order) {
            return Meaning::Late;
        }
        if at.saturating_add(MAX_BEHIND_MILLIS) < clock || at <= self.recorded {
            return Meaning::Other;
        }
        let ours = |session: &&Unconfirmed| session.origin == Origin::Ours;
        let overtaken = self
            .unconfirmed
            .iter()
            .filter(ours)
            .any(|ours| ours.at > at);
        // Nothing is confirmed any more in a round below those that fill the places for the peer's.
        let theirs = |session: &&Unconfirmed| session.origin == Origin::Theirs;
        let is_late = self.unconfirmed.len() >= MAX_UNCONFIRMED && { self.unconfirmed.iter() }
            .filter(theirs)
            .all(|theirs| theirs.at > at);
        match own {
            _ if overtaken || is_late => Meaning::Late,
            Some(own) if own > at => Meaning::LowerRound,
            _ => Meaning::Round,
        }
    }

    /// The answer to our round. Its ephemeral is used up by the session.
    fn answered(&mut self, now: Instant, arrived: Arrived) {
        let Some(own) = self.own.take() else { return };
        let continues = self.continued(arrived.names);
        let continues = continues.filter(|held| own.names.contains(&Some(*held)));
        let remote = arrived.remote;
        self.forced.answered();
        self.actions.push_back(Action::Derive { remote, continues });
        self.actions.push_back(Action::PipeAnswered(arrived.pipe));
        self.derived(now, arrived, Origin::Ours, continues);
    }

    /// "A round is answered with a fresh KEY." One of ours, whose `at` is lower, is overtaken: the
    /// peer will not answer it any more.
    fn answer(&mut self, now: Instant, arrived: Arrived) {
        self.drop_round();
        let continues = self.continued(arrived.names);
        let Arrived {
            at, remote, pipe, ..
        } = arrived;
        self.actions.push_back(Action::Answer {
            remote,
            at,
            continues,
        });
        let to = Target::PacketSource(pipe);
        self.actions.push_back(Action::SendAnswer { remote, to });
        self.derived(now, arrived, Origin::Theirs, continues);
    }

    /// Finds out with a round of ours whether that was the live peer: "sent only to pipes already
    /// validated (or, with no session yet, to the packet's source)". If a renewal has just shown
    /// that the peer lives, a ping does as well: what is replayed each second is not to have the
    /// session renewed each second.
    fn challenge(&mut self, now: Instant, clock: u64, pipe: PipeSlot) {
        let targets = match &mut self.session {
            None => Targets::default().and_source(pipe),
            Some(session) if now < session.challenge_from => {
                if session.doubts.permit(now) {
                    self.ping(now, [Target::ValidatedPipes]);
                }
                return;
            }
            Some(_) => Targets::validated(),
        };
        self.force(now, clock, targets);
    }
}
