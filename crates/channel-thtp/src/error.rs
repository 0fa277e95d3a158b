//! What can go wrong with a request.

use std::io;

use telehash_runtime::{ChannelError, OpenError};
use thiserror::Error;

/// Why the head of a request or a response is refused.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum HeadError {
    /// It breaks a rule. A server answers 400.
    #[error("{0}")]
    Malformed(&'static str),
    /// It is longer than [`MAX_HEAD`](crate::limits::MAX_HEAD) or has more than
    /// [`MAX_HEADERS`](crate::limits::MAX_HEADERS) headers. A server answers 431.
    #[error("the head is larger than allowed")]
    TooLarge,
}

/// Why a request has no response.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ThtpError {
    /// Ours: the request cannot be sent.
    #[error("the request cannot be sent: {0}")]
    Request(HeadError),
    /// The link is down, or too many channels are open.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The peer serves nothing.
    #[error("the peer serves no HTTP: {0}")]
    Refused(String),
    /// The peer did not answer, the link went down, or the request's body broke off.
    #[error("the request failed: {0}")]
    Failed(#[source] io::Error),
    /// The peer ended before the head of its response was complete.
    #[error("the peer ended without a response")]
    NoResponse,
    /// The peer's response breaks a rule.
    #[error("the peer's response is no HTTP: {0}")]
    Response(HeadError),
}

impl ThtpError {
    /// Of a channel that failed before there was a response.
    pub(crate) fn of_channel(error: io::Error) -> Self {
        match refusal(&error) {
            Some(reason) => Self::Refused(reason.to_owned()),
            None => Self::Failed(error),
        }
    }
}

/// What the peer said, if it refused the channel.
fn refusal(error: &io::Error) -> Option<&str> {
    match error.get_ref()?.downcast_ref()? {
        telehash_runtime::SendError::Channel(ChannelError::Peer(reason)) => Some(reason)
            .filter(|reason| ["unknown type", "refused", "busy"].contains(&reason.as_str()))
            .map(String::as_str),
        _ => None,
    }
}

/// Why a body breaks off. It is never taken for a whole one then.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum BodyError {
    /// The channel failed: the peer gave up, or the link went down.
    #[error("the body broke off: {0}")]
    Channel(#[from] io::Error),
    /// Fewer bytes came than `content-length` said.
    #[error("the body ended {missing} bytes before its content-length")]
    Short {
        /// How many are missing.
        missing: u64,
    },
    /// More bytes came than `content-length` said, or some where none may be.
    #[error("the body is longer than its content-length")]
    Long,
    /// A body of the application's own failed.
    #[error(transparent)]
    Source(Box<dyn std::error::Error + Send + Sync>),
}
