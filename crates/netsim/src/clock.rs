//! Virtual time.

use std::time::Duration;

pub use telehash_e3x::Instant;

/// A clock that stands still until it is told to advance, and never goes back.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Clock {
    now: Instant,
}

impl Clock {
    /// A clock at its origin.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The moment it is.
    #[must_use]
    pub const fn now(&self) -> Instant {
        self.now
    }

    /// Lets `duration` pass, in whole microseconds.
    pub fn advance(&mut self, duration: Duration) {
        self.now += duration;
    }

    /// Jumps to `moment`; stands still if that has passed.
    pub fn advance_to(&mut self, moment: Instant) {
        self.now = self.now.max(moment);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_advances_and_never_goes_back() {
        let mut clock = Clock::new();
        clock.advance(Duration::from_millis(2));
        assert_eq!(clock.now(), Instant::from_micros(2_000));
        clock.advance_to(Instant::from_micros(5_000));
        clock.advance_to(Instant::from_micros(1));
        assert_eq!(clock.now(), Instant::from_micros(5_000));
    }
}
