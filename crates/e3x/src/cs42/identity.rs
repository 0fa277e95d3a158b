//! Identity keys of CS42.

use alloc::{boxed::Box, sync::Arc};

use rand_core::CryptoRng;
use subtle::ConstantTimeEq;
use telehash_hashname::Csid;
use zeroize::Zeroizing;

use super::{
    agreement::{Ephemeral, KEY_LEN, Public, is_weak},
    exchange::Cs42Exchange,
    message::MessageBody,
};
use crate::{Exchange, ExchangeError, KeyError, LocalKey, MessageError, Opened, RemoteEphemeral};

/// One of our identities.
#[derive(Debug)]
pub(super) struct Cs42Key {
    pair: Arc<Ephemeral>,
    public: Public,
}

impl Cs42Key {
    pub(super) fn load(public: &[u8], secret: &[u8]) -> Result<Self, KeyError> {
        let public = parse_public(public)?;
        let pair = Ephemeral::from_secret(&Zeroizing::new(parse(secret)?));
        if bool::from(pair.public().ct_eq(&public)) {
            Ok(Self {
                pair: Arc::new(pair),
                public,
            })
        } else {
            Err(KeyError::Mismatch)
        }
    }
}

impl LocalKey for Cs42Key {
    fn csid(&self) -> Csid {
        Csid::CS42
    }

    fn public(&self) -> &[u8] {
        &self.public
    }

    fn open(&self, body: &[u8]) -> Result<Opened, MessageError> {
        open_from_anyone(&self.pair, body)
    }

    fn exchange(
        &self,
        remote_public: &[u8],
        rng: &mut dyn CryptoRng,
    ) -> Result<Box<dyn Exchange>, ExchangeError> {
        let ephemeral = Ephemeral::random(rng);
        let exchange = Cs42Exchange::new(Arc::clone(&self.pair), remote_public, ephemeral)?;
        Ok(Box::new(exchange))
    }
}

/// Decrypts a message to `identity`. One scalar multiplication.
pub(super) fn open_from_anyone(identity: &Ephemeral, body: &[u8]) -> Result<Opened, MessageError> {
    let message = MessageBody::parse(body).ok_or(MessageError::Malformed)?;
    if *message.key == identity.public() {
        return Err(MessageError::OwnEphemeral);
    }
    if is_weak(message.key) {
        return Err(MessageError::Malformed);
    }
    let agreement = identity.agree(message.key).ok_or(MessageError::Malformed)?;
    let inner = message
        .decrypt(&agreement, &identity.public())
        .ok_or(MessageError::Forged)?;
    let secret = Zeroizing::new(agreement.as_bytes().to_vec());
    Ok(Opened::new(
        inner,
        RemoteEphemeral::new(Csid::CS42, message.key, secret)?,
    ))
}

/// A public key that is safe to use.
pub(super) fn parse_public(public: &[u8]) -> Result<Public, KeyError> {
    let public = parse(public)?;
    if is_weak(&public) {
        Err(KeyError::Invalid)
    } else {
        Ok(public)
    }
}

fn parse(key: &[u8]) -> Result<[u8; KEY_LEN], KeyError> {
    key.try_into().map_err(|_| KeyError::Length {
        expected: KEY_LEN,
        actual: key.len(),
    })
}
