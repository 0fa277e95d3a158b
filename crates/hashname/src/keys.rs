//! What is known of an endpoint's public keys.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::fmt;

use sha2::{Digest, Sha256};

use crate::{Csid, Hashname, Intermediate, KeySetError};

/// Most cipher sets in one [`KeySet`]; another one is refused with [`KeySetError::TooManyCsids`].
///
/// Five sets are defined. Sixteen intermediates still fit into one 1200-byte handshake.
pub const MAX_CSIDS: usize = 16;

/// Longest public key in bytes; a longer one is refused with [`KeySetError::KeyLength`].
///
/// CS2a's, the longest defined, takes 294. There is room for a set of an application's own.
pub const MAX_KEY_LEN: usize = 2048;

/// The public keys of one endpoint by cipher set: each the key itself, or only its
/// [`Intermediate`].
///
/// One full key and the intermediates of the others are enough to verify a hashname.
///
/// ```
/// use telehash_hashname::{Csid, Intermediate, KeySet};
///
/// let mut keys = KeySet::new();
/// keys.insert_key(Csid::CS3A, vec![7; 32])?;
/// keys.insert_intermediate(Csid::CS1A, Intermediate::of(&[2; 21]))?;
///
/// let mut full = keys.clone();
/// full.insert_key(Csid::CS1A, vec![2; 21])?;
/// assert_eq!(keys.hashname(), full.hashname());
/// # Ok::<(), telehash_hashname::KeySetError>(())
/// ```
#[derive(Clone, Default, PartialEq, Eq, Hash)]
pub struct KeySet(BTreeMap<Csid, KeyPart>);

/// What a [`KeySet`] knows of one public key.
#[derive(Clone, PartialEq, Eq, Hash)]
pub enum KeyPart {
    /// The raw public key, as its cipher set defines it.
    Key(Vec<u8>),
    /// Only the hash of the key.
    Intermediate(Intermediate),
}

impl KeySet {
    /// An empty set.
    #[must_use]
    pub const fn new() -> Self {
        Self(BTreeMap::new())
    }

    /// Adds the public key of a cipher set. It takes the place of an intermediate that it matches.
    ///
    /// # Errors
    ///
    /// An empty or overlong key, a key that contradicts what the set knows, or a full set.
    pub fn insert_key(&mut self, csid: Csid, key: Vec<u8>) -> Result<(), KeySetError> {
        if key.is_empty() || key.len() > MAX_KEY_LEN {
            let len = key.len();
            return Err(KeySetError::KeyLength { csid, len });
        }
        self.check_fits(csid, Intermediate::of(&key))?;
        self.0.insert(csid, KeyPart::Key(key));
        Ok(())
    }

    /// Adds the intermediate of a cipher set. A key that matches it stays.
    ///
    /// # Errors
    ///
    /// An intermediate that contradicts what the set knows, or a full set.
    pub fn insert_intermediate(
        &mut self,
        csid: Csid,
        intermediate: Intermediate,
    ) -> Result<(), KeySetError> {
        self.check_fits(csid, intermediate)?;
        self.0
            .entry(csid)
            .or_insert(KeyPart::Intermediate(intermediate));
        Ok(())
    }

    /// Adds everything that `other` knows. On an error nothing has changed.
    ///
    /// # Errors
    ///
    /// The two sets contradict each other, or hold more than [`MAX_CSIDS`] together.
    pub fn merge(&mut self, other: &Self) -> Result<(), KeySetError> {
        let mut merged = self.clone();
        for (&csid, part) in &other.0 {
            match part {
                KeyPart::Key(key) => merged.insert_key(csid, key.clone())?,
                KeyPart::Intermediate(hash) => merged.insert_intermediate(csid, *hash)?,
            }
        }
        *self = merged;
        Ok(())
    }

    /// The full public key of a cipher set, if it is known.
    #[must_use]
    pub fn key(&self, csid: Csid) -> Option<&[u8]> {
        match self.0.get(&csid)? {
            KeyPart::Key(key) => Some(key),
            KeyPart::Intermediate(_) => None,
        }
    }

    /// The intermediate of a cipher set, whether given or calculated from the key.
    #[must_use]
    pub fn intermediate(&self, csid: Csid) -> Option<Intermediate> {
        self.0.get(&csid).map(KeyPart::intermediate)
    }

    /// All cipher sets that the hashname commits to, ascending.
    pub fn csids(&self) -> impl DoubleEndedIterator<Item = Csid> + ExactSizeIterator + '_ {
        self.0.keys().copied()
    }

    /// All cipher sets with what is known of their keys, ascending.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (Csid, &KeyPart)> + ExactSizeIterator {
        self.0.iter().map(|(&csid, part)| (csid, part))
    }

    /// Whether the hashname commits to a key of this cipher set.
    #[must_use]
    pub fn contains(&self, csid: Csid) -> bool {
        self.0.contains_key(&csid)
    }

    /// Number of cipher sets.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether no key is known at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether every key is known in full.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.0.values().all(|part| matches!(part, KeyPart::Key(_)))
    }

    /// The hashname of an endpoint with exactly these cipher sets, or `None` for no key at all.
    #[must_use]
    pub fn hashname(&self) -> Option<Hashname> {
        let mut rollup: Option<[u8; 32]> = None;
        for (csid, part) in &self.0 {
            let after_csid = roll(rollup.as_ref(), &[csid.as_u8()]);
            rollup = Some(roll(Some(&after_csid), part.intermediate().as_bytes()));
        }
        rollup.map(Hashname::from_bytes)
    }

    /// The cipher set that a link between the two uses: the highest that both hashnames commit to.
    ///
    /// It depends on the full sets only, never on which keys happen to be known: if the key of the
    /// agreed set is missing the link has to wait for it, since falling back would be a downgrade
    /// that an attacker can force (links.md, Handshake).
    #[must_use]
    pub fn agreed(&self, other: &Self) -> Option<Csid> {
        self.csids().rev().find(|&csid| other.contains(csid))
    }

    fn check_fits(&self, csid: Csid, intermediate: Intermediate) -> Result<(), KeySetError> {
        match self.intermediate(csid) {
            Some(known) if known != intermediate => Err(KeySetError::Mismatch { csid }),
            None if self.0.len() >= MAX_CSIDS => Err(KeySetError::TooManyCsids),
            _ => Ok(()),
        }
    }
}

fn roll(rollup: Option<&[u8; 32]>, next: &[u8]) -> [u8; 32] {
    let mut hash = Sha256::new();
    if let Some(rollup) = rollup {
        hash.update(rollup);
    }
    hash.update(next);
    hash.finalize().into()
}

impl fmt::Debug for KeySet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(&self.0).finish()
    }
}

impl KeyPart {
    /// The intermediate, given or calculated.
    #[must_use]
    pub fn intermediate(&self) -> Intermediate {
        match self {
            Self::Key(key) => Intermediate::of(key),
            Self::Intermediate(intermediate) => *intermediate,
        }
    }
}

impl fmt::Debug for KeyPart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Key(key) => write!(f, "Key({} bytes)", key.len()),
            Self::Intermediate(intermediate) => fmt::Debug::fmt(intermediate, f),
        }
    }
}
