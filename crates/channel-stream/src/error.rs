//! Channel errors in the words of byte streams and message streams.

use std::io;

use telehash_runtime::{ChannelError, SendError};
use thiserror::Error;

/// Why a message could not be sent or received.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum MessageError {
    /// Received or to be sent: larger than this stream allows. A received one fails the stream.
    #[error("the message is larger than the {limit} bytes that this stream allows")]
    TooLarge {
        /// The limit in bytes.
        limit: usize,
    },
    /// Received: not what its encoding says. The next message can be read.
    #[error("the peer sent a message that is no {encoding}: {reason}")]
    Malformed {
        /// The encoding.
        encoding: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// Received: an encoding that is not known. The next message can be read.
    #[error("the peer sent a message in the encoding `{0}`, which is not known")]
    UnknownEncoding(String),
    /// Received: the peer ended in the middle of a message.
    #[error("the peer ended the stream in the middle of a message")]
    Truncated,
    /// The channel failed.
    #[error(transparent)]
    Channel(#[from] ChannelError),
    /// The packets could not be sent.
    #[error(transparent)]
    Send(#[from] SendError),
}

/// The error of a channel as one of a byte stream. The original is its source.
#[must_use]
pub fn io_error(error: SendError) -> io::Error {
    let kind = match &error {
        SendError::Channel(ChannelError::Peer(_)) => io::ErrorKind::ConnectionReset,
        SendError::Channel(ChannelError::Timeout) => io::ErrorKind::TimedOut,
        SendError::Channel(_) => io::ErrorKind::ConnectionAborted,
        SendError::Ended => io::ErrorKind::BrokenPipe,
        _ => io::ErrorKind::Other,
    };
    io::Error::new(kind, error)
}
