//! Why there is no tunnel.

use std::io;

use telehash_runtime::{ChannelError, OpenError, SendError};
use thiserror::Error;

use crate::wire::refusal;

/// Why a tunnel could not be made, or a datagram not be sent.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum SockError {
    /// The peer does not allow this destination.
    #[error("the peer does not allow this destination: whoever runs it has to add an allow rule")]
    Denied,
    /// The peer serves as many tunnels as it is ready to.
    #[error("the peer has no room for another tunnel of ours; close some first")]
    Busy,
    /// The peer tried, and the destination refused the connection.
    #[error("the destination refused the connection")]
    Refused,
    /// The peer tried, and did not reach the destination.
    #[error("the peer cannot reach the destination: {0}")]
    Unreachable(String),
    /// The peer does not serve tunnels at all.
    #[error("the peer serves no tunnels")]
    Unsupported,
    /// The peer's answer is not one.
    #[error("the peer gave an answer that is none: {0}")]
    BadAnswer(&'static str),
    /// A name or `*` where it takes something else. Local.
    #[error("{0}")]
    Usage(&'static str),
    /// A datagram is larger than fits into a packet. Local.
    #[error("the datagram is larger than the {limit} bytes that fit")]
    TooLarge {
        /// What fits, in bytes.
        limit: usize,
    },
    /// The program handles `sock` channels by itself. Local.
    #[error("another handler takes the `sock` channels of this endpoint, so none can be accepted")]
    Handled,
    /// The channel could not be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The channel failed.
    #[error(transparent)]
    Channel(ChannelError),
    /// The packet could not be sent.
    #[error(transparent)]
    Send(SendError),
}

impl From<ChannelError> for SockError {
    fn from(error: ChannelError) -> Self {
        let ChannelError::Peer(said) = &error else {
            return Self::Channel(error);
        };
        match said.as_str() {
            refusal::DENIED => Self::Denied,
            refusal::BUSY => Self::Busy,
            refusal::REFUSED => Self::Refused,
            refusal::UNKNOWN_TYPE => Self::Unsupported,
            refusal::UNREACHABLE | refusal::TIMEOUT | refusal::NO_SUCH_HOST => {
                Self::Unreachable(said.clone())
            }
            _ => Self::Channel(error),
        }
    }
}

impl From<SendError> for SockError {
    fn from(error: SendError) -> Self {
        match error {
            SendError::TooLarge { quota } => Self::TooLarge { limit: quota },
            SendError::Channel(error) => error.into(),
            error => Self::Send(error),
        }
    }
}

impl From<SockError> for io::Error {
    fn from(error: SockError) -> Self {
        let kind = match &error {
            SockError::Denied => io::ErrorKind::PermissionDenied,
            SockError::Refused => io::ErrorKind::ConnectionRefused,
            SockError::Unreachable(_) => io::ErrorKind::HostUnreachable,
            _ => io::ErrorKind::Other,
        };
        Self::new(kind, error)
    }
}
