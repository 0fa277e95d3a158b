//! What time brings: repetitions, pings, renewals, the end of patience.

use telehash_e3x::Instant;

use super::{Action, FreshRounds, send::OwnRound, sessions::Unconfirmed};
use crate::handshake::{actions::Target, limits::LISTEN_INTERVAL, targets::Targets};

impl FreshRounds {
    /// When [`handle_timeout`](Self::handle_timeout) wants to be called; ask again after any call.
    #[must_use]
    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        let own = self.own.as_ref();
        let times = [
            own.map(OwnRound::deadline),
            own.and_then(OwnRound::resend_due),
            self.unconfirmed.iter().filter_map(Unconfirmed::due).min(),
            self.renewed.as_ref().and_then(|renewed| renewed.until),
            self.session_due(),
            self.renewal_due(),
            self.forced.due(),
            self.retry,
        ];
        times.into_iter().flatten().min()
    }

    /// Time passed. Spurious calls are harmless.
    pub(crate) fn handle_timeout(&mut self, now: Instant, clock: u64) {
        let is_due = |at: Option<Instant>| at.is_some_and(|at| at <= now);
        self.expire(now);
        if is_due(self.own.as_ref().map(OwnRound::deadline)) {
            self.give_up(now);
        }
        if is_due(self.own.as_ref().and_then(OwnRound::resend_due)) {
            self.resend(now);
        }
        if let Some(mut targets) = self.forced.take_due(now) {
            if self.session.is_some() {
                // It came to be while this waited: its peer is to be asked, too.
                targets.merge(Targets::validated());
            }
            self.fire(now, clock, targets);
        }
        self.tend_session(now);
        if is_due(self.renewal_due()) {
            self.renew_later(now);
            self.fire(now, clock, Targets::all());
        }
        if is_due(self.retry) {
            self.retry = None;
            self.fire(now, clock, Targets::all());
        }
    }

    /// Repeats the pings of unconfirmed sessions; erases those, and a renewed one, whose time is up.
    fn expire(&mut self, now: Instant) {
        if let Some(renewed) = &mut self.renewed
            && renewed.until.take_if(|until| *until <= now).is_some()
        {
            let remote = renewed.remote;
            self.actions.push_back(Action::Mute { remote });
            self.drop_renewed();
        }
        let before = self.unconfirmed.len();
        let actions = &mut self.actions;
        self.unconfirmed.retain_mut(|session| {
            if session.expires <= now {
                let remote = session.remote;
                actions.push_back(Action::Forget { remote });
                return false;
            }
            if let Some(pings) = session.pings.take_if(|pings| pings.due() <= now) {
                session.pings = pings.advance(now);
                actions.push_back(session.ping());
            }
            true
        });
        if self.unconfirmed.len() < before {
            self.unreachable(now);
        }
    }

    /// Keeps the pipes of the session alive, and looks after its peer.
    fn tend_session(&mut self, now: Instant) {
        let Some(session) = &mut self.session else {
            return;
        };
        let mut look = false;
        if session.look <= now {
            session.look = now + LISTEN_INTERVAL;
            look = !core::mem::replace(&mut session.heard, false);
        }
        let mut again = false;
        if let Some(pings) = session.unsure.take_if(|pings| pings.due() <= now) {
            session.unsure = pings.advance(now);
            again = true;
        }
        let mut silent = false;
        if let Some(pinged) = &mut session.pinged {
            if let Some(pings) = pinged.pings.take_if(|pings| pings.due() <= now) {
                pinged.pings = pings.advance(now);
                again = true;
            }
            silent = pinged.patience <= now;
        }
        if silent {
            session.pinged = None;
        }
        let quiet = self.pipes.take_due(now);
        self.ping(now, quiet.iter().map(Target::Pipe));
        if look || again && !silent {
            self.ping(now, [Target::ValidatedPipes]);
        }
        if silent {
            self.renew_soon();
        }
    }

    fn session_due(&self) -> Option<Instant> {
        let session = self.session.as_ref()?;
        let pinged = session.pinged.as_ref();
        let times = [
            Some(session.look),
            session.unsure.map(|pings| pings.due()),
            pinged.map(|pinged| pinged.patience),
            pinged
                .and_then(|pinged| pinged.pings)
                .map(|pings| pings.due()),
            self.pipes.next(),
        ];
        times.into_iter().flatten().min()
    }

    /// "Nor beside a running round", or what it led to.
    fn renewal_due(&self) -> Option<Instant> {
        let idle = self.own.is_none() && self.unconfirmed.is_empty();
        self.session.as_ref().filter(|_| idle)?.renewal_due()
    }
}

impl Unconfirmed {
    fn due(&self) -> Option<Instant> {
        let pings = self.pings.map(|pings| pings.due());
        Some(pings.map_or(self.expires, |due| due.min(self.expires)))
    }
}
