//! When pipes need a sign of life (links.md, "Resend, keepalive, giving up").

use alloc::vec::Vec;
use core::time::Duration;

use telehash_e3x::Instant;

use super::targets::PipeSet;
use crate::PipeSlot;

/// The pipes of a link, as far as keepalives go. As many as the pipe table has: it adds and removes
/// them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Keepalives(Vec<Pipe>);

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Pipe {
    slot: PipeSlot,
    interval: Duration,
    /// When nothing will have been sent for the interval.
    due: Instant,
    /// The same for what the peer sends, from our first packet on that it has not answered.
    unanswered: Option<Instant>,
    validated: bool,
}

impl Keepalives {
    /// Takes a pipe on, or begins anew with the one in this slot.
    pub(crate) fn add(&mut self, now: Instant, slot: PipeSlot, interval: Duration) {
        self.remove(slot);
        self.0.push(Pipe {
            slot,
            interval,
            due: now + interval,
            unanswered: None,
            validated: false,
        });
    }

    pub(crate) fn remove(&mut self, slot: PipeSlot) {
        self.0.retain(|pipe| pipe.slot != slot);
    }

    pub(crate) fn validate(&mut self, slot: PipeSlot) {
        if let Some(pipe) = self.get_mut(slot) {
            pipe.validated = true;
        }
    }

    /// Something goes out on this pipe now.
    pub(crate) fn sent(&mut self, now: Instant, slot: PipeSlot) {
        if let Some(pipe) = self.get_mut(slot) {
            pipe.due = now + pipe.interval;
            pipe.unanswered.get_or_insert(pipe.due);
        }
    }

    /// The peer is alive, whichever pipe says so.
    pub(crate) fn heard(&mut self) {
        self.0.iter_mut().for_each(|pipe| pipe.unanswered = None);
    }

    pub(crate) fn validated(&self) -> PipeSet {
        self.collect(|pipe| pipe.validated)
    }

    pub(crate) fn all(&self) -> PipeSet {
        self.collect(|_| true)
    }

    /// When the next pipe is due.
    pub(crate) fn next(&self) -> Option<Instant> {
        self.kept().map(Pipe::due).min()
    }

    /// The pipes on which nothing was sent for their interval, or what was sent brought no answer.
    /// They count as sent on from now, so that a pipe which cannot send is not asked again at once.
    pub(crate) fn take_due(&mut self, now: Instant) -> PipeSet {
        let mut due = PipeSet::default();
        self.kept()
            .filter(|pipe| pipe.due() <= now)
            .for_each(|pipe| due.insert(pipe.slot));
        for slot in due.iter() {
            if let Some(pipe) = self.get_mut(slot) {
                pipe.unanswered = None;
            }
            self.sent(now, slot);
        }
        due
    }

    /// The pipes worth keeping alive: the validated ones, or all until one is. Others may be the
    /// address of an attacker that replayed something.
    fn kept(&self) -> impl Iterator<Item = &Pipe> {
        let any = self.0.iter().any(|pipe| pipe.validated);
        self.0.iter().filter(move |pipe| pipe.validated || !any)
    }

    fn collect(&self, wanted: impl Fn(&Pipe) -> bool) -> PipeSet {
        let mut set = PipeSet::default();
        self.0
            .iter()
            .filter(|pipe| wanted(pipe))
            .for_each(|pipe| set.insert(pipe.slot));
        set
    }

    fn get_mut(&mut self, slot: PipeSlot) -> Option<&mut Pipe> {
        self.0.iter_mut().find(|pipe| pipe.slot == slot)
    }

    #[cfg(test)]
    pub(crate) fn rebase(&mut self, now: Instant) {
        for pipe in &mut self.0 {
            pipe.due = super::tests::rebased(pipe.due, now);
            pipe.unanswered = pipe.unanswered.map(|at| super::tests::rebased(at, now));
        }
    }
}

impl Pipe {
    fn due(&self) -> Instant {
        self.unanswered.map_or(self.due, |at| at.min(self.due))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const UDP: Duration = Duration::from_secs(30);
    const TCP: Duration = Duration::from_secs(300);
    const START: Instant = Instant::from_micros(0);

    fn due(keepalives: &mut Keepalives, now: Instant) -> Vec<PipeSlot> {
        keepalives.take_due(now).iter().collect()
    }

    #[test]
    fn each_pipe_has_its_own_interval_since_the_last_packet() {
        let mut pipes = Keepalives::default();
        pipes.add(START, PipeSlot(0), UDP);
        pipes.add(START, PipeSlot(1), TCP);
        pipes.sent(START + UDP / 2, PipeSlot(0));
        assert_eq!(due(&mut pipes, START + UDP), []);
        assert_eq!(pipes.next(), Some(START + UDP * 3 / 2));
        assert_eq!(due(&mut pipes, START + UDP * 3 / 2), [PipeSlot(0)]);
        assert_eq!(due(&mut pipes, START + TCP), [PipeSlot(0), PipeSlot(1)]);
        assert_eq!(due(&mut pipes, START + TCP), []);
    }

    #[test]
    fn what_is_sent_postpones_nothing_while_the_peer_is_silent() {
        let mut pipes = Keepalives::default();
        pipes.add(START, PipeSlot(0), UDP);
        pipes.add(START, PipeSlot(1), TCP);
        let second = Duration::from_secs(1);
        (1..30).for_each(|n| pipes.sent(START + second * n, PipeSlot(0)));
        assert_eq!(pipes.next(), Some(START + second + UDP));
        pipes.heard();
        assert_eq!(pipes.next(), Some(START + second * 29 + UDP));
        (30..60).for_each(|n| pipes.sent(START + second * n, PipeSlot(0)));
        assert_eq!(due(&mut pipes, START + second * 60), [PipeSlot(0)]);
        assert_eq!(pipes.next(), Some(START + second * 60 + UDP));
    }

    #[test]
    fn an_unvalidated_pipe_is_left_alone_once_another_is_validated() {
        let mut pipes = Keepalives::default();
        pipes.add(START, PipeSlot(0), UDP);
        pipes.add(START, PipeSlot(1), UDP);
        assert_eq!(due(&mut pipes, START + UDP), [PipeSlot(0), PipeSlot(1)]);
        pipes.validate(PipeSlot(1));
        assert_eq!(due(&mut pipes, START + UDP * 2), [PipeSlot(1)]);
        pipes.remove(PipeSlot(1));
        assert_eq!(due(&mut pipes, START + UDP * 3), [PipeSlot(0)]);
    }
}
