//! The name of an endpoint.

use core::fmt;
use core::net::{Ipv4Addr, Ipv6Addr};
use core::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::base32::{self, Base32Error};
use crate::text::TextVisitor;

/// Characters of a hashname in text.
pub(crate) const TEXT_LEN: usize = 52;

/// Characters that [`Hashname::short`] shows: 40 bits, enough to tell endpoints apart in a log.
const SHORT_LEN: usize = 8;

/// The name of an endpoint: 32 bytes rolled up from its public keys (packets.md, Hashname).
///
/// In text it is 52 characters of base32. Calculate one with [`KeySet::hashname`](crate::KeySet::hashname).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Hashname([u8; 32]);

impl Hashname {
    /// The hashname with these bytes.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The 32 bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The first eight characters, for logs and people; not unique, never a key to look up by.
    #[must_use]
    pub const fn short(&self) -> ShortHashname {
        ShortHashname(*self)
    }

    /// The first four bytes as an address, for VPN-style addressing.
    #[must_use]
    pub const fn ipv4(&self) -> Ipv4Addr {
        let [a, b, c, d, ..] = self.0;
        Ipv4Addr::new(a, b, c, d)
    }

    /// The first sixteen bytes as an address, for VPN-style addressing.
    #[must_use]
    pub fn ipv6(&self) -> Ipv6Addr {
        let mut octets = [0; 16];
        octets.copy_from_slice(&self.0[..16]);
        Ipv6Addr::from(octets)
    }

    /// `42` and the first five bytes: a locally administered, unicast Ethernet address.
    #[must_use]
    pub const fn mac(&self) -> [u8; 6] {
        let [a, b, c, d, e, ..] = self.0;
        [0x42, a, b, c, d, e]
    }

    fn write_text<'a>(&self, out: &'a mut [u8; TEXT_LEN]) -> &'a str {
        base32::encode_into(&self.0, out)
    }
}

impl fmt::Display for Hashname {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.write_text(&mut [0; TEXT_LEN]))
    }
}

impl fmt::Debug for Hashname {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Hashname({})", self.short())
    }
}

impl FromStr for Hashname {
    type Err = HashnameError;

    fn from_str(text: &str) -> Result<Self, HashnameError> {
        match base32::decode_array(text) {
            Ok(bytes) => Ok(Self(bytes)),
            Err(Base32Error::Length { len }) => Err(HashnameError::Length { len }),
            Err(error) => Err(HashnameError::Base32(error)),
        }
    }
}

impl Serialize for Hashname {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.write_text(&mut [0; TEXT_LEN]))
    }
}

impl<'de> Deserialize<'de> for Hashname {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(TextVisitor::new("a hashname of 52 base32 characters"))
    }
}

/// Displays the first characters of a hashname; made by [`Hashname::short`].
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct ShortHashname(Hashname);

impl fmt::Display for ShortHashname {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0.write_text(&mut [0; TEXT_LEN])[..SHORT_LEN])
    }
}

impl fmt::Debug for ShortHashname {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The text is not a hashname.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HashnameError {
    /// Not 52 characters.
    #[error("a hashname has 52 base32 characters, this text has {len}")]
    Length {
        /// Bytes of text given.
        len: usize,
    },
    /// Not base32.
    #[error("not a hashname: {0}")]
    Base32(#[from] Base32Error),
}
