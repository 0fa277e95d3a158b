//! What time brings: repetitions, reports, keepalives, the end of patience.

use telehash_e3x::Instant;

use super::{Rounds, send::Purpose};
use crate::{
    DownReason,
    handshake::{resend::backoff, targets::Targets},
};

impl Rounds {
    /// When [`handle_timeout`](Self::handle_timeout) wants to be called; ask again after any call.
    #[must_use]
    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        let session = self.session.as_ref();
        let times = [
            self.deadline,
            self.retry,
            self.forced.due(),
            self.resend_due(),
            session.and_then(|session| session.confirm),
            session.and_then(|session| session.probe),
            self.keepalive_due(),
        ];
        times.into_iter().flatten().min()
    }

    /// Time passed. Spurious calls are harmless.
    pub(crate) fn handle_timeout(&mut self, now: Instant, unix: u64) {
        let is_due = |at: Option<Instant>| at.is_some_and(|at| at <= now);
        if is_due(self.deadline) {
            self.give_up(now);
        }
        if is_due(self.resend_due()) {
            self.resend(now, unix);
        }
        if let Some(mut targets) = self.forced.take_due(now) {
            if self.session.is_some() {
                // It came to be while this waited: its peer is to be asked, too.
                targets.merge(Targets::validated());
            }
            self.fire(now, unix, targets, Purpose::Challenge);
        }
        if is_due(self.session.as_ref().and_then(|session| session.probe)) {
            self.probe(now, unix);
        }
        if is_due(self.session.as_ref().and_then(|session| session.confirm)) {
            self.confirm();
        }
        if is_due(self.retry) {
            self.retry = None;
            self.fire(now, unix, Targets::all(), Purpose::Plain);
        }
        if is_due(self.keepalive_due()) {
            self.keep_alive(now, unix);
        }
    }

    fn resend_due(&self) -> Option<Instant> {
        self.own.as_ref()?.schedule.map(|schedule| schedule.due())
    }

    /// A round that waits for its answer is sign of life enough.
    fn keepalive_due(&self) -> Option<Instant> {
        let idle = self.session.is_some() && self.deadline.is_none();
        if idle { self.pipes.next() } else { None }
    }

    /// "Give up at 30 s: `Down`, session erased"; "unanswered on every pipe for 30 s: `Down`". "A
    /// `Down` link that the application still wants retries with backoff and jitter."
    fn give_up(&mut self, now: Instant) {
        self.erase(match self.session {
            Some(_) => DownReason::Silent,
            None => DownReason::Unreachable,
        });
        if self.wanted {
            self.failures = self.failures.saturating_add(1);
            self.retry = Some(now + backoff(self.failures, self.seed));
        }
    }

    /// Nothing but one handshake speaks for the session so far: asks back.
    fn probe(&mut self, now: Instant, unix: u64) {
        let Some(session) = &mut self.session else {
            return;
        };
        session.probe = None;
        let source = session.source;
        let targets = Targets::validated();
        let targets = source.map_or(targets, |pipe| targets.and_source(pipe));
        self.fire(now, unix, targets, Purpose::Plain);
    }
}
