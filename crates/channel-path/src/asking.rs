//! What we ask the peer: rounds that tell our paths, pings, and checks of single pipes.

use alloc::vec::Vec;
use core::time::Duration;

use telehash_hashname::Path;
use telehash_link::{ChannelId, Instant, Link, Open, OpenError, PipeSlot};

use crate::{
    PathAgent, PathEvent, PingId,
    wire::{PathAnswer, PathOpen, TYPE},
};

/// Limit: questions of ours that wait for answers on one link. At the limit a ping fails, and a
/// round or check is left out.
pub const MAX_QUESTIONS: usize = 64;

/// How often a new pipe is asked for a round trip before it is left alone. With the handshake and
/// the answer that go there, five packets. Once the peer came by it, it is asked as often again.
pub const MAX_CHECKS: u8 = 3;

/// Least time between two rounds on one link, and between two checks of a pipe.
pub const ROUND_INTERVAL: Duration = Duration::from_secs(1);

/// How long answers to a round or a check are collected.
pub const ANSWER_WAIT: Duration = Duration::from_secs(5);

#[derive(Debug, Default)]
pub(crate) struct Asking {
    questions: Vec<Question>,
    checks: Vec<Check>,
    last_round: Option<Instant>,
    next_round: Option<Instant>,
    /// The newest round was answered.
    heard: bool,
    /// The next round would only say again what the newest said, in case that was lost.
    repeats: bool,
    seen_as: Vec<(PipeSlot, Path)>,
    next_ping: u64,
}

/// A path channel that we opened.
#[derive(Debug)]
struct Question {
    channel: ChannelId,
    purpose: Purpose,
    /// The pipe that the open went by.
    via: Option<PipeSlot>,
    sent: Instant,
    until: Instant,
    heard: Vec<PipeSlot>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    Round,
    Ping(PingId),
    Check(PipeSlot),
    /// Whether the pipe carries packets of so many bytes.
    Size(PipeSlot, usize),
}

/// A pipe that has to prove a round trip before traffic goes there.
#[derive(Debug)]
struct Check {
    slot: PipeSlot,
    left: u8,
    next: Instant,
}

impl Asking {
    /// What stays when the session is gone.
    pub(crate) fn continued(before: &Self) -> Self {
        Self {
            last_round: before.last_round,
            next_ping: before.next_ping,
            ..Self::default()
        }
    }

    pub(crate) fn owns(&self, id: ChannelId) -> bool {
        self.questions.iter().any(|question| question.channel == id)
    }

    pub(crate) fn channel_of(&self, ping: PingId) -> Option<ChannelId> {
        let asks = |question: &&Question| question.purpose == Purpose::Ping(ping);
        self.questions
            .iter()
            .find(asks)
            .map(|question| question.channel)
    }

    /// Whether a round may start; if it is too early, one is due later.
    pub(crate) fn round_allowed(&mut self, now: Instant) -> bool {
        self.repeats = false;
        match self.last_round.map(|last| last + ROUND_INTERVAL) {
            Some(next) if next > now => {
                self.next_round = Some(next);
                false
            }
            _ => {
                self.last_round = Some(now);
                self.next_round = None;
                self.heard = false;
                true
            }
        }
    }

    /// The peer can answer from now on. A round that may have come too early, and that is not answered
    /// soon, is repeated.
    pub(crate) fn repeat_round(&mut self) {
        if !self.heard && self.next_round.is_none() {
            self.next_round = self.last_round.map(|last| last + ROUND_INTERVAL);
            self.repeats = true;
        }
    }

    fn round_heard(&mut self) {
        self.heard = true;
        if core::mem::take(&mut self.repeats) {
            self.next_round = None;
        }
    }

    /// Whether a question leaves by this pipe in this very moment.
    fn asks_by(&self, now: Instant, slot: PipeSlot) -> bool {
        let asks = |question: &Question| question.sent == now && question.via == Some(slot);
        let small = |question: &Question| !matches!(question.purpose, Purpose::Size(..));
        self.questions
            .iter()
            .any(|question| asks(question) && small(question))
    }

    pub(crate) fn round_is_due(&self, now: Instant) -> bool {
        self.next_round.is_some_and(|next| next <= now)
    }

    /// The pipe is decided: no more checks of it.
    pub(crate) fn checked(&mut self, slot: PipeSlot) {
        self.checks.retain(|check| check.slot != slot);
    }

    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        let questions = self.questions.iter().map(|question| question.until);
        let checks = self.checks.iter().map(|check| check.next);
        questions.chain(checks).chain(self.next_round).min()
    }

    /// Gives back what questions needed that are answered.
    pub(crate) fn trim(&mut self) {
        self.questions.shrink_to_fit();
        self.checks.shrink_to_fit();
        self.seen_as.shrink_to_fit();
    }

    fn take(&mut self, id: ChannelId) -> Option<Question> {
        let at = self
            .questions
            .iter()
            .position(|question| question.channel == id)?;
        Some(self.questions.swap_remove(at))
    }
}

impl PathAgent {
    /// Asks, unless the link is down or too much is open already: whoever needs the answer asks
    /// again. Any question that leaves by a pipe at the same time checks the pipe as well.
    pub(crate) fn ask(
        &mut self,
        now: Instant,
        link: &mut Link,
        purpose: Purpose,
        paths: Vec<Path>,
    ) {
        if let Purpose::Check(slot) = purpose
            && self.asking.asks_by(now, slot)
        {
            return;
        }
        let _ = self.try_ask(now, link, purpose, paths, ANSWER_WAIT);
    }

