//! What is to be sent.

use std::fs::{self, Metadata};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use crate::block::blocking;
use crate::error::FilesError;
use crate::name::{Name, Rules};
use crate::outcome::{Outcome, Progress};

/// Limit: files and folders of one transfer. More cannot be sent, and fail the transfer when received.
pub const MAX_ENTRIES: usize = 1 << 18;

/// Files and folders to be sent, and which of them are at the receiver already.
///
/// It is made once; [`send_files`](crate::LinkFilesExt::send_files) may be called with it as often as the transfer
/// breaks off, and goes on with what is missing.
#[derive(Debug)]
pub struct Sending {
    pub(crate) entries: Vec<Entry>,
    pub(crate) outcome: Outcome,
    pub(crate) progress: Progress,
}

/// A file or a folder.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) path: PathBuf,
    pub(crate) name: String,
    pub(crate) kind: Kind,
    pub(crate) settled: bool,
}

/// What it is, and by what a change of it is noticed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Kind {
    Folder,
    File {
        size: u64,
        modified: Option<SystemTime>,
        executable: bool,
    },
}

impl Sending {
    /// Looks for what these files and folders hold. Each goes by the last part of its path.
    ///
    /// Links that are named here are followed, those within folders are left out; so is what is no file, what cannot
    /// be read, and what has a name that is refused everywhere. The outcome tells.
    ///
    /// # Errors
    /// One that is named here is not there, or has no name, or there are too many.
    pub async fn new(
        paths: impl IntoIterator<Item = impl Into<PathBuf>>,
    ) -> Result<Self, FilesError> {
        let paths: Vec<PathBuf> = paths.into_iter().map(Into::into).collect();
        let walked = blocking(move || {
            let mut sending = Self {
                entries: Vec::new(),
                outcome: Outcome::default(),
                progress: Progress::default(),
            };
            paths.iter().try_for_each(|path| sending.add_named(path))?;
            Ok(sending)
        });
        walked.await.map_err(FilesError::Broken)?
    }

    /// How far it is.
    #[must_use]
    pub fn progress(&self) -> Progress {
        self.progress
    }

    /// What became of it so far.
    #[must_use]
    pub fn outcome(&self) -> &Outcome {
        &self.outcome
    }

    fn add_named(&mut self, path: &Path) -> Result<(), FilesError> {
        let about = path.metadata().map_err(FilesError::disk(path))?;
        // `.` and `..` have a name, too.
        let named = match path.file_name() {
            Some(name) => Some(name.to_owned()),
            None => {
                let full = path.canonicalize().map_err(FilesError::disk(path))?;
                full.file_name().map(ToOwned::to_owned)
            }
        };
        let unnamed = || std::io::Error::other("it has no name to be sent by");
        let named = named.ok_or_else(|| FilesError::disk(path)(unnamed()))?;
        self.add(
            path,
            &named.to_string_lossy(),
            named.to_str().is_some(),
            &about,
        )
    }

    fn add(
        &mut self,
        path: &Path,
        name: &str,
        is_text: bool,
        about: &Metadata,
    ) -> Result<(), FilesError> {
        if !is_text {
            self.leave_out(name, "its name is no text");
            return Ok(());
        }
        // What is harmless elsewhere is up to the receiver.
        let anywhere = Rules {
            windows: false,
            folds_case: false,
        };
        if let Err(error) = Name::new(name, anywhere) {
            self.leave_out(name, error.to_string());
            return Ok(());
        }
        let kind = match about {
            about if about.is_dir() => Kind::Folder,
            about if about.is_file() => Kind::of(about),
            _ => {
                self.leave_out(name, "neither a file nor a folder");
                return Ok(());
            }
        };
        if self.entries.len() >= MAX_ENTRIES {
            return Err(FilesError::TooMany);
        }
        self.progress.total_files += 1;
        self.progress.total_bytes += kind.size();
        self.entries.push(Entry {
            path: path.to_owned(),
            name: name.to_owned(),
            kind,
            settled: false,
        });
        match kind {
            Kind::Folder => self.add_inside(path, name),
            Kind::File { .. } => Ok(()),
        }
    }

