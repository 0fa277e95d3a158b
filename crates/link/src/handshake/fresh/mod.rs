//! The machine of cipher sets whose every round has a fresh ephemeral (cipher-sets.md, CS42).
//!
//! [`FreshRounds`] decides when to begin a round, whom to answer, which session counts. As
//! [`Rounds`](super::Rounds), its sibling for the other sets, it sees no keys and no bytes: only
//! `at` values, the tokens that stand for the peer's ephemerals, and pipes. Every ephemeral leads
//! to one session at most, so the token of the peer's names the session.
//!
//! # What the machine promises
//!
//! **A handshake alone changes nothing.** It leads to an *unconfirmed* session, beside the one
//! there is, and only a packet that authenticates in it makes it the session: whoever sent that
//! packet holds the ephemeral, so no replay can. Until then data stays where it was.
//!
//! **A renewal keeps the channels.** Both ends name the session that they renew; when they name
//! the same one, its channels go on in the new one ([`Channels::Kept`]). An end that cannot know
//! whether the peer has the newest session names the one before as well, so an outage that swallows
//! one end's confirmation costs nothing. Channels are reset only where an end started anew or its
//! link went down.
//!
//! **Nobody can keep the two from meeting with what was recorded.** There is one place for a
//! session that our own round led to and one for a round of the peer's, so a replayed round takes
//! nothing from ours. When both ends began a round the one with the higher `at` is answered, and
//! the other end repeats its own.
//!
//! The proof, to its bound, is the model in `tests/fresh`.

mod actions;
mod hear;
mod send;
mod sessions;
mod timers;

use alloc::{collections::VecDeque, vec::Vec};
use core::time::Duration;

use telehash_e3x::{Instant, Order};

pub(crate) use self::actions::{Action, Channels, Heard, PING, PONG};
use self::{
    send::OwnRound,
    sessions::{Confirmed, Renewed, Unconfirmed},
};
use super::{forced::Forced, keepalive::Keepalives, targets::Targets};
use crate::{DownReason, PipeSlot};

/// The state of the handshakes with one peer, for cipher sets with a fresh ephemeral each round.
///
/// Mutate once, then drain: after any call that takes `&mut self`, poll
/// [`poll_action`](Self::poll_action) until `None` and do what it says, in order; then arm a timer
/// for [`poll_timeout`](Self::poll_timeout). `clock` is the time of day in milliseconds, 0 if there
/// is none: what `at` counts in these sets.
///
/// The machine answers whoever it is told about. Whether a peer is accepted, and that a message is
/// authentic, is decided before.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct FreshRounds {
    order: Order,
    /// Varies waiting times.
    seed: u64,
    /// The application wants the link up.
    wanted: bool,
    /// The application ended the link.
    closed: bool,
    /// The `at` of the session that was confirmed last, former runs included: what is not above it
    /// may be a replay.
    recorded: u64,
    /// The highest `at` that either end used.
    seen: u64,
    /// Our unanswered round.
    own: Option<OwnRound>,
    /// Sessions that nothing has authenticated in.
    unconfirmed: Vec<Unconfirmed>,
    session: Option<Confirmed>,
    /// The session that this one renewed, while its last packets may still come, or the peer may
    /// know no other.
    renewed: Option<Renewed>,
    forced: Forced,
    /// When the next attempt to bring the link up is due.
    retry: Option<Instant>,
    failures: u32,
    pipes: Keepalives,
    actions: VecDeque<Action>,
}

impl FreshRounds {
    /// The machine of a link that has no session yet. `seed` differs between links; `recorded` is
    /// the highest `at` that was ever [recorded](Action::RecordAt) for the peer's hashname, or 0.
    pub(crate) fn new(now: Instant, order: Order, seed: u64, recorded: u64) -> Self {
        Self {
            order,
            seed,
            wanted: false,
            closed: false,
            recorded,
            seen: recorded,
            own: None,
            unconfirmed: Vec::new(),
            session: None,
            renewed: None,
            forced: Forced::new(now),
            retry: None,
            failures: 0,
            pipes: Keepalives::default(),
            actions: VecDeque::new(),
        }
    }

    /// The application wants the link up from now on: begins a round toward every pipe, or sends
    /// the one that is under way to the pipes that joined since.
    pub(crate) fn start(&mut self, now: Instant, clock: u64) {
        self.closed = false;
        self.wanted = true;
        if self.session.is_none() && self.unconfirmed.is_empty() {
            self.retry = None;
            self.fire(now, clock, Targets::all());
        }
    }

    /// The application ends the link: all sessions are erased and nothing is sent or answered until
    /// [`start`](Self::start).
    pub(crate) fn close(&mut self, now: Instant) {
        if self.closed {
            return;
        }
        self.closed = true;
        self.wanted = false;
        self.failures = 0;
        self.forced = Forced::new(now);
        self.erase(DownReason::Closed);
    }

    /// The network of this machine changed, or it woke up. A session shows its peer where we are
    /// and is renewed; a link that is down but wanted is tried again at once.
    pub(crate) fn network_changed(&mut self, now: Instant, clock: u64) {
        if self.session.is_some() {
            self.ping_everywhere(now);
            self.renew_soon();
        } else if self.wanted {
            self.failures = 0;
            self.force(now, clock, Targets::all());
        }
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
        for session in &mut self.unconfirmed {
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
impl FreshRounds {
    /// Whether a round or an unconfirmed session waits for the peer.
    pub(super) fn is_waiting(&self) -> bool {
        self.own.is_some() || !self.unconfirmed.is_empty()
    }

    /// The same machine with all times moved so that `now` is the model's present.
    pub(super) fn rebase(&mut self, now: Instant) {
        if let Some(retry) = &mut self.retry {
            *retry = super::tests::rebased(*retry, now);
        }
        self.forced.rebase(now);
        self.pipes.rebase(now);
        self.own.iter_mut().for_each(|own| own.rebase(now));
        self.session.iter_mut().for_each(|own| own.rebase(now));
        self.renewed.iter_mut().for_each(|own| own.rebase(now));
        for session in &mut self.unconfirmed {
            session.rebase(now);
        }
    }
}
