//! When to acknowledge (channels.md, Reliable channels: When).

use core::time::Duration;

use telehash_e3x::Instant;

/// An ack that is not due at once waits this long for a second packet.
const DELAY: Duration = Duration::from_millis(25);

/// Ack every so many packets at first …
const EVERY: u32 = 2;

/// … and every so many once this many packets have come, as QUIC thins its acks.
const THINNED: (u32, u32) = (10, 100);

/// A window that reopened is announced again after this, then after twice as long.
const REPEAT: Duration = Duration::from_millis(200);

/// How often it is announced again unless something arrives.
const REPEATS: u8 = 3;

/// The ack timer of one channel.
#[derive(Debug)]
pub(super) struct Acks {
    /// The opening packet is not accepted yet: say nothing.
    withheld: bool,
    now: bool,
    at: Option<Instant>,
    /// Packets since the last ack, and in all.
    waiting: u32,
    total: u32,
    repeat: Option<(Instant, u8)>,
}

impl Acks {
    pub(super) const fn new(withheld: bool) -> Self {
        Self {
            withheld,
            now: false,
            at: None,
            waiting: 0,
            total: 0,
            repeat: None,
        }
    }

    /// The opening packet is accepted: its ack opens the channel.
    pub(super) fn release(&mut self) {
        self.withheld = false;
        self.now = true;
    }

    pub(super) const fn withheld(&self) -> bool {
        self.withheld
    }

    /// Content counts as received.
    pub(super) fn on_content(&mut self, now: Instant, at_once: bool) {
        self.waiting += 1;
        self.total = self.total.saturating_add(1);
        let every = if self.total > THINNED.1 {
            THINNED.0
        } else {
            EVERY
        };
        if at_once || self.waiting >= every {
            self.now = true;
        } else if self.at.is_none() {
            self.at = Some(now + DELAY);
        }
    }

    /// Whether there is anything to acknowledge.
    pub(super) const fn has_content(&self) -> bool {
        self.total > 0
    }

    /// The peer must hear of our state at once: a duplicate, a gap, a window that moved.
    pub(super) fn at_once(&mut self) {
        self.now = true;
    }

    /// A window that was closed has reopened: say so, more than once.
    pub(super) fn reopened(&mut self, now: Instant) {
        self.now = true;
        self.repeat = Some((now + REPEAT, 0));
    }

    /// Something arrived: the peer knows that the window is open.
    pub(super) fn on_arrival(&mut self) {
        self.repeat = None;
    }

    /// An ack was sent.
    pub(super) fn on_sent(&mut self) {
        self.now = false;
        self.at = None;
        self.waiting = 0;
    }

    /// Whether an ack is to be sent now.
    pub(super) const fn due(&self) -> bool {
        self.now && !self.withheld
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        if self.withheld || self.now {
            return None;
        }
        let repeat = self.repeat.map(|(at, _)| at);
        [self.at, repeat].into_iter().flatten().min()
    }

    /// Returns whether a window is to be announced again.
    pub(super) fn handle_timeout(&mut self, now: Instant) -> bool {
        if self.at.is_some_and(|at| at <= now) {
            self.now = true;
        }
        let Some((_, times)) = self.repeat.filter(|(at, _)| *at <= now) else {
            return false;
        };
        self.now = true;
        let times = times + 1;
        self.repeat = (times < REPEATS).then(|| (now + REPEAT * (1 << times), times));
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> Instant {
        Instant::from_micros(ms * 1000)
    }

    #[test]
    fn every_second_packet_is_acknowledged() {
        let mut acks = Acks::new(false);
        acks.on_content(at(0), false);
        assert!(!acks.due());
        acks.on_content(at(1), false);
        assert!(acks.due());
        acks.on_sent();
        assert!(!acks.due() && acks.deadline().is_none());
    }

    #[test]
    fn a_lone_packet_is_acknowledged_after_25_ms() {
        let mut acks = Acks::new(false);
        acks.on_content(at(5), false);
        assert_eq!(acks.deadline(), Some(at(30)));
        acks.handle_timeout(at(29));
        assert!(!acks.due());
        acks.handle_timeout(at(30));
        assert!(acks.due());
    }

    #[test]
    fn a_long_run_is_acknowledged_less_often() {
        let mut acks = Acks::new(false);
        let mut sent = 0;
        for _ in 0..THINNED.1 + 100 {
            acks.on_content(at(0), false);
            if acks.due() {
                sent += 1;
                acks.on_sent();
            }
        }
        assert_eq!(sent, THINNED.1 / EVERY + 100 / THINNED.0);
    }

    #[test]
    fn nothing_is_acknowledged_before_the_open_is_accepted() {
        let mut acks = Acks::new(true);
        acks.on_content(at(0), true);
        assert!(!acks.due() && acks.deadline().is_none());
        acks.release();
        assert!(acks.due());
    }

    #[test]
    fn a_reopened_window_is_announced_a_few_times() {
        let mut acks = Acks::new(false);
        acks.reopened(at(0));
        let mut announced = 0;
        while acks.due() || acks.deadline().is_some() {
            announced += u8::from(acks.due());
            acks.on_sent();
            if let Some(at) = acks.deadline() {
                acks.handle_timeout(at);
            }
        }
        assert_eq!(announced, 1 + REPEATS);
        acks.reopened(at(0));
        acks.on_sent();
        acks.on_arrival();
        assert_eq!(acks.deadline(), None);
    }
}
