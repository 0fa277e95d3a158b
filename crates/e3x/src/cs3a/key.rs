//! Identity keys of CS3a.

use alloc::boxed::Box;
use alloc::sync::Arc;
use core::fmt;

use rand_core::CryptoRng;
use subtle::ConstantTimeEq;
use telehash_hashname::Csid;
use zeroize::{ZeroizeOnDrop, Zeroizing};

use super::exchange::Cs3aExchange;
use super::message::MessageBody;
use super::nacl::{self, KEY_LEN, PublicKey, SharedKey};
use crate::{Exchange, ExchangeError, KeyError, LocalKey, MessageError, Opened, RemoteEphemeral};

/// A key pair of ours, an identity or an ephemeral. The secret is erased when dropped, never shown.
pub(super) struct Pair {
    pub(super) public: PublicKey,
    secret: Zeroizing<[u8; KEY_LEN]>,
}

impl Pair {
    /// One scalar multiplication with the base point.
    pub(super) fn from_secret(secret: Zeroizing<[u8; KEY_LEN]>) -> Self {
        Self {
            public: nacl::public_key(&secret),
            secret,
        }
    }

    /// A new random pair. One scalar multiplication with the base point.
    pub(super) fn random(rng: &mut dyn CryptoRng) -> Self {
        let mut secret = Zeroizing::new([0; KEY_LEN]);
        rng.fill_bytes(secret.as_mut_slice());
        Self::from_secret(secret)
    }

    /// What we agree on with the owner of `public`; `None` if it is all zeros. One scalar
    /// multiplication.
    pub(super) fn agree(&self, public: &PublicKey) -> Option<SharedKey> {
        nacl::agree(&self.secret, public)
    }
}

impl ZeroizeOnDrop for Pair {}

impl fmt::Debug for Pair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pair")
            .field("public", &self.public)
            .finish_non_exhaustive()
    }
}

/// One of our identities.
#[derive(Debug)]
pub(super) struct Cs3aKey(Arc<Pair>);

impl Cs3aKey {
    pub(super) fn load(public: &[u8], secret: &[u8]) -> Result<Self, KeyError> {
        let public = parse_public(public)?;
        let secret = Zeroizing::new(parse(secret)?);
        let pair = Pair::from_secret(secret);
        if bool::from(pair.public.ct_eq(&public)) {
            Ok(Self(Arc::new(pair)))
        } else {
            Err(KeyError::Mismatch)
        }
    }
}

impl LocalKey for Cs3aKey {
    fn csid(&self) -> Csid {
        Csid::CS3A
    }

    fn public(&self) -> &[u8] {
        &self.0.public
    }

    fn open(&self, body: &[u8]) -> Result<Opened, MessageError> {
        open_from_anyone(&self.0, body)
    }

    fn exchange(
        &self,
        remote_public: &[u8],
        rng: &mut dyn CryptoRng,
    ) -> Result<Box<dyn Exchange>, ExchangeError> {
        let exchange = Cs3aExchange::new(Arc::clone(&self.0), remote_public, Pair::random(rng))?;
        Ok(Box::new(exchange))
    }
}

/// Decrypts a message to `identity`. One scalar multiplication.
pub(super) fn open_from_anyone(identity: &Pair, body: &[u8]) -> Result<Opened, MessageError> {
    let message = MessageBody::parse(body).ok_or(MessageError::Malformed)?;
    if !nacl::is_sound(message.key) {
        return Err(MessageError::Malformed);
    }
    let agreement = identity.agree(message.key).ok_or(MessageError::Malformed)?;
    let inner = message.decrypt(&agreement).ok_or(MessageError::Forged)?;
    let secret = Zeroizing::new(agreement.as_bytes().to_vec());
    Ok(Opened::new(
        inner,
        RemoteEphemeral::new(Csid::CS3A, message.key, secret)?,
    ))
}

/// A public key that is safe to use.
pub(super) fn parse_public(public: &[u8]) -> Result<PublicKey, KeyError> {
    let public = parse(public)?;
    if nacl::is_sound(&public) {
        Ok(public)
    } else {
        Err(KeyError::Invalid)
    }
}

fn parse(key: &[u8]) -> Result<[u8; KEY_LEN], KeyError> {
    key.try_into().map_err(|_| KeyError::Length {
        expected: KEY_LEN,
        actual: key.len(),
    })
}
