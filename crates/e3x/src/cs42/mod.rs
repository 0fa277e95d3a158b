//! CS42: X25519, HKDF-SHA256, AES-256-GCM (cipher-sets.md, CS42).
//!
//! ```text
//! message BODY = KEY(32) SALT(16) CT || TAG(16) AUTH(16)
//! channel BODY = TOKEN(16) COUNTER(8, big-endian) CT || TAG(16)
//! ```
//!
//! # Nonces
//!
//! - **Messages**: SALT is 16 fresh random bytes, and every key of a message is derived with it, so
//!   the AEAD nonce may be, and is, 12 zero bytes: no key seals twice.
//! - **Channel packets**: the nonce is the counter, exclusive-or a secret of the epoch. A session is
//!   made of a pair of ephemerals that never comes twice, each direction and epoch of it has keys of
//!   its own, and [`Sender`](session) is the only one to hand out counters, each once, rising by one
//!   or to the start of a later epoch. At the last counter it refuses.
//!
//! # Erasure
//!
//! An ephemeral secret has one owner, its exchange, and is *moved* into the derivation of its
//! session: what sealed a handshake can derive one session and nothing after it. The results of the
//! agreements that it took part in go with it. Of a session the secrets of passed epochs are
//! overwritten; the keys of the epoch that the peer left stay for ten seconds, for packets that were
//! overtaken.
//!
//! What is erased: secret keys, the results of agreements, HKDF's keys and outputs, the secrets of
//! epochs. What is not: ring does not overwrite the expanded AES key of an epoch or a message when
//! it is dropped, so that one may be found in freed memory. It opens the packets of its own epoch
//! and leads to no other secret.

mod agreement;
mod epoch;
mod exchange;
mod identity;
mod kdf;
mod message;
mod receiver;
mod sender;
mod session;
#[cfg(test)]
mod tests;

use alloc::sync::Arc;

use rand_core::CryptoRng;
use telehash_hashname::Csid;
use zeroize::Zeroizing;

use self::{
    agreement::{Ephemeral, KEY_LEN},
    identity::{Cs42Key, parse_public},
};
use crate::{CipherSet, KeyError, KeyPair, LocalKey};

/// Cipher set 42, ours: mutually authenticated by four Diffie-Hellmans, confirmed before it counts,
/// forward secret, replay-protected, renewed without losing channels.
///
/// Public and secret keys have 32 bytes each. A session costs each side four scalar multiplications
/// and one with the base point; a channel packet costs one pass of AES-256-GCM over it.
///
/// Messages alone are not forward secret towards the recipient's identity key, and whoever holds
/// that key can forge messages to it (but confirm no session): put no secret into them.
#[derive(Clone, Copy, Debug, Default)]
pub struct Cs42;

impl CipherSet for Cs42 {
    fn csid(&self) -> Csid {
        Csid::CS42
    }

    fn generate(&self, rng: &mut dyn CryptoRng) -> Result<KeyPair, KeyError> {
        let mut secret = Zeroizing::new([0; KEY_LEN]);
        rng.fill_bytes(secret.as_mut_slice());
        let public = Ephemeral::from_secret(&secret).public();
        Ok(KeyPair {
            public: public.to_vec(),
            secret: Zeroizing::new(secret.to_vec()),
        })
    }

    fn check_key(&self, public: &[u8]) -> Result<(), KeyError> {
        parse_public(public).map(|_| ())
    }

    fn load(&self, public: &[u8], secret: &[u8]) -> Result<Arc<dyn LocalKey>, KeyError> {
        Ok(Arc::new(Cs42Key::load(public, secret)?))
    }
}