    pub(crate) fn start_ping(
        &mut self,
        now: Instant,
        link: &mut Link,
        wait: Duration,
    ) -> Result<PingId, OpenError> {
        self.asking.next_ping += 1;
        let ping = PingId(self.asking.next_ping);
        self.try_ask(now, link, Purpose::Ping(ping), Vec::new(), wait)?;
        Ok(ping)
    }

    fn try_ask(
        &mut self,
        now: Instant,
        link: &mut Link,
        purpose: Purpose,
        paths: Vec<Path>,
        wait: Duration,
    ) -> Result<(), OpenError> {
        if self.asking.questions.len() >= MAX_QUESTIONS {
            return Err(OpenError::TooMany {
                limit: MAX_QUESTIONS,
            });
        }
        let open = Open::unreliable(TYPE).head(PathOpen::offering(paths).to_head());
        let (open, via) = match purpose {
            Purpose::Round | Purpose::Ping(_) => (open, link.active_pipe()),
            Purpose::Check(slot) => (open.pipe(slot), Some(slot)),
            Purpose::Size(slot, size) => {
                let probe = link.open_probe(open, slot, size);
                (probe.ok_or(OpenError::NoSuchPipe)?, Some(slot))
            }
        };
        let channel = link.open(now, open)?;
        let until = now + wait;
        self.asking.questions.push(Question {
            channel,
            purpose,
            via,
            sent: now,
            until,
            heard: Vec::new(),
        });
        Ok(())
    }

    /// Wants a round trip through this pipe.
    pub(crate) fn check(&mut self, now: Instant, link: &mut Link, slot: PipeSlot) {
        self.await_check(now, slot);
        self.repeat_checks(now, link);
    }

    /// The same, once the link has said what else it has to say now: that may be a check already.
    pub(crate) fn await_check(&mut self, now: Instant, slot: PipeSlot) {
        if !self.asking.checks.iter().any(|check| check.slot == slot) {
            self.asking.checks.push(Check {
                slot,
                left: MAX_CHECKS,
                next: now,
            });
        }
    }

    /// The peer came by this pipe. A check of ours that went there before may have been lost in a NAT
    /// that lets nobody in but whom it was sent to; now it was.
    pub(crate) fn check_anew(&mut self, now: Instant, link: &mut Link, slot: PipeSlot) {
        self.asking.checked(slot);
        self.check(now, link, slot);
    }

    pub(crate) fn repeat_checks(&mut self, now: Instant, link: &mut Link) {
        let mut due = Vec::new();
        self.asking.checks.retain_mut(|check| {
            if check.next > now {
                return true;
            }
            if check.left > 0 {
                due.push(check.slot);
            }
            check.next = now + ROUND_INTERVAL;
            check.left = check.left.saturating_sub(1);
            check.left > 0
        });
        for slot in due {
            self.ask(now, link, Purpose::Check(slot), Vec::new());
        }
    }

    pub(crate) fn read_answers(&mut self, now: Instant, link: &mut Link, id: ChannelId) {
        while let Ok(Some(packet)) = link.read(now, id) {
            let Some(pipe) = packet.pipe else { continue };
            let answer = packet
                .head
                .as_deref()
                .map(PathAnswer::from_head)
                .unwrap_or_default();
            self.handle_answer(now, link, id, pipe, answer);
        }
    }

    fn handle_answer(
        &mut self,
        now: Instant,
        link: &mut Link,
        id: ChannelId,
        pipe: PipeSlot,
        answer: PathAnswer,
    ) {
        let questions = &mut self.asking.questions;
        let Some(question) = questions.iter_mut().find(|question| question.channel == id) else {
            return;
        };
        if question.heard.contains(&pipe) {
            return;
        }
        question.heard.push(pipe);
        let rtt = now.saturating_duration_since(question.sent);
        let (purpose, via) = (question.purpose, question.via);
        // Only what comes back by the pipe that the open went by is a round trip through it. Channel
        // ids can be guessed: from elsewhere, who offered us a path could answer for whoever is there.
        if via == Some(pipe) {
            link.validate_pipe(now, pipe, rtt);
            if let Purpose::Size(slot, size) = purpose {
                self.size_proved(now, link, slot, size);
            }
        }
        match purpose {
            Purpose::Ping(ping) => self.push_event(PathEvent::Pong { ping, pipe, rtt }),
            Purpose::Round => self.asking.round_heard(),
            Purpose::Check(_) | Purpose::Size(..) => {}
        }
        if let Some(path) = answer.path.filter(Path::is_known) {
            self.note_seen_as(pipe, path);
        }
    }

    /// One address for each pipe, and news only when it changed.
    fn note_seen_as(&mut self, pipe: PipeSlot, path: Path) {
        let known = self
            .asking
            .seen_as
            .iter_mut()
            .find(|(slot, _)| *slot == pipe);
        match known {
            Some((_, known)) if *known == path => return,
            Some((_, known)) => *known = path.clone(),
            None => self.asking.seen_as.push((pipe, path.clone())),
        }
        self.push_event(PathEvent::SeenAs { pipe, path });
    }

    pub(crate) fn expire_questions(&mut self, now: Instant, link: &mut Link) {
        let over = self
            .asking
            .questions
            .iter()
            .filter(|question| question.until <= now);
        for id in over.map(|question| question.channel).collect::<Vec<_>>() {
            self.end_question(id);
            self.retire(now, link, id);
        }
    }

    pub(crate) fn end_question(&mut self, id: ChannelId) {
        if let Some(Question {
            purpose: Purpose::Ping(ping),
            ..
        }) = self.asking.take(id)
        {
            self.push_event(PathEvent::PingOver(ping));
        }
    }

    pub(crate) fn end_pings(&mut self) {
        let open = self
            .asking
            .questions
            .iter()
            .map(|question| question.channel);
        for id in open.collect::<Vec<_>>() {
            self.end_question(id);
        }
    }
}
