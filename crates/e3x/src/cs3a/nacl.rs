//! The NaCl primitives that CS3a is built from, in the shapes it needs them. Everything from dryoc
//! stays in here.
//!
//! dryoc takes the 24-byte nonce of a secretbox as a whole, so the HSalsa20 step over its first 16
//! bytes is computed for every packet although our own are constant within a session: it exposes no
//! Salsa20 without it. That costs about a tenth of a full-sized packet.

use core::fmt;

use dryoc::classic::crypto_box::{
    crypto_box_beforenm, crypto_box_detached_afternm_inplace,
    crypto_box_open_detached_afternm_inplace,
};
use dryoc::classic::crypto_core::crypto_scalarmult_base;
use dryoc::classic::crypto_onetimeauth::crypto_onetimeauth;
use subtle::ConstantTimeEq;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

/// Bytes of a public, secret or shared key.
pub(super) const KEY_LEN: usize = 32;
/// Bytes of a nonce.
pub(super) const NONCE_LEN: usize = 24;
/// Bytes of a MAC, of a secretbox as of onetimeauth.
pub(super) const MAC_LEN: usize = 16;

/// A public key, as it goes over the wire.
pub(super) type PublicKey = [u8; KEY_LEN];
/// A nonce, as it goes over the wire.
pub(super) type Nonce = [u8; NONCE_LEN];
/// A MAC, as it goes over the wire.
pub(super) type Mac = [u8; MAC_LEN];

/// The encodings below 2^255 of the points whose order divides the cofactor: with any of them,
/// whatever the secret, the agreement is all zeros. Zero, one, the two points of order eight, and
/// minus one; what else encodes such a point is not canonical.
const LOW_ORDER: [PublicKey; 5] = [
    [0; 32],
    [
        1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
        0, 0,
    ],
    [
        0xe0, 0xeb, 0x7a, 0x7c, 0x3b, 0x41, 0xb8, 0xae, 0x16, 0x56, 0xe3, 0xfa, 0xf1, 0x9f, 0xc4,
        0x6a, 0xda, 0x09, 0x8d, 0xeb, 0x9c, 0x32, 0xb1, 0xfd, 0x86, 0x62, 0x05, 0x16, 0x5f, 0x49,
        0xb8, 0x00,
    ],
    [
        0x5f, 0x9c, 0x95, 0xbc, 0xa3, 0x50, 0x8c, 0x24, 0xb1, 0xd0, 0xb1, 0x55, 0x9c, 0x83, 0xef,
        0x5b, 0x04, 0x44, 0x5c, 0xc4, 0x58, 0x1c, 0x8e, 0x86, 0xd8, 0x22, 0x4e, 0xdd, 0xd0, 0x9f,
        0x11, 0x57,
    ],
    [
        0xec, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
        0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
        0xff, 0x7f,
    ],
];

/// The field prime 2^255 - 19, little-endian.
const PRIME: PublicKey = [
    0xed, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
    0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f,
];

/// A secret that two keys agreed on, or that was derived from one. Erased when dropped, never
/// shown.
#[derive(Clone)]
pub(super) struct SharedKey(Zeroizing<[u8; KEY_LEN]>);

impl SharedKey {
    pub(super) fn new(bytes: [u8; KEY_LEN]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    pub(super) fn as_bytes(&self) -> &[u8; KEY_LEN] {
        &self.0
    }
}

impl ZeroizeOnDrop for SharedKey {}

impl fmt::Debug for SharedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SharedKey(..)")
    }
}

/// Whether an honest owner can have made this public key: it is the canonical encoding of a point,
/// and not one of low order.
pub(super) fn is_sound(public: &PublicKey) -> bool {
    public.iter().rev().lt(PRIME.iter().rev()) && !LOW_ORDER.contains(public)
}

/// The public key that belongs to a secret key. One scalar multiplication with the base point.
pub(super) fn public_key(secret: &[u8; KEY_LEN]) -> PublicKey {
    #[cfg(test)]
    crate::work::count_base();
    let mut public = [0; KEY_LEN];
    crypto_scalarmult_base(&mut public, secret);
    public
}

/// `crypto_box_beforenm`: X25519, then HSalsa20. `None` if the agreement is all zeros. One scalar
/// multiplication.
pub(super) fn agree(secret: &[u8; KEY_LEN], public: &PublicKey) -> Option<SharedKey> {
    #[cfg(test)]
    crate::work::count_agreement();
    let mut key = crypto_box_beforenm(public, secret).ok()?;
    let shared = SharedKey::new(key);
    key.zeroize();
    Some(shared)
}

/// `crypto_secretbox`, in place; returns the MAC.
pub(super) fn seal(key: &SharedKey, nonce: &Nonce, data: &mut [u8]) -> Mac {
    let mut mac = [0; MAC_LEN];
    crypto_box_detached_afternm_inplace(data, &mut mac, nonce, key.as_bytes());
    mac
}

/// `crypto_secretbox_open`, in place. Whether the MAC fits; `data` is unchanged if not.
#[must_use]
pub(super) fn open(key: &SharedKey, nonce: &Nonce, mac: &Mac, data: &mut [u8]) -> bool {
    crypto_box_open_detached_afternm_inplace(data, mac, nonce, key.as_bytes()).is_ok()
}

/// `crypto_onetimeauth`. The key must never authenticate anything else.
pub(super) fn onetimeauth(key: &SharedKey, data: &[u8]) -> Mac {
    let mut mac = [0; MAC_LEN];
    crypto_onetimeauth(&mut mac, data, key.as_bytes());
    mac
}

/// `crypto_onetimeauth_verify`, in constant time.
#[must_use]
pub(super) fn onetimeauth_fits(key: &SharedKey, data: &[u8], mac: &Mac) -> bool {
    let mut expected = onetimeauth(key, data);
    let fits = expected.ct_eq(mac).into();
    // The right MAC for what a forger sent must not be left lying about.
    expected.zeroize();
    fits
}
