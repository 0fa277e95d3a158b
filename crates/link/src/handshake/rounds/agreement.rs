//! The session: how it comes to be, what is known of it, how it ends.

use telehash_e3x::{Instant, Token};

use super::Rounds;
use crate::{
    DownReason, PipeSlot,
    handshake::{
        actions::Action,
        limits::MAX_DERIVED,
        resend::{PROBE_AFTER, QUIET_CONFIRM},
        targets::Targets,
    },
};

/// The session that both ends agreed to: our present ephemeral and `remote`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Agreement {
    pub(super) remote: Token,
    /// A channel packet authenticated in it: the peer holds both ephemerals.
    pub(super) proven: bool,
    /// It was reported as `Up`.
    pub(super) reported: bool,
    /// When a quiet session is reported.
    pub(super) confirm: Option<Instant>,
    /// When to ask back, while nothing but one handshake of the peer speaks for it.
    pub(super) probe: Option<Instant>,
    /// Where that handshake came from.
    pub(super) source: Option<PipeSlot>,
}

/// What speaks for a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Evidence {
    /// We adopted a handshake, which may be a replay.
    Handshake,
    /// The echo of our newest round: the peer was alive after it.
    Echo,
    /// A channel packet between both ephemerals.
    ChannelPacket,
}

impl Agreement {
    fn new(now: Instant, remote: Token, pipe: PipeSlot, evidence: Evidence) -> Self {
        let proven = evidence != Evidence::Handshake;
        let adopted = evidence == Evidence::Handshake;
        Self {
            remote,
            proven,
            reported: false,
            confirm: Some(now + QUIET_CONFIRM),
            probe: adopted.then_some(now + PROBE_AFTER),
            source: Some(pipe),
        }
    }

    pub(super) fn forget(&mut self, slot: PipeSlot) {
        if self.source == Some(slot) {
            self.source = None;
        }
    }
}

impl Rounds {
    /// Our ephemeral and `remote` are the session from now on.
    pub(super) fn agree(
        &mut self,
        now: Instant,
        pipe: PipeSlot,
        remote: Token,
        evidence: Evidence,
    ) {
        if !self.note_derived(remote, MAX_DERIVED) {
            return self.start_over(pipe);
        }
        let session = Agreement::new(now, remote, pipe, evidence);
        let replaced = self.session.replace(session).is_some();
        self.failures = 0;
        self.retry = None;
        self.pipes.heard();
        self.actions.push_back(match replaced {
            true => Action::ReplaceSession { remote },
            false => Action::Agreed { remote },
        });
    }

    /// "Channel packets are decrypted as soon as both ephemerals are known." Only without a
    /// session: with one, an old handshake and an old channel packet of an ephemeral that we never
    /// agreed to could be replayed together.
    pub(super) fn offer_candidate(&mut self, remote: Token) {
        let known = self.derived.contains(&remote);
        if self.session.is_none() && !known && self.note_derived(remote, MAX_DERIVED - 1) {
            self.actions.push_back(Action::Candidate { remote });
        }
    }

    /// Whether there is a session, and with this ephemeral.
    pub(super) fn is_with(&self, remote: Token) -> bool {
        self.session
            .as_ref()
            .is_some_and(|session| session.remote == remote)
    }

    /// Reports the session, once.
    pub(super) fn confirm(&mut self) {
        let Some(session) = &mut self.session else {
            return;
        };
        session.confirm = None;
        if !core::mem::replace(&mut session.reported, true) {
            self.actions.push_back(Action::Confirmed);
        }
    }

    /// Something that only the live peer can have sent now: no round waits any longer.
    pub(super) fn peer_is_alive(&mut self) {
        self.deadline = None;
        self.failures = 0;
        self.pipes.heard();
        if let Some(session) = &mut self.session {
            session.probe = None;
        }
    }

    /// "Whoever erases a session erases its ephemeral." What we sent with it cannot be agreed to
    /// any more, and what we answered with it is no answer.
    pub(super) fn erase(&mut self, reason: DownReason) {
        self.session = None;
        self.own = None;
        self.echo = None;
        self.deadline = None;
        self.forced.cancel();
        self.derived.clear();
        self.actions.push_back(Action::Down(reason));
        self.actions.push_back(Action::FreshEphemeral);
    }

    /// Too many ephemerals of the peer for one of ours: the peer gets to know a new one as soon as
    /// a round may go out.
    fn start_over(&mut self, pipe: PipeSlot) {
        self.erase(DownReason::Silent);
        self.forced.pending = Some(Targets::default().and_source(pipe));
    }

    /// Notes that the caller will derive keys with this ephemeral; false if that were too many.
    fn note_derived(&mut self, remote: Token, limit: usize) -> bool {
        let known = self.derived.contains(&remote);
        if !known && self.derived.len() < limit {
            self.derived.push(remote);
            return true;
        }
        known
    }
}
