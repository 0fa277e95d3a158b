//! Spreads packets over a round trip: a token bucket, whose size leaves room for batched sends.

use core::time::Duration;

use telehash_e3x::Instant;

/// Round trips below this are not paced: a whole window fits into one tick of ordinary timers.
const UNPACED_RTT: Duration = Duration::from_millis(2);

/// The bucket holds what the rate yields in this time, if that is not too little.
const BURST_TIME: Duration = Duration::from_millis(2);

/// The bucket holds at least this many packets: the initial window of RFC 9002.
const MIN_BURST_PACKETS: u64 = 10;

/// After the bucket ran empty, packets wait until it holds what the rate yields in this time, so
/// that they leave in batches.
const BATCH_TIME: Duration = Duration::from_millis(1);

/// What the pacer works with at the moment.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pace {
    /// Bytes a second.
    pub rate: u64,
    /// The smoothed round trip.
    pub rtt: Duration,
    /// Bytes of a full packet.
    pub packet: u64,
}

impl Pace {
    /// Bytes that the rate yields in this time.
    fn yields(&self, time: Duration) -> u64 {
        u64::try_from(u128::from(self.rate) * time.as_micros() / 1_000_000).unwrap_or(u64::MAX)
    }

    fn burst(&self) -> u64 {
        self.yields(BURST_TIME).max(MIN_BURST_PACKETS * self.packet)
    }

    /// The time in which the rate yields this many bytes.
    fn time_for(&self, bytes: u64) -> Duration {
        let micros = (u128::from(bytes) * 1_000_000).div_ceil(u128::from(self.rate.max(1)));
        Duration::from_micros(u64::try_from(micros).unwrap_or(u64::MAX).max(1))
    }
}

/// The bucket of one pipe.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pacer {
    tokens: u64,
    filled_at: Instant,
    /// Ran empty: wait for a batch.
    empty: bool,
}

impl Pacer {
    pub(super) const fn new(now: Instant) -> Self {
        Self {
            tokens: u64::MAX,
            filled_at: now,
            empty: false,
        }
    }

    /// Whether a packet may go now.
    ///
    /// # Errors
    /// When it may.
    pub(super) fn ready(&mut self, now: Instant, pace: Pace) -> Result<(), Instant> {
        if pace.rtt < UNPACED_RTT {
            return Ok(());
        }
        self.fill(now, pace);
        let wanted = if self.empty {
            pace.yields(BATCH_TIME).clamp(pace.packet, pace.burst())
        } else {
            pace.packet
        };
        if self.tokens < wanted {
            self.empty = true;
            return Err(now + pace.time_for(wanted - self.tokens));
        }
        self.empty = false;
        Ok(())
    }

    /// A packet went.
    pub(super) fn spend(&mut self, bytes: u64) {
        self.tokens = self.tokens.saturating_sub(bytes);
    }

    fn fill(&mut self, now: Instant, pace: Pace) {
        let gained = pace.yields(now.saturating_duration_since(self.filled_at));
        if gained > 0 {
            // Not up to `now`: at low rates the fraction of a byte that is left would be lost.
            self.filled_at += pace.time_for(gained);
            self.tokens = self.tokens.saturating_add(gained);
        }
        if self.tokens >= pace.burst() {
            self.tokens = pace.burst();
            self.filled_at = now;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PACKET: u64 = 1400;

    fn pace(rate: u64, rtt_ms: u64) -> Pace {
        Pace {
            rate,
            rtt: Duration::from_millis(rtt_ms),
            packet: PACKET,
        }
    }

    /// Sends as fast as the pacer allows for `time`; returns the bytes, and the largest batch.
    fn run(pace: Pace, time: Duration) -> (u64, u64) {
        let (mut now, mut sent, mut batch, mut largest) = (Instant::default(), 0, 0, 0);
        let mut pacer = Pacer::new(now);
        let end = now + time;
        while now < end {
            match pacer.ready(now, pace) {
                Ok(()) => {
                    pacer.spend(PACKET);
                    sent += PACKET;
                    batch += PACKET;
                }
                Err(later) => {
                    assert!(later > now, "a refusal names a later time");
                    (now, largest, batch) = (later, largest.max(batch), 0);
                }
            }
        }
        (sent, largest)
    }

    #[test]
    fn the_rate_is_kept() {
        for rate in [20_000, 1_000_000, 100_000_000, 2_000_000_000] {
            let (sent, _) = run(pace(rate, 50), Duration::from_secs(2));
            let allowed = rate * 2 + pace(rate, 50).burst() + PACKET;
            assert!(sent <= allowed, "{sent} of {allowed} at {rate}");
            assert!(sent >= rate * 2 * 9 / 10, "{sent} at {rate}");
        }
    }

    #[test]
    fn high_rates_leave_in_batches_and_low_ones_do_not() {
        assert!(run(pace(200_000_000, 50), Duration::from_secs(1)).1 >= 64 * PACKET);
        assert!(run(pace(50_000, 50), Duration::from_secs(1)).1 <= MIN_BURST_PACKETS * PACKET);
    }

    #[test]
    fn short_round_trips_are_not_paced() {
        let mut pacer = Pacer::new(Instant::default());
        for _ in 0..10_000 {
            assert!(pacer.ready(Instant::default(), pace(1, 1)).is_ok());
            pacer.spend(PACKET);
        }
    }
}
