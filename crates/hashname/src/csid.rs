//! Cipher set ids (packets.md, Hashname).

use core::fmt;
use core::num::NonZeroU8;
use core::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::text::TextVisitor;

/// The id of a cipher set: one byte, never zero, written as two lower-case hex digits.
///
/// Any value takes part in a hashname, whether we implement the set or not. Higher values are
/// preferred when two endpoints choose the set of a link.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Csid(NonZeroU8);

impl Csid {
    /// Cipher set 1a: secp160r1, AES-128, HMAC-SHA-256.
    pub const CS1A: Self = Self::known(0x1a);
    /// Cipher set 1c: as 1a on P-256.
    pub const CS1C: Self = Self::known(0x1c);
    /// Cipher set 2a: RSA-2048, P-256, AES-256-GCM.
    pub const CS2A: Self = Self::known(0x2a);
    /// Cipher set 3a: Curve25519, XSalsa20, Poly1305.
    pub const CS3A: Self = Self::known(0x3a);
    /// Cipher set 42, this project's own.
    pub const CS42: Self = Self::known(0x42);

    /// The csid of this value, or `None` for zero, which is never valid.
    #[must_use]
    pub const fn new(value: u8) -> Option<Self> {
        match NonZeroU8::new(value) {
            Some(value) => Some(Self(value)),
            None => None,
        }
    }

    const fn known(value: u8) -> Self {
        match Self::new(value) {
            Some(csid) => csid,
            None => panic!("csid constants are not zero"),
        }
    }

    /// The raw byte, as it goes into the hashname and onto the wire.
    #[must_use]
    pub const fn as_u8(self) -> u8 {
        self.0.get()
    }
}

impl fmt::Display for Csid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02x}", self.0)
    }
}

impl fmt::Debug for Csid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Csid({self})")
    }
}

impl FromStr for Csid {
    type Err = CsidError;

    /// Accepts exactly two lower-case hex digits other than `00`, as JS does.
    fn from_str(text: &str) -> Result<Self, CsidError> {
        let &[high, low] = text.as_bytes() else {
            return Err(CsidError);
        };
        let value = lower_hex_digit(high)? << 4 | lower_hex_digit(low)?;
        Self::new(value).ok_or(CsidError)
    }
}

fn lower_hex_digit(byte: u8) -> Result<u8, CsidError> {
    match byte {
        b'0'..=b'9' => Ok(byte - b'0'),
        b'a'..=b'f' => Ok(byte - b'a' + 10),
        _ => Err(CsidError),
    }
}

impl Serialize for Csid {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Csid {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(TextVisitor::new("a csid of two lower-case hex digits"))
    }
}

/// The text is not a csid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a cipher set id is two lower-case hex digits other than 00, such as 3a")]
pub struct CsidError;