    fn add_inside(&mut self, folder: &Path, name: &str) -> Result<(), FilesError> {
        let inside = match fs::read_dir(folder).and_then(Iterator::collect::<Result<Vec<_>, _>>) {
            Ok(inside) => inside,
            Err(error) => {
                self.leave_out(&format!("{name}/*"), error.to_string());
                return Ok(());
            }
        };
        let mut inside = inside;
        inside.sort_by_key(fs::DirEntry::file_name);
        for entry in inside {
            let own = entry.file_name();
            let below = format!("{name}/{}", own.to_string_lossy());
            match entry.metadata() {
                Ok(about) if about.is_symlink() => self.leave_out(&below, "a link"),
                Ok(about) => self.add(&entry.path(), &below, own.to_str().is_some(), &about)?,
                Err(error) => self.leave_out(&below, error.to_string()),
            }
        }
        Ok(())
    }

    fn leave_out(&mut self, name: &str, reason: impl Into<String>) {
        self.outcome.left_out(name, reason);
    }

    /// One is at the receiver.
    pub(crate) fn stored(&mut self, index: usize) {
        if let Some(size) = self.settle(index) {
            self.outcome.stored(size);
        }
    }

    /// One is not, and will not be.
    pub(crate) fn left_out(&mut self, index: usize, reason: impl Into<String>) {
        if self.settle(index).is_some()
            && let Some(entry) = self.entries.get(index)
        {
            self.outcome.left_out(&entry.name, reason);
        }
    }

    fn settle(&mut self, index: usize) -> Option<u64> {
        let entry = self.entries.get_mut(index).filter(|entry| !entry.settled)?;
        entry.settled = true;
        self.progress.files += 1;
        Some(entry.kind.size())
    }
}

impl Kind {
    pub(crate) fn of(about: &Metadata) -> Self {
        Self::File {
            size: about.len(),
            modified: about.modified().ok(),
            executable: is_executable(about),
        }
    }

    pub(crate) fn size(self) -> u64 {
        match self {
            Self::Folder => 0,
            Self::File { size, .. } => size,
        }
    }
}

#[cfg(unix)]
fn is_executable(about: &Metadata) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    about.permissions().mode() & 0o100 != 0
}

#[cfg(not(unix))]
fn is_executable(_: &Metadata) -> bool {
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_folder_is_sent_with_what_it_holds_and_links_are_left_out() {
        let world = tempfile::tempdir().unwrap();
        let at = |name: &str| world.path().join(name);
        fs::create_dir_all(at("tree/empty")).unwrap();
        fs::write(at("tree/b"), "bb").unwrap();
        fs::write(at("tree/a"), "a").unwrap();
        fs::write(at("other"), "ccc").unwrap();
        fs::write(at("tree/evil\nname"), "").unwrap();
        #[cfg(unix)]
        std::os::unix::fs::symlink("/etc", at("tree/link")).unwrap();
        let sending = Sending::new([at("tree"), at("other")]).await.unwrap();
        let names: Vec<_> = sending
            .entries
            .iter()
            .map(|entry| entry.name.as_str())
            .collect();
        assert_eq!(names, ["tree", "tree/a", "tree/b", "tree/empty", "other"]);
        assert_eq!(
            (sending.progress.total_files, sending.progress.total_bytes),
            (5, 6)
        );
        let left_out: Vec<_> = sending
            .outcome
            .named
            .iter()
            .map(|out| out.name.as_str())
            .collect();
        assert_eq!(left_out, ["tree/evil\nname", "tree/link"]);
    }

    #[tokio::test]
    async fn what_is_named_is_there_and_a_folder_may_be_this_one() {
        let world = tempfile::tempdir().unwrap();
        Sending::new([world.path().join("none")]).await.unwrap_err();
        let here = world.path().join("a/..");
        fs::create_dir(world.path().join("a")).unwrap();
        let sending = Sending::new([here]).await.unwrap();
        let own = world.path().file_name().unwrap().to_str().unwrap();
        assert_eq!(sending.entries.first().unwrap().name, own);
    }

    #[test]
    fn no_more_is_sent_than_the_limit() {
        let world = tempfile::tempdir().unwrap();
        let file = world.path().join("file");
        fs::write(&file, "").unwrap();
        let about = file.metadata().unwrap();
        let mut sending = Sending {
            entries: Vec::new(),
            outcome: Outcome::default(),
            progress: Progress::default(),
        };
        for _ in 0..MAX_ENTRIES {
            sending.add(&file, "file", true, &about).unwrap();
        }
        let more = sending.add(&file, "file", true, &about);
        assert!(matches!(more, Err(FilesError::TooMany)), "{more:?}");
    }
}
