//! What a URI carries that nobody can guess.

use alloc::string::String;
use core::fmt;
use core::str::FromStr;

use subtle::ConstantTimeEq;
use telehash_hashname::{Base32Error, base32};
use zeroize::{Zeroize, ZeroizeOnDrop};

/// Bytes of a secret.
const LEN: usize = 16;

/// Characters of [`Secret::handle`].
const HANDLE_LEN: usize = 8;

/// 16 random bytes in a URI: the one-time secret of an invite, or a router's session (uri.md).
///
/// In text it is 26 characters of base32. It is compared in constant time, zeroed when dropped, and
/// never printed by `Debug`.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct Secret([u8; LEN]);

impl Secret {
    /// The secret with these bytes, which have to be random.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; LEN]) -> Self {
        Self(bytes)
    }

    /// The 16 bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; LEN] {
        &self.0
    }

    /// The text that goes into a URI. Whoever reads it has the secret.
    #[must_use]
    pub fn to_text(&self) -> String {
        base32::encode(&self.0)
    }

    /// The first characters of the text: enough for its owner to tell secrets apart, and of no use
    /// to anybody else, since 88 bits remain unknown.
    #[must_use]
    pub fn handle(&self) -> String {
        let mut text = self.to_text();
        text.truncate(HANDLE_LEN);
        text
    }
}

impl ConstantTimeEq for Secret {
    fn ct_eq(&self, other: &Self) -> subtle::Choice {
        self.0.ct_eq(&other.0)
    }
}

impl PartialEq for Secret {
    fn eq(&self, other: &Self) -> bool {
        self.ct_eq(other).into()
    }
}

impl Eq for Secret {}

impl FromStr for Secret {
    type Err = SecretError;

    fn from_str(text: &str) -> Result<Self, SecretError> {
        let mut bytes = base32::decode(text)?;
        let secret = <[u8; LEN]>::try_from(bytes.as_slice());
        bytes.zeroize();
        secret.map(Self).map_err(|_| SecretError::Length)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

/// The text is not a [`Secret`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SecretError {
    /// Not base32.
    #[error(transparent)]
    Base32(#[from] Base32Error),
    /// Not 16 bytes.
    #[error("a secret has {LEN} bytes in 26 base32 characters; is the URI cut?")]
    Length,
}
