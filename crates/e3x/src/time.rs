//! The clock of the sans-IO crates.

use core::ops::{Add, AddAssign};
use core::time::Duration;

/// A moment: microseconds since an origin that the driver of the mesh chose.
///
/// Nothing at this layer reads a clock. Whoever drives it measures time against one origin of its
/// own (the start of the program will do) and passes the result in, so that the same code runs
/// under tokio, on a microcontroller, in a browser and in a simulation whose clock jumps. Instants
/// of two different drivers do not compare.
///
/// A `u64` of microseconds lasts for 584,000 years; arithmetic saturates there instead of
/// panicking.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Instant(u64);

impl Instant {
    /// The moment `micros` microseconds after the driver's origin.
    #[must_use]
    pub const fn from_micros(micros: u64) -> Self {
        Self(micros)
    }

    /// Microseconds since the driver's origin.
    #[must_use]
    pub const fn as_micros(self) -> u64 {
        self.0
    }

    /// The time from `earlier` to `self`, or zero if `earlier` is the later one.
    #[must_use]
    pub const fn saturating_duration_since(self, earlier: Self) -> Duration {
        Duration::from_micros(self.0.saturating_sub(earlier.0))
    }

    /// The moment `duration` later, or `None` beyond the end of time. Fractions of a microsecond
    /// are dropped.
    #[must_use]
    pub fn checked_add(self, duration: Duration) -> Option<Self> {
        let micros = u64::try_from(duration.as_micros()).ok()?;
        self.0.checked_add(micros).map(Self)
    }
}

impl Add<Duration> for Instant {
    type Output = Self;

    /// The moment `duration` later; the end of time if there is none.
    fn add(self, duration: Duration) -> Self {
        self.checked_add(duration).unwrap_or(Self(u64::MAX))
    }
}

impl AddAssign<Duration> for Instant {
    fn add_assign(&mut self, duration: Duration) {
        *self = *self + duration;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn adding_and_subtracting_agree() {
        let start = Instant::from_micros(5);
        let later = start + Duration::from_millis(2);
        assert_eq!(later.as_micros(), 2_005);
        assert_eq!(
            later.saturating_duration_since(start),
            Duration::from_millis(2)
        );
    }

    #[test]
    fn a_clock_that_goes_back_counts_as_standing_still() {
        let earlier = Instant::from_micros(5);
        let later = Instant::from_micros(9);
        assert_eq!(earlier.saturating_duration_since(later), Duration::ZERO);
    }

    #[test]
    fn the_end_of_time_does_not_wrap() {
        let late = Instant::from_micros(u64::MAX - 1);
        assert_eq!(late.checked_add(Duration::from_micros(2)), None);
        assert_eq!(late.checked_add(Duration::MAX), None);
        assert_eq!(late + Duration::MAX, Instant::from_micros(u64::MAX));
    }
}
