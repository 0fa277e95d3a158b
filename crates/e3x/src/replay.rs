//! Replay filters: every packet counts once.

use alloc::collections::{BTreeSet, VecDeque};

/// Words of the bitmap: one more than the window needs, so that the word of the newest counter can
/// be cleared without losing the oldest ones of the window.
const WORDS: u64 = ReplayWindow::SIZE / 64 + 1;

/// A sliding window over counters: accepts each counter once, and none that is older than the
/// window (cipher-sets.md, Nonces, replay and failures).
///
/// Only ask it about packets that have authenticated, or a forger can move the window.
#[derive(Clone, Debug)]
pub struct ReplayWindow {
    highest: Option<u64>,
    seen: [u64; WORDS as usize],
}

impl ReplayWindow {
    /// How far behind the highest counter a packet may come, in packets. One that is `SIZE` or more
    /// behind is refused, received before or not.
    pub const SIZE: u64 = 2048;

    /// A window that has seen nothing. The first counter may be any.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            highest: None,
            seen: [0; WORDS as usize],
        }
    }

    /// Whether this counter is new; from now on it is not.
    #[must_use]
    pub const fn accept(&mut self, counter: u64) -> bool {
        match self.highest {
            None => self.highest = Some(counter),
            Some(highest) if counter > highest => self.advance(highest, counter),
            Some(highest) if highest - counter >= Self::SIZE => return false,
            Some(_) => {}
        }
        // In bounds: the remainder of a division by the length.
        let word = &mut self.seen[(counter / 64 % WORDS) as usize];
        let bit = 1 << (counter % 64);
        let new = *word & bit == 0;
        *word |= bit;
        new
    }

    /// Moves the window up to `counter` and forgets what falls out of it.
    const fn advance(&mut self, highest: u64, counter: u64) {
        let mut word = highest / 64;
        let mut steps = counter / 64 - word;
        if steps > WORDS {
            steps = WORDS;
        }
        while steps > 0 {
            word += 1;
            steps -= 1;
            // In bounds: the remainder of a division by the length.
            self.seen[(word % WORDS) as usize] = 0;
        }
        self.highest = Some(counter);
    }
}

impl Default for ReplayWindow {
    fn default() -> Self {
        Self::new()
    }
}

/// The nonces that came in last, for peers whose nonces have no order (cipher-sets.md, Nonces,
/// replay and failures).
///
/// Accepts each nonce once as long as it remembers it: a packet that is replayed after
/// [`CAPACITY`](Self::CAPACITY) others is accepted again. Grows with use.
///
/// Only ask it about packets that have authenticated, or a forger can push nonces out.
#[derive(Clone, Debug)]
pub struct RecentNonces<const LEN: usize> {
    arrived: VecDeque<[u8; LEN]>,
    known: BTreeSet<[u8; LEN]>,
}

impl<const LEN: usize> RecentNonces<LEN> {
    /// Nonces that are remembered. At the limit the oldest is forgotten.
    pub const CAPACITY: usize = 4096;

    /// A set that has seen nothing and has allocated nothing.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            arrived: VecDeque::new(),
            known: BTreeSet::new(),
        }
    }

    /// Whether this nonce is new; from now on it is not.
    #[must_use]
    pub fn accept(&mut self, nonce: &[u8; LEN]) -> bool {
        if !self.known.insert(*nonce) {
            return false;
        }
        if self.arrived.len() == Self::CAPACITY
            && let Some(oldest) = self.arrived.pop_front()
        {
            self.known.remove(&oldest);
        }
        self.arrived.push_back(*nonce);
        true
    }
}

impl<const LEN: usize> Default for RecentNonces<LEN> {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests;
