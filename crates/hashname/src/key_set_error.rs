//! Why keys are refused.

use crate::base32::Base32Error;
use crate::keys::{MAX_CSIDS, MAX_KEY_LEN};
use crate::{Csid, CsidError};

/// Why keys cannot join a [`KeySet`](crate::KeySet).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeySetError {
    /// The set holds [`MAX_CSIDS`] already.
    #[error("more than {MAX_CSIDS} cipher sets for one endpoint")]
    TooManyCsids,
    /// An empty key, or one longer than [`MAX_KEY_LEN`].
    #[error(
        "the public key for cipher set {csid} has {len} bytes; 1 to {MAX_KEY_LEN} are possible"
    )]
    KeyLength {
        /// Whose key.
        csid: Csid,
        /// Its bytes.
        len: usize,
    },
    /// Another key or intermediate of this cipher set is known.
    #[error("two different public keys for cipher set {csid}; at least one is not this endpoint's")]
    Mismatch {
        /// Whose key.
        csid: Csid,
    },
    /// A name that is no csid.
    #[error("the keys hold a name that is no cipher set: {0}")]
    Csid(#[from] CsidError),
    /// A value that is not a string of base32.
    #[error("the public key for cipher set {csid} is not a base32 string")]
    NotText {
        /// Whose key.
        csid: Csid,
    },
    /// A key or intermediate that is not base32.
    #[error("the public key for cipher set {csid} cannot be read: {error}")]
    Base32 {
        /// Whose key.
        csid: Csid,
        /// What is wrong with it.
        error: Base32Error,
    },
}
