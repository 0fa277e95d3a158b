//! RSA-2048: the identity keys of CS2a, all of it from aws-lc.

use core::fmt;

use aws_lc_rs::digest::{self, Digest, SHA256};
use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der, PublicKeyX509Der};
use aws_lc_rs::rsa::{
    KeyPair as SigningKey, KeySize, OAEP_SHA1_MGF1SHA1, OaepPrivateDecryptingKey,
    OaepPublicEncryptingKey, PrivateDecryptingKey, PublicEncryptingKey,
};
use aws_lc_rs::signature::{
    KeyPair as _, ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_SHA256,
};
use zeroize::Zeroizing;

use super::der::{self, PUBLIC_LEN, PublicDer};
#[cfg(test)]
use super::work;
use crate::{KeyError, KeyPair};

/// Bytes of a modulus, and so of what is encrypted or signed.
pub(super) const MODULUS_LEN: usize = 256;

/// The result of an RSA operation with 2048 bits.
pub(super) type Block = [u8; MODULUS_LEN];

/// Makes an identity, with randomness of the library's own. `None` if that fails.
pub(super) fn generate() -> Option<KeyPair> {
    let key = SigningKey::generate(KeySize::Rsa2048).ok()?;
    let secret = AsDer::<Pkcs8V1Der<'_>>::as_der(&key).ok()?;
    Some(KeyPair {
        public: public_of(&key)?.to_vec(),
        secret: Zeroizing::new(secret.as_ref().to_vec()),
    })
}

fn public_of(key: &SigningKey) -> Option<PublicDer> {
    let der: PublicKeyX509Der<'_> = key.public_key().as_der().ok()?;
    der.as_ref().try_into().ok()
}

/// The public key of an endpoint.
pub(super) struct PublicKey {
    der: PublicDer,
    verifying: ParsedPublicKey,
}

impl PublicKey {
    /// A key that is safe to use, as far as can be seen from outside.
    pub(super) fn parse(public: &[u8]) -> Result<Self, KeyError> {
        let der = public.try_into().map_err(|_| KeyError::Length {
            expected: PUBLIC_LEN,
            actual: public.len(),
        })?;
        if !der::is_public(&der) {
            return Err(KeyError::Invalid);
        }
        // Refuses even moduli, and those of fewer than 2048 bits.
        PublicEncryptingKey::from_der(&der).map_err(|_| KeyError::Invalid)?;
        let verifying = ParsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, der)
            .map_err(|_| KeyError::Invalid)?;
        Ok(Self { der, verifying })
    }

    pub(super) fn as_der(&self) -> &PublicDer {
        &self.der
    }

    /// RSA-OAEP, with a seed of the library's own. `None` if that fails, or `data` is too long.
    ///
    /// The key is parsed again every time, because it is needed once per ephemeral and would take
    /// more room than the rest of an exchange.
    pub(super) fn encrypt(&self, data: &[u8]) -> Option<Block> {
        #[cfg(test)]
        work::count(|work| work.rsa_public += 1);
        let key = PublicEncryptingKey::from_der(&self.der).ok()?;
        let key = OaepPublicEncryptingKey::new(key).ok()?;
        let mut block = [0; MODULUS_LEN];
        let encrypted = key
            .encrypt(&OAEP_SHA1_MGF1SHA1, data, &mut block, None)
            .ok()?;
        (encrypted.len() == MODULUS_LEN).then_some(block)
    }

    /// Whether the owner of this key signed these parts, one after the other.
    #[must_use]
    pub(super) fn signed(&self, parts: [&[u8]; 2], signature: &[u8]) -> bool {
        #[cfg(test)]
        work::count(|work| work.rsa_public += 1);
        self.verifying
            .verify_digest_sig(&digest(parts), signature)
            .is_ok()
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PublicKey")
            .field("der", &self.der)
            .finish_non_exhaustive()
    }
}

/// An identity of ours. The library erases the secret when it is dropped.
pub(super) struct PrivateKey {
    public: PublicDer,
    decrypting: OaepPrivateDecryptingKey,
    signing: SigningKey,
}

impl PrivateKey {
    /// Reads a secret, PKCS#8 or PKCS#1, that has to belong to `public`.
    pub(super) fn load(public: &[u8], secret: &[u8]) -> Result<Self, KeyError> {
        let public = *PublicKey::parse(public)?.as_der();
        Self::from_secret(secret)
            .filter(|key| key.public == public)
            .ok_or(KeyError::Mismatch)
    }

    fn from_secret(secret: &[u8]) -> Option<Self> {
        let pkcs8 = der::pkcs8(secret)?;
        // Checks that all the numbers fit together.
        let signing = SigningKey::from_pkcs8(&pkcs8).ok()?;
        let decrypting = PrivateDecryptingKey::from_pkcs8(&pkcs8).ok()?;
        Some(Self {
            public: public_of(&signing)?,
            decrypting: OaepPrivateDecryptingKey::new(decrypting).ok()?,
            signing,
        })
    }

    pub(super) fn public(&self) -> &PublicDer {
        &self.public
    }

    /// What `block` encrypts, if it has `LEN` bytes. All failures are alike.
    pub(super) fn decrypt<const LEN: usize>(&self, block: &Block) -> Option<Zeroizing<[u8; LEN]>> {
        #[cfg(test)]
        work::count(|work| work.rsa_private += 1);
        let mut plain = Zeroizing::new([0; MODULUS_LEN]);
        let plain = self
            .decrypting
            .decrypt(&OAEP_SHA1_MGF1SHA1, block, plain.as_mut_slice(), None)
            .ok()?;
        Some(Zeroizing::new((&*plain).try_into().ok()?))
    }

    /// Our signature of `data`. `None` if the library fails.
    pub(super) fn sign(&self, data: &[u8]) -> Option<Block> {
        #[cfg(test)]
        work::count(|work| work.rsa_private += 1);
        let mut signature = [0; MODULUS_LEN];
        self.signing
            .sign_digest(&RSA_PKCS1_SHA256, &digest([data, &[]]), &mut signature)
            .ok()?;
        Some(signature)
    }
}

impl fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PrivateKey")
            .field("public", &self.public)
            .finish_non_exhaustive()
    }
}

fn digest(parts: [&[u8]; 2]) -> Digest {
    let mut context = digest::Context::new(&SHA256);
    parts.iter().for_each(|part| context.update(part));
    context.finish()
}
