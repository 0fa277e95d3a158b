//! KEYS: what the sender of a message shares with its recipient for the life of an ephemeral.

use core::fmt;

use rand_core::CryptoRng;
use subtle::ConstantTimeEq;
use zeroize::{ZeroizeOnDrop, Zeroizing};

use super::gcm::{Cipher, KEY_LEN};
use super::iv::IvSource;
use super::p256::{self, POINT_LEN, Pair, Point};
use super::rsa::{Block, PublicKey};
use crate::KeyError;

/// Bytes that KEYS encrypts.
pub(super) const CONTENTS_LEN: usize = POINT_LEN + KEY_LEN;

/// What KEYS encrypts: an ephemeral public key and the key that messages are encrypted with. Erased
/// when dropped, never shown.
#[derive(Clone)]
pub(super) struct Contents {
    pub(super) point: Point,
    pub(super) message_key: Zeroizing<[u8; KEY_LEN]>,
}

impl Contents {
    pub(super) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (point, message_key) = bytes.split_first_chunk()?;
        Some(Self {
            point: *point,
            message_key: Zeroizing::new(message_key.try_into().ok()?),
        })
    }

    pub(super) fn to_bytes(&self) -> Zeroizing<[u8; CONTENTS_LEN]> {
        let mut bytes = Zeroizing::new([0; CONTENTS_LEN]);
        bytes[..POINT_LEN].copy_from_slice(&self.point);
        bytes[POINT_LEN..].copy_from_slice(self.message_key.as_slice());
        bytes
    }

    /// Whether both hold the same ephemeral key, or the same message key: with either, packets of
    /// one side could pass for those of the other.
    pub(super) fn overlaps(&self, other: &Self) -> bool {
        p256::x(&self.point) == p256::x(&other.point)
            || self.message_key.ct_eq(&*other.message_key).into()
    }
}

impl ZeroizeOnDrop for Contents {}

impl fmt::Debug for Contents {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Contents(..)")
    }
}

/// Our ephemeral towards one other endpoint, with all that our messages need.
#[derive(Debug)]
pub(super) struct Ephemeral {
    pub(super) pair: Pair,
    pub(super) contents: Contents,
    /// The contents, encrypted to the other endpoint.
    pub(super) keys: Block,
    pub(super) cipher: Cipher,
    pub(super) ivs: IvSource,
}

impl Ephemeral {
    /// A new one. Fails if the library or the RNG does.
    pub(super) fn random(remote: &PublicKey, rng: &mut dyn CryptoRng) -> Result<Self, KeyError> {
        let pair = Pair::random(rng).ok_or(KeyError::Generation)?;
        let mut message_key = Zeroizing::new([0; KEY_LEN]);
        rng.fill_bytes(message_key.as_mut_slice());
        let contents = Contents {
            point: pair.public,
            message_key,
        };
        let keys = remote
            .encrypt(contents.to_bytes().as_slice())
            .ok_or(KeyError::Generation)?;
        Self::new(pair, contents, keys, IvSource::random(rng)).ok_or(KeyError::Generation)
    }

    /// One of the caller's choice. `None` if the library fails.
    pub(super) fn new(pair: Pair, contents: Contents, keys: Block, ivs: IvSource) -> Option<Self> {
        Some(Self {
            cipher: Cipher::new(&contents.message_key)?,
            pair,
            contents,
            keys,
            ivs,
        })
    }
}
