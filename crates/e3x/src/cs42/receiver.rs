//! The receiving side of a session: which epochs it takes, and which counters of them.

use alloc::{boxed::Box, vec::Vec};
use core::time::Duration;

use super::epoch::{Chain, Keys, epoch_of};
use crate::{Instant, ReplayWindow};

/// How long the keys of the epoch that the peer left still receive.
pub(super) const LEFT_LINGER: Duration = Duration::from_secs(10);

/// Most epochs that a packet of CS42 may be ahead of the present one; one that is further is refused as
/// forged. Their keys are derived once and kept, so that forged packets cost no more than that.
pub(super) const MAX_AHEAD: u64 = 8;

/// An epoch that packets are accepted from.
#[derive(Debug)]
struct Epoch {
    number: u64,
    keys: Keys,
    window: Option<Box<ReplayWindow>>,
}

#[derive(Debug)]
pub(super) struct Receiver {
    present: Epoch,
    /// Of the epoch after the newest that was derived.
    chain: Chain,
    /// The epochs after the present one that somebody sent packets of, or claimed to: ascending,
    /// without gaps.
    ahead: Vec<Epoch>,
    /// Boxed, as there is none most of the time.
    left: Option<Box<Left>>,
}

/// The epoch that the peer left, and until when it still receives.
#[derive(Debug)]
struct Left {
    epoch: Epoch,
    until: Instant,
}

impl Epoch {
    fn new(number: u64, chain: &Chain) -> Self {
        Self {
            number,
            keys: chain.keys(),
            window: None,
        }
    }
}

impl Receiver {
    pub(super) fn new(chain: &Chain) -> Self {
        Self {
            present: Epoch::new(0, chain),
            chain: chain.next(),
            ahead: Vec::new(),
            left: None,
        }
    }

    /// The keys for a packet with this counter; `None` if its epoch is not accepted.
    pub(super) fn keys(&mut self, now: Instant, counter: u64) -> Option<&Keys> {
        self.expire(now);
        let number = epoch_of(counter);
        let present = self.present.number;
        if number > present {
            return self.keys_ahead(number - present);
        }
        if number == present {
            return Some(&self.present.keys);
        }
        let left = &self.left.as_ref()?.epoch;
        (left.number == number).then_some(&left.keys)
    }

    fn keys_ahead(&mut self, distance: u64) -> Option<&Keys> {
        if distance > MAX_AHEAD {
            return None;
        }
        let distance = usize::try_from(distance).ok()?;
        self.ahead
            .reserve_exact(distance.saturating_sub(self.ahead.len()));
        while self.ahead.len() < distance {
            let number = self.present.number + self.ahead.len() as u64 + 1;
            self.ahead.push(Epoch::new(number, &self.chain));
            self.chain = self.chain.next();
        }
        self.ahead.get(distance - 1).map(|epoch| &epoch.keys)
    }

    /// A packet with this counter authenticated: whether it is new. A later epoch becomes the
    /// present one; those that the peer skipped are erased, as nothing came of them.
    pub(super) fn accept(&mut self, now: Instant, counter: u64) -> bool {
        let number = epoch_of(counter);
        if let Some(at) = self.ahead.iter().position(|epoch| epoch.number == number) {
            let next = self.ahead.remove(at);
            self.ahead.drain(..at);
            self.ahead.shrink_to_fit();
            self.left = Some(Box::new(Left {
                epoch: core::mem::replace(&mut self.present, next),
                until: now + LEFT_LINGER,
            }));
        }
        let epoch = match &mut self.left {
            Some(left) if left.epoch.number == number => &mut left.epoch,
            _ => &mut self.present,
        };
        epoch.window.get_or_insert_default().accept(counter)
    }

    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.left.as_ref().map(|left| left.until)
    }

    /// Erases the keys of the epoch that was left, once its time is up.
    pub(super) fn expire(&mut self, now: Instant) {
        self.left.take_if(|left| left.until <= now);
    }
}
