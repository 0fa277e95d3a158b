//! How much may be under way on a pipe.

mod cubic;
mod hystart;

use core::{fmt, time::Duration};

use telehash_e3x::Instant;

pub(super) use self::cubic::Cubic;

/// Decides how much may be under way on one pipe, and how fast it leaves.
///
/// One controller serves one pipe; a pipe that is selected anew gets a new one. It sees a
/// delivery-rate sample with every ack, so a controller that models the path fits as well as one
/// that only counts losses.
pub trait Controller: fmt::Debug + Send {
    /// Full packets on this pipe have `bytes` bytes. Called whenever that changes.
    fn set_packet_size(&mut self, bytes: u64);

    /// A packet left; `in_flight` counts it.
    fn on_sent(&mut self, now: Instant, bytes: u64, in_flight: u64) {
        let _ = (now, bytes, in_flight);
    }

    /// An ack told of arrivals.
    fn on_ack(&mut self, sample: &RateSample);

    /// Packets were lost: `sent_at` is when the newest of them left.
    fn on_loss(&mut self, now: Instant, sent_at: Instant, bytes: u64);

    /// What looked lost when it was retransmitted had only been late.
    fn on_spurious_loss(&mut self, now: Instant) {
        let _ = now;
    }

    /// Nothing at all came back for several probe timeouts: what was learnt of the path is void.
    fn on_persistent_congestion(&mut self, now: Instant);

    /// Bytes that may be under way.
    fn window(&self) -> u64;

    /// Bytes a second to send at; `None` for a window in a round trip.
    fn pacing_rate(&self) -> Option<u64> {
        None
    }
}

/// What one ack says about a pipe.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct RateSample {
    /// When the ack came.
    pub now: Instant,
    /// When the newest of the packets that it reported as arrived had left.
    pub newest_sent_at: Instant,
    /// Bytes that it newly reported as arrived.
    pub acked: u64,
    /// Bytes delivered over `interval`, the newest of the arrived packets being the last of them.
    pub delivered: u64,
    /// How long that took; zero if unknown.
    pub interval: Duration,
    /// A round trip, if the ack measured one.
    pub rtt: Option<Duration>,
    /// The smoothed round trip.
    pub smoothed_rtt: Duration,
    /// Bytes still under way.
    pub in_flight: u64,
    /// Bytes sent on this pipe so far: `sent` of one sample marks the end of a round.
    pub sent: u64,
    /// Bytes of this pipe that had been delivered so far.
    pub total_delivered: u64,
    /// The application, not the pipe, limited what was sent.
    pub app_limited: bool,
}
