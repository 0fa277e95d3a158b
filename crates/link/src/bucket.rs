//! Token buckets: how much of something there may be, on the average and at once.

use telehash_e3x::Instant;

/// How fast a bucket fills, and how much it holds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rate {
    pub(crate) per_second: u32,
    /// Seconds' worth that a quiet source saves up.
    pub(crate) burst: u32,
}

impl Rate {
    pub(crate) fn capacity(self) -> u64 {
        u64::from(self.per_second) * u64::from(self.burst) * 1000
    }
}

/// What is left now.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bucket {
    /// Thousandths of a token.
    pub(crate) millitokens: u64,
    refilled: Instant,
}

impl Bucket {
    pub(crate) fn full(rate: Rate, now: Instant) -> Self {
        Self {
            millitokens: rate.capacity(),
            refilled: now,
        }
    }

    pub(crate) fn refill(&mut self, now: Instant, rate: Rate) -> &mut Self {
        let elapsed = now.saturating_duration_since(self.refilled).as_micros();
        let elapsed = u64::try_from(elapsed).unwrap_or(u64::MAX);
        let earned = elapsed.saturating_mul(u64::from(rate.per_second)) / 1000;
        if earned > 0 {
            self.millitokens = self.millitokens.saturating_add(earned).min(rate.capacity());
            self.refilled = now;
        }
        self
    }

    pub(crate) fn tokens(&self) -> u64 {
        self.millitokens / 1000
    }

    pub(crate) fn take(&mut self, tokens: u64) {
        self.millitokens = self.millitokens.saturating_sub(tokens.saturating_mul(1000));
    }
}
