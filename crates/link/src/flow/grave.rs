//! A failed channel, remembered for a while so that the peer learns of it.

use alloc::boxed::Box;
use core::time::Duration;

use telehash_e3x::Instant;

use super::error::ChannelError;

/// An `err` is repeated after this, then after three times as long: nothing acknowledges it.
const REPEAT: Duration = Duration::from_secs(1);

/// Limit: how often an `err` is sent, on our own account and in answer to packets that do not know
/// of it; further packets are ignored.
pub const MAX_ERRS: u8 = 4;

/// How often it is sent on our own account.
const REPEATS: u8 = 3;

/// What is left of a channel that we failed.
#[derive(Debug)]
pub(super) struct Grave {
    error: ChannelError,
    /// What the peer is told.
    text: Box<str>,
    /// To be sent now.
    due: bool,
    sent: u8,
    /// To be sent again then.
    again: Option<Instant>,
    /// When all this is forgotten.
    until: Instant,
    repeats: u8,
}

impl Grave {
    /// `persistent` tells the peer more than once.
    pub(super) fn new(error: ChannelError, text: &str, persistent: bool, until: Instant) -> Self {
        let repeats = if persistent { REPEATS } else { 1 };
        Self {
            error,
            text: text.into(),
            due: true,
            sent: 0,
            again: None,
            until,
            repeats,
        }
    }

    pub(super) const fn error(&self) -> &ChannelError {
        &self.error
    }

    pub(super) const fn text(&self) -> &str {
        &self.text
    }

    pub(super) const fn is_due(&self) -> bool {
        self.due
    }

    pub(super) const fn until(&self) -> Instant {
        self.until
    }

    pub(super) fn on_sent(&mut self, now: Instant) {
        self.due = false;
        self.sent += 1;
        let wait = REPEAT * 3_u32.pow(u32::from(self.sent) - 1);
        self.again = (self.sent < self.repeats).then(|| now + wait);
    }

    /// The peer still sends: it has not heard.
    pub(super) fn on_packet(&mut self) {
        self.due = self.due || self.sent < MAX_ERRS;
    }

    pub(super) fn deadline(&self) -> Instant {
        self.again.map_or(self.until, |again| again.min(self.until))
    }

    pub(super) fn handle_timeout(&mut self, now: Instant) {
        if self.again.is_some_and(|at| at <= now) {
            self.again = None;
            self.due = true;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drain(grave: &mut Grave, now: Instant) -> u8 {
        let due = grave.is_due();
        if due {
            grave.on_sent(now);
        }
        due.into()
    }

    #[test]
    fn the_peer_is_told_a_few_times_and_no_more() {
        let until = Instant::default() + Duration::from_secs(10);
        let mut grave = Grave::new(ChannelError::Timeout, "timeout", true, until);
        let mut told = drain(&mut grave, Instant::default());
        while grave.deadline() < until {
            let now = grave.deadline();
            grave.handle_timeout(now);
            told += drain(&mut grave, now);
        }
        assert_eq!(told, REPEATS);
        for _ in 0..100 {
            grave.on_packet();
            told += drain(&mut grave, until);
        }
        assert_eq!(told, MAX_ERRS);
    }

    #[test]
    fn a_refusal_is_said_once_unless_asked_again() {
        let until = Instant::default() + Duration::from_secs(10);
        let mut grave = Grave::new(ChannelError::Timeout, "unknown type", false, until);
        assert_eq!(drain(&mut grave, Instant::default()), 1);
        assert_eq!(grave.deadline(), until);
        grave.on_packet();
        assert_eq!(drain(&mut grave, Instant::default()), 1);
    }
}
