//! What can go wrong, by whose fault it is.

use telehash_runtime::{ChannelError, OpenError, SendError};
use thiserror::Error;

/// Why blocks cannot be sent or received. That one was lost is no error.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum BlockError {
    /// Ours: the block is too large.
    #[error("the block is larger than the {limit} bytes that one may have")]
    TooLarge {
        /// The limit in bytes.
        limit: usize,
    },
    /// The channel could not be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The channel failed: the peer refused it, or is gone.
    #[error(transparent)]
    Channel(#[from] ChannelError),
    /// A packet could not be sent.
    #[error(transparent)]
    Send(SendError),
}

impl From<SendError> for BlockError {
    fn from(error: SendError) -> Self {
        match error {
            SendError::Channel(error) => Self::Channel(error),
            error => Self::Send(error),
        }
    }
}
