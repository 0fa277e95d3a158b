//! The hash of one public key.

use core::fmt;
use core::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest, Sha256};

use crate::base32::{self, Base32Error};
use crate::hashname::TEXT_LEN;
use crate::text::TextVisitor;

/// SHA-256 of a public key: what a hashname needs to know of a key whose cipher set is not used
/// (packets.md, Hashname). In text 52 characters of base32.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Intermediate([u8; 32]);

impl Intermediate {
    /// The intermediate of the public key with these bytes.
    #[must_use]
    pub fn of(key: &[u8]) -> Self {
        Self(Sha256::digest(key).into())
    }

    /// The intermediate with these bytes.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The 32 bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for Intermediate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(base32::encode_into(&self.0, &mut [0; TEXT_LEN]))
    }
}

impl fmt::Debug for Intermediate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Intermediate({self:.8})")
    }
}

impl FromStr for Intermediate {
    type Err = Base32Error;

    fn from_str(text: &str) -> Result<Self, Base32Error> {
        base32::decode_array(text).map(Self)
    }
}

impl Serialize for Intermediate {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(base32::encode_into(&self.0, &mut [0; TEXT_LEN]))
    }
}

impl<'de> Deserialize<'de> for Intermediate {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(TextVisitor::new("an intermediate of 52 base32 characters"))
    }
}
