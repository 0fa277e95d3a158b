//! The BODY of a CS3a message, taken apart.

use alloc::vec::Vec;

use sha2::{Digest, Sha256};
use telehash_hashname::Csid;

use super::nacl::{self, KEY_LEN, MAC_LEN, Mac, NONCE_LEN, Nonce, PublicKey, SharedKey};
use crate::outer::message_head;

/// Bytes of a message BODY beside the inner packet.
pub(super) const MESSAGE_OVERHEAD: usize = KEY_LEN + NONCE_LEN + MAC_LEN + MAC_LEN;

/// `KEY(32) NONCE(24) MAC(16) CT AUTH(16)`.
pub(super) struct MessageBody<'a> {
    pub(super) key: &'a PublicKey,
    nonce: &'a Nonce,
    mac: &'a Mac,
    ciphertext: &'a [u8],
    /// Everything before AUTH, which is what AUTH covers.
    covered: &'a [u8],
    auth: &'a Mac,
}

impl<'a> MessageBody<'a> {
    /// `None` if it is too short.
    pub(super) fn parse(body: &'a [u8]) -> Option<Self> {
        let (covered, auth) = body.split_last_chunk()?;
        let (key, rest) = covered.split_first_chunk()?;
        let (nonce, rest) = rest.split_first_chunk()?;
        let (mac, ciphertext) = rest.split_first_chunk()?;
        Some(Self {
            key,
            nonce,
            mac,
            ciphertext,
            covered,
            auth,
        })
    }

    /// The inner packet; `None` if it was not made with this agreement of ephemeral and recipient.
    pub(super) fn decrypt(&self, agreement: &SharedKey) -> Option<Vec<u8>> {
        let mut inner = self.ciphertext.to_vec();
        nacl::open(agreement, self.nonce, self.mac, &mut inner).then_some(inner)
    }

    /// Whether AUTH is that of the sender whose identity key and ours agree on `identities`.
    pub(super) fn is_from(&self, identities: &SharedKey) -> bool {
        nacl::onetimeauth_fits(&auth_key(self.nonce, identities), self.covered, self.auth)
    }
}

/// A complete outer message packet. `agreement` is that of the ephemeral and the recipient's
/// identity, `identities` that of both identities. The nonce must be new: a repeated one gives away
/// the key of AUTH.
pub(super) fn seal(
    ephemeral: &PublicKey,
    agreement: &SharedKey,
    identities: &SharedKey,
    nonce: &Nonce,
    inner: &[u8],
) -> Vec<u8> {
    let mut packet = message_head(Csid::CS3A, MESSAGE_OVERHEAD + inner.len());
    let body = packet.len();
    packet.extend_from_slice(ephemeral);
    packet.extend_from_slice(nonce);
    let mut ciphertext = inner.to_vec();
    packet.extend_from_slice(&nacl::seal(agreement, nonce, &mut ciphertext));
    packet.append(&mut ciphertext);
    let auth = nacl::onetimeauth(&auth_key(nonce, identities), &packet[body..]);
    packet.extend_from_slice(&auth);
    packet
}

/// The key that authenticates one message: `SHA256(NONCE || agreement of the identities)`.
fn auth_key(nonce: &Nonce, identities: &SharedKey) -> SharedKey {
    SharedKey::new(
        Sha256::new()
            .chain_update(nonce)
            .chain_update(identities.as_bytes())
            .finalize()
            .into(),
    )
}
