//! Keyed digests, in the byte order that JavaScript gives them (channel-types.md, chat; uri.md).

use core::hash::Hasher as _;

use siphasher::sip::SipHasher24;

use crate::Hashname;

impl Hashname {
    /// SipHash-2-4 of `data`, keyed with the first 16 bytes of this hashname.
    ///
    /// "Each 32-bit group of the key byte-reversed, digest big-endian": not the textbook's order.
    ///
    /// ```
    /// use telehash_hashname::{Hashname, base32};
    ///
    /// let hashname: Hashname = "jhchbufcbylymlz7yjxylns5x75ov6yaqj2jnyxhgmbpvvbqsoxq".parse()?;
    /// assert_eq!(base32::encode(&hashname.siphash(b"message")), "tm4awvaotu6ds");
    /// # Ok::<(), Box<dyn core::error::Error>>(())
    /// ```
    #[must_use]
    pub fn siphash(&self, data: &[u8]) -> [u8; 8] {
        let mut key = [0; 16];
        key.copy_from_slice(&self.as_bytes()[..16]);
        siphash(&key, data)
    }
}

/// SipHash-2-4 of `data` with this key, in the byte order of [`Hashname::siphash`].
#[must_use]
pub fn siphash(key: &[u8; 16], data: &[u8]) -> [u8; 8] {
    let mut key = *key;
    for group in key.chunks_exact_mut(4) {
        group.reverse();
    }
    let mut hasher = SipHasher24::new_with_key(&key);
    hasher.write(data);
    hasher.finish().to_be_bytes()
}
