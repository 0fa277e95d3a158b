//! Where received files go.

use std::fs::{self, Permissions};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use blake3::Hash;
use telehash_hashname::Hashname;

use crate::block::{Source, open};
use crate::error::{FilesError, is_crowded};
use crate::name::{Name, NameError, PARTS_FOLDER, Rules};
use crate::part::{Part, Parts};
use crate::quota::Quota;
use crate::refusal::Refusal;

/// A folder that files are received into.
///
/// - Nothing that is there is replaced, unless [`replace`](Self::replace) says so.
/// - Nothing outside of it is touched: names that lead elsewhere are refused, and so are paths through links that are
///   in it. What other programs of this host do with the folder at the same moment is up to them.
/// - A file has its name once it is complete and on the disk, and what it replaces is there until then. What is not
///   complete is in [`.mesh-parts`](crate::PARTS_FOLDER), which may be removed while nothing is received.
/// - Peers may fill the disk, unless [`max_file`](Self::max_file) and [`quota`](Self::quota) set limits.
/// - One `Folder`, of all programs, receives into it at a time. Clones are the same one.
#[derive(Clone, Debug)]
pub struct Folder {
    shared: Arc<Shared>,
    replace: bool,
    quota: Quota,
}

#[derive(Debug)]
struct Shared {
    root: PathBuf,
    parts: Parts,
    rules: Rules,
}

/// What is where a file is to go.
#[derive(Debug, PartialEq)]
pub(crate) enum Found {
    Nothing,
    /// A file that is as large, and so may be the same.
    Alike,
    /// Something that may be replaced.
    Other,
}

impl Folder {
    /// Receives into this folder, which exists, replacing nothing. This reads and writes the disk for a moment.
    ///
    /// # Errors
    /// There is no such folder, it cannot be written to, or another one receives into it.
    pub fn open(folder: impl AsRef<Path>) -> Result<Self, FilesError> {
        let folder = folder.as_ref();
        let root = folder.canonicalize().map_err(FilesError::disk(folder))?;
        let parts = Parts::open(&root).map_err(FilesError::disk(folder))?;
        let rules = Rules {
            windows: cfg!(windows),
            folds_case: root.join(PARTS_FOLDER.to_ascii_uppercase()).exists(),
        };
        let shared = Arc::new(Shared { root, parts, rules });
        Ok(Self {
            shared,
            replace: false,
            quota: Quota::default(),
        })
    }

    /// The same, replacing files that are in the way, or not. Folders are never replaced.
    #[must_use]
    pub fn replace(mut self, replace: bool) -> Self {
        self.replace = replace;
        self
    }

    /// The same, refusing files with more bytes than this.
    #[must_use]
    pub fn max_file(mut self, bytes: u64) -> Self {
        self.quota.max_file = Some(bytes);
        self
    }

    /// The same, writing no more bytes than this from now on, whoever sends them and whatever becomes of them. Clones
    /// of it share them. A file that does not fit is refused; what was there already, complete or in part, costs nothing,
    /// also if it has to be sent again.
    #[must_use]
    pub fn quota(mut self, bytes: u64) -> Self {
        self.quota = self.quota.with_total(bytes);
        self
    }

