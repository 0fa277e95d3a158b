//! The keystream: the original ChaCha20, with a 64-bit nonce and a 64-bit block counter.

use chacha20::{
    ChaCha20Legacy, KeyIvInit,
    cipher::{StreamCipher, StreamCipherSeek},
};

use super::{KEY, NONCE_LEN};

/// Bytes of a block of keystream.
pub(super) const BLOCK: usize = 64;

/// XORs `data` with the keystream of `nonce` from its beginning.
pub(super) fn apply_keystream(nonce: &[u8; NONCE_LEN], data: &mut [u8]) {
    ChaCha20Legacy::new(&KEY.into(), &(*nonce).into()).apply_keystream(data);
}

/// XORs `data` with the keystream of `nonce` from its second block on.
pub(super) fn apply_keystream_after_head(nonce: &[u8; NONCE_LEN], data: &mut [u8]) {
    let mut cipher = ChaCha20Legacy::new(&KEY.into(), &(*nonce).into());
    cipher.seek(BLOCK);
    cipher.apply_keystream(data);
}
