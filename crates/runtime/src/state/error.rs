//! What can be wrong with files.

use std::io;
use std::path::PathBuf;

use telehash_hashname::Hashname;
use thiserror::Error;

/// Why the state directory or an identity file cannot be used. Every message names the file.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum StateError {
    /// Another program uses the directory.
    #[error(
        "the state directory {} is in use by another running endpoint; stop that one, or choose \
         another directory",
        .path.display()
    )]
    Locked {
        /// The directory.
        path: PathBuf,
    },
    /// The file may not be read or written.
    #[error("cannot {action} {}: {source}", .path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// An identity file would be overwritten.
    #[error(
        "{} exists already and is never overwritten; choose another name, or move it away first",
        .path.display()
    )]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// Others may read the secrets.
    #[error(
        "the identity file {} can be read by others (mode {mode:04o}); make it private first: \
         chmod 600 {}",
        .path.display(), .path.display()
    )]
    Exposed {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// Written by a later version of this program.
    #[error(
        "{} is of version {version}, this program understands version {understood}; use a newer \
         program",
        .path.display()
    )]
    FutureVersion {
        /// The file.
        path: PathBuf,
        /// Its version.
        version: u64,
        /// The highest version that can be read.
        understood: u64,
    },
    /// Larger than such a file may be.
    #[error(
        "{} is larger than the {limit} bytes that such a file may have; is it the right file?",
        .path.display()
    )]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// The limit in bytes.
        limit: u64,
    },
    /// Not such a file.
    #[error("{} cannot be understood: {reason}", .path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong; never the contents.
        reason: String,
    },
}

impl StateError {
    pub(super) fn io(
        action: &'static str,
        path: impl Into<PathBuf>,
    ) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io {
            action,
            path,
            source,
        }
    }

    pub(super) fn malformed(path: impl Into<PathBuf>, reason: impl Into<String>) -> Self {
        Self::Malformed {
            path: path.into(),
            reason: reason.into(),
        }
    }
}

/// Why a known link could not be changed or found. Local misuse.
#[derive(Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum KnownLinkError {
    /// Nobody is known by that name.
    #[error("no known link is called `{name}`; give a hashname, a link JSON or a URI")]
    Unknown {
        /// What was looked for.
        name: String,
    },
    /// Several hashnames begin like that.
    #[error("`{name}` is the beginning of {count} known hashnames; give more characters")]
    Ambiguous {
        /// What was looked for.
        name: String,
        /// How many there are.
        count: usize,
    },
    /// The alias belongs to another link.
    #[error("`{alias}` is what {} is called; rename that one first", .owner.short())]
    AliasTaken {
        /// The alias.
        alias: String,
        /// Whose it is.
        owner: Hashname,
    },
    /// Too long, empty, or easily mistaken for something else.
    #[error(
        "`{alias}` cannot be an alias: 1 to {} letters, digits, `-`, `_` or `.`, and no hashname",
        crate::limits::MAX_ALIAS
    )]
    BadAlias {
        /// The alias.
        alias: String,
    },
    /// The table is full.
    #[error(
        "{} links are known, which is the limit; remove some first",
        crate::limits::MAX_KNOWN_LINKS
    )]
    Full,
}
