//! The three primitives: an agreement, a hash with a key, a cipher.

use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, Nonce, UnboundKey};
use ring::hmac;
use x25519_dalek::{PublicKey, StaticSecret};
use zeroize::Zeroizing;

pub(crate) const KEY_LEN: usize = 32;
pub(crate) const NONCE_LEN: usize = 12;
pub(crate) const TAG_LEN: usize = 16;

/// A key or something to make one of. Erased when dropped.
pub(crate) type Secret = Zeroizing<[u8; KEY_LEN]>;

/// What two key pairs have in common. `None` for a public key that makes it a value everybody knows.
pub(crate) fn agree(secret: &StaticSecret, public: &[u8; KEY_LEN]) -> Option<Secret> {
    let shared = secret.diffie_hellman(&PublicKey::from(*public));
    shared
        .was_contributory()
        .then(|| Zeroizing::new(shared.to_bytes()))
}

/// HMAC-SHA256 of all parts. Every use has its own label as the first part, and parts of fixed length.
pub(crate) fn derive(key: &[u8], parts: &[&[u8]]) -> Secret {
    let mut context = hmac::Context::with_key(&hmac::Key::new(hmac::HMAC_SHA256, key));
    parts.iter().for_each(|part| context.update(part));
    let mut out = Secret::default();
    out.copy_from_slice(context.sign().as_ref());
    out
}

/// Whether `mac` is the beginning of [`derive`]'s result, in constant time.
pub(crate) fn fits(key: &[u8], parts: &[&[u8]], mac: &[u8]) -> bool {
    // Compared as MACs of MACs: their bytes tell nothing of where the first difference is.
    let expected = derive(key, parts);
    let compare = hmac::Key::new(hmac::HMAC_SHA256, key);
    let ours = hmac::sign(&compare, &expected[..TAG_LEN]);
    hmac::verify(&compare, mac, ours.as_ref()).is_ok()
}

pub(crate) fn cipher(key: &Secret) -> LessSafeKey {
    let key = UnboundKey::new(&CHACHA20_POLY1305, key.as_slice()).expect("32 bytes are a key");
    LessSafeKey::new(key)
}

/// Encrypts in place and returns the tag. `None` if the text is too long, which no packet is.
pub(crate) fn seal(
    cipher: &LessSafeKey,
    nonce: [u8; NONCE_LEN],
    head: &[u8],
    text: &mut [u8],
) -> Option<[u8; TAG_LEN]> {
    let nonce = Nonce::assume_unique_for_key(nonce);
    let tag = cipher
        .seal_in_place_separate_tag(nonce, Aad::from(head), text)
        .ok()?;
    tag.as_ref().try_into().ok()
}

/// Decrypts `text || tag` in place; returns the length of the text.
pub(crate) fn open(
    cipher: &LessSafeKey,
    nonce: [u8; NONCE_LEN],
    head: &[u8],
    text: &mut [u8],
) -> Option<usize> {
    let nonce = Nonce::assume_unique_for_key(nonce);
    cipher
        .open_in_place(nonce, Aad::from(head), text)
        .ok()
        .map(|text| text.len())
}
