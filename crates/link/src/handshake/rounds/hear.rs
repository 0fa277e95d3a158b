//! What the peer's packets mean (links.md, "`at`").

use telehash_e3x::{Instant, Token};

use super::{
    Rounds,
    agreement::Evidence,
    send::{Echo, OwnRound, Purpose},
};
use crate::{
    PipeSlot,
    handshake::{
        actions::{Action, SendKind, Target},
        at::{self, MAX_AT},
        machine::Duplicate,
        resend::Throttle,
        targets::Targets,
    },
};

/// What an authenticated `at` (R) says, given the highest we sent (S).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Meaning {
    /// R > S, of the peer's parity.
    Higher,
    /// The same, but more than 120 s behind our clock.
    Stale,
    /// R > S, of our parity: our state was lost.
    Forgotten,
    /// R == S, our newest round.
    Echo,
    /// R == S, which we echoed to this ephemeral.
    EchoLost,
    /// Anything else from the session's own ephemeral.
    Late,
    /// Anything else: from a peer that restarted with a clock behind, a first contact with another
    /// `at`, or a replay.
    Other,
}

impl Rounds {
    /// A `link` handshake of the peer, authenticated. `remote` stands for its ephemeral, `digest`
    /// for all its bytes.
    pub(crate) fn on_message(
        &mut self,
        now: Instant,
        unix: u64,
        pipe: PipeSlot,
        at: u64,
        remote: Token,
        digest: [u8; 16],
    ) {
        if self.closed || at > MAX_AT {
            return;
        }
        let meaning = self.meaning(at, unix, remote);
        self.seen = self.seen.max(at);
        match meaning {
            Meaning::Higher => self.adopt(now, unix, pipe, at, remote, digest),
            Meaning::Echo => self.echoed(now, pipe, remote),
            Meaning::EchoLost => self.echo_again(now, pipe),
            Meaning::Late => self.remind(now, pipe, at),
            Meaning::Forgotten if self.is_with(remote) => {}
            // "The peer restarted with a clock behind, or an attacker replays. Keep the session."
            Meaning::Other => self.answer(now, unix, pipe, remote),
            // "We answer with our own."
            Meaning::Stale => self.ask_back(now, unix, pipe, remote),
            // Our next `at` is above it. A peer that knows us waits for it: JS repeats our old
            // value and then stays silent.
            Meaning::Forgotten => self.answer(now, unix, pipe, remote),
        }
        self.remember();
    }

    /// A packet that may be a byte-identical duplicate of a handshake that we answered: if it is, it
    /// needs no further work. Compare "before any public-key work".
    ///
    /// "Gets the stored answer again, at most 4 times, at most once in 900 ms, only until a channel
    /// packet authenticates." `pipe` is `None` if it came from a place that is no pipe of the link.
    #[must_use = "a duplicate needs no decryption"]
    pub(crate) fn on_duplicate(
        &mut self,
        now: Instant,
        pipe: Option<PipeSlot>,
        digest: [u8; 16],
    ) -> Duplicate {
        let Some(echo) = self.echo.as_mut().filter(|echo| echo.digest == digest) else {
            return Duplicate::No;
        };
        if let Some(pipe) = pipe
            && echo.repeats
            && echo.throttle.permit(now)
        {
            let (at, to) = (echo.at, Target::PacketSource(pipe));
            self.actions.push_back(Action::Send {
                at,
                to,
                kind: SendKind::Stored,
            });
            return Duplicate::Answered;
        }
        Duplicate::Known
    }

    /// A channel packet authenticated, and was no replay, in the session or candidate of the peer's
    /// ephemeral `remote`. "An authenticated one confirms the session and stops resends."
    pub(crate) fn on_channel_packet(&mut self, now: Instant, pipe: PipeSlot, remote: Token) {
        if self.closed {
            return;
        }
        if self.session.is_none() && self.derived.contains(&remote) {
            self.agree(now, pipe, remote, Evidence::ChannelPacket);
        }
        let Some(session) = self
            .session
            .as_mut()
            .filter(|session| session.remote == remote)
        else {
            return;
        };
        session.proven = true;
        self.own.iter_mut().for_each(|own| own.schedule = None);
        self.echo
            .iter_mut()
            .for_each(|echo| echo.repeats &= echo.remote != remote);
        self.peer_is_alive();
        self.confirm();
    }

    fn meaning(&self, at: u64, unix: u64, remote: Token) -> Meaning {
        let is_ours = at::is_of(at, self.order);
        if at > self.highest {
            return match is_ours {
                true => Meaning::Forgotten,
                false if at::is_stale(at, unix) => Meaning::Stale,
                false => Meaning::Higher,
            };
        }
        let answers = |echo: &Echo| echo.at == at && echo.remote == remote;
        if self
            .own
            .as_ref()
            .is_some_and(|own| own.at == at && self.counts(own, remote))
        {
            Meaning::Echo
        } else if at == self.highest && self.echo.as_ref().is_some_and(answers) {
            Meaning::EchoLost
        } else if self.is_with(remote) {
            Meaning::Late
        } else {
            Meaning::Other
        }
    }

