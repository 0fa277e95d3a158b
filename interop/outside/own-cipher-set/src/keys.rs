//! Keys: making, checking and loading them, and opening messages from anyone.

use core::fmt;
use std::sync::Arc;

use rand_core::CryptoRng;
use telehash_e3x::{
    CipherSet, Exchange, ExchangeError, KeyError, KeyPair, LocalKey, MessageError, Opened, Order,
    RemoteEphemeral,
};
use telehash_hashname::Csid;
use x25519_dalek::{PublicKey, StaticSecret};
use zeroize::Zeroizing;

use crate::crypto::{KEY_LEN, NONCE_LEN, TAG_LEN, agree, cipher, derive, open};
use crate::exchange::Cs10Exchange;

/// The number of the set. It is also its rank: the highest one that both ends have is used.
pub(crate) const CSID: Csid = match Csid::new(0x10) {
    Some(csid) => csid,
    None => panic!("0 is no csid"),
};

/// The set itself, which is added to those of the library.
#[derive(Debug)]
pub(crate) struct Cs10;

impl CipherSet for Cs10 {
    fn csid(&self) -> Csid {
        CSID
    }

    fn generate(&self, rng: &mut dyn CryptoRng) -> Result<KeyPair, KeyError> {
        let secret = StaticSecret::random_from_rng(rng);
        Ok(KeyPair {
            public: PublicKey::from(&secret).to_bytes().to_vec(),
            secret: Zeroizing::new(secret.as_bytes().to_vec()),
        })
    }

    fn check_key(&self, public: &[u8]) -> Result<(), KeyError> {
        let public = parse(public)?;
        // Points of small order agree on zero with any key at all.
        agree(&StaticSecret::from([1; KEY_LEN]), &public)
            .map(|_| ())
            .ok_or(KeyError::Invalid)
    }

    fn load(&self, public: &[u8], secret: &[u8]) -> Result<Arc<dyn LocalKey>, KeyError> {
        let public = parse(public)?;
        let secret = StaticSecret::from(parse(secret)?);
        if PublicKey::from(&secret).to_bytes() != public {
            return Err(KeyError::Mismatch);
        }
        Ok(Arc::new(Cs10Key { public, secret }))
    }
}

fn parse(key: &[u8]) -> Result<[u8; KEY_LEN], KeyError> {
    key.try_into().map_err(|_| KeyError::Length {
        expected: KEY_LEN,
        actual: key.len(),
    })
}

/// A key pair of our own.
#[derive(Clone)]
pub(crate) struct Cs10Key {
    pub(crate) public: [u8; KEY_LEN],
    pub(crate) secret: StaticSecret,
}

impl LocalKey for Cs10Key {
    fn csid(&self) -> Csid {
        CSID
    }

    fn public(&self) -> &[u8] {
        &self.public
    }

    /// `KEY(32) NONCE(12) ciphertext of (inner || PROOF(16)) TAG(16)`. KEY is the sender's ephemeral; PROOF comes
    /// back from here unchecked, because only the inner packet says whose it should be.
    fn open(&self, body: &[u8]) -> Result<Opened, MessageError> {
        let (key, rest) = body.split_first_chunk().ok_or(MessageError::Malformed)?;
        let (nonce, text) = rest
            .split_first_chunk::<NONCE_LEN>()
            .ok_or(MessageError::Malformed)?;
        let shared = agree(&self.secret, key).ok_or(MessageError::Forged)?;
        let mut inner = text.to_vec();
        let len = open(
            &cipher(&derive(shared.as_slice(), &[b"message"])),
            *nonce,
            key,
            &mut inner,
        )
        .ok_or(MessageError::Forged)?;
        inner.truncate(len);
        let proof = inner.split_off(len.checked_sub(TAG_LEN).ok_or(MessageError::Malformed)?);
        let remote = RemoteEphemeral::new(CSID, key, Zeroizing::default())?;
        Ok(Opened::new(inner, remote).with_proof(proof))
    }

    fn exchange(
        &self,
        remote_public: &[u8],
        rng: &mut dyn CryptoRng,
    ) -> Result<Box<dyn Exchange>, ExchangeError> {
        let order = Order::of(&self.public, remote_public)?;
        Cs10.check_key(remote_public)?;
        let remote = parse(remote_public)?;
        Ok(Box::new(Cs10Exchange::new(
            self.clone(),
            remote,
            order,
            rng,
        )))
    }
}

impl fmt::Debug for Cs10Key {
    /// Shows nothing of the secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cs10Key")
            .field("public", &self.public)
            .finish_non_exhaustive()
    }
}
