//! What can go wrong, by whose fault it is.

use std::io;
use std::path::PathBuf;

use telehash_runtime::{ChannelError, OpenError, SendError};
use thiserror::Error;

use crate::letter::SealError;

/// Why there is no mailbox or cache, or a letter could not be sent.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum BoxError {
    /// The program handles channels of these types by itself. Local.
    #[error("another handler takes the `outbox`, `inbox` or `boxes` channels of this endpoint")]
    Handled,
    /// The identity is not that of the mesh. Local.
    #[error("the identity is not the one of this endpoint: what is sent to it could not be opened")]
    OtherIdentity,
    /// The system has no randomness. Local.
    #[error("the system has no randomness: {0}")]
    Randomness(String),
    /// The file in which the mailbox is to remember what it took cannot be used. Local.
    #[error("the file of the letters that were taken, {}, cannot be used: {error}", .file.display())]
    Memory {
        /// The file.
        file: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// The letter cannot be sealed.
    #[error(transparent)]
    Seal(#[from] SealError),
    /// The recipient is not there, and no cache was named.
    #[error("the recipient is not linked, and no cache was named to keep the letter")]
    NowhereToPut,
    /// The peer did not take it in time.
    #[error("the peer did not take it in time")]
    Timeout,
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

impl From<SendError> for BoxError {
    fn from(error: SendError) -> Self {
        match error {
            SendError::Channel(error) => Self::Channel(error),
            error => Self::Send(error),
        }
    }
}
