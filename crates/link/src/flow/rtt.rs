//! Round-trip time of a pipe, as RFC 9002 estimates it.

use core::time::Duration;

/// Assumed before anything was measured (RFC 9002, 6.2.2).
const UNKNOWN: Duration = Duration::from_millis(333);

/// No timer is set finer than this.
pub(super) const GRANULARITY: Duration = Duration::from_millis(1);

/// How long a peer may wait before it acknowledges (channels.md: every second packet or 25 ms).
pub(super) const PEER_ACK_DELAY: Duration = Duration::from_millis(25);

/// What is known of a pipe's round trip.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RttEstimate {
    /// The newest sample.
    pub latest: Duration,
    /// The smoothed estimate.
    pub smoothed: Duration,
    /// How much samples vary around it.
    pub variance: Duration,
    /// The least sample since the pipe was selected.
    pub min: Duration,
}

/// The estimator. Samples come only from packets that were sent once.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rtt {
    estimate: Option<RttEstimate>,
    /// What is taken for the round trip before there is a sample.
    assumed: Duration,
    /// Asked for with every packet, so it is kept.
    probe_timeout: Duration,
}

impl Rtt {
    /// An estimator that begins with what a handshake measured, if it did.
    pub(super) fn new(initial: Option<Duration>) -> Self {
        let mut rtt = Self {
            estimate: None,
            assumed: UNKNOWN,
            probe_timeout: UNKNOWN.saturating_mul(3),
        };
        if let Some(initial) = initial {
            rtt.sample(initial);
        }
        rtt
    }

    /// Something else than a packet of the flow took this long, there and back. It decides how packets are
    /// spread until there is a sample, and not when one of them is lost: the path may be another by then.
    pub(super) const fn assume(&mut self, rtt: Duration) {
        self.assumed = rtt;
    }

    pub(super) const fn estimate(&self) -> Option<RttEstimate> {
        self.estimate
    }

    pub(super) fn sample(&mut self, sample: Duration) {
        let estimate = match self.estimate {
            None => RttEstimate {
                latest: sample,
                smoothed: sample,
                variance: sample / 2,
                min: sample,
            },
            Some(old) => RttEstimate {
                latest: sample,
                smoothed: (old.smoothed * 7 + sample) / 8,
                variance: (old.variance * 3 + old.smoothed.abs_diff(sample)) / 4,
                min: old.min.min(sample),
            },
        };
        self.probe_timeout = estimate.smoothed + (estimate.variance * 4).max(GRANULARITY);
        self.estimate = Some(estimate);
    }

    pub(super) fn smoothed(&self) -> Duration {
        self.estimate
            .map_or(self.assumed, |estimate| estimate.smoothed)
    }

    /// The larger of the newest and the smoothed one: what loss detection goes by.
    pub(super) fn recent(&self) -> Duration {
        self.estimate
            .map_or(UNKNOWN, |estimate| estimate.latest.max(estimate.smoothed))
    }

    /// How long an ack may take that the peer must send at once, before its absence means something.
    /// Any other may take [`PEER_ACK_DELAY`] longer.
    pub(super) const fn probe_timeout(&self) -> Duration {
        self.probe_timeout
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn what_is_assumed_spreads_packets_and_judges_none() {
        let mut rtt = Rtt::new(None);
        let (probe, recent) = (rtt.probe_timeout(), rtt.recent());
        rtt.assume(ms(2));
        assert_eq!(rtt.smoothed(), ms(2));
        assert_eq!((rtt.probe_timeout(), rtt.recent()), (probe, recent));
        rtt.sample(ms(40));
        rtt.assume(ms(2));
        assert_eq!(rtt.smoothed(), ms(40));
    }

    #[test]
    fn the_first_sample_is_the_estimate() {
        let rtt = Rtt::new(Some(ms(100)));
        let estimate = rtt.estimate().expect("sampled");
        assert_eq!(
            (estimate.smoothed, estimate.variance, estimate.min),
            (ms(100), ms(50), ms(100))
        );
        assert_eq!(rtt.probe_timeout(), ms(100 + 200));
    }

    #[test]
    fn samples_move_the_estimate_as_the_rfc_says() {
        let mut rtt = Rtt::new(Some(ms(100)));
        rtt.sample(ms(180));
        let estimate = rtt.estimate().expect("sampled");
        assert_eq!(estimate.smoothed, ms(110));
        assert_eq!(estimate.variance, Duration::from_micros(57_500));
        assert_eq!((estimate.min, rtt.recent()), (ms(100), ms(180)));
    }

    #[test]
    fn before_any_sample_a_probe_waits_about_a_second() {
        assert!((ms(900)..ms(1100)).contains(&Rtt::new(None).probe_timeout()));
    }

    #[test]
    fn a_steady_round_trip_leaves_the_granularity() {
        let mut rtt = Rtt::new(None);
        (0..100).for_each(|_| rtt.sample(Duration::from_micros(50)));
        assert_eq!(rtt.probe_timeout(), Duration::from_micros(50) + GRANULARITY);
    }
}
