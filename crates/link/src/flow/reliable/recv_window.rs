//! How much room the peer is told of (channels.md, Window).

use core::time::Duration;

use telehash_e3x::Instant;

use super::super::config::FIRST_RECV_PACKETS;

/// What differs by more than this part of the window from what the peer was told is told anew.
const NEWS: u32 = 8;

/// A window is told anew with every so many acks, in case the last telling was lost.
const REFRESH: u8 = 8;

/// A reader that takes a whole window in this many round trips is given a larger one.
const KEEPS_UP: u32 = 4;

/// The receiver's side of the window of one channel, in packets.
#[derive(Debug)]
pub(super) struct RecvWindow {
    /// How far ahead of the reader packets may be.
    size: u32,
    /// The highest number that the peer was allowed to send; never taken back.
    granted: u32,
    /// The sum of the last `miss`.
    told: Option<u32>,
    /// Acks since.
    bare: u8,
    /// Since when, and from which number on, the reader's speed is measured.
    measured: (Instant, u32),
}

/// What an ack is going to say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Advert {
    /// `ack`.
    pub(super) ack: u32,
    /// The highest acceptable number, to be told with `miss`; `None` for a bare ack.
    pub(super) limit: Option<u32>,
}

impl RecvWindow {
    pub(super) const fn new(now: Instant) -> Self {
        let (size, measured) = (FIRST_RECV_PACKETS, (now, 0));
        Self {
            size,
            granted: 0,
            told: None,
            bare: 0,
            measured,
        }
    }

    pub(super) const fn size(&self) -> u32 {
        self.size
    }

    /// The highest number that is taken: all that was granted, and what JS sends without asking.
    pub(super) fn acceptable(&self, consumed: u32) -> u32 {
        self.granted.max(consumed.saturating_add(self.size))
    }

    /// What to tell with an ack when `limit` could be granted.
    pub(super) fn advert(&self, ack: u32, limit: u32, gaps: bool) -> Advert {
        let limit = limit.max(ack);
        let stale = self.told.is_none_or(|told| {
            ack.saturating_add(told).abs_diff(limit) > self.size / NEWS || self.bare >= REFRESH
        });
        Advert {
            ack,
            limit: (gaps || stale).then_some(limit.max(self.granted)),
        }
    }

    /// The advert was sent.
    pub(super) fn on_sent(&mut self, advert: Advert) {
        let limit = match advert.limit {
            Some(limit) => {
                self.told = Some(limit - advert.ack);
                self.bare = 0;
                limit
            }
            None => {
                self.bare = self.bare.saturating_add(1);
                advert.ack.saturating_add(self.told.unwrap_or(0))
            }
        };
        self.granted = self.granted.max(limit);
    }

    /// The peer does not seem to know: the next ack tells.
    pub(super) fn refresh(&mut self) {
        self.bare = REFRESH;
    }

    /// Whether the peer, which was told less, should hear of `limit`.
    pub(super) fn has_news(&self, limit: u32) -> bool {
        self.told.is_some() && limit.saturating_sub(self.granted) > self.size / NEWS
    }

    /// Whether the peer has used up what it was told, or nearly so.
    pub(super) fn is_exhausted(&self, highest: u32) -> bool {
        self.granted.saturating_sub(highest) <= self.size / NEWS
    }

    /// The reader took everything up to `consumed`: a fast one gets a larger window.
    pub(super) fn on_consumed(&mut self, now: Instant, consumed: u32, rtt: Duration, max: u32) {
        let (since, from) = self.measured;
        if consumed.saturating_sub(from) < self.size {
            return;
        }
        if now.saturating_duration_since(since) <= rtt * KEEPS_UP {
            self.size = self.size.saturating_mul(2).min(max);
        }
        self.measured = (now, consumed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RTT: Duration = Duration::from_millis(10);

    fn told(window: &mut RecvWindow, ack: u32, limit: u32) -> Option<u32> {
        let advert = window.advert(ack, limit, false);
        window.on_sent(advert);
        advert.limit
    }

    #[test]
    fn the_first_ack_tells_and_later_ones_slide() {
        let mut window = RecvWindow::new(Instant::default());
        assert_eq!(told(&mut window, 1, 129), Some(129));
        assert_eq!(told(&mut window, 3, 131), None);
        assert_eq!(window.acceptable(0), 131);
    }

    #[test]
    fn a_reader_that_stops_is_told_before_much_slides() {
        let mut window = RecvWindow::new(Instant::default());
        told(&mut window, 0, 128);
        let mut ack = 0;
        while ack < 128 {
            ack += 2;
            told(&mut window, ack, 128);
            assert!(
                window.granted <= 128 + FIRST_RECV_PACKETS / NEWS,
                "{ack}: {}",
                window.granted
            );
        }
        assert_eq!(window.advert(128, 128, true).limit, Some(window.granted));
    }

    #[test]
    fn nothing_granted_is_taken_back() {
        let mut window = RecvWindow::new(Instant::default());
        told(&mut window, 0, 128);
        assert_eq!(window.advert(10, 20, true).limit, Some(128));
    }

    #[test]
    fn gaps_are_always_told_and_a_steady_window_now_and_then() {
        let mut window = RecvWindow::new(Instant::default());
        told(&mut window, 0, 128);
        assert_eq!(window.advert(0, 128, true).limit, Some(128));
        let tellings = (1..=32)
            .filter(|ack| told(&mut window, *ack, 128 + ack).is_some())
            .count();
        assert!((2..=4).contains(&tellings), "{tellings}");
    }

    #[test]
    fn a_fast_reader_gets_a_larger_window_up_to_the_limit() {
        let mut window = RecvWindow::new(Instant::default());
        for round in 1..10_u32 {
            let now = Instant::default() + RTT * round;
            window.on_consumed(now, round * 2000, RTT, 500);
        }
        assert_eq!(window.size(), 500);
    }

    #[test]
    fn a_slow_reader_does_not() {
        let mut window = RecvWindow::new(Instant::default());
        for round in 1..10_u32 {
            let now = Instant::default() + RTT * round * (KEEPS_UP + 1);
            window.on_consumed(now, round * FIRST_RECV_PACKETS, RTT, 500);
        }
        assert_eq!(window.size(), FIRST_RECV_PACKETS);
    }
}
