//! Delivery-rate samples, after the draft "Delivery Rate Estimation" (draft-cheng-iccrg).

use core::time::Duration;

use telehash_e3x::Instant;

/// What a packet remembers of the moment it was sent.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stamp {
    delivered: u64,
    delivered_at: Instant,
    first_sent_at: Instant,
    sent_at: Instant,
    /// Bytes under way, the packet included.
    pub(super) in_flight: u64,
    /// Bytes that had been found lost.
    lost: u64,
    pub(super) app_limited: bool,
}

/// How much was delivered over how long, judged from the newest packet of an ack.
#[derive(Clone, Copy, Debug)]
pub(super) struct Delivery {
    pub(super) bytes: u64,
    pub(super) interval: Duration,
    pub(super) sent_in_flight: u64,
    pub(super) lost: u64,
    pub(super) app_limited: bool,
}

/// Counts the deliveries of one pipe.
#[derive(Clone, Copy, Debug)]
pub(super) struct Deliveries {
    delivered: u64,
    delivered_at: Instant,
    lost: u64,
    first_sent_at: Instant,
    /// Until more than this is delivered, samples tell of the application, not of the pipe.
    app_limited_until: Option<u64>,
}

impl Deliveries {
    pub(super) const fn new(now: Instant) -> Self {
        Self {
            delivered: 0,
            delivered_at: now,
            lost: 0,
            first_sent_at: now,
            app_limited_until: None,
        }
    }

    /// Bytes delivered so far.
    pub(super) const fn delivered(&self) -> u64 {
        self.delivered
    }

    /// Whether the application limits what is sent at the moment.
    pub(super) fn is_app_limited(&self) -> bool {
        self.app_limited_until
            .is_some_and(|until| until >= self.delivered)
    }

    /// A packet of so many bytes leaves while `in_flight` bytes are under way.
    pub(super) fn on_sent(&mut self, now: Instant, bytes: u64, in_flight: u64) -> Stamp {
        if in_flight == 0 {
            self.first_sent_at = now;
            self.delivered_at = now;
        }
        Stamp {
            delivered: self.delivered,
            delivered_at: self.delivered_at,
            first_sent_at: self.first_sent_at,
            sent_at: now,
            in_flight: in_flight.saturating_add(bytes),
            lost: self.lost,
            app_limited: self.is_app_limited(),
        }
    }

    /// A packet was lost. Returns how much was lost since it left, it included.
    pub(super) fn on_lost(&mut self, bytes: u64, stamp: Option<&Stamp>) -> u64 {
        self.lost += bytes;
        self.lost
            .saturating_sub(stamp.map_or(self.lost - bytes, |stamp| stamp.lost))
    }

    /// A packet arrived.
    pub(super) fn on_delivered(&mut self, now: Instant, bytes: u64) {
        self.delivered += bytes;
        self.delivered_at = now;
    }

    /// The sample of an ack whose newest packet has this stamp.
    pub(super) fn sample(&mut self, stamp: &Stamp) -> Delivery {
        self.first_sent_at = stamp.sent_at;
        let sending = stamp.sent_at.saturating_duration_since(stamp.first_sent_at);
        let acking = self
            .delivered_at
            .saturating_duration_since(stamp.delivered_at);
        Delivery {
            bytes: self.delivered.saturating_sub(stamp.delivered),
            interval: sending.max(acking),
            sent_in_flight: stamp.in_flight,
            lost: self.lost.saturating_sub(stamp.lost),
            app_limited: stamp.app_limited,
        }
    }

    /// There is nothing more to send although there would be room.
    pub(super) fn app_limited(&mut self, in_flight: u64) {
        self.app_limited_until = Some(self.delivered + in_flight);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_steady_flow_shows_its_rate() {
        let ms = |ms: u64| Instant::from_micros(ms * 1000);
        let mut deliveries = Deliveries::new(ms(0));
        // A packet of 1000 bytes every 10 ms, each acknowledged 50 ms later.
        let mut stamps = alloc::vec::Vec::new();
        for packet in 0..20 {
            stamps.push(deliveries.on_sent(ms(packet * 10), 1000, u64::min(packet, 5) * 1000));
            if let Some(acked) = packet.checked_sub(5) {
                deliveries.on_delivered(ms(packet * 10), 1000);
                let sample = deliveries.sample(&stamps[usize::try_from(acked).expect("small")]);
                if acked > 5 {
                    // 100 bytes a millisecond.
                    assert_eq!(sample.interval, Duration::from_millis(sample.bytes / 100));
                    assert!(sample.bytes >= 5000 && !sample.app_limited);
                }
            }
        }
    }

    #[test]
    fn a_pause_of_the_application_marks_what_is_in_flight() {
        let mut deliveries = Deliveries::new(Instant::default());
        deliveries.app_limited(3000);
        let marked = deliveries.on_sent(Instant::default(), 1000, 3000);
        deliveries.on_delivered(Instant::default(), 3000);
        let last = deliveries.on_sent(Instant::default(), 1000, 0);
        deliveries.on_delivered(Instant::default(), 1000);
        let clear = deliveries.on_sent(Instant::default(), 1000, 1000);
        assert!(deliveries.sample(&marked).app_limited);
        assert!(
            deliveries.sample(&last).app_limited,
            "nothing was under way"
        );
        assert!(!deliveries.sample(&clear).app_limited);
    }
}
