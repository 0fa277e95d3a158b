//! When a pipe is suspected of carrying nothing any more (links.md, "Pipes of a link, roaming").

use core::time::Duration;

use telehash_e3x::Instant;

/// How long nothing may come back for what was sent on a pipe. Where packets get lost a few timeouts
/// in a row must have passed as well.
const PATIENCE: Duration = Duration::from_millis(250);

/// The same on a pipe that delivers everything, where nothing is sent again: a stall of the network
/// shows as a delay.
const RELIABLE_PATIENCE: Duration = Duration::from_secs(1);

/// Unanswered timeouts in a row that it takes besides.
const TIMEOUTS: u32 = 2;

/// How often the patience doubles, each time the suspicion was wrong.
const DOUBLINGS: u32 = 5;

/// Watches one pipe for answers.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stall {
    reliable: bool,
    /// Since when something has been under way that nothing answered.
    waiting_since: Option<Instant>,
    /// Timeouts since.
    timeouts: u32,
    /// Wrong suspicions since the last answer.
    alarms: u32,
    /// It was reported, and nobody said yet what came of it.
    reported: bool,
}

impl Stall {
    pub(super) const fn new(reliable: bool) -> Self {
        Self {
            reliable,
            waiting_since: None,
            timeouts: 0,
            alarms: 0,
            reported: false,
        }
    }

    /// Something leaves that will be acknowledged.
    pub(super) fn on_sent(&mut self, now: Instant) {
        self.waiting_since.get_or_insert(now);
    }

    /// What was sent was not answered in time.
    pub(super) fn on_timeout(&mut self) {
        self.timeouts += 1;
    }

    /// An open was not answered in time. That takes so long that once is enough.
    pub(super) fn on_open_timeout(&mut self) {
        self.timeouts += TIMEOUTS;
    }

    /// Something of it arrived; `more` says whether anything is still under way.
    pub(super) fn on_arrived(&mut self, now: Instant, more: bool) {
        *self = Self::new(self.reliable);
        self.waiting_since = more.then_some(now);
    }

    /// The pipe proved that it works.
    pub(super) fn on_proof(&mut self, now: Instant) {
        if self.reported {
            self.reported = false;
            self.alarms += 1;
            self.timeouts = 0;
            self.waiting_since = self.waiting_since.map(|_| now);
        }
    }

    /// When the pipe becomes suspect by time alone.
    pub(super) fn deadline(&self) -> Option<Instant> {
        let since = self
            .waiting_since
            .filter(|_| self.reliable && !self.reported)?;
        Some(since + self.patience())
    }

    /// Whether the pipe is suspect now. Says so once.
    pub(super) fn is_suspect(&mut self, now: Instant) -> bool {
        let late = self
            .waiting_since
            .is_some_and(|since| since + self.patience() <= now);
        let suspect = late && !self.reported && (self.reliable || self.timeouts >= TIMEOUTS);
        self.reported |= suspect;
        suspect
    }

    fn patience(&self) -> Duration {
        let first = if self.reliable {
            RELIABLE_PATIENCE
        } else {
            PATIENCE
        };
        first * (1 << self.alarms.min(DOUBLINGS))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Instant = Instant::from_micros(7);

    #[test]
    fn a_pipe_is_suspect_once_after_timeouts_and_some_time() {
        let mut stall = Stall::new(false);
        assert!(!stall.is_suspect(START + PATIENCE), "nothing was sent");
        stall.on_sent(START);
        stall.on_sent(START + PATIENCE / 2);
        stall.on_timeout();
        assert!(
            !stall.is_suspect(START + PATIENCE),
            "one timeout says little"
        );
        stall.on_timeout();
        assert!(
            !stall.is_suspect(START + PATIENCE / 2),
            "nor does a short time"
        );
        assert!(stall.is_suspect(START + PATIENCE));
        assert!(!stall.is_suspect(START + PATIENCE * 9), "said before");
        assert_eq!(stall.deadline(), None);
    }

    #[test]
    fn a_pipe_that_delivers_everything_is_suspect_by_time_alone() {
        let mut stall = Stall::new(true);
        stall.on_sent(START);
        assert_eq!(stall.deadline(), Some(START + RELIABLE_PATIENCE));
        assert!(stall.is_suspect(START + RELIABLE_PATIENCE));
        assert_eq!(stall.deadline(), None);
    }

    #[test]
    fn an_answer_ends_the_suspicion_and_a_wrong_one_makes_it_slower() {
        let mut stall = Stall::new(false);
        stall.on_sent(START);
        stall.on_open_timeout();
        assert!(stall.is_suspect(START + PATIENCE));
        let proof = START + PATIENCE * 2;
        stall.on_proof(proof);
        stall.on_open_timeout();
        assert!(!stall.is_suspect(proof + PATIENCE));
        assert!(stall.is_suspect(proof + PATIENCE * 2));
        stall.on_arrived(proof, false);
        stall.on_open_timeout();
        assert!(
            !stall.is_suspect(proof + PATIENCE * 99),
            "nothing is under way"
        );
        stall.on_sent(proof);
        assert!(
            stall.is_suspect(proof + PATIENCE),
            "patience is short again"
        );
    }
}
