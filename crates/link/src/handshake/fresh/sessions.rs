//! Sessions: unconfirmed, confirmed, renewed, and what makes one the next.

use core::time::Duration;

use telehash_e3x::{Instant, Order, Token};

use super::{Action, Channels, FreshRounds, Heard};
use crate::{
    DownReason, PipeSlot,
    handshake::{
        actions::Target,
        jitter::draw,
        limits::{
            LISTEN_INTERVAL, MAX_ANSWERS, MAX_UNCONFIRMED, PING_PATIENCE, RENEW_INTERVAL,
            RENEW_PAUSE, RENEWED_LINGER, UNCONFIRMED_LIFE,
        },
        machine::Arrived,
        resend::{Pings, Throttle},
        targets::PipeSet,
    },
};

/// How much later the even end renews a session than the odd one would: they need not both.
const EVEN_LATER: Duration = Duration::from_secs(60);

/// Who began the round that led to a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Origin {
    /// We did, and the peer answered.
    Ours,
    /// The peer did, or somebody repeated what it once began, and we answered.
    Theirs,
}

/// A session that no packet has authenticated in.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Unconfirmed {
    pub(super) remote: Token,
    pub(super) at: u64,
    pub(super) origin: Origin,
    pub(super) digest: [u8; 16],
    /// The session that it continues, whose channels go on in it.
    pub(super) continues: Option<Token>,
    /// Where the peer's handshake came from; where pings go.
    source: Option<PipeSlot>,
    pub(super) pings: Option<Pings>,
    /// The pipes that our answer went to.
    pub(super) answered: PipeSet,
    /// Bounds the repetitions of our answer.
    pub(super) throttle: Throttle,
    /// When it is erased.
    pub(super) expires: Instant,
}

/// The session.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Confirmed {
    pub(super) remote: Token,
    pub(super) at: u64,
    pub(super) digest: [u8; 16],
    /// Channels used it.
    pub(super) used: bool,
    /// Something authenticated in it since the last look.
    pub(super) heard: bool,
    /// When to look again.
    pub(super) look: Instant,
    /// A ping waits for its answer.
    pub(super) pinged: Option<Pinged>,
    /// The peer confirmed it, too: it answered a ping in it, or sent data.
    pub(super) shared: bool,
    /// Pings until it did.
    pub(super) unsure: Option<Pings>,
    /// It is to be renewed as soon as may be.
    renew: bool,
    /// When that is.
    renew_from: Instant,
    /// When it is to be renewed if it is used.
    renew_used: Instant,
    /// From when on a handshake that may be a replay has it renewed.
    pub(super) challenge_from: Instant,
    /// Bounds the pings that such handshakes ask for until then.
    pub(super) doubts: Throttle,
}

/// A ping of the session that waits for its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Pinged {
    pub(super) pings: Option<Pings>,
    /// When silence is reason enough for a renewal.
    pub(super) patience: Instant,
}

/// A session that was renewed: it only receives, and that not for long. But it can be continued
/// until the peer is known to have the next one: where that was lost on the way, the peer erased it
/// unconfirmed and names this one still.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Renewed {
    pub(super) remote: Token,
    /// Until when it receives; `None` once its keys are erased.
    pub(super) until: Option<Instant>,
}

impl Unconfirmed {
    pub(super) fn forget(&mut self, slot: PipeSlot) {
        if self.source == Some(slot) {
            self.source = None;
        }
    }

    pub(super) fn ping(&self) -> Action {
        Action::Ping {
            remote: self.remote,
            to: self.source.map_or(Target::AllPipes, Target::PacketSource),
        }
    }
}

impl Confirmed {
    fn new(now: Instant, session: &Unconfirmed, lifetime: Duration, channels: Channels) -> Self {
        let renewed = channels == Channels::Kept;
        Self {
            remote: session.remote,
            at: session.at,
            digest: session.digest,
            used: false,
            heard: true,
            look: now + LISTEN_INTERVAL,
            pinged: None,
            shared: false,
            unsure: session.pings,
            renew: false,
            renew_from: now + RENEW_PAUSE,
            renew_used: now + lifetime,
            challenge_from: if renewed { now + RENEW_PAUSE } else { now },
            doubts: Throttle::at_once(now),
        }
    }

    /// When it is to be renewed.
    pub(super) fn renewal_due(&self) -> Option<Instant> {
        match (self.renew, self.used) {
            (true, _) => Some(self.renew_from),
            (false, true) => Some(self.renew_used.max(self.renew_from)),
            (false, false) => None,
        }
    }

