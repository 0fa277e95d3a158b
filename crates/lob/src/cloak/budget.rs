//! How much decloaking a sender may cause.

use super::CloakError;

/// What [`WorkBudget::default`] allows, in bytes of keystream: any single-round packet, and some
/// forty rounds of an ordinary datagram. Rounds beyond it are refused before their work is done.
pub const DEFAULT_WORK: usize = 65_536;

/// An allowance of keystream bytes.
///
/// The protocol sets no limit to the rounds of cloaking, and every round costs its sender eight
/// bytes but its receiver a pass over the packet. So the work is bounded, not the rounds: keep a
/// budget per source and [refill](WorkBudget::refill) it with time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WorkBudget {
    left: usize,
}

impl WorkBudget {
    /// An allowance of `bytes` of keystream.
    #[must_use]
    pub const fn new(bytes: usize) -> Self {
        Self { left: bytes }
    }

    /// What is left, in bytes of keystream.
    #[must_use]
    pub const fn remaining(&self) -> usize {
        self.left
    }

    /// Adds `bytes`, up to `most` in all.
    pub fn refill(&mut self, bytes: usize, most: usize) {
        self.left = self.left.saturating_add(bytes).min(most);
    }

    /// Takes `needed` bytes for work about to be done.
    ///
    /// # Errors
    ///
    /// [`CloakError::WorkExhausted`] if that many are not left; what is left stays for smaller work.
    pub fn spend(&mut self, needed: usize) -> Result<(), CloakError> {
        let left = self.left;
        self.left = left
            .checked_sub(needed)
            .ok_or(CloakError::WorkExhausted { needed, left })?;
        Ok(())
    }
}

impl Default for WorkBudget {
    /// [`DEFAULT_WORK`], for one packet.
    fn default() -> Self {
        Self::new(DEFAULT_WORK)
    }
}
