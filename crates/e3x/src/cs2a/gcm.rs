//! AES-256-GCM, in the shape CS2a needs it.

use core::fmt;

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};

/// Bytes of a key.
pub(super) const KEY_LEN: usize = 32;
/// Bytes of an IV.
pub(super) const IV_LEN: usize = 12;
/// Bytes of a tag.
pub(super) const TAG_LEN: usize = 16;

/// An IV, as it goes over the wire.
pub(super) type Iv = [u8; IV_LEN];
/// A tag, as it goes over the wire.
pub(super) type Tag = [u8; TAG_LEN];

/// A key, ready for use. The library erases it when it is dropped.
pub(super) struct Cipher(LessSafeKey);

impl Cipher {
    /// `None` if the library fails.
    pub(super) fn new(key: &[u8; KEY_LEN]) -> Option<Self> {
        let key = UnboundKey::new(&AES_256_GCM, key).ok()?;
        Some(Self(LessSafeKey::new(key)))
    }

    /// Encrypts in place; returns the tag. The IV must be new. `None` if the library fails.
    pub(super) fn seal(&self, iv: &Iv, aad: &[u8], text: &mut [u8]) -> Option<Tag> {
        let iv = Nonce::assume_unique_for_key(*iv);
        let tag = self
            .0
            .seal_in_place_separate_tag(iv, Aad::from(aad), text)
            .ok()?;
        tag.as_ref().try_into().ok()
    }

    /// Decrypts into `text`, which is as long as the ciphertext. Whether the tag fits; `text` is
    /// worth nothing if not.
    #[must_use]
    pub(super) fn open(
        &self,
        iv: &Iv,
        aad: &[u8],
        ciphertext: &[u8],
        tag: &Tag,
        text: &mut [u8],
    ) -> bool {
        let iv = Nonce::assume_unique_for_key(*iv);
        self.0
            .open_separate_gather(iv, Aad::from(aad), ciphertext, tag, text)
            .is_ok()
    }
}

impl fmt::Debug for Cipher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Cipher(..)")
    }
}
