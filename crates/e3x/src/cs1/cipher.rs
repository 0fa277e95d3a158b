//! AES-128-CTR and the folded SHA-256 and HMAC of the 1x cipher sets.

use core::fmt;

use aes::Aes128;
use ctr::cipher::{InnerIvInit, KeyInit, StreamCipher};
use ctr::{Ctr128BE, CtrCore};
use hmac::{Hmac, Mac as _};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

/// Bytes of an IV.
pub(super) const IV_LEN: usize = 4;
/// Bytes of a MAC.
pub(super) const MAC_LEN: usize = 4;
/// Bytes of an AES key.
pub(super) const KEY_LEN: usize = 16;
/// Bytes of a block of AES.
const AES_BLOCK: usize = 16;
/// Bytes of a block of SHA-256. HMAC pads shorter keys with zeros up to it, and ours are shorter.
const SHA_BLOCK: usize = 64;

/// An IV, as it goes over the wire.
pub(super) type Iv = [u8; IV_LEN];
/// A MAC, as it goes over the wire.
pub(super) type Mac = [u8; MAC_LEN];

/// An AES key. Erased when dropped, never shown.
pub(super) struct Key {
    bytes: Zeroizing<[u8; KEY_LEN]>,
    aes: Aes128,
}

impl Key {
    pub(super) fn new(bytes: Zeroizing<[u8; KEY_LEN]>) -> Self {
        Self {
            aes: Aes128::new((&*bytes).into()),
            bytes,
        }
    }

    /// `fold1(SHA256(parts))`.
    pub(super) fn hashed(parts: [&[u8]; 3]) -> Self {
        let mut hash = Sha256::new();
        for part in parts {
            hash.update(part);
        }
        let mut digest: [u8; 32] = hash.finalize().into();
        let bytes = Zeroizing::new(fold(&digest));
        digest.zeroize();
        Self::new(bytes)
    }

    pub(super) fn as_bytes(&self) -> &[u8; KEY_LEN] {
        &self.bytes
    }

    /// Encrypts or decrypts. The IV must never encrypt anything else under this key.
    pub(super) fn apply(&self, iv: &Iv, data: &mut [u8]) {
        let mut counter = [0; AES_BLOCK];
        counter[..IV_LEN].copy_from_slice(iv);
        let core = CtrCore::inner_iv_init(&self.aes, &counter.into());
        Ctr128BE::from_core(core).apply_keystream(data);
    }
}

impl ZeroizeOnDrop for Key {}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Key").finish_non_exhaustive()
    }
}

/// `fold3(HMAC-SHA256(key || iv, data))`. The key has 60 bytes at most.
pub(super) fn mac(key: &[u8], iv: &Iv, data: &[u8]) -> Mac {
    let mut block = Zeroizing::new([0; SHA_BLOCK]);
    for (byte, part) in block.iter_mut().zip(key.iter().chain(iv)) {
        *byte = *part;
    }
    let hmac = Hmac::<Sha256>::new((&*block).into()).chain_update(data);
    let mut full: [u8; 32] = hmac.finalize().into_bytes().into();
    let folded: [u8; 16] = fold(&full);
    let folded: [u8; 8] = fold(&folded);
    full.zeroize();
    fold(&folded)
}

/// Whether this is that MAC, in constant time.
#[must_use]
pub(super) fn mac_fits(key: &[u8], iv: &Iv, data: &[u8], claimed: &Mac) -> bool {
    let mut expected = mac(key, iv, data);
    let fits = expected.ct_eq(claimed).into();
    // The right MAC for what a forger sent must not be left lying about.
    expected.zeroize();
    fits
}

/// Both halves, one XOR the other.
fn fold<const LEN: usize, const HALF: usize>(bytes: &[u8; LEN]) -> [u8; HALF] {
    const { assert!(LEN == 2 * HALF) };
    core::array::from_fn(|i| bytes[i] ^ bytes[HALF + i])
}