    /// Something authenticated in it.
    pub(super) fn alive(&mut self, heard: Heard) {
        self.heard = true;
        self.pinged = None;
        if heard != Heard::Ping {
            self.shared = true;
            self.unsure = None;
        }
        self.used |= heard == Heard::Data;
    }
}

impl FreshRounds {
    /// A handshake led to a session, which is unconfirmed from now on. "At most 2": there is one
    /// place for each origin, unless the other's is free.
    pub(super) fn derived(
        &mut self,
        now: Instant,
        arrived: Arrived,
        origin: Origin,
        continues: Option<Token>,
    ) {
        if self.unconfirmed.len() >= MAX_UNCONFIRMED {
            // A peer that began a round has given up its earlier ones.
            let places = self.unconfirmed.iter().enumerate();
            let same = places.filter(|(_, other)| other.origin == origin);
            let lowest = same.min_by_key(|(_, other)| other.at);
            let remote = self
                .unconfirmed
                .remove(lowest.map_or(0, |(place, _)| place))
                .remote;
            self.actions.push_back(Action::Forget { remote });
        }
        let session = Unconfirmed {
            remote: arrived.remote,
            at: arrived.at,
            origin,
            digest: arrived.digest,
            continues,
            source: Some(arrived.pipe),
            pings: Some(Pings::new(now)),
            answered: PipeSet::of(arrived.pipe),
            throttle: Throttle::with(now, MAX_ANSWERS),
            expires: now + UNCONFIRMED_LIFE,
        };
        self.actions.push_back(session.ping());
        self.unconfirmed.reserve_exact(1);
        self.unconfirmed.push(session);
    }

    /// What a round of ours names: the session, and the one before it as long as the peer may know
    /// only that.
    pub(super) fn names(&self) -> [Option<Token>; 2] {
        let session = self.session.as_ref();
        let unsure = session.is_some_and(|session| !session.shared);
        let renewed = self.renewed.as_ref().filter(|_| unsure);
        [
            session.map(|session| session.remote),
            renewed.map(|renewed| renewed.remote),
        ]
    }

    /// Which of the sessions that a handshake names it continues: the newest that is confirmed here,
    /// or was before it was renewed, for the peer may not have confirmed the next one yet.
    pub(super) fn continued(&self, names: [Option<Token>; 2]) -> Option<Token> {
        let session = self.session.iter().map(|session| session.remote);
        let renewed = self.renewed.iter().map(|renewed| renewed.remote);
        session
            .chain(renewed)
            .find(|held| names.contains(&Some(*held)))
    }

    /// A packet authenticated in this session, or a handshake of the peer names it, which only who
    /// has confirmed it does and who holds its keys can. If it is unconfirmed it is the session from
    /// now on, unless that has a higher `at` already. Returns whether it became that.
    pub(super) fn confirm(&mut self, now: Instant, remote: Token) -> bool {
        let is_it = |session: &Unconfirmed| session.remote == remote;
        let Some(place) = self.unconfirmed.iter().position(is_it) else {
            return false;
        };
        let session = self.unconfirmed.remove(place);
        let present = self.session.as_ref();
        if present.is_some_and(|present| present.at > session.at) {
            self.actions.push_back(Action::Forget { remote });
            return false;
        }
        let channels = match (present, session.continues) {
            (None, _) => Channels::First,
            (Some(_), Some(_)) => Channels::Kept,
            (Some(_), None) => Channels::Reset,
        };
        self.retire(now, session.continues);
        let lifetime = self.lifetime(session.at);
        self.session = Some(Confirmed::new(now, &session, lifetime, channels));
        self.supersede();
        self.failures = 0;
        self.retry = None;
        self.actions
            .push_back(Action::Confirmed { remote, channels });
        if session.at > self.recorded {
            self.recorded = session.at;
            self.actions.push_back(Action::RecordAt(session.at));
        }
        true
    }

    /// The session makes room for the next: "a renewed session's old keys still receive for 10 s".
    /// Of it and the one before, the one that the next continues is left.
    fn retire(&mut self, now: Instant, continues: Option<Token>) {
        let until = now + RENEWED_LINGER;
        let before = self.renewed.take().map(|renewed| Renewed {
            until: renewed.until.and(Some(until)),
            ..renewed
        });
        let present = self.session.take().map(|session| Renewed {
            remote: session.remote,
            until: Some(until),
        });
        for held in before.into_iter().chain(present) {
            let remote = held.remote;
            if continues == Some(remote) {
                self.renewed = Some(held);
            } else {
                self.actions.push_back(Action::Forget { remote });
            }
        }
    }

