//! The BODY of a message of the 1x cipher sets, taken apart.

use alloc::vec::Vec;

use super::cipher::{self, IV_LEN, Iv, Key, MAC_LEN, Mac};
use super::curve::Curve;
use crate::outer::message_head;

/// Bytes of a message BODY beside the inner packet.
pub(super) const fn message_overhead<C: Curve>() -> usize {
    C::PUBLIC_LEN + IV_LEN + MAC_LEN
}

/// `KEY(21 or 33) IV(4) CT MAC(4)`.
pub(super) struct MessageBody<'a, C: Curve> {
    pub(super) key: C::Public,
    iv: &'a Iv,
    ciphertext: &'a [u8],
    /// Everything before the MAC, which is what the MAC covers.
    covered: &'a [u8],
    mac: &'a Mac,
}

impl<'a, C: Curve> MessageBody<'a, C> {
    /// `None` if it is too short.
    pub(super) fn parse(body: &'a [u8]) -> Option<Self> {
        let (covered, mac) = body.split_last_chunk()?;
        let (key, rest) = covered.split_at_checked(C::PUBLIC_LEN)?;
        let (iv, ciphertext) = rest.split_first_chunk()?;
        Some(Self {
            key: key.try_into().ok()?,
            iv,
            ciphertext,
            covered,
            mac,
        })
    }

    /// The inner packet if it was made with this key; else noise.
    pub(super) fn decrypt(&self, key: &Key) -> Vec<u8> {
        let mut inner = self.ciphertext.to_vec();
        key.apply(self.iv, &mut inner);
        inner
    }

    /// Whether the MAC is that of the sender whose identity key and ours agree on `identities`.
    pub(super) fn is_from(&self, identities: &[u8]) -> bool {
        cipher::mac_fits(identities, self.iv, self.covered, self.mac)
    }
}

/// A complete outer message packet. `key` is that of the ephemeral and the recipient's identity,
/// `identities` what both identities agree on. The IV must be new to the ephemeral.
pub(super) fn seal<C: Curve>(
    ephemeral: &C::Public,
    key: &Key,
    identities: &[u8],
    iv: &Iv,
    inner: &[u8],
) -> Vec<u8> {
    let mut packet = message_head(C::CSID, message_overhead::<C>() + inner.len());
    let body = packet.len();
    packet.extend_from_slice(ephemeral.as_ref());
    packet.extend_from_slice(iv);
    let text = packet.len();
    packet.extend_from_slice(inner);
    key.apply(iv, &mut packet[text..]);
    let mac = cipher::mac(identities, iv, &packet[body..]);
    packet.extend_from_slice(&mac);
    packet
}
