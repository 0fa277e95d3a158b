//! Why a URI, or one item of it, cannot be read.

use alloc::string::String;
use core::fmt;

use telehash_hashname::{Base32Error, CsidError, KeySetError, PathError};

use crate::SecretError;
use crate::limits::{MAX_QUERY_ITEMS, MAX_URI_LEN, MAX_URI_PATHS};

/// Why a text is no link URI.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum UriError {
    /// Longer than [`MAX_URI_LEN`].
    #[error("the URI has {len} bytes, more than the {MAX_URI_LEN} that are read")]
    TooLong {
        /// Bytes given.
        len: usize,
    },
    /// White space or a control character.
    #[error("the URI has a blank or control character at byte {position}; is it cut or wrapped?")]
    Character {
        /// Byte offset of the character.
        position: usize,
    },
    /// No `scheme://`.
    #[error("not a URI: it does not begin with a scheme such as link://")]
    NoScheme,
    /// A scheme that is none.
    #[error("the URI's scheme, before ://, may only have letters, digits, +, - and .")]
    Scheme,
    /// A port or user without host.
    #[error("the URI has no host before its port")]
    NoHost,
    /// A host that is neither address nor name.
    #[error("the URI's host is neither an address nor a name (IPv6 addresses go in brackets)")]
    Host,
    /// A port that is none.
    #[error("the URI's port is not a number from 1 to 65535")]
    Port,
    /// An item of the query that the strict parser refuses.
    #[error("in the URI, {0}")]
    Item(Skipped),
}

/// An item of the query that cannot be used: skipped by [`LinkUri::parse`], refused by
/// [`LinkUri::parse_strict`].
///
/// [`LinkUri::parse`]: crate::LinkUri::parse
/// [`LinkUri::parse_strict`]: crate::LinkUri::parse_strict
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Skipped {
    /// Name of the item, decoded: what stands before `=`.
    pub name: String,
    /// What is wrong with it.
    pub error: ItemError,
}

impl fmt::Display for Skipped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {}", self.name, self.error)
    }
}

/// What is wrong with an item of the query.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ItemError {
    /// `cs` and two characters that are no csid.
    #[error(transparent)]
    Csid(#[from] CsidError),
    /// A value that is not base32.
    #[error(transparent)]
    Base32(#[from] Base32Error),
    /// A key that cannot be used.
    #[error(transparent)]
    Key(#[from] KeySetError),
    /// The secret of an invite that is none.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// A second key for one cipher set, or a second invite.
    #[error("it is given twice")]
    Repeated,
    /// A path whose JSON is not text.
    #[error("the path is not UTF-8 text")]
    NotText,
    /// A path that is none.
    #[error(transparent)]
    Path(#[from] PathError),
    /// More than [`MAX_URI_PATHS`].
    #[error("there are more than {MAX_URI_PATHS} paths")]
    TooManyPaths,
    /// More than [`MAX_QUERY_ITEMS`]; reported once, for the first of them.
    #[error("this item and all after it are beyond the first {MAX_QUERY_ITEMS}")]
    TooManyItems,
}
