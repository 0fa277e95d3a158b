//! X25519: secrets, and what two keys agree on.

use core::fmt;

use rand_core::CryptoRng;
use x25519_dalek::{PublicKey, StaticSecret};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

/// Bytes of a key, public or secret, and of an agreement.
pub(super) const KEY_LEN: usize = 32;

/// A public key as it was received, which is how it is hashed.
pub(super) type Public = [u8; KEY_LEN];

/// A key pair. Not `Clone`: an ephemeral has one owner, who gives it away to use it up. The secret
/// is erased when dropped, never shown.
pub(super) struct Ephemeral {
    public: Public,
    secret: StaticSecret,
}

impl Ephemeral {
    /// One scalar multiplication with the base point.
    pub(super) fn from_secret(secret: &Zeroizing<[u8; KEY_LEN]>) -> Self {
        #[cfg(test)]
        super::tests::work::count_base();
        let secret = StaticSecret::from(**secret);
        Self {
            public: PublicKey::from(&secret).to_bytes(),
            secret,
        }
    }

    /// A new random pair. One scalar multiplication with the base point.
    pub(super) fn random(rng: &mut dyn CryptoRng) -> Self {
        let mut secret = Zeroizing::new([0; KEY_LEN]);
        rng.fill_bytes(secret.as_mut_slice());
        Self::from_secret(&secret)
    }

    pub(super) fn public(&self) -> Public {
        self.public
    }

    /// What we agree on with the owner of `public`; `None` if it is all zeros, which everybody
    /// knows. One scalar multiplication.
    pub(super) fn agree(&self, public: &Public) -> Option<Agreement> {
        #[cfg(test)]
        super::tests::work::count_agreement();
        let shared = self.secret.diffie_hellman(&PublicKey::from(*public));
        shared
            .was_contributory()
            .then(|| Agreement(shared.to_bytes()))
    }
}

/// `StaticSecret` erases itself; there is nothing else that is secret.
impl ZeroizeOnDrop for Ephemeral {}

impl fmt::Debug for Ephemeral {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ephemeral").finish_non_exhaustive()
    }
}

/// The keys of low order, as `u` below 2^255: with one of these everybody agrees on zeros.
const LOW_ORDER: [Public; 7] = [
    low_order(0, 0, 0),
    low_order(1, 0, 0),
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
    low_order(0xec, 0xff, 0x7f),
    low_order(0xed, 0xff, 0x7f),
    low_order(0xee, 0xff, 0x7f),
];

const fn low_order(first: u8, middle: u8, last: u8) -> Public {
    let mut key = [middle; KEY_LEN];
    key[0] = first;
    key[KEY_LEN - 1] = last;
    key
}

/// Whether everybody knows what the owner of this key agrees on with others. X25519 ignores the
/// highest bit.
pub(super) fn is_weak(public: &Public) -> bool {
    let mut point = *public;
    point[KEY_LEN - 1] &= 0x7f;
    LOW_ORDER.contains(&point)
}

/// What two keys agree on. Not `Clone`; erased when dropped, never shown.
#[derive(Zeroize, ZeroizeOnDrop)]
pub(super) struct Agreement([u8; KEY_LEN]);

impl Agreement {
    /// Of bytes that [`RemoteEphemeral`](crate::RemoteEphemeral) kept.
    pub(super) fn from_slice(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }

    pub(super) fn as_bytes(&self) -> &[u8; KEY_LEN] {
        &self.0
    }
}

impl fmt::Debug for Agreement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Agreement").finish_non_exhaustive()
    }
}
