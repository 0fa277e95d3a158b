//! CS2a: RSA-2048 identities, P-256 ephemerals, AES-256-GCM (cipher-sets.md, CS2a).
//!
//! ```text
//! message BODY = KEYS(256) IV(12) GCM(inner || SIG(256)) TAG(16)
//! KEYS         = RSA-OAEP(ephemeral P-256 point(65) || message key(32))
//! SIG          = RSASSA-PKCS1-v1_5/SHA-256(KEYS || IV || inner)
//! channel BODY = TOKEN(16) IV(12) GCM(text) TAG(16)
//! ```
//!
//! # Where randomness comes from
//!
//! The caller's RNG gives ephemeral secrets, message keys and the random part of IVs. RSA keys and
//! the seed of OAEP are drawn by the library from the operating system, because it takes no other
//! source for them: with the same RNG, [`CipherSet::generate`] still makes different identities
//! and an exchange different KEYS, and with them different tokens.
//!
//! # Nonces
//!
//! GCM breaks when a key meets an IV twice. Each of our keys has one [`IvSource`](iv::IvSource):
//! the message key that of its ephemeral, the outgoing channel key that of its session. It gives 4
//! random bytes || 8-byte counter from 0, and no more than [`MAX_IVS`](iv::MAX_IVS). A pair of
//! ephemerals makes one session only, and the keys of both directions differ, so no other source
//! serves the same key. JavaScript peers do repeat theirs; see [`IvFilter`](iv::IvFilter).
//!
//! # No oracle
//!
//! A message that is long enough either opens or is [`MessageError::Forged`](crate::MessageError),
//! whatever is wrong with it. The library checks OAEP in constant time, and GCM is run after a
//! failure too, so that both take the same work.

mod der;
mod exchange;
mod gcm;
mod iv;
mod key;
mod keys;
mod message;
mod p256;
mod rsa;
mod session;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod work;

use alloc::sync::Arc;

use rand_core::CryptoRng;
use telehash_hashname::Csid;

use self::key::Cs2aKey;
use crate::{CipherSet, KeyError, KeyPair, LocalKey};

/// Cipher set 2a: RSA-2048 identities with P-256 ephemerals and AES-256-GCM, as the JavaScript
/// implementation speaks it.
///
/// Public keys are X.509 SubjectPublicKeyInfo, 294 bytes of DER; secrets are PKCS#8, and PKCS#1 is
/// read too. A session costs each side two RSA operations with the secret key, and every further
/// message another one for its signature; a channel packet costs one pass of AES-GCM.
///
/// Making a key takes the library's own randomness, not the `rng` given, and about a tenth of a
/// second.
///
/// Its guarantees end where those of cipher-sets.md do: messages are not forward secret, and being
/// signed they are not deniable either. A peer that repeats IVs gives the integrity of its channels
/// away.
#[derive(Clone, Copy, Debug, Default)]
pub struct Cs2a;

impl CipherSet for Cs2a {
    fn csid(&self) -> Csid {
        Csid::CS2A
    }

    fn generate(&self, _rng: &mut dyn CryptoRng) -> Result<KeyPair, KeyError> {
        rsa::generate().ok_or(KeyError::Generation)
    }

    fn check_key(&self, public: &[u8]) -> Result<(), KeyError> {
        rsa::PublicKey::parse(public).map(|_| ())
    }

    fn load(&self, public: &[u8], secret: &[u8]) -> Result<Arc<dyn LocalKey>, KeyError> {
        Ok(Arc::new(Cs2aKey::load(public, secret)?))
    }
}
