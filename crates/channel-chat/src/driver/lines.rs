//! The channels of one chat, with each of its participants.

use std::collections::HashMap;

use bytes::Bytes;
use telehash_hashname::Hashname;
use tokio::sync::mpsc;

/// Limit: channels of one chat with one participant; one more is refused with `busy`. JavaScript opens
/// two or three.
pub const MAX_LINES: usize = 8;

/// Limit: receipts that wait to be sent to one participant; at the limit more are dropped.
pub const MAX_RECEIPTS: usize = 64;

/// The channels that are open; of several with one participant we send on the newest.
#[derive(Debug, Default)]
pub(super) struct Lines {
    with: HashMap<Hashname, Vec<Line>>,
    /// How many there have been.
    count: u64,
}

#[derive(Debug)]
struct Line {
    number: u64,
    /// None once a newer channel has taken over.
    receipts: Option<mpsc::Sender<Bytes>>,
}

/// A channel that was added.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Added {
    pub(super) number: u64,
    /// There was none with this participant.
    pub(super) first: bool,
}

impl Lines {
    /// Adds a channel with somebody, on which we send from now on; none if there are too many.
    pub(super) fn add(&mut self, who: Hashname, receipts: mpsc::Sender<Bytes>) -> Option<Added> {
        let lines = self.with.entry(who).or_default();
        if lines.len() >= MAX_LINES {
            return None;
        }
        let first = lines.is_empty();
        for line in lines.iter_mut() {
            line.receipts = None;
        }
        self.count += 1;
        let (number, receipts) = (self.count, Some(receipts));
        lines.push(Line { number, receipts });
        Some(Added { number, first })
    }

    /// Takes a channel off the list; whether it was the last with this participant.
    pub(super) fn remove(&mut self, who: &Hashname, number: u64) -> bool {
        let Some(lines) = self.with.get_mut(who) else {
            return false;
        };
        lines.retain(|line| line.number != number);
        let last = lines.is_empty();
        if last {
            self.with.remove(who);
        }
        last
    }

    /// Sends a receipt to somebody, if they are there.
    pub(super) fn tell(&self, whom: &Hashname, receipt: Bytes) {
        if let Some(line) = self.sending(whom) {
            // One that is lost is no harm.
            let _ = line.try_send(receipt);
        }
    }

    /// Whether there is a channel with somebody on which we send.
    pub(super) fn has(&self, who: &Hashname) -> bool {
        self.sending(who).is_some()
    }

    /// Who is there.
    pub(super) fn present(&self) -> Vec<Hashname> {
        self.with.keys().copied().collect()
    }

    fn sending(&self, who: &Hashname) -> Option<&mpsc::Sender<Bytes>> {
        self.with.get(who)?.last()?.receipts.as_ref()
    }
}
