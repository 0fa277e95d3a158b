//! Whether a pipe still works: what traffic moves by (links.md, "Pipes of a link, roaming").

use core::time::Duration;

use telehash_e3x::Instant;

/// How much longer than two round trips a doubted pipe has to prove itself before another takes
/// over.
const GRACE: Duration = Duration::from_millis(150);

/// How long a pipe that traffic fled from stays away although it works again, the first time. It
/// doubles each time, so that traffic does not swing between pipes.
const FIRST_PENALTY: Duration = Duration::from_secs(1);

/// How often the penalty doubles.
const DOUBLINGS: u32 = 6;

/// When a fall is forgotten.
const FALL_MEMORY: Duration = Duration::from_secs(120);

/// How long the sending pipe may be silent while the peer's data comes by another, before it is
/// doubted. It doubles whenever that was wrong.
const QUIET: Duration = Duration::from_millis(250);

/// What is thought of one pipe.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Standing {
    /// Since when the pipe has to prove that it works.
    doubted: Option<Instant>,
    /// When it may carry traffic again, after traffic fled from it.
    banned_until: Option<Instant>,
    fell_at: Option<Instant>,
    falls: u32,
    /// Doubts in a row that were wrong.
    wrong: u32,
}

impl Standing {
    /// The pipe has to prove that it works.
    pub(crate) fn doubt(&mut self, now: Instant) {
        self.doubted.get_or_insert(now);
    }

    /// It did. Still doubted only if traffic fled from it too lately.
    pub(crate) fn prove(&mut self, now: Instant) {
        if self.banned_until.is_some_and(|until| now < until) {
            return;
        }
        if self.doubted.take().is_some() && self.banned_until.take().is_none() {
            self.wrong = (self.wrong + 1).min(DOUBLINGS);
        }
    }

    /// Traffic flees from it.
    pub(crate) fn fall(&mut self, now: Instant) {
        let again = self.fell_at.is_some_and(|at| now < at + FALL_MEMORY);
        self.falls = if again { self.falls + 1 } else { 0 };
        let penalty = FIRST_PENALTY * (1 << self.falls.min(DOUBLINGS));
        (self.fell_at, self.banned_until) = (Some(now), Some(now + penalty));
        self.wrong = 0;
        self.doubt(now);
    }

    /// Whether it has to prove itself.
    pub(crate) const fn is_doubted(&self) -> bool {
        self.doubted.is_some()
    }

    /// Whether it had its time to prove itself, given its round trip.
    pub(crate) fn has_failed(&self, now: Instant, rtt: Option<Duration>) -> bool {
        self.fails_at(rtt).is_some_and(|at| at <= now)
    }

    /// When its time to prove itself is over.
    pub(crate) fn fails_at(&self, rtt: Option<Duration>) -> Option<Instant> {
        let grace = rtt.unwrap_or_default() * 2 + GRACE;
        self.doubted.map(|since| since + grace)
    }

    /// Whether silence since `heard` is suspicious, given that the peer sends by another pipe.
    pub(crate) fn is_quiet(&self, now: Instant, heard: Instant) -> bool {
        self.doubted.is_none() && heard + QUIET * (1 << self.wrong) <= now
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Instant = Instant::from_micros(1_000_000);

    #[test]
    fn a_doubted_pipe_fails_unless_it_proves_itself_in_time() {
        let rtt = Duration::from_millis(40);
        let mut standing = Standing::default();
        assert!(!standing.has_failed(NOW, None));
        standing.doubt(NOW);
        standing.doubt(NOW + GRACE);
        assert!(!standing.has_failed(NOW + GRACE, Some(rtt)));
        assert!(standing.has_failed(NOW + GRACE + rtt * 2, Some(rtt)));
        standing.prove(NOW + GRACE);
        assert!(!standing.is_doubted() && !standing.has_failed(NOW + GRACE * 9, Some(rtt)));
    }

    #[test]
    fn who_fell_returns_after_a_penalty_that_doubles() {
        let mut standing = Standing::default();
        for (falls, penalty) in [1, 2, 4].into_iter().enumerate() {
            let fell = NOW + FIRST_PENALTY * 10 * falls as u32;
            standing.fall(fell);
            standing.prove(fell + FIRST_PENALTY * penalty / 2);
            assert!(standing.is_doubted(), "too soon");
            standing.prove(fell + FIRST_PENALTY * penalty);
            assert!(!standing.is_doubted());
        }
        let later = NOW + FALL_MEMORY * 2;
        standing.fall(later);
        standing.prove(later + FIRST_PENALTY);
        assert!(!standing.is_doubted(), "old falls are forgotten");
    }

    #[test]
    fn wrong_alarms_about_silence_become_rarer() {
        let mut standing = Standing::default();
        assert!(!standing.is_quiet(NOW + QUIET / 2, NOW));
        assert!(standing.is_quiet(NOW + QUIET, NOW));
        standing.doubt(NOW + QUIET);
        assert!(!standing.is_quiet(NOW + QUIET * 9, NOW), "in doubt anyway");
        standing.prove(NOW + QUIET);
        assert!(!standing.is_quiet(NOW + QUIET, NOW));
        assert!(standing.is_quiet(NOW + QUIET * 2, NOW));
        standing.fall(NOW);
        standing.prove(NOW + FIRST_PENALTY);
        assert!(
            standing.is_quiet(NOW + QUIET, NOW),
            "it was right after all"
        );
    }
}
