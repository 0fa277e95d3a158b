//! Time, as the sans-IO core wants it: microseconds since the endpoint was built.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use telehash_link::Instant;
use tokio::time;

/// How often the time of day is compared, at most.
const COMPARE_EVERY: Duration = Duration::from_secs(10);

/// By how much the time of day may differ from what we expect before anyone is told.
const TOLERANCE: Duration = Duration::from_secs(2);

/// By how much the time of day is ahead if this machine slept, rather than its clock being
/// corrected.
const SLEPT: Duration = Duration::from_secs(15);

/// The clock of one endpoint. Follows tokio's, so that a test with paused time is deterministic.
#[derive(Debug)]
pub(crate) struct Clock {
    origin: time::Instant,
    /// Time of day at the origin, in milliseconds, as it was last found.
    unix_at_origin: AtomicU64,
    /// When it was last compared, in microseconds since the origin.
    compared: AtomicU64,
}

/// The time of day is not what it was expected to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Drift {
    pub(crate) now: Instant,
    /// Time since 1970 at `now`.
    pub(crate) unix: Duration,
    /// The machine slept: its network is probably another one.
    pub(crate) woke_up: bool,
}

impl Clock {
    pub(crate) fn new() -> Self {
        Self {
            origin: time::Instant::now(),
            unix_at_origin: AtomicU64::new(millis(time_of_day())),
            compared: AtomicU64::new(0),
        }
    }

    pub(crate) fn now(&self) -> Instant {
        let since = time::Instant::now().saturating_duration_since(self.origin);
        Instant::from_micros(u64::try_from(since.as_micros()).unwrap_or(u64::MAX))
    }

    /// Time since 1970 now.
    pub(crate) fn unix(&self) -> Duration {
        self.unix_at_origin() + Duration::from_micros(self.now().as_micros())
    }

    /// Time since 1970 when this clock was made.
    pub(crate) fn unix_at_origin(&self) -> Duration {
        Duration::from_millis(self.unix_at_origin.load(Ordering::Relaxed))
    }

    pub(crate) fn to_tokio(&self, instant: Instant) -> time::Instant {
        let since = Duration::from_micros(instant.as_micros());
        // Beyond the platform's clock: a century is as good as for ever.
        let for_ever = Duration::from_secs(100 * 365 * 86_400);
        self.origin
            .checked_add(since)
            .unwrap_or_else(|| self.origin + for_ever)
    }

    /// Compares the time of day, now and then, and says if it changed.
    pub(crate) fn drift(&self) -> Option<Drift> {
        let now = self.now();
        let last = Instant::from_micros(self.compared.load(Ordering::Relaxed));
        if now.saturating_duration_since(last) < COMPARE_EVERY {
            return None;
        }
        self.compared.store(now.as_micros(), Ordering::Relaxed);
        self.compare(now, time_of_day())
    }

    fn compare(&self, now: Instant, unix: Duration) -> Option<Drift> {
        let passed = Duration::from_micros(now.as_micros());
        let expected = self.unix_at_origin() + passed;
        if unix.abs_diff(expected) <= TOLERANCE {
            return None;
        }
        self.unix_at_origin
            .store(millis(unix.saturating_sub(passed)), Ordering::Relaxed);
        Some(Drift {
            now,
            unix,
            woke_up: unix >= expected + SLEPT,
        })
    }
}

/// Time since 1970; zero before.
fn time_of_day() -> Duration {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secs(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn seconds(seconds: u64) -> Instant {
        Instant::from_micros(seconds * 1_000_000)
    }

    #[tokio::test]
    async fn a_clock_that_is_set_anew_is_noticed_once() {
        let clock = Clock::new();
        let start = clock.unix_at_origin();
        assert_eq!(clock.compare(seconds(100), start + secs(101)), None);
        let back = clock.compare(seconds(100), start + secs(40)).unwrap();
        assert_eq!(
            back,
            Drift {
                now: seconds(100),
                unix: start + secs(40),
                woke_up: false
            }
        );
        assert_eq!(clock.compare(seconds(110), start + secs(50)), None);
    }

    #[tokio::test]
    async fn time_that_passed_without_us_means_that_the_machine_slept() {
        let clock = Clock::new();
        let start = clock.unix_at_origin();
        assert!(
            clock
                .compare(seconds(10), start + secs(10) + SLEPT)
                .unwrap()
                .woke_up
        );
    }
}
