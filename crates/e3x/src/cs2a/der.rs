//! The DER around RSA keys, of which all but the numbers is fixed.

use alloc::vec::Vec;

use zeroize::Zeroizing;

/// Bytes of a public key.
pub(super) const PUBLIC_LEN: usize =
    PUBLIC_HEAD.len() + super::rsa::MODULUS_LEN + PUBLIC_TAIL.len();

/// A public key, as it goes over the wire.
pub(super) type PublicDer = [u8; PUBLIC_LEN];

/// A SubjectPublicKeyInfo of rsaEncryption up to the modulus, which has 2048 bits and therefore a
/// leading zero.
const PUBLIC_HEAD: [u8; 33] = [
    0x30, 0x82, 0x01, 0x22, 0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01,
    0x01, 0x05, 0x00, 0x03, 0x82, 0x01, 0x0f, 0x00, 0x30, 0x82, 0x01, 0x0a, 0x02, 0x82, 0x01, 0x01,
    0x00,
];

/// What follows the modulus: the exponent 65537, which all implementations use.
const PUBLIC_TAIL: [u8; 5] = [0x02, 0x03, 0x01, 0x00, 0x01];

/// A PKCS#8 PrivateKeyInfo of rsaEncryption between its LENGTH and that of the key inside: version
/// 0 and the algorithm, then the tag of an OCTET STRING.
const PKCS8_HEAD: [u8; 19] = [
    0x02, 0x01, 0x00, 0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01,
    0x05, 0x00, 0x04,
];

/// Whether this is a public key but for its numbers: what the modulus must be is not looked at. A
/// key has this one spelling only, so that keys can be compared as bytes.
pub(super) fn is_public(der: &PublicDer) -> bool {
    der.starts_with(&PUBLIC_HEAD) && der.ends_with(&PUBLIC_TAIL)
}

/// The secret key as PKCS#8, if it is that or PKCS#1 from its outside; `None` if it is neither, or
/// has bytes after its end.
pub(super) fn pkcs8(secret: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let inside = sequence(secret)?;
    if inside.starts_with(&PKCS8_HEAD) {
        return Some(Zeroizing::new(secret.to_vec()));
    }
    // Both begin with a version; PKCS#1 goes on with the modulus, an INTEGER.
    let [0x02, 0x01, 0x00, 0x02, ..] = inside else {
        return None;
    };
    let key = long_form(secret.len())?;
    let whole = long_form(PKCS8_HEAD.len() + key.len() + secret.len())?;
    let parts: [&[u8]; 5] = [&[0x30], &whole, &PKCS8_HEAD, &key, secret];
    Some(Zeroizing::new(parts.concat()))
}

/// What a SEQUENCE of 256 to 65535 bytes, alone in its buffer, contains.
fn sequence(der: &[u8]) -> Option<&[u8]> {
    let inside = der.strip_prefix(&[0x30])?;
    let (length, inside) = inside.split_first_chunk()?;
    (*length == long_form(inside.len())?).then_some(inside)
}

/// A LENGTH from 256 to 65535.
fn long_form(len: usize) -> Option<[u8; 3]> {
    let [high, low] = u16::try_from(len).ok()?.to_be_bytes();
    (high != 0).then_some([0x82, high, low])
}
