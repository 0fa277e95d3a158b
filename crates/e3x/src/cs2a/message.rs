//! The BODY of a CS2a message, taken apart.

use alloc::vec::Vec;

use telehash_hashname::Csid;

use super::gcm::{Cipher, IV_LEN, Iv, TAG_LEN, Tag};
use super::rsa::{Block, MODULUS_LEN, PrivateKey, PublicKey};
use crate::outer::message_head;

/// Bytes of a message BODY beside the inner packet.
pub(super) const MESSAGE_OVERHEAD: usize = MODULUS_LEN + IV_LEN + MODULUS_LEN + TAG_LEN;

/// `KEYS(256) IV(12) CT TAG(16)`, where CT is the inner packet and SIG(256).
pub(super) struct MessageBody<'a> {
    pub(super) keys: &'a Block,
    iv: &'a Iv,
    ciphertext: &'a [u8],
    tag: &'a Tag,
    /// KEYS and IV, which SIG covers along with the inner packet.
    head: &'a [u8],
}

/// What a message decrypts to.
pub(super) struct Decrypted {
    pub(super) inner: Vec<u8>,
    pub(super) signature: Vec<u8>,
}

impl<'a> MessageBody<'a> {
    /// `None` if it is too short.
    pub(super) fn parse(body: &'a [u8]) -> Option<Self> {
        let (rest, tag) = body.split_last_chunk()?;
        let (head, ciphertext) = rest.split_at_checked(MODULUS_LEN + IV_LEN)?;
        let (keys, iv) = head.split_first_chunk()?;
        if ciphertext.len() < MODULUS_LEN {
            return None;
        }
        Some(Self {
            keys,
            iv: iv.try_into().ok()?,
            ciphertext,
            tag,
            head,
        })
    }

    /// `None` if it was not made with this message key.
    pub(super) fn decrypt(&self, cipher: &Cipher) -> Option<Decrypted> {
        let mut inner = alloc::vec![0; self.ciphertext.len()];
        if !cipher.open(self.iv, self.keys, self.ciphertext, self.tag, &mut inner) {
            return None;
        }
        let signature = inner.split_off(inner.len().checked_sub(MODULUS_LEN)?);
        Some(Decrypted { inner, signature })
    }

    /// Whether the sender with this key signed the message, given what it decrypted to.
    pub(super) fn is_from(&self, sender: &PublicKey, inner: &[u8], signature: &[u8]) -> bool {
        sender.signed([self.head, inner], signature)
    }
}

/// A complete outer message packet. `cipher` is that of the message key in `keys`; the IV must be
/// new. `None` if the library fails.
pub(super) fn seal(
    sender: &PrivateKey,
    keys: &Block,
    cipher: &Cipher,
    iv: &Iv,
    inner: &[u8],
) -> Option<Vec<u8>> {
    let mut packet = message_head(Csid::CS2A, MESSAGE_OVERHEAD + inner.len());
    let body = packet.len();
    packet.extend_from_slice(keys);
    packet.extend_from_slice(iv);
    let text = packet.len();
    packet.extend_from_slice(inner);
    let signature = sender.sign(&packet[body..])?;
    packet.extend_from_slice(&signature);
    let tag = cipher.seal(iv, keys, &mut packet[text..])?;
    packet.extend_from_slice(&tag);
    Some(packet)
}
