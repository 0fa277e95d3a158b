//! The round machine: which handshakes to send, which to believe, which session follows.

mod agreement;
mod hear;
mod send;
mod timers;

use alloc::{collections::VecDeque, vec::Vec};
use core::time::Duration;

use telehash_e3x::{Instant, Order, Token};

use self::{
    agreement::Agreement,
    send::{Echo, OwnRound, Purpose},
};
use super::{actions::Action, forced::Forced, keepalive::Keepalives, targets::Targets};
use crate::{DownReason, PipeSlot};

/// The state of the handshakes with one peer, for cipher sets that keep one ephemeral per exchange.
///
/// Mutate once, then drain: after any call that takes `&mut self`, poll
/// [`poll_action`](Self::poll_action) until `None` and do what it says, in order; then arm a timer
/// for [`poll_timeout`](Self::poll_timeout). `unix` is the time of day in seconds, 0 if there is no
/// clock.
///
/// The machine answers whoever it is told about. Whether a peer is accepted, and that a message is
/// authentic, is decided before.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Rounds {
    order: Order,
    /// Varies waiting times and challenges.
    seed: u64,
    challenges: u32,
    /// The application wants the link up.
    wanted: bool,
    /// The application ended the link.
    closed: bool,
    /// The peer is an implementation of ours.
    ours: bool,
    /// The S of links.md: the highest `at` we sent, echoes and former runs included.
    highest: u64,
    /// The highest `at` the peer sent.
    seen: u64,
    /// The highest `at` that was handed out to be persisted.
    remembered: u64,
    /// The newest round of ours, if its `at` is `highest`.
    own: Option<OwnRound>,
    /// Our newest echo.
    echo: Option<Echo>,
    session: Option<Agreement>,
    /// The peer's ephemerals of which sessions or candidates with our present one were asked for.
    derived: Vec<Token>,
    forced: Forced,
    /// When a round has waited too long; none while the peer answers.
    deadline: Option<Instant>,
    /// When the next attempt to bring the link up is due.
    retry: Option<Instant>,
    failures: u32,
    pipes: Keepalives,
    actions: VecDeque<Action>,
}

impl Rounds {
    /// The machine of an exchange whose ephemeral has this `token`.
    ///
    /// `last_at` is the highest `at` that was ever [remembered](Action::RememberAt) for the peer's
    /// hashname, or 0: "start from max(stored last value + 1, unix seconds)".
    pub(crate) fn new(now: Instant, order: Order, token: Token, last_at: u64) -> Self {
        let [a, b, c, d, e, f, g, h, ..] = *token.as_bytes();
        Self {
            order,
            seed: u64::from_le_bytes([a, b, c, d, e, f, g, h]),
            challenges: 0,
            wanted: false,
            closed: false,
            ours: false,
            highest: last_at,
            seen: 0,
            remembered: last_at,
            own: None,
            echo: None,
            session: None,
            derived: Vec::new(),
            forced: Forced::new(now),
            deadline: None,
            retry: None,
            failures: 0,
            pipes: Keepalives::default(),
            actions: VecDeque::new(),
        }
    }

    /// The application wants the link up from now on: begins a round toward every pipe, or repeats
    /// the one that is under way toward the pipes that joined since.
    pub(crate) fn start(&mut self, now: Instant, unix: u64) {
        self.closed = false;
        self.wanted = true;
        if self.session.is_some() {
            return;
        }
        match &self.own {
            Some(own) if own.targets.is_all() => self.send_to_new_pipes(),
            _ => {
                // What a passive round has waited so far does not count.
                self.deadline = None;
                self.fire(now, unix, Targets::all(), Purpose::Plain);
            }
        }
    }

    /// The application ends the link: the session is erased and nothing is sent or answered until
    /// [`start`](Self::start).
    pub(crate) fn close(&mut self, now: Instant) {
        if self.closed {
            return;
        }
        self.closed = true;
        self.wanted = false;
        self.retry = None;
        self.failures = 0;
        self.forced = Forced::new(now);
        self.erase(DownReason::Closed);
    }

    /// The network of this machine changed, or it woke up: "a `Down` link that the application
    /// still wants retries […] at once on a network change, a resume from sleep". One that is up
    /// shows the peer where it is now.
    pub(crate) fn network_changed(&mut self, now: Instant, unix: u64) {
        if self.session.is_some() || self.wanted {
            self.failures = 0;
            self.force(now, unix, Targets::all());
        }
    }

    /// The keys of the session are used up, or too much was tried on them. A session is the pair of
    /// its ephemerals, so a new one needs a new ephemeral of ours: the old one ends here, with its
    /// channels, and a round begins at once.
    pub(crate) fn worn_out(&mut self, now: Instant, unix: u64) {
        if self.session.is_some() {
            self.erase(DownReason::WornOut);
            self.fire(now, unix, Targets::all(), Purpose::Plain);
        }
    }

    /// `z` or `hc` was seen in an authenticated handshake: the peer is an implementation of ours and
    /// takes repetitions of the same bytes.
    pub(crate) fn peer_is_ours(&mut self) {
        self.ours = true;
    }

    /// A pipe joined the table; `keepalive` is the longest silence of ours that it survives.
    pub(crate) fn pipe_added(&mut self, now: Instant, slot: PipeSlot, keepalive: Duration) {
        self.pipe_removed(slot);
        self.pipes.add(now, slot, keepalive);
    }

    /// A pipe left the table.
    pub(crate) fn pipe_removed(&mut self, slot: PipeSlot) {
        self.pipes.remove(slot);
        self.forced.forget(slot);
        if let Some(own) = &mut self.own {
            own.forget(slot);
        }
        if let Some(session) = &mut self.session {
            session.forget(slot);
        }
    }

    /// A pipe is validated: a round trip through it came back.
    pub(crate) fn pipe_validated(&mut self, slot: PipeSlot) {
        self.pipes.validate(slot);
    }

    /// Something was sent on this pipe, whatever it was.
    pub(crate) fn on_sent(&mut self, now: Instant, slot: PipeSlot) {
        self.pipes.sent(now, slot);
    }

    /// What to do next, in order.
    #[must_use = "an action that is not carried out leaves the two ends apart"]
    pub(crate) fn poll_action(&mut self) -> Option<Action> {
        self.actions.pop_front()
    }
}

/// For the model: what it compares and hashes.
#[cfg(test)]
impl Rounds {
    pub(super) fn session(&self) -> Option<Token> {
        self.session.as_ref().map(|session| session.remote)
    }

    pub(super) fn is_confirmed(&self) -> bool {
        self.session
            .as_ref()
            .is_some_and(|session| session.reported)
    }

    pub(super) fn is_waiting(&self) -> bool {
        self.deadline.is_some()
    }

    pub(super) fn highest(&self) -> u64 {
        self.highest
    }

    /// The same machine with all times moved so that `now` is the model's present.
    pub(super) fn rebase(&mut self, now: Instant) {
        let rebase = |at: &mut Option<Instant>| {
            if let Some(at) = at {
                *at = super::tests::rebased(*at, now);
            }
        };
        rebase(&mut self.deadline);
        rebase(&mut self.retry);
        self.forced.rebase(now);
        self.pipes.rebase(now);
        if let Some(own) = &mut self.own {
            own.rebase(now);
        }
        if let Some(echo) = &mut self.echo {
            echo.throttle.rebase(now);
        }
        if let Some(session) = &mut self.session {
            rebase(&mut session.confirm);
            rebase(&mut session.probe);
        }
    }
}
