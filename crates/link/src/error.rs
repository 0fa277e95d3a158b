//! Errors of the endpoint's own operations.

use telehash_hashname::Hashname;
use thiserror::Error;

use crate::LinkKey;

/// Why no link was made. All but [`Key`](Self::Key) are local misuse.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// The target is this endpoint.
    #[error("that is our own hashname: an endpoint cannot link to itself")]
    OwnHashname,
    /// There is a link to it already.
    #[error("there is a link to that hashname already: use it")]
    AlreadyLinked(LinkKey),
    /// No keys, or not the one that is needed.
    #[error("the key of cipher set {0} is missing: both ends have it, so no lower one may be used")]
    KeyMissing(telehash_hashname::Csid),
    /// Nothing in common.
    #[error("no cipher set in common with {}: it has none of ours", .0.short())]
    NoCommonCipherSet(Hashname),
    /// The key set is empty.
    #[error("no keys are known for the target")]
    NoKeys,
    /// The peer's key is unusable.
    #[error("the peer's public key cannot be used: {0}")]
    Key(#[from] telehash_e3x::ExchangeError),
}

/// Why a ticket could not be redeemed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum AcceptError {
    /// It expired, was pushed out by others, or was redeemed before.
    #[error("the handshake is no longer pending: it expired or was decided before")]
    Expired,
    /// A link to the same hashname came up in the meantime.
    #[error("there is a link to that hashname already")]
    AlreadyLinked(LinkKey),
}