    /// Erases what is left of a renewed session if the peer has the next one and the old keys have
    /// received for long enough.
    pub(super) fn drop_renewed(&mut self) {
        if !self.session.as_ref().is_some_and(|own| own.shared) {
            return;
        }
        if let Some(renewed) = self.renewed.take_if(|renewed| renewed.until.is_none()) {
            let remote = renewed.remote;
            self.actions.push_back(Action::Forget { remote });
        }
    }

    /// The peer is there and has this session: nothing else is waited for. What else is unconfirmed
    /// is a former life's or a replay's.
    fn supersede(&mut self) {
        self.drop_round();
        self.forced.answered();
        let others = self.unconfirmed.drain(..);
        let forget = others.map(|other| Action::Forget {
            remote: other.remote,
        });
        self.actions.extend(forget);
    }

    /// How long a session that is used lasts: an hour, and not the same at both ends.
    fn lifetime(&self, at: u64) -> Duration {
        let jitter = u64::from(draw(self.seed ^ at, 0)) * 100;
        let later = match self.order {
            Order::Odd => Duration::ZERO,
            Order::Even => EVEN_LATER,
        };
        RENEW_INTERVAL + later + Duration::from_millis(jitter)
    }

    /// Asks the peer on every pipe whether it is there.
    pub(super) fn ping_everywhere(&mut self, now: Instant) {
        self.ping(now, [Target::AllPipes]);
    }

    /// Pings in the session; until one is answered silence counts.
    pub(super) fn ping(&mut self, now: Instant, to: impl IntoIterator<Item = Target>) {
        let mut to = to.into_iter().peekable();
        let Some(session) = &mut self.session else {
            return;
        };
        // What was not asked will not be answered.
        if to.peek().is_none() {
            return;
        }
        let remote = session.remote;
        session.pinged.get_or_insert_with(|| Pinged {
            pings: Some(Pings::new(now)),
            patience: now + PING_PATIENCE,
        });
        let pings = to.map(|to| Action::Ping { remote, to });
        self.actions.extend(pings);
    }

    /// Renews the session, "but not within 30 s of the last one".
    pub(super) fn renew_soon(&mut self) {
        self.session.iter_mut().for_each(|own| own.renew = true);
    }

    /// A renewal stayed unanswered although the peer is alive: not again at once.
    pub(super) fn renew_later(&mut self, now: Instant) {
        if let Some(session) = &mut self.session {
            session.renew = false;
            session.renew_from = now + RENEW_PAUSE;
        }
    }

    /// Erases whatever there is, with all keys of it.
    pub(super) fn erase(&mut self, reason: DownReason) {
        self.session = None;
        self.renewed = None;
        self.unconfirmed.clear();
        self.own = None;
        self.retry = None;
        self.forced.cancel();
        self.actions.push_back(Action::Down(reason));
    }
}

#[cfg(test)]
mod rebase {
    use super::*;
    use crate::handshake::tests::rebased;

    impl Unconfirmed {
        pub(in crate::handshake) fn rebase(&mut self, now: Instant) {
            self.pings.iter_mut().for_each(|pings| pings.rebase(now));
            self.throttle.rebase(now);
            self.expires = rebased(self.expires, now);
        }
    }

    impl Confirmed {
        pub(in crate::handshake) fn rebase(&mut self, now: Instant) {
            self.look = rebased(self.look, now);
            self.renew_from = rebased(self.renew_from, now);
            self.renew_used = rebased(self.renew_used, now);
            self.challenge_from = rebased(self.challenge_from, now);
            self.doubts.rebase(now);
            self.unsure.iter_mut().for_each(|own| own.rebase(now));
            if let Some(pinged) = &mut self.pinged {
                pinged.pings.iter_mut().for_each(|own| own.rebase(now));
                pinged.patience = rebased(pinged.patience, now);
            }
        }
    }

    impl Renewed {
        pub(in crate::handshake) fn rebase(&mut self, now: Instant) {
            self.until
                .iter_mut()
                .for_each(|until| *until = rebased(*until, now));
        }
    }
}
