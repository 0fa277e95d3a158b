//! Epochs: the keys of one direction change with its counter, and old ones cannot be had back.

use core::fmt;

use ring::aead::{LessSafeKey, NONCE_LEN, Nonce};
use zeroize::{ZeroizeOnDrop, Zeroizing};

use super::{
    kdf::{self, Secret},
    message::aead_key,
};

/// Bits of the counter within an epoch.
const EPOCH_BITS: u32 = 20;

/// Packets in an epoch.
pub(super) const EPOCH_LEN: u64 = 1 << EPOCH_BITS;

/// The epoch of a counter.
pub(super) const fn epoch_of(counter: u64) -> u64 {
    counter >> EPOCH_BITS
}

/// The secret of an epoch, from which its keys and the next secret follow. Not `Clone`; erased when
/// dropped, never shown.
pub(super) struct Chain(Secret);

impl Chain {
    pub(super) fn new(secret: Secret) -> Self {
        Self(secret)
    }

    /// The secret of the next epoch.
    pub(super) fn next(&self) -> Self {
        Self(kdf::expand(&self.0, b"telehash/cs42/next"))
    }

    /// The keys of this epoch.
    pub(super) fn keys(&self) -> Keys {
        #[cfg(test)]
        super::tests::work::count_keys();
        let output = kdf::expand::<44>(&self.0, b"telehash/cs42/key");
        let key = Secret::new(core::array::from_fn(|i| output[i]));
        Keys {
            aead: aead_key(&key),
            iv: Zeroizing::new(core::array::from_fn(|i| output[32 + i])),
        }
    }
}

/// Its secret erases itself.
impl ZeroizeOnDrop for Chain {}

impl fmt::Debug for Chain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Chain").finish_non_exhaustive()
    }
}

/// The keys of one epoch and direction. `ring` does not overwrite its one when it is dropped.
pub(super) struct Keys {
    pub(super) aead: LessSafeKey,
    iv: Zeroizing<[u8; NONCE_LEN]>,
}

impl Keys {
    /// `iv XOR (4 zero bytes || COUNTER)`.
    pub(super) fn nonce(&self, counter: u64) -> Nonce {
        let mut nonce = *self.iv;
        for (byte, part) in nonce.iter_mut().skip(4).zip(counter.to_be_bytes()) {
            *byte ^= part;
        }
        Nonce::assume_unique_for_key(nonce)
    }
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keys").finish_non_exhaustive()
    }
}
