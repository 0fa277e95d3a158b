//! How much a cache keeps, and for how long.

use std::time::Duration;

/// What a message costs beside its own bytes, for all that a cache remembers of it: as much as was
/// measured for the only message of a box, whose sender and recipient have no other.
pub(crate) const OVERHEAD: usize = 1280;

/// The last message of a sender to a recipient is not dropped to make room for others if it is smaller
/// than this.
pub(crate) const SMALL: usize = 1024;

/// How much a cache keeps, and for how long. A message counts its own bytes and 1280,
/// so that the process does not take more than that.
///
/// At a limit the oldest messages that it concerns make room, except the last one of each sender to a
/// recipient if it is under 1024 bytes. If that is not enough the new one is not kept, and nobody is
/// told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Quota {
    /// Limit: bytes of all messages of one sender; 1 MiB by default.
    pub per_sender: usize,
    /// Limit: bytes of all messages for one recipient; 4 MiB by default.
    pub per_recipient: usize,
    /// Limit: bytes of all messages; 64 MiB by default.
    pub total: usize,
    /// Limit: how long a message is kept, if its sender does not want it to be kept for less; 14 days by
    /// default.
    pub max_age: Duration,
}

impl Default for Quota {
    fn default() -> Self {
        Self {
            per_sender: 1 << 20,
            per_recipient: 4 << 20,
            total: 64 << 20,
            max_age: Duration::from_secs(14 * 24 * 3600),
        }
    }
}

impl Quota {
    /// The defaults.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The same with so many bytes for one sender.
    #[must_use]
    pub fn per_sender(mut self, bytes: usize) -> Self {
        self.per_sender = bytes;
        self
    }

    /// The same with so many bytes for one recipient.
    #[must_use]
    pub fn per_recipient(mut self, bytes: usize) -> Self {
        self.per_recipient = bytes;
        self
    }

    /// The same with so many bytes in all.
    #[must_use]
    pub fn total(mut self, bytes: usize) -> Self {
        self.total = bytes;
        self
    }

    /// The same, keeping messages for so long at most.
    #[must_use]
    pub fn max_age(mut self, age: Duration) -> Self {
        self.max_age = age;
        self
    }
}
