//! The BODY of a CS42 message, taken apart and put together.

use alloc::vec::Vec;

use hmac::{Hmac, KeyInit, Mac};
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use sha2::Sha256;
use subtle::ConstantTimeEq;
use telehash_hashname::Csid;

use super::{
    agreement::{Agreement, KEY_LEN, Public},
    kdf,
};
use crate::outer::message_head;

pub(super) const SALT_LEN: usize = 16;
pub(super) const TAG_LEN: usize = 16;
const AUTH_LEN: usize = 16;

/// Bytes of KEY and SALT.
const HEAD_LEN: usize = KEY_LEN + SALT_LEN;

/// Bytes of a message BODY beside the inner packet.
const MESSAGE_OVERHEAD: usize = HEAD_LEN + TAG_LEN + AUTH_LEN;

/// Bytes of the shortest inner packet, a LOB without head and body.
const MIN_INNER: usize = 2;

pub(super) type Salt = [u8; SALT_LEN];

/// `KEY(32) SALT(16) CT || TAG(16) AUTH(16)`.
pub(super) struct MessageBody<'a> {
    pub(super) key: &'a Public,
    salt: &'a Salt,
    /// KEY and SALT, which the tag covers.
    head: &'a [u8],
    sealed: &'a [u8],
    /// Everything before AUTH, which is what AUTH covers.
    covered: &'a [u8],
    auth: &'a [u8; AUTH_LEN],
}

impl<'a> MessageBody<'a> {
    /// `None` if it is too short.
    pub(super) fn parse(body: &'a [u8]) -> Option<Self> {
        if body.len() < MESSAGE_OVERHEAD + MIN_INNER {
            return None;
        }
        let (covered, auth) = body.split_last_chunk()?;
        let (head, sealed) = covered.split_at_checked(HEAD_LEN)?;
        let (key, salt) = head.split_first_chunk()?;
        Some(Self {
            key,
            salt: salt.try_into().ok()?,
            head,
            sealed,
            covered,
            auth,
        })
    }

    /// The inner packet; `None` if it was not made with this agreement of ephemeral and
    /// `recipient`.
    pub(super) fn decrypt(&self, agreement: &Agreement, recipient: &Public) -> Option<Vec<u8>> {
        let key = message_key(self.salt, agreement, self.key, recipient);
        let mut inner = self.sealed.to_vec();
        let len = key
            .open_in_place(zero_nonce(), Aad::from(self.head), &mut inner)
            .ok()?
            .len();
        inner.truncate(len);
        Some(inner)
    }

    /// Whether AUTH is that of the owner of the identity key `sender`. `ephemeral` is what KEY
    /// and the recipient's identity agree on, `identities` what both identities do.
    pub(super) fn is_from(
        &self,
        sender: &Public,
        recipient: &Public,
        ephemeral: &Agreement,
        identities: &Agreement,
    ) -> bool {
        let parties = Parties {
            key: self.key,
            sender,
            recipient,
        };
        let auth = parties.auth(self.salt, ephemeral, identities, self.covered);
        auth.ct_eq(self.auth).into()
    }
}

/// Whose message it is and to whom.
#[derive(Clone, Copy)]
pub(super) struct Parties<'a> {
    pub(super) key: &'a Public,
    pub(super) sender: &'a Public,
    pub(super) recipient: &'a Public,
}

impl Parties<'_> {
    /// A complete outer message packet. `ephemeral` is what the ephemeral and the recipient's
    /// identity agree on, `identities` what both identities do. The salt must be new.
    pub(super) fn seal(
        &self,
        ephemeral: &Agreement,
        identities: &Agreement,
        salt: &Salt,
        inner: &[u8],
    ) -> Vec<u8> {
        let mut packet = message_head(Csid::CS42, MESSAGE_OVERHEAD + inner.len());
        let body = packet.len();
        packet.extend_from_slice(self.key);
        packet.extend_from_slice(salt);
        packet.extend_from_slice(inner);
        let (head, text) = packet[body..].split_at_mut(HEAD_LEN);
        let key = message_key(salt, ephemeral, self.key, self.recipient);
        let tag = key
            .seal_in_place_separate_tag(zero_nonce(), Aad::from(head), text)
            .expect("memory is far smaller than what AES-GCM can seal");
        packet.extend_from_slice(tag.as_ref());
        let auth = self.auth(salt, ephemeral, identities, &packet[body..]);
        packet.extend_from_slice(&auth);
        packet
    }

    fn auth(
        &self,
        salt: &Salt,
        ephemeral: &Agreement,
        identities: &Agreement,
        covered: &[u8],
    ) -> [u8; AUTH_LEN] {
        let ikm: [&[u8]; 2] = [ephemeral.as_bytes(), identities.as_bytes()];
        let label: &[u8] = b"telehash/cs42/auth";
        let key = kdf::hkdf::<32>(salt, &ikm, &[label, self.key, self.sender, self.recipient]);
        let mut mac =
            Hmac::<Sha256>::new_from_slice(key.as_slice()).expect("HMAC takes keys of any length");
        mac.update(covered);
        let full: [u8; 32] = mac.finalize().into_bytes().into();
        core::array::from_fn(|i| full[i])
    }
}

fn message_key(
    salt: &Salt,
    agreement: &Agreement,
    key: &Public,
    recipient: &Public,
) -> LessSafeKey {
    let label: &[u8] = b"telehash/cs42/message";
    let key = kdf::hkdf::<32>(salt, &[agreement.as_bytes()], &[label, key, recipient]);
    aead_key(&key)
}

pub(super) fn aead_key(key: &[u8; 32]) -> LessSafeKey {
    let key = UnboundKey::new(&AES_256_GCM, key).expect("AES-256 takes 32 bytes");
    LessSafeKey::new(key)
}

/// Every message has keys of its own.
fn zero_nonce() -> Nonce {
    Nonce::assume_unique_for_key([0; 12])
}