    /// Whether an echo of our newest round from this ephemeral is to be believed: while there is a
    /// session only from its own, or if the round asked for others. The echo of any other round may
    /// have been recorded in a former life of ours.
    fn counts(&self, own: &OwnRound, remote: Token) -> bool {
        match &self.session {
            None => true,
            Some(session) => session.remote == remote || own.purpose == Purpose::Challenge,
        }
    }

    /// "R > S, peer's parity: adopt; answer with the same value; agreed." With a session of another
    /// ephemeral it is not agreed before the peer echoed a round of ours in turn.
    fn adopt(
        &mut self,
        now: Instant,
        unix: u64,
        pipe: PipeSlot,
        at: u64,
        remote: Token,
        digest: [u8; 16],
    ) {
        self.highest = at;
        self.own = None;
        let throttle = Throttle::new(now);
        self.echo = Some(Echo {
            at,
            remote,
            digest,
            repeats: true,
            throttle,
        });
        self.send_echo(pipe, at);
        // Whoever it is has not answered yet, or was answered just now: both begin anew.
        self.deadline = None;
        match &self.session {
            None => self.agree(now, pipe, remote, Evidence::Handshake),
            Some(session) if session.remote == remote => {
                self.pipes.heard();
                self.actions.push_back(Action::Agreed { remote });
            }
            Some(_) => self.ask_back(now, unix, pipe, remote),
        }
    }

    /// "R == S of our parity: their echo; agreed; say nothing."
    fn echoed(&mut self, now: Instant, pipe: PipeSlot, remote: Token) {
        self.own = None;
        self.forced.answered();
        self.actions.push_back(Action::PipeAnswered(pipe));
        if self.is_with(remote) {
            self.actions.push_back(Action::Agreed { remote });
        } else {
            self.agree(now, pipe, remote, Evidence::Echo);
        }
        self.peer_is_alive();
    }

    /// "R == S of the peer's parity (we echoed it before): our echo was lost. If no channel packet
    /// has authenticated since: echo again, at most once in 900 ms and 4 times per value."
    fn echo_again(&mut self, now: Instant, pipe: PipeSlot) {
        if let Some(echo) = &mut self.echo
            && echo.repeats
            && echo.throttle.permit(now)
        {
            let at = echo.at;
            self.send_echo(pipe, at);
        }
    }

    /// "R < S from the session's own ephemeral: silent", unless the peer cannot know S: a round of
    /// ours has not been echoed, and is not repeated on this pipe any more. Without this the peer
    /// could wait for an answer that we never give.
    fn remind(&mut self, now: Instant, pipe: PipeSlot, at: u64) {
        let validated = self.pipes.validated();
        let Some(own) = self.own.as_mut().filter(|own| own.at > at) else {
            return;
        };
        let is_repeated = own.schedule.is_some() && own.targets.cover(pipe, validated);
        if !is_repeated && own.reminder.permit(now) {
            let at = own.at;
            self.send(at, Target::PacketSource(pipe), SendKind::Round);
        }
    }

    /// "Start a new round with our own parity above every value seen, at once the first time, then
    /// at most one a second, sent only to pipes already validated (or, with no session yet, to the
    /// packet's source)." A session that no channel packet spoke for may be a replay's: it counts as
    /// none here.
    fn answer(&mut self, now: Instant, unix: u64, pipe: PipeSlot, remote: Token) {
        self.offer_candidate(remote);
        let targets = match &self.session {
            None => Targets::default().and_source(pipe),
            Some(session) if session.proven => Targets::validated(),
            Some(_) => Targets::validated().and_source(pipe),
        };
        self.force(now, unix, targets);
    }

    /// The same for a handshake that links.md has us answer at its source in any case.
    fn ask_back(&mut self, now: Instant, unix: u64, pipe: PipeSlot, remote: Token) {
        self.offer_candidate(remote);
        let everywhere = self
            .session
            .is_some()
            .then(Targets::validated)
            .unwrap_or_default();
        self.force(now, unix, everywhere.and_source(pipe));
    }

    /// Begins a challenge, or repeats the one under way, at most once in [`FORCED_INTERVAL`]; what
    /// comes too early waits.
    ///
    /// [`FORCED_INTERVAL`]: crate::handshake::limits::FORCED_INTERVAL
    pub(super) fn force(&mut self, now: Instant, unix: u64, targets: Targets) {
        if let Some(targets) = self.forced.admit(now, targets) {
            self.fire(now, unix, targets, Purpose::Challenge);
        }
    }
}
