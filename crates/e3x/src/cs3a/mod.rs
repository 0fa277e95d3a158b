//! CS3a: X25519 keys, NaCl box and secretbox (cipher-sets.md, CS3a).
//!
//! ```text
//! message BODY = KEY(32) NONCE(24) secretbox(inner) AUTH(16)
//! channel BODY = TOKEN(16) NONCE(24) secretbox(inner)
//! secretbox    = MAC(16) || ciphertext
//! ```

mod exchange;
mod key;
mod message;
mod nacl;
mod nonce;
mod session;
#[cfg(test)]
mod tests;

use alloc::sync::Arc;

use rand_core::CryptoRng;
use telehash_hashname::Csid;
use zeroize::Zeroizing;

use self::key::Cs3aKey;
use crate::{CipherSet, KeyError, KeyPair, LocalKey};

/// Cipher set 3a: the NaCl constructions on Curve25519, spoken by all other implementations of
/// telehash.
///
/// Public and secret keys have 32 bytes each. A session costs each side four scalar multiplications
/// and one with the base point, all of them cached; a channel packet costs one XSalsa20 and one
/// Poly1305 pass over it.
///
/// Its guarantees end where those of cipher-sets.md do: messages are not forward secret, and
/// whoever steals the recipient's identity key can impersonate anyone to it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Cs3a;

impl CipherSet for Cs3a {
    fn csid(&self) -> Csid {
        Csid::CS3A
    }

    fn generate(&self, rng: &mut dyn CryptoRng) -> Result<KeyPair, KeyError> {
        let mut secret = Zeroizing::new([0; nacl::KEY_LEN]);
        rng.fill_bytes(secret.as_mut_slice());
        let public = nacl::public_key(&secret);
        Ok(KeyPair {
            public: public.to_vec(),
            secret: Zeroizing::new(secret.to_vec()),
        })
    }

    fn check_key(&self, public: &[u8]) -> Result<(), KeyError> {
        key::parse_public(public).map(|_| ())
    }

    fn load(&self, public: &[u8], secret: &[u8]) -> Result<Arc<dyn LocalKey>, KeyError> {
        Ok(Arc::new(Cs3aKey::load(public, secret)?))
    }
}