    /// Which folder it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.shared.root
    }

    pub(crate) fn replaces(&self) -> bool {
        self.replace
    }

    /// What limits how much is taken.
    pub(crate) fn limits(&self) -> &Quota {
        &self.quota
    }

    pub(crate) fn rules(&self) -> Rules {
        self.shared.rules
    }

    pub(crate) fn name(&self, path: &str) -> Result<Name, NameError> {
        Name::new(path, self.shared.rules)
    }

    /// Where it goes.
    pub(crate) fn place_of(&self, name: &Name) -> PathBuf {
        self.shared.root.join(name.to_path())
    }

    /// What is where a file of this size is to go.
    pub(crate) fn look(&self, name: &Name, size: u64) -> Result<Found, Refusal> {
        self.check_above(name)?;
        match self.place_of(name).symlink_metadata() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Found::Nothing),
            Err(error) => Err(Refusal::of(&error)),
            Ok(there) if there.is_dir() => Err(Refusal::Exists),
            Ok(there) if there.is_file() && there.len() == size => Ok(Found::Alike),
            Ok(_) if self.replace => Ok(Found::Other),
            Ok(_) => Err(Refusal::Exists),
        }
    }

    /// Whether what is there has this hash.
    pub(crate) fn is_same(&self, name: &Name, size: u64, hash: Hash) -> io::Result<bool> {
        let mut source = Source::open(&self.place_of(name))?;
        // One more than that, in case that it grows.
        source.skip_to(size.saturating_add(1))?;
        Ok(source.len() == size && source.hash() == hash)
    }

    /// The part of this peer's file, once nobody else writes it.
    pub(crate) async fn part(&self, peer: Hashname, name: &Name) -> Result<Part, PartError> {
        let claim = self.shared.parts.claim(peer, name).await;
        let claim = claim.ok_or(PartError::Refused(Refusal::Busy))?;
        let shared = self.shared.clone();
        let opened = crate::block::blocking(move || shared.parts.open_part(claim)).await;
        opened.and_then(|opened| opened).map_err(|error| {
            if is_crowded(&error) {
                return PartError::Refused(Refusal::Crowded);
            }
            let path = self.path().join(PARTS_FOLDER);
            PartError::Disk(FilesError::Disk { path, error })
        })
    }

    /// Where the parts are.
    pub(crate) fn parts(&self) -> &Path {
        self.shared.parts.folder()
    }

    /// Makes the folder, and those above it.
    pub(crate) fn make_folder(&self, name: &Name) -> Result<(), Refusal> {
        self.check_above(name)?;
        let path = self.place_of(name);
        fs::create_dir_all(&path).map_err(|error| Refusal::of(&error))?;
        match path.symlink_metadata() {
            Ok(there) if there.is_dir() => Ok(()),
            _ => Err(Refusal::Exists),
        }
    }

    /// Gives a complete part its name. If the same file is there meanwhile, that is as good.
    pub(crate) fn place(&self, part: &mut Part, name: &Name) -> Result<(), Refusal> {
        let refused = |error: io::Error| Refusal::of(&error);
        self.check_above(name)?;
        let path = self.place_of(name);
        if let Some(above) = path.parent() {
            fs::create_dir_all(above).map_err(refused)?;
        }
        match part.place(&path, self.replace).map_err(refused) {
            Err(Refusal::Exists) if self.has(name, part) => {
                part.restart().map_err(refused)?;
                self.sync(name).map_err(refused)
            }
            placed => placed,
        }
    }

    /// Whether all of this part is there under its name.
    fn has(&self, name: &Name, part: &Part) -> bool {
        let alike = matches!(self.look(name, part.len()), Ok(Found::Alike));
        alike && self.is_same(name, part.len(), part.hash()).unwrap_or(false)
    }

    /// Brings a file that is there to the disk.
    pub(crate) fn sync(&self, name: &Name) -> io::Result<()> {
        open(&self.place_of(name))?.sync_all()
    }

    /// The folders above a name, this one included.
    pub(crate) fn above(&self, name: &Name) -> impl Iterator<Item = PathBuf> {
        let path = self.place_of(name);
        let depth = name.to_path().components().count();
        let above = path.ancestors().skip(1).take(depth);
        above.map(Path::to_owned).collect::<Vec<_>>().into_iter()
    }

    /// Whatever is above a name is a folder, or is not there yet. A link is none: it may lead anywhere.
    fn check_above(&self, name: &Name) -> Result<(), Refusal> {
        let mut path = self.shared.root.clone();
        let above = name.to_path();
        for part in above.parent().into_iter().flat_map(Path::components) {
            path.push(part);
            match path.symlink_metadata() {
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
                Err(error) => return Err(Refusal::of(&error)),
                Ok(there) if there.is_dir() => {}
                Ok(_) => return Err(Refusal::NotAFolder),
            }
        }
        Ok(())
    }
}

/// Why there is no part to write to.
#[derive(Debug)]
pub(crate) enum PartError {
    /// Not for this file.
    Refused(Refusal),
    Disk(FilesError),
}

