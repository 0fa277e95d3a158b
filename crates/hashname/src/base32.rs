//! Base32 as the protocol writes it: lower case, no padding (packets.md, base32).

use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use data_encoding::{BASE32_NOPAD_NOCASE, DecodeError, DecodeKind, DecodePartial};

/// Encodes `bytes` in lower case without padding; 32 bytes become 52 characters.
#[must_use]
pub fn encode(bytes: &[u8]) -> String {
    let mut text = BASE32_NOPAD_NOCASE.encode(bytes);
    text.make_ascii_lowercase();
    text
}

/// Decodes either case.
///
/// # Errors
///
/// Refuses what the JS and C implementations let pass: characters outside the alphabet (padding
/// among them), lengths that no number of whole bytes encodes to, and trailing bits that are not
/// zero. So every byte string has exactly one spelling, apart from case.
pub fn decode(text: &str) -> Result<Vec<u8>, Base32Error> {
    let mut bytes = vec![0; decoded_len(text)?];
    decode_into(text, &mut bytes)?;
    Ok(bytes)
}

/// How many bytes `text` decodes to, judged by its length alone.
pub(crate) fn decoded_len(text: &str) -> Result<usize, Base32Error> {
    BASE32_NOPAD_NOCASE
        .decode_len(text.len())
        .map_err(|_| Base32Error::Length { len: text.len() })
}

/// Decodes into `bytes`, which must be exactly as long as `text` decodes to.
pub(crate) fn decode_into(text: &str, bytes: &mut [u8]) -> Result<(), Base32Error> {
    if decoded_len(text)? != bytes.len() {
        return Err(Base32Error::Length { len: text.len() });
    }
    match BASE32_NOPAD_NOCASE.decode_mut(text.as_bytes(), bytes) {
        Ok(_) => Ok(()),
        Err(DecodePartial { error, .. }) => Err(Base32Error::new(error, text)),
    }
}

/// Decodes exactly `N` bytes.
pub(crate) fn decode_array<const N: usize>(text: &str) -> Result<[u8; N], Base32Error> {
    let mut bytes = [0; N];
    decode_into(text, &mut bytes)?;
    Ok(bytes)
}

/// Encodes without allocating; `out` must have the exact length of the encoding.
pub(crate) fn encode_into<'a>(bytes: &[u8], out: &'a mut [u8]) -> &'a str {
    BASE32_NOPAD_NOCASE.encode_mut(bytes, out);
    out.make_ascii_lowercase();
    core::str::from_utf8(out).expect("base32 is ASCII")
}

/// Appends the encoding of `bytes` to `text`, which is not reallocated if it has room.
pub(crate) fn append(bytes: &[u8], text: &mut String) {
    let start = text.len();
    BASE32_NOPAD_NOCASE.encode_append(bytes, text);
    text[start..].make_ascii_lowercase();
}

/// How many characters `len` bytes encode to.
pub(crate) fn encoded_len(len: usize) -> usize {
    BASE32_NOPAD_NOCASE.encode_len(len)
}

/// Why a text is not base32.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Base32Error {
    /// A character outside `a-z` (either case) and `2-7`.
    #[error("the character at byte {position} is not base32 (a-z and 2-7, no padding)")]
    Alphabet {
        /// Byte offset of the character.
        position: usize,
    },
    /// No byte string of the length wanted encodes to this many characters.
    #[error("{len} base32 characters are the wrong length here; the text is probably cut")]
    Length {
        /// Characters given.
        len: usize,
    },
    /// The last character carries bits that belong to no byte.
    #[error("the last base32 character carries stray bits; the text is probably cut or altered")]
    TrailingBits,
}

impl Base32Error {
    fn new(error: DecodeError, text: &str) -> Self {
        match error.kind {
            DecodeKind::Symbol | DecodeKind::Padding => Self::Alphabet {
                position: error.position,
            },
            DecodeKind::Trailing => Self::TrailingBits,
            DecodeKind::Length => Self::Length { len: text.len() },
        }
    }
}
