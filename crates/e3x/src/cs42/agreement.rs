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
    pub(super) fn from_secret(secret: Zeroizing<[u8; KEY_LEN]>) -> Self {
        let secret = StaticSecret::from(*secret);
        Self {
            public: PublicKey::from(&secret).to_bytes(),
            secret,
        }
    }

    /// A new random pair. One scalar multiplication with the base point.
    pub(super) fn random(rng: &mut dyn CryptoRng) -> Self {
        let mut secret = Zeroizing::new([0; KEY_LEN]);
        rng.fill_bytes(secret.as_mut_slice());
        Self::from_secret(secret)
    }

    pub(super) fn public(&self) -> Public {
        self.public
    }

    /// What we agree on with the owner of `public`; `None` if it is all zeros, which everybody
    /// knows. One scalar multiplication.
    pub(super) fn agree(&self, public: &Public) -> Option<Agreement> {
        #[cfg(test)]
        super::tests::count_agreement();
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
