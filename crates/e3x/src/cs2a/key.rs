//! Identity keys of CS2a.

use alloc::boxed::Box;
use alloc::sync::Arc;

use rand_core::CryptoRng;
use telehash_hashname::Csid;
use zeroize::Zeroizing;

use super::exchange::Cs2aExchange;
use super::gcm::{Cipher, KEY_LEN};
use super::keys::{CONTENTS_LEN, Contents};
use super::message::MessageBody;
use super::p256;
use super::rsa::PrivateKey;
use crate::{Exchange, ExchangeError, KeyError, LocalKey, MessageError, Opened, RemoteEphemeral};

/// One of our identities.
#[derive(Debug)]
pub(super) struct Cs2aKey(Arc<PrivateKey>);

impl Cs2aKey {
    pub(super) fn load(public: &[u8], secret: &[u8]) -> Result<Self, KeyError> {
        Ok(Self(Arc::new(PrivateKey::load(public, secret)?)))
    }
}

impl LocalKey for Cs2aKey {
    fn csid(&self) -> Csid {
        Csid::CS2A
    }

    fn public(&self) -> &[u8] {
        self.0.public()
    }

    fn open(&self, body: &[u8]) -> Result<Opened, MessageError> {
        open_from_anyone(&self.0, body)
    }

    fn exchange(
        &self,
        remote_public: &[u8],
        rng: &mut dyn CryptoRng,
    ) -> Result<Box<dyn Exchange>, ExchangeError> {
        let exchange = Cs2aExchange::new(Arc::clone(&self.0), remote_public, rng)?;
        Ok(Box::new(exchange))
    }
}

/// Decrypts a message to `identity`. One RSA operation with the secret key.
pub(super) fn open_from_anyone(identity: &PrivateKey, body: &[u8]) -> Result<Opened, MessageError> {
    let message = MessageBody::parse(body).ok_or(MessageError::Malformed)?;
    let contents = identity.decrypt::<CONTENTS_LEN>(message.keys);
    let contents = contents.and_then(|bytes| Contents::from_bytes(bytes.as_slice()));
    // Without a key some other does not decrypt the message, in the same time.
    let key = match &contents {
        Some(contents) => contents.message_key.clone(),
        None => Zeroizing::new([0; KEY_LEN]),
    };
    let decrypted = Cipher::new(&key).and_then(|cipher| message.decrypt(&cipher));
    match (contents, decrypted) {
        (Some(contents), Some(decrypted)) if p256::is_point(&contents.point) => {
            let secret = Zeroizing::new(contents.to_bytes().to_vec());
            let remote = RemoteEphemeral::new(Csid::CS2A, message.keys, secret)?;
            Ok(Opened::new(decrypted.inner, remote).with_proof(decrypted.signature))
        }
        _ => Err(MessageError::Forged),
    }
}
