//! What can go wrong, by whose fault it is.

use std::time::Duration;

use telehash_runtime::{ChannelError, OpenError, SendError};
use thiserror::Error;

use crate::close::CloseCode;

/// Why a WebSocket could not be opened, or a message not sent or received.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum WsError {
    /// Ours: the request cannot be made. See [`WsRequest`](crate::WsRequest).
    #[error("the request for a WebSocket cannot be made: {0}")]
    BadRequest(&'static str),
    /// The channel could not be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The peer refused the WebSocket: `not found`, `forbidden`, or what its application says.
    #[error("the peer refused the WebSocket: {0}")]
    Refused(String),
    /// The peer did not answer in time.
    #[error("the peer did not answer within {0:?}")]
    Unanswered(Duration),
    /// The peer sent what is no WebSocket. It was told with the code 1002.
    #[error("the peer broke the protocol: {0}")]
    Protocol(&'static str),
    /// The peer closed with a code that must not be sent, or we were to.
    #[error("{0} is no close code that may be sent")]
    BadCloseCode(u16),
    /// A text message is not UTF-8. Received: the peer was told with the code 1007.
    #[error("a text message is not UTF-8")]
    NotUtf8,
    /// Received: a message larger than allowed. The peer was told with the code 1009. To be sent: a
    /// ping, a pong or a close reason that is too long.
    #[error("the message is larger than the {limit} bytes that are allowed")]
    TooLarge {
        /// The limit in bytes.
        limit: usize,
    },
    /// Nothing came from the peer, not even an answer to a ping; see
    /// [`WsConfig::keepalive`](crate::WsConfig::keepalive).
    #[error("the peer has said nothing for {0:?}")]
    Silent(Duration),
    /// To be sent: one of the two sides has closed the WebSocket already.
    #[error("the WebSocket is closed")]
    Closed,
    /// The channel failed: the peer is gone without a close.
    #[error(transparent)]
    Channel(#[from] ChannelError),
    /// The packets could not be sent.
    #[error(transparent)]
    Send(SendError),
}

impl WsError {
    /// The code by which the peer hears of it, if it is the peer's fault.
    pub(crate) fn close_code(&self) -> Option<CloseCode> {
        match self {
            Self::Protocol(_) | Self::BadCloseCode(_) => Some(CloseCode::PROTOCOL),
            Self::NotUtf8 => Some(CloseCode::INVALID),
            Self::TooLarge { .. } => Some(CloseCode::TOO_LARGE),
            _ => None,
        }
    }
}

impl From<SendError> for WsError {
    fn from(error: SendError) -> Self {
        match error {
            SendError::Channel(error) => Self::Channel(error),
            SendError::Ended => Self::Closed,
            error => Self::Send(error),
        }
    }
}
