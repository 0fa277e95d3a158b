//! Why a receiver does not take a file.

use std::{fmt, io};

use crate::error::{is_crowded, is_full};
use crate::name::NameError;

/// Why one file is not taken; the others go on. `Display` is what the peer hears.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// Something else is there, and nothing is replaced.
    Exists,
    /// What is above it is no folder.
    NotAFolder,
    /// It was offered already.
    Duplicate,
    /// It is being received from this peer.
    Busy,
    /// What arrived has another hash.
    Damaged,
    Name(NameError),
    /// It has more bytes than one file may have.
    TooLarge,
    /// There is no room for it in what is taken in all.
    OverQuota,
    Permission,
    Full,
    /// Too many files are open for one more.
    Crowded,
    Disk,
}

impl Refusal {
    /// What the system says.
    pub(crate) fn of(error: &io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::AlreadyExists => Self::Exists,
            io::ErrorKind::NotADirectory => Self::NotAFolder,
            io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => Self::Permission,
            _ if is_full(error) => Self::Full,
            _ if is_crowded(error) => Self::Crowded,
            _ => Self::Disk,
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exists => f.write_str("exists"),
            Self::NotAFolder => f.write_str("below what is no folder"),
            Self::Duplicate => f.write_str("duplicate name"),
            Self::Busy => f.write_str("busy"),
            Self::Damaged => f.write_str(DAMAGED),
            Self::Name(error) => error.fmt(f),
            Self::TooLarge => f.write_str("larger than files may be here"),
            Self::OverQuota => f.write_str("over the quota"),
            Self::Permission => f.write_str("no permission"),
            Self::Full => f.write_str("disk full"),
            Self::Crowded => f.write_str("too many open files"),
            Self::Disk => f.write_str("disk failed"),
        }
    }
}

/// What arrived is not what was sent.
pub(crate) const DAMAGED: &str = "damaged";

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(unix)]
    #[test]
    fn too_many_open_files_are_told_from_a_disk_that_fails() {
        use rustix::io::Errno;
        for (errno, refusal) in [
            (Errno::MFILE, Refusal::Crowded),
            (Errno::NFILE, Refusal::Crowded),
            (Errno::IO, Refusal::Disk),
        ] {
            assert_eq!(Refusal::of(&errno.into()), refusal);
        }
    }
}
