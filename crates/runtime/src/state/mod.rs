//! What an endpoint keeps between runs: the state directory and identity files (links.md, Files).
//!
//! A state directory holds `id.json` (the identity, mode 0600), `links.json` (known links: alias,
//! trust, router flag, keys, paths, highest `at`; invites that are not spent) and `lock`. One running endpoint holds the lock.
//! Every file is written beside its place, synced and renamed there; a file of a later version is
//! refused, never overwritten.

mod atomic;
mod error;
mod identity_file;
mod invites;
mod known;
mod links_file;
mod lock;

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use telehash_hashname::IdentityJson;

pub use self::error::{KnownLinkError, StateError};
pub use self::identity_file::{create_identity, read_identity};
pub(crate) use self::invites::Grant;
pub use self::invites::OpenInvite;
pub use self::known::{KnownLink, KnownLinks, Trust};
use self::lock::Lock;
use crate::limits::MAX_LINKS_FILE;

/// A state directory that this process holds the lock of.
///
/// ```
/// use telehash_runtime::state::StateDir;
///
/// let parent = tempfile::tempdir()?;
/// let state = StateDir::open(parent.path().join("mesh"))?;
/// assert!(state.identity()?.is_none(), "a new directory has no identity yet");
/// assert!(StateDir::open(state.path()).is_err(), "one endpoint at a time");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct StateDir {
    path: PathBuf,
    _lock: Lock,
}

impl StateDir {
    /// Opens the directory, creating it (mode 0700) if it does not exist, and takes its lock.
    ///
    /// # Errors
    /// [`StateError::Locked`] if an endpoint runs there; [`StateError::Io`] if it cannot be used.
    pub fn open(path: impl Into<PathBuf>) -> Result<Self, StateError> {
        let path = path.into();
        create_private(&path).map_err(StateError::io("create", &path))?;
        let lock = Lock::acquire(&path)?;
        let state = Self { path, _lock: lock };
        atomic::tidy(&state.links_path());
        Ok(state)
    }

    /// The directory.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Where the identity is kept.
    #[must_use]
    pub fn identity_path(&self) -> PathBuf {
        self.path.join("id.json")
    }

    /// Where the known links are kept.
    #[must_use]
    pub fn links_path(&self) -> PathBuf {
        self.path.join("links.json")
    }

    /// The identity kept here, if there is one.
    ///
    /// # Errors
    /// As [`read_identity`].
    pub fn identity(&self) -> Result<Option<IdentityJson>, StateError> {
        let path = self.identity_path();
        match path.try_exists().map_err(StateError::io("read", &path))? {
            true => read_identity(&path).map(Some),
            false => Ok(None),
        }
    }

    /// The known links kept here; none if there is no such file yet.
    ///
    /// # Errors
    /// The file cannot be read, is of a later version, or is damaged. It is never overwritten then.
    pub fn known_links(&self) -> Result<KnownLinks, StateError> {
        let path = self.links_path();
        let file = match File::open(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Ok(KnownLinks::default());
            }
            result => result.map_err(StateError::io("read", &path))?,
        };
        let contents =
            atomic::read_bounded(&file, MAX_LINKS_FILE).map_err(StateError::io("read", &path))?;
        let contents = contents.ok_or(StateError::TooLarge {
            path: path.clone(),
            limit: MAX_LINKS_FILE,
        })?;
        links_file::parse(&path, &contents)
    }

    /// Writes the known links, replacing the file at once.
    ///
    /// # Errors
    /// [`StateError::Io`]; the old file is intact then.
    pub fn save_links(&self, links: &KnownLinks) -> Result<(), StateError> {
        let path = self.links_path();
        let contents = links_file::render(links);
        atomic::replace(&path, contents.as_bytes()).map_err(StateError::io("write", path))
    }
}

fn create_private(path: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_in_use_says_so_and_is_free_again_once_dropped() {
        let parent = tempfile::tempdir().unwrap();
        let path = parent.path().join("deep/mesh");
        let first = StateDir::open(&path).unwrap();
        let error = StateDir::open(&path).unwrap_err();
        assert!(matches!(error, StateError::Locked { .. }), "{error}");
        assert!(
            error
                .to_string()
                .contains("in use by another running endpoint"),
            "{error}"
        );
        drop(first);
        StateDir::open(&path).unwrap();
    }

    #[test]
    fn a_directory_is_rid_of_what_a_killed_endpoint_left_half_written() {
        let parent = tempfile::tempdir().unwrap();
        let left = parent.path().join("links.json.123-4.new");
        fs::write(&left, "{").unwrap();
        let state = StateDir::open(parent.path()).unwrap();
        assert!(!left.exists());
        // Nobody else comes in between.
        fs::write(&left, "{").unwrap();
        StateDir::open(parent.path()).unwrap_err();
        assert!(left.exists());
        drop(state);
    }

    #[test]
    fn known_links_larger_than_the_limit_are_refused_unread() {
        let parent = tempfile::tempdir().unwrap();
        let state = StateDir::open(parent.path()).unwrap();
        let read_zeros = |len| {
            let file = File::create(state.links_path()).unwrap();
            file.set_len(len).unwrap();
            state.known_links()
        };
        // At the limit it is read, and found to be nonsense.
        let longest = read_zeros(MAX_LINKS_FILE).unwrap_err();
        assert!(!matches!(longest, StateError::TooLarge { .. }), "{longest}");
        let longer = read_zeros(MAX_LINKS_FILE + 1).unwrap_err();
        assert!(matches!(longer, StateError::TooLarge { .. }), "{longer}");
    }
}
