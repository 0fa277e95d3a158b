//! What can go wrong, by whose fault it is.

use std::io;
use std::path::{Path, PathBuf};

use telehash_runtime::{ChannelError, OpenError, SendError};
use thiserror::Error;

/// What a peer says whose program ended, or gave its part of the channel up without a word.
const DROPPED: &str = "dropped";

/// Why a transfer ended before its end. What arrived so far is kept; sending the same again goes on from there.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum FilesError {
    /// The channel could not be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The peer refused the transfer or ended it, in these words: `unknown type` where nobody receives files,
    /// `busy`, `disk full`, `disk failed`, or what its application says.
    #[error("the peer ended the transfer: {0}")]
    Refused(String),
    /// The channel broke: the peer or the network is gone.
    #[error("the transfer broke off: {0}")]
    Broken(#[source] io::Error),
    /// The peer sent what is no transfer of files.
    #[error("the peer broke the protocol: {0}")]
    Protocol(&'static str),
    /// Ours: a file could not be read or written.
    #[error("{}: {error}", path.display())]
    Disk {
        /// Which file or folder.
        path: PathBuf,
        /// What the system says.
        #[source]
        error: io::Error,
    },
    /// Ours: there are more files than [`MAX_ENTRIES`](crate::limits::MAX_ENTRIES).
    #[error("more than {} files and folders", crate::limits::MAX_ENTRIES)]
    TooMany,
}

impl FilesError {
    pub(crate) fn disk(path: impl AsRef<Path>) -> impl FnOnce(io::Error) -> Self {
        let path = path.as_ref().to_owned();
        move |error| Self::Disk { path, error }
    }

    /// The error of a stream.
    pub(crate) fn stream(error: io::Error) -> Self {
        let inner = error.get_ref().and_then(|inner| inner.downcast_ref());
        match inner {
            Some(SendError::Channel(ChannelError::Peer(reason))) if reason.as_str() != DROPPED => {
                Self::Refused(reason.clone())
            }
            _ => Self::Broken(error),
        }
    }

    /// What the peer hears of it, if it has a share in it or has to know.
    pub(crate) fn told(&self) -> Option<&'static str> {
        match self {
            Self::Protocol(_) => Some("bad request"),
            Self::TooMany => Some("too many files"),
            Self::Disk { error, .. } if is_full(error) => Some("disk full"),
            Self::Disk { .. } => Some("disk failed"),
            _ => None,
        }
    }
}

/// Whether there is no room left.
pub(crate) fn is_full(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded
    )
}

/// Whether it has as many files open as it may have, or the system has. That passes.
#[cfg(unix)]
pub(crate) fn is_crowded(error: &io::Error) -> bool {
    use rustix::io::Errno;
    let errno = Errno::from_io_error(error);
    errno.is_some_and(|errno| [Errno::MFILE, Errno::NFILE].contains(&errno))
}

#[cfg(not(unix))]
pub(crate) fn is_crowded(_: &io::Error) -> bool {
    false
}
