//! When slow start has found the path's capacity: a queue builds up (HyStart++, RFC 9406).

use core::time::Duration;

use super::RateSample;

/// A rise of the round trip below this is noise.
const MIN_RISE: Duration = Duration::from_millis(4);

/// A rise above this is a queue, whatever the round trip.
const MAX_RISE: Duration = Duration::from_millis(16);

/// Samples a round needs before it is judged.
const SAMPLES: u32 = 8;

/// Growth is divided by this while a suspicion is checked.
const CAUTION: u64 = 4;

/// Rounds of caution before slow start is over.
const CAUTIOUS_ROUNDS: u32 = 5;

/// Watches the least round trip of each round.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct HyStart {
    /// The round ends once this much is delivered.
    round_end: u64,
    samples: u32,
    least: Option<Duration>,
    least_before: Option<Duration>,
    /// The round trip that aroused suspicion, and for how many rounds it has been checked.
    suspicion: Option<(Duration, u32)>,
}

impl HyStart {
    /// By what to divide the growth for this sample; `None` once slow start is over.
    pub(super) fn on_ack(&mut self, sample: &RateSample) -> Option<u64> {
        if sample.total_delivered >= self.round_end && !self.next_round(sample.sent) {
            return None;
        }
        if let Some(rtt) = sample.rtt {
            self.samples += 1;
            self.least = Some(self.least.map_or(rtt, |least| least.min(rtt)));
        }
        self.judge();
        Some(if self.suspicion.is_some() { CAUTION } else { 1 })
    }

    /// False once the suspicion has lasted.
    fn next_round(&mut self, sent: u64) -> bool {
        self.round_end = sent;
        self.least_before = self.least.take().or(self.least_before);
        self.samples = 0;
        if let Some((_, rounds)) = &mut self.suspicion {
            *rounds += 1;
            return *rounds < CAUTIOUS_ROUNDS;
        }
        true
    }

    fn judge(&mut self) {
        let (Some(least), Some(before)) = (self.least, self.least_before) else {
            return;
        };
        if self.samples < SAMPLES {
            return;
        }
        match self.suspicion {
            Some((base, _)) if least < base => self.suspicion = None,
            None if least >= before + (before / 8).clamp(MIN_RISE, MAX_RISE) => {
                self.suspicion = Some((least, 0));
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use telehash_e3x::Instant;

    use super::*;

    /// Feeds rounds of 20 samples with these round trips; returns in which round it was over.
    fn rounds(rtts_ms: &[u64]) -> Option<usize> {
        let mut hystart = HyStart::default();
        let mut delivered = 0;
        for (round, &rtt) in rtts_ms.iter().enumerate() {
            for _ in 0..20 {
                delivered += 1;
                let rtt = Duration::from_millis(rtt);
                let sample = RateSample {
                    now: Instant::default(),
                    newest_sent_at: Instant::default(),
                    acked: 1,
                    delivered: 1,
                    interval: rtt,
                    sent_in_flight: 20,
                    lost: 0,
                    rtt: Some(rtt),
                    smoothed_rtt: rtt,
                    in_flight: 20,
                    sent: delivered + 20,
                    total_delivered: delivered,
                    app_limited: false,
                };
                if hystart.on_ack(&sample).is_none() {
                    return Some(round);
                }
            }
        }
        None
    }

    #[test]
    fn a_steady_round_trip_goes_on() {
        assert_eq!(rounds(&[50; 20]), None);
        assert_eq!(rounds(&[1, 2, 3, 2, 1, 3, 2, 3, 1, 2, 3, 3]), None);
    }

    #[test]
    fn a_lasting_rise_ends_slow_start() {
        assert!(rounds(&[50, 50, 60, 60, 60, 60, 60, 60, 60, 60]).is_some());
    }

    #[test]
    fn a_passing_rise_does_not() {
        assert_eq!(rounds(&[50, 50, 60, 50, 50, 50, 50, 50, 50, 50]), None);
    }
}
