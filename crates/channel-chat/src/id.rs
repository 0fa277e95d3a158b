//! Ids of chats, profiles and messages.

use std::fmt;
use std::str::FromStr;

use telehash_hashname::{Hashname, base32};

/// The id of a message, of a profile, or of a chat, which is that of its leader's profile: a digest of
/// eight bytes, in text 13 characters of base32.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Id([u8; 8]);

impl Id {
    pub(crate) const MIN: Self = Self([0; 8]);
    pub(crate) const MAX: Self = Self([0xff; 8]);

    /// The id with these bytes.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 8]) -> Self {
        Self(bytes)
    }

    /// Its eight bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 8] {
        &self.0
    }

    /// The id that comes before this one in the chain of `sender`: its digest. The one that comes after
    /// it nobody can know but the sender.
    #[must_use]
    pub fn previous(&self, sender: &Hashname) -> Self {
        Self(sender.siphash(&self.0))
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&base32::encode(&self.0))
    }
}

impl fmt::Debug for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Id({self})")
    }
}

impl FromStr for Id {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        let bytes = base32::decode(text).map_err(|_| IdError)?;
        bytes.try_into().map(Self).map_err(|_| IdError)
    }
}

/// The text is not an id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an id has 13 base32 characters (a-z and 2-7)")]
#[non_exhaustive]
pub struct IdError;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_read_back_in_either_case_and_nothing_else_is_one() {
        let id: Id = "5rfiuj7viqwdy".parse().unwrap();
        assert_eq!(id.to_string(), "5rfiuj7viqwdy");
        assert_eq!("5RFIUJ7VIQWDY".parse(), Ok(id));
        assert_eq!(id.as_bytes()[..2], [0xec, 0x4a]);
        for wrong in [
            "",
            "5rfiuj7viqwd",
            "5rfiuj7viqwdya",
            "5rfiuj7viqwdz",
            "5rfiuj7viqw==",
        ] {
            assert_eq!(wrong.parse::<Id>(), Err(IdError), "{wrong}");
        }
    }
}
