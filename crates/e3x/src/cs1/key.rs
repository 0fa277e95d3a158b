//! Keys of the 1x cipher sets.

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;

use rand_core::CryptoRng;
use telehash_hashname::Csid;
use zeroize::{ZeroizeOnDrop, Zeroizing};

use super::cipher::Key;
use super::curve::Curve;
use super::exchange::Cs1Exchange;
use super::message::MessageBody;
use crate::{
    Exchange, ExchangeError, KeyError, KeyPair, LocalKey, MessageError, Opened, RemoteEphemeral,
};

/// How often a generator may give bytes that are no secret key, before it is taken to be broken.
/// One in 2^32 such draws is honest at worst.
const ATTEMPTS: usize = 8;

/// See [`CipherSet::generate`](crate::CipherSet::generate).
pub(super) fn generate<C: Curve>(rng: &mut dyn CryptoRng) -> Result<KeyPair, KeyError> {
    let (secret, bytes) = random_secret::<C>(rng)?;
    let pair = Pair::<C>::from_secret(secret);
    Ok(KeyPair {
        public: pair.public.as_ref().to_vec(),
        secret: bytes,
    })
}

/// See [`CipherSet::check_key`](crate::CipherSet::check_key).
pub(super) fn check<C: Curve>(public: &[u8]) -> Result<(), KeyError> {
    Peer::<C>::parse(public).map(|_| ())
}

/// A key pair of ours, an identity or an ephemeral. The secret is erased when dropped, never shown.
pub(super) struct Pair<C: Curve> {
    pub(super) public: C::Public,
    secret: C::Secret,
}

impl<C: Curve> Pair<C> {
    /// One scalar multiplication with the base point.
    pub(super) fn from_secret(secret: C::Secret) -> Self {
        #[cfg(test)]
        crate::work::count_base();
        Self {
            public: C::public(&secret),
            secret,
        }
    }

    /// A new random pair. One scalar multiplication with the base point.
    pub(super) fn random(rng: &mut dyn CryptoRng) -> Result<Self, KeyError> {
        Ok(Self::from_secret(random_secret::<C>(rng)?.0))
    }

    /// What we agree on with the owner of a point. One scalar multiplication.
    pub(super) fn agree(&self, peer: &C::Point) -> Zeroizing<C::X> {
        #[cfg(test)]
        crate::work::count_agreement();
        C::agree(&self.secret, peer)
    }

    /// The key of messages between an identity and an ephemeral, one of which is ours. One scalar
    /// multiplication.
    pub(super) fn message_key(&self, peer: &C::Point) -> Key {
        Key::hashed([(*self.agree(peer)).as_ref(), &[], &[]])
    }
}

impl<C: Curve> ZeroizeOnDrop for Pair<C> {}

impl<C: Curve> fmt::Debug for Pair<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pair")
            .field("public", &self.public)
            .finish_non_exhaustive()
    }
}

/// The public key of somebody else, which is a point of the curve.
pub(super) struct Peer<C: Curve> {
    pub(super) public: C::Public,
    pub(super) point: C::Point,
}

impl<C: Curve> Peer<C> {
    pub(super) fn parse(public: &[u8]) -> Result<Self, KeyError> {
        let actual = public.len();
        let public = public.try_into().map_err(|_| KeyError::Length {
            expected: C::PUBLIC_LEN,
            actual,
        })?;
        let point = C::decode(&public).ok_or(KeyError::Invalid)?;
        Ok(Self { public, point })
    }
}

impl<C: Curve> fmt::Debug for Peer<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Peer").field(&self.public).finish()
    }
}

/// One of our identities.
#[derive(Debug)]
pub(super) struct Cs1Key<C: Curve>(Arc<Pair<C>>);

impl<C: Curve> Cs1Key<C> {
    pub(super) fn load(public: &[u8], secret: &[u8]) -> Result<Self, KeyError> {
        let public = Peer::<C>::parse(public)?.public;
        let pair = Pair::from_secret(C::read_secret(secret)?);
        if pair.public == public {
            Ok(Self(Arc::new(pair)))
        } else {
            Err(KeyError::Mismatch)
        }
    }
}

impl<C: Curve> LocalKey for Cs1Key<C> {
    fn csid(&self) -> Csid {
        C::CSID
    }

    fn public(&self) -> &[u8] {
        self.0.public.as_ref()
    }

    fn open(&self, body: &[u8]) -> Result<Opened, MessageError> {
        open_from_anyone(&self.0, body)
    }

    fn exchange(
        &self,
        remote_public: &[u8],
        rng: &mut dyn CryptoRng,
    ) -> Result<Box<dyn Exchange>, ExchangeError> {
        let exchange = Cs1Exchange::new(Arc::clone(&self.0), remote_public, rng)?;
        Ok(Box::new(exchange))
    }
}

/// Decrypts a message to `identity`. One scalar multiplication, and the decoding of a point.
pub(super) fn open_from_anyone<C: Curve>(
    identity: &Pair<C>,
    body: &[u8],
) -> Result<Opened, MessageError> {
    let message = MessageBody::<C>::parse(body).ok_or(MessageError::Malformed)?;
    let ephemeral = C::decode(&message.key).ok_or(MessageError::Malformed)?;
    let key = identity.message_key(&ephemeral);
    let secret = Zeroizing::new(key.as_bytes().to_vec());
    Ok(Opened::new(
        message.decrypt(&key),
        RemoteEphemeral::new(C::CSID, message.key.as_ref(), secret)?,
    ))
}

/// A new secret key, and its bytes.
fn random_secret<C: Curve>(
    rng: &mut dyn CryptoRng,
) -> Result<(C::Secret, Zeroizing<Vec<u8>>), KeyError> {
    let mut bytes = Zeroizing::new(alloc::vec![0; C::SECRET_LEN]);
    for _ in 0..ATTEMPTS {
        rng.fill_bytes(&mut bytes);
        if let Ok(secret) = C::read_secret(&bytes) {
            return Ok((secret, bytes));
        }
    }
    Err(KeyError::Generation)
}
