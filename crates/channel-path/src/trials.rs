//! What has to be found out about the pipes that traffic may take: whether one that is in doubt
//! works, and how large packets may be on it.

use alloc::vec::Vec;
use core::time::Duration;

use telehash_link::{Instant, Link, PathSource, PipeInfo, PipeSlot};

use crate::{PathAgent, asking::Purpose};

/// How often a packet size is tried, unanswered, before it counts as too large.
pub const SIZE_TRIES: u8 = 3;

/// Pause between two trials of a pipe that works: two round trips, but within these bounds.
const PAUSES: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(1));

/// How often a pipe in doubt is tried at that pace. Then the pause doubles with each trial.
const QUICK_TRIALS: u8 = 5;

/// Longest pause between two trials of a pipe that does not work.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// All trials of one link: at most one of each kind for each of its pipes.
#[derive(Debug, Default)]
pub(crate) struct Trials(Vec<Trial>);

#[derive(Clone, Copy, Debug)]
struct Trial {
    slot: PipeSlot,
    kind: Kind,
    next: Instant,
    /// Probes so far.
    tries: u8,
    /// How often it was looked at while the pipe was in doubt.
    looks: u8,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// The pipe is in doubt.
    Works,
    /// It may carry larger packets.
    Raise,
    /// It may have ceased to carry packets of the present size.
    Confirm,
}

impl Trials {
    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        self.0.iter().map(|trial| trial.next).min()
    }

    fn start(&mut self, slot: PipeSlot, kind: Kind, next: Instant) {
        let same = |trial: &&mut Trial| trial.slot == slot && trial.kind == kind;
        let fresh = Trial {
            slot,
            kind,
            next,
            tries: 0,
            looks: 0,
        };
        match self.0.iter_mut().find(same) {
            Some(trial) => *trial = fresh,
            None => self.0.push(fresh),
        }
    }

    fn is_under_way(&self, slot: PipeSlot, kind: Kind) -> bool {
        let same = |trial: &Trial| trial.slot == slot && trial.kind == kind;
        self.0.iter().any(same)
    }

    fn end(&mut self, slot: PipeSlot, kind: Kind) {
        self.0
            .retain(|trial| trial.slot != slot || trial.kind != kind);
    }

    fn take_due(&mut self, now: Instant) -> Vec<Trial> {
        self.0.extract_if(.., |trial| trial.next <= now).collect()
    }
}

impl PathAgent {
    /// Every pipe has to prove that it works, and that it carries packets of the present size.
    pub(crate) fn try_doubted(&mut self, now: Instant, link: &mut Link) {
        let doubted: Vec<PipeInfo> = link.pipes().filter(|pipe| pipe.doubted).collect();
        for pipe in doubted {
            self.trials.start(pipe.slot, Kind::Works, now);
            if link.size_to_confirm(pipe.slot).is_some() {
                self.trials.start(pipe.slot, Kind::Confirm, now);
            }
        }
        self.run_trials(now, link);
    }

    /// Finds out how large packets may be, and whether pipes that the application named and that
    /// never answered have begun to work.
    pub(crate) fn try_pipes(&mut self, now: Instant, link: &mut Link) {
        let pipes: Vec<PipeInfo> = link.pipes().collect();
        for pipe in pipes {
            self.raise(now, link, pipe.slot);
            if is_doubtful(&pipe) && !self.trials.is_under_way(pipe.slot, Kind::Works) {
                self.trials.start(pipe.slot, Kind::Works, now);
            }
        }
        self.run_trials(now, link);
    }

    pub(crate) fn run_trials(&mut self, now: Instant, link: &mut Link) {
        for trial in self.trials.take_due(now) {
            let pipe = link.pipes().find(|pipe| pipe.slot == trial.slot);
            if let Some(pipe) = pipe {
                self.run_trial(now, link, trial, pipe);
            }
        }
    }

    /// A probe of this size came through.
    pub(crate) fn size_proved(
        &mut self,
        now: Instant,
        link: &mut Link,
        slot: PipeSlot,
        size: usize,
    ) {
        link.size_proved(slot, size);
        if link.size_to_confirm(slot).is_some_and(|now| now <= size) {
            self.trials.end(slot, Kind::Confirm);
        }
        self.trials.end(slot, Kind::Raise);
        self.raise(now, link, slot);
        self.run_trials(now, link);
    }

    /// Where the peer came from may be where it is now, though all first checks of it were lost.
    fn try_arrived(&mut self, now: Instant, link: &mut Link) {
        let arrived = |pipe: &PipeInfo| !pipe.validated && pipe.source == PathSource::Arrived;
        for pipe in link.pipes().filter(arrived).collect::<Vec<_>>() {
            self.ask(now, link, Purpose::Check(pipe.slot), Vec::new());
        }
    }

    fn raise(&mut self, now: Instant, link: &Link, slot: PipeSlot) {
        match link.size_to_probe(slot) {
            Some(_) if self.trials.is_under_way(slot, Kind::Raise) => {}
            Some((at, _)) => self.trials.start(slot, Kind::Raise, at.max(now)),
            None => self.trials.end(slot, Kind::Raise),
        }
    }

    fn run_trial(&mut self, now: Instant, link: &mut Link, mut trial: Trial, pipe: PipeInfo) {
        let slot = trial.slot;
        if is_doubtful(&pipe) {
            // As long as small packets do not come through either, size is not what ails it.
            if trial.kind == Kind::Works {
                self.ask(now, link, Purpose::Check(slot), Vec::new());
                if pipe.active {
                    self.try_arrived(now, link);
                }
            }
            trial.looks = trial.looks.saturating_add(1);
            trial.next = now + pause_in_doubt(&pipe, trial.looks);
            return self.trials.0.push(trial);
        }
        let size = match trial.kind {
            Kind::Works => None,
            Kind::Raise => link.size_to_probe(slot).map(|(_, size)| size),
            Kind::Confirm => link.size_to_confirm(slot),
        };
        let Some(size) = size else { return };
        if trial.tries >= SIZE_TRIES {
            link.size_failed(now, slot, size);
            return self.raise(now, link, slot);
        }
        self.ask(now, link, Purpose::Size(slot, size), Vec::new());
        trial.tries += 1;
        trial.next = now + pause(&pipe);
        self.trials.0.push(trial);
    }
}

/// Whether a pipe has to prove that it works. What a peer offered or came from has checks of its own,
/// and more of these while the pipe that sends is in doubt.
fn is_doubtful(pipe: &PipeInfo) -> bool {
    pipe.doubted || (!pipe.validated && pipe.source == PathSource::Dialed)
}

fn pause(pipe: &PipeInfo) -> Duration {
    let (shortest, longest) = PAUSES;
    (pipe.rtt.unwrap_or_default() * 2).clamp(shortest, longest)
}

fn pause_in_doubt(pipe: &PipeInfo, looks: u8) -> Duration {
    let doublings = u32::from(looks.saturating_sub(QUICK_TRIALS).min(16));
    LONGEST_PAUSE.min(pause(pipe) * (1 << doublings))
}