/// What is told of a file beside its contents.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct About {
    /// Seconds since 1970.
    pub(crate) modified: Option<u64>,
    pub(crate) executable: bool,
}

impl About {
    /// As far as the file system can hold it: that is no reason to go without the file.
    pub(crate) fn put_on(&self, part: &Part) {
        let file = part.file();
        if self.executable
            && let Ok(there) = file.metadata()
        {
            let _ = file.set_permissions(executable(&there.permissions()));
        }
        let modified = self.modified.map(Duration::from_secs);
        if let Some(modified) = modified.and_then(|since| SystemTime::UNIX_EPOCH.checked_add(since))
        {
            let _ = file.set_modified(modified);
        }
    }
}

/// The same, and whoever may read it may run it.
#[cfg(unix)]
fn executable(permissions: &Permissions) -> Permissions {
    use std::os::unix::fs::PermissionsExt as _;
    let mode = permissions.mode();
    Permissions::from_mode(mode | ((mode & 0o444) >> 2))
}

#[cfg(not(unix))]
fn executable(permissions: &Permissions) -> Permissions {
    permissions.clone()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(folder: &Folder, path: &str) -> Name {
        folder.name(path).unwrap()
    }

    #[test]
    fn what_is_there_is_told_apart() {
        let world = tempfile::tempdir().unwrap();
        fs::write(world.path().join("file"), "abc").unwrap();
        fs::create_dir(world.path().join("folder")).unwrap();
        let folder = Folder::open(world.path()).unwrap();
        let look = |folder: &Folder, path: &str, size| folder.look(&name(folder, path), size);
        assert_eq!(look(&folder, "new", 3), Ok(Found::Nothing));
        assert_eq!(look(&folder, "new/er", 3), Ok(Found::Nothing));
        assert_eq!(look(&folder, "file", 3), Ok(Found::Alike));
        assert_eq!(look(&folder, "file", 4), Err(Refusal::Exists));
        assert_eq!(look(&folder, "folder", 4), Err(Refusal::Exists));
        assert_eq!(look(&folder, "file/below", 4), Err(Refusal::NotAFolder));
        let folder = folder.replace(true);
        assert_eq!(look(&folder, "file", 4), Ok(Found::Other));
        assert_eq!(look(&folder, "folder", 4), Err(Refusal::Exists));
        assert!(
            folder
                .is_same(&name(&folder, "file"), 3, blake3::hash(b"abc"))
                .unwrap()
        );
        assert!(
            !folder
                .is_same(&name(&folder, "file"), 2, blake3::hash(b"ab"))
                .unwrap()
        );
    }

    #[cfg(unix)]
    #[test]
    fn no_link_leads_out_of_the_folder() {
        use std::os::unix::fs::symlink;
        let (world, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        symlink(elsewhere.path(), world.path().join("link")).unwrap();
        symlink(elsewhere.path().join("file"), world.path().join("to-file")).unwrap();
        let folder = Folder::open(world.path()).unwrap();
        for path in ["link/file", "link/a/b"] {
            assert_eq!(
                folder.look(&name(&folder, path), 1),
                Err(Refusal::NotAFolder),
                "{path}"
            );
            assert_eq!(
                folder.make_folder(&name(&folder, path)),
                Err(Refusal::NotAFolder)
            );
        }
        assert_eq!(
            folder.look(&name(&folder, "to-file"), 1),
            Err(Refusal::Exists)
        );
        assert_eq!(
            folder.make_folder(&name(&folder, "link")),
            Err(Refusal::Exists)
        );
        assert_eq!(fs::read_dir(elsewhere.path()).unwrap().count(), 0);
    }

    #[test]
    fn folders_are_made_with_those_above_them_and_not_over_files() {
        let world = tempfile::tempdir().unwrap();
        fs::write(world.path().join("file"), "").unwrap();
        let folder = Folder::open(world.path()).unwrap();
        folder.make_folder(&name(&folder, "a/b")).unwrap();
        folder.make_folder(&name(&folder, "a/b")).unwrap();
        assert!(world.path().join("a/b").is_dir());
        assert_eq!(
            folder.make_folder(&name(&folder, "file")),
            Err(Refusal::Exists)
        );
    }
}
