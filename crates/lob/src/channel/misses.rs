//! The `miss` list of an ack (channels.md, Reliable channels).

use alloc::vec::Vec;
use core::{fmt, ops::Deref};

use serde::de::{DeserializeSeed, Deserializer, Error as _, SeqAccess, Visitor};

/// Most entries of a `miss` list, sent or received. A longer one makes the packet malformed: a
/// sender that knows more gaps reports the first ones and the rest with a later ack.
pub const MAX_MISSES: usize = 100;

/// The deltas of a `miss` list, at most [`MAX_MISSES`].
///
/// The first delta counts from `ack`, each other from the one before it. All but the last name a
/// missing packet; the last leads to the highest `seq` that the receiver has room for.
///
/// ```
/// use telehash_lob::Misses;
///
/// // ack 78231; missing 78235, 78236, 78238 and 78245; room up to 78251.
/// let miss = Misses::from_slice(&[4, 1, 2, 7, 6])?;
/// assert_eq!(miss.iter().sum::<u32>(), 78_251 - 78_231);
/// # Ok::<(), telehash_lob::channel::TooManyMisses>(())
/// ```
#[derive(Clone, Default)]
pub struct Misses {
    len: u8,
    inline: [u32; Self::INLINE],
    /// All deltas, once there are more than fit inline.
    spilled: Vec<u32>,
}

impl Misses {
    /// How many deltas are stored without an allocation.
    pub const INLINE: usize = 7;

    /// An empty list.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            len: 0,
            inline: [0; Self::INLINE],
            spilled: Vec::new(),
        }
    }

    /// The list of these deltas.
    ///
    /// # Errors
    ///
    /// [`TooManyMisses`] above [`MAX_MISSES`].
    pub fn from_slice(deltas: &[u32]) -> Result<Self, TooManyMisses> {
        let mut misses = Self::new();
        deltas.iter().try_for_each(|&delta| misses.push(delta))?;
        Ok(misses)
    }

    /// Appends a delta.
    ///
    /// # Errors
    ///
    /// [`TooManyMisses`] if there are [`MAX_MISSES`] already; the list stays as it was.
    pub fn push(&mut self, delta: u32) -> Result<(), TooManyMisses> {
        let len = usize::from(self.len);
        if len >= MAX_MISSES {
            return Err(TooManyMisses);
        }
        match self.inline.get_mut(len) {
            Some(slot) => *slot = delta,
            None => {
                if len == Self::INLINE {
                    self.spilled.extend_from_slice(&self.inline);
                }
                self.spilled.push(delta);
            }
        }
        self.len += 1;
        Ok(())
    }

    /// The deltas, as they stand in the packet.
    #[must_use]
    pub fn as_slice(&self) -> &[u32] {
        self.inline
            .get(..usize::from(self.len))
            .unwrap_or(&self.spilled)
    }
}

impl Deref for Misses {
    type Target = [u32];

    fn deref(&self) -> &[u32] {
        self.as_slice()
    }
}

impl PartialEq for Misses {
    fn eq(&self, other: &Self) -> bool {
        self.as_slice() == other.as_slice()
    }
}

impl Eq for Misses {}

impl fmt::Debug for Misses {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_slice().fmt(formatter)
    }
}

/// A `miss` list would exceed [`MAX_MISSES`] entries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a miss list has at most {MAX_MISSES} entries")]
pub struct TooManyMisses;

/// Reads a list of deltas.
pub(super) struct MissesSeed;

impl<'de> DeserializeSeed<'de> for MissesSeed {
    type Value = Misses;

    fn deserialize<D: Deserializer<'de>>(self, source: D) -> Result<Misses, D::Error> {
        source.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for MissesSeed {
    type Value = Misses;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a list of missing packets")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Misses, A::Error> {
        let mut misses = Misses::new();
        while let Some(delta) = access.next_element()? {
            misses.push(delta).map_err(A::Error::custom)?;
        }
        Ok(misses)
    }
}
