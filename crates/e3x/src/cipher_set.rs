//! What a cipher set is: making, checking and loading its keys.

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;

use rand_core::CryptoRng;
use telehash_hashname::Csid;
use zeroize::Zeroizing;

use crate::{Exchange, ExchangeError, MessageError, Opened};

/// A cipher set: one way to make keys, messages and sessions, named by its csid (cipher-sets.md).
///
/// The crate's own sets implement it, and an application may add its own
/// ([`CipherSets::with`](crate::CipherSets::with)); csids 0x01 to 0x0f are left for experiments.
/// Object safe; implementations hold no state worth mentioning.
pub trait CipherSet: fmt::Debug + Send + Sync {
    /// The number of this set.
    fn csid(&self) -> Csid;

    /// Makes a new key pair.
    ///
    /// # Errors
    ///
    /// [`KeyError::Generation`] if the set's library fails.
    fn generate(&self, rng: &mut dyn CryptoRng) -> Result<KeyPair, KeyError>;

    /// Checks that these bytes are a public key of this set which is safe to use.
    ///
    /// # Errors
    ///
    /// [`KeyError::Length`] or [`KeyError::Invalid`].
    fn check_key(&self, public: &[u8]) -> Result<(), KeyError>;

    /// Takes a key pair of our own into use, after checking that both halves belong together.
    ///
    /// # Errors
    ///
    /// Any [`KeyError`] except [`KeyError::Generation`].
    fn load(&self, public: &[u8], secret: &[u8]) -> Result<Arc<dyn LocalKey>, KeyError>;
}

/// One of our own identity keys, ready for use. Shared by all exchanges that use it; the secret is
/// erased when the last of them is dropped.
pub trait LocalKey: fmt::Debug + Send + Sync {
    /// The cipher set this key belongs to.
    fn csid(&self) -> Csid;

    /// Our public key, in the encoding of its set.
    fn public(&self) -> &[u8];

    /// Decrypts the BODY of a message from anyone.
    ///
    /// Proves nothing about the sender: everybody can encrypt to a public key. Learn from the inner
    /// packet who it claims to be, then ask [`Exchange::verify`].
    ///
    /// # Errors
    ///
    /// [`MessageError`]; no state changes.
    fn open(&self, body: &[u8]) -> Result<Opened, MessageError>;

    /// Starts an exchange with the endpoint that owns `remote_public`, with a fresh ephemeral key
    /// on our side.
    ///
    /// # Errors
    ///
    /// [`ExchangeError::OwnKey`] for our own key, [`ExchangeError::RemoteKey`] for one that is not
    /// safe to use.
    fn exchange(
        &self,
        remote_public: &[u8],
        rng: &mut dyn CryptoRng,
    ) -> Result<Box<dyn Exchange>, ExchangeError>;
}

/// A key pair as [`CipherSet::generate`] makes it and identity files keep it.
pub struct KeyPair {
    /// The public key, in the encoding of its set.
    pub public: Vec<u8>,
    /// The secret key, in the encoding of its set. Erased when dropped.
    pub secret: Zeroizing<Vec<u8>>,
}

impl fmt::Debug for KeyPair {
    /// Shows the length of the public key and nothing of the secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyPair")
            .field("public_len", &self.public.len())
            .finish_non_exhaustive()
    }
}

/// Why a key cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// The key has the wrong number of bytes.
    #[error(
        "the key has {actual} bytes where this cipher set has {expected}; it may be of another set, or cut off"
    )]
    Length {
        /// Bytes a key of this set has.
        expected: usize,
        /// Bytes this key has.
        actual: usize,
    },
    /// The public key is no point of the curve, or one that would give a secret everybody knows.
    #[error("the public key is damaged or was made to be weak; ask its owner for another one")]
    Invalid,
    /// Secret and public key are not of one pair.
    #[error("the secret key does not belong to the public key; check the identity file")]
    Mismatch,
    /// The library of the cipher set could not make a key.
    #[error("making a key failed; try again")]
    Generation,
}
