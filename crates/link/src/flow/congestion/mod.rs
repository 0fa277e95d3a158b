//! How much may be under way on a pipe.

mod bbr;
mod cubic;
mod hystart;

use core::{fmt, time::Duration};

use telehash_e3x::Instant;

pub(super) use self::{bbr::Bbr, cubic::Cubic};

/// The window begins with this many packets (RFC 9002, 7.2).
const FIRST_PACKETS: u64 = 10;

/// Packets are taken to have this many bytes until told.
const PACKET: u64 = 1200;

/// Limit: bytes that one pipe may have under way, enough for 10 Gbit/s over 800 ms; at the limit the
/// window grows no more.
pub const MAX_WINDOW: u64 = 1 << 30;

/// Decides how much may be under way on one pipe, and how fast it leaves.
///
/// One controller serves one pipe; a pipe that is selected anew gets a new one. It sees a
/// delivery-rate sample with every ack, and how much was under way when each lost packet left, so a
/// controller that models the path fits as well as one that only counts losses. Paths do not mark
/// packets for us, so there is no word of ECN.
pub trait Controller: fmt::Debug + Send {
    /// Full packets on this pipe have `bytes` bytes. Called whenever that changes.
    fn set_packet_size(&mut self, bytes: u64);

    /// A packet left.
    fn on_sent(&mut self, departure: &Departure) {
        let _ = departure;
    }

    /// A packet was lost. Called for each of them, before the ack that told.
    fn on_packet_lost(&mut self, lost: &LostPacket) {
        let _ = lost;
    }

    /// An ack told of arrivals.
    fn on_ack(&mut self, sample: &RateSample);

    /// Packets were lost, which [`on_packet_lost`](Self::on_packet_lost) counted one by one:
    /// `sent_at` is when the newest of them left.
    fn on_loss(&mut self, now: Instant, sent_at: Instant, bytes: u64) {
        let _ = (now, sent_at, bytes);
    }

    /// What looked lost when it was retransmitted had only been late.
    fn on_spurious_loss(&mut self, now: Instant) {
        let _ = now;
    }

    /// Nothing at all came back for several probe timeouts.
    fn on_persistent_congestion(&mut self, now: Instant);

    /// Bytes that may be under way.
    fn window(&self) -> u64;

    /// Bytes a second to send at; `None` for a window in a round trip.
    fn pacing_rate(&self) -> Option<u64> {
        None
    }
}

/// A packet that leaves.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Departure {
    /// When.
    pub now: Instant,
    /// Its bytes; zero if it does not count as under way.
    pub bytes: u64,
    /// Bytes under way, it included.
    pub in_flight: u64,
    /// The application, not the pipe, limits what is sent.
    pub app_limited: bool,
}

/// A packet that was lost.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct LostPacket {
    /// When that was found out.
    pub now: Instant,
    /// When it had left.
    pub sent_at: Instant,
    /// Its place in the order in which packets left.
    pub number: u64,
    /// Its bytes.
    pub bytes: u64,
    /// Bytes that were under way when it had left, it included.
    pub in_flight: u64,
    /// Bytes found lost since it left, it included.
    pub lost: u64,
    /// The application, not the pipe, limited what was sent.
    pub app_limited: bool,
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
    /// Bytes that were under way when that newest packet had left, it included.
    pub sent_in_flight: u64,
    /// Bytes found lost since it left.
    pub lost: u64,
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

impl RateSample {
    /// Bytes that had been delivered when the newest of the arrived packets left.
    #[must_use]
    pub const fn prior_delivered(&self) -> u64 {
        self.total_delivered.saturating_sub(self.delivered)
    }

    /// Bytes a second; nothing if the ack does not tell.
    #[must_use]
    pub fn rate(&self) -> Option<u64> {
        let rate = u128::from(self.delivered) * 1_000_000;
        let rate = rate.checked_div(self.interval.as_micros())?;
        (rate > 0).then(|| u64::try_from(rate).unwrap_or(u64::MAX))
    }
}
