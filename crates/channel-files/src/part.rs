//! Files that are not complete, and how far each is known to be good.
//!
//! Beside `KEY.part` there is a journal, `KEY.json`: so many bytes of it have this hash. It is written every
//! [`NOTE_EVERY`] bytes and when the transfer breaks off, whole or not at all. What is behind is not believed, and
//! what is before is hashed again before more is added: a part that the system lost a piece of begins anew.

use std::collections::HashSet;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use blake3::{Hash, Hasher};
use serde::{Deserialize, Serialize};
use telehash_hashname::Hashname;
use tokio::sync::Notify;
use tokio::time::timeout;

use crate::block::Source;
use crate::error::is_crowded;
use crate::name::{Name, PARTS_FOLDER};

/// Bytes between two notes in the journal: what is lost if the program is killed.
const NOTE_EVERY: u64 = 4 << 20;

/// Limit: how long a file waits for another transfer of the same file by the same peer to end, which may have broken
/// without knowing it yet; then it is refused as `busy`.
pub const BUSY_TIMEOUT: Duration = Duration::from_secs(10);

/// The folder of what is not complete. One program uses it at a time.
#[derive(Debug)]
pub(crate) struct Parts {
    folder: PathBuf,
    _lock: File,
    busy: Busy,
}

/// Which parts are being written.
#[derive(Clone, Debug, Default)]
struct Busy {
    keys: Arc<Mutex<HashSet<String>>>,
    freed: Arc<Notify>,
}

/// Nobody else writes this part.
#[derive(Debug)]
pub(crate) struct Claim {
    key: String,
    busy: Busy,
}

#[derive(Serialize, Deserialize)]
struct Note {
    len: u64,
    hash: String,
}

/// A file that is not complete.
#[derive(Debug)]
pub(crate) struct Part {
    file: File,
    path: PathBuf,
    hasher: Box<Hasher>,
    len: u64,
    /// How much of it the journal knows.
    noted: u64,
    _claim: Claim,
}

impl Parts {
    /// Makes the folder below `root`, for us alone.
    pub(crate) fn open(root: &Path) -> io::Result<Self> {
        let folder = root.join(PARTS_FOLDER);
        match private().create(&folder) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
            _ => {}
        }
        if !folder.symlink_metadata()?.is_dir() {
            let text = format!("{PARTS_FOLDER} is no folder");
            return Err(io::Error::new(io::ErrorKind::NotADirectory, text));
        }
        let mut options = OpenOptions::new();
        let lock = options.write(true).create(true).truncate(false);
        let lock = lock.open(folder.join("lock"))?;
        lock.try_lock().map_err(|error| match error {
            TryLockError::WouldBlock => {
                let text = "another one receives files into this folder";
                io::Error::new(io::ErrorKind::ResourceBusy, text)
            }
            TryLockError::Error(error) => error,
        })?;
        Ok(Self {
            folder,
            _lock: lock,
            busy: Busy::default(),
        })
    }

    /// Where they are.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Claims the part of this peer's file, once nobody else has it; `None` if that takes too long.
    pub(crate) async fn claim(&self, peer: Hashname, name: &Name) -> Option<Claim> {
        // Peers do not see each other's parts, and any name has a part's name of the same length.
        let key = blake3::hash(format!("{peer}/{}", name.as_str()).as_bytes());
        let key = key.to_hex().as_str().to_owned();
        timeout(BUSY_TIMEOUT, self.busy.claim(key)).await.ok()
    }

    /// The part as far as the journal and the disk agree on it; empty otherwise.
    pub(crate) fn open_part(&self, claim: Claim) -> io::Result<Part> {
        let path = self.folder.join(format!("{}.part", claim.key));
        let file = open_alone(&path)?;
        let note = match fs::read(path.with_extension("json")) {
            // It may be there, and is not to be lost.
            Err(error) if is_crowded(&error) => return Err(error),
            note => note.ok(),
        };
        let note = note.and_then(|json| serde_json::from_slice::<Note>(&json).ok());
        let mut source = Source::of(file);
        let mut agreed = false;
        if let Some(note) = note {
            source.skip_to(note.len)?;
            let hash = Hash::from_hex(note.hash);
            agreed = note.len == source.len() && hash.is_ok_and(|hash| hash == source.hash());
        }
        let (file, hasher, len) = source.into_parts();
        let mut part = Part {
            file,
            path,
            hasher,
            len,
            noted: len,
            _claim: claim,
        };
        match agreed {
            true => part.file.set_len(len)?,
            false => part.restart()?,
        }
        Ok(part)
    }
}

impl Busy {
    async fn claim(&self, key: String) -> Claim {
        loop {
            let freed = self.freed.notified();
            if self.keys().insert(key.clone()) {
                let busy = self.clone();
                return Claim { key, busy };
            }
            freed.await;
        }
    }

    fn keys(&self) -> MutexGuard<'_, HashSet<String>> {
        self.keys.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        self.busy.keys().remove(&self.key);
        self.busy.freed.notify_waiters();
    }
}

impl Part {
    pub(crate) fn len(&self) -> u64 {
        self.len
    }

    pub(crate) fn hash(&self) -> Hash {
        self.hasher.finalize()
    }

    /// Forgets what is there.
    pub(crate) fn restart(&mut self) -> io::Result<()> {
        self.file.set_len(0)?;
        self.file.seek(SeekFrom::Start(0))?;
        self.hasher.reset();
        (self.len, self.noted) = (0, 0);
        forget(&self.journal())
    }

    /// Adds to it.
    pub(crate) fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        if let Err(error) = self.file.write_all(bytes) {
            // On a full disk this is what makes room for the journal.
            let _ = self.file.set_len(self.len);
            return Err(error);
        }
        self.hasher.update(bytes);
        self.len += bytes.len() as u64;
        match self.len - self.noted >= NOTE_EVERY {
            true => self.note(),
            false => Ok(()),
        }
    }

    /// Writes down how far it is.
    fn note(&mut self) -> io::Result<()> {
        let (len, hash) = (self.len, self.hash().to_hex().as_str().to_owned());
        let new = self.path.with_extension("new");
        fs::write(&new, serde_json::to_vec(&Note { len, hash })?)
            .and_then(|()| fs::rename(&new, self.journal()))
            .inspect_err(|_| drop(fs::remove_file(&new)))?;
        self.noted = len;
        Ok(())
    }

    /// Gives it its name: where nothing is, or in the place of what is there. If that fails, all of it is still here.
    pub(crate) fn place(&mut self, to: &Path, replace: bool) -> io::Result<()> {
        match replace {
            true => fs::rename(&self.path, to)?,
            false => move_to_free(&self.path, to)?,
        }
        // It has nothing to note any more.
        self.noted = self.len;
        // What is left behind is found wanting later.
        let _ = forget(&self.journal());
        Ok(())
    }

    /// Whatever belongs to the file beside its contents.
    pub(crate) fn file(&self) -> &File {
        &self.file
    }

    fn journal(&self) -> PathBuf {
        self.path.with_extension("json")
    }
}

/// However a transfer breaks off, what arrived is known. If it cannot be noted, the last note holds.
impl Drop for Part {
    fn drop(&mut self) {
        if self.len > self.noted {
            let _ = self.note();
        } else if self.len == 0 {
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Opens a part, or makes it. One that has another name, too, is a file that has arrived: it is left alone.
fn open_alone(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true);
    let file = options.clone().create(true).truncate(false).open(path)?;
    if !has_other_names(&file)? {
        return Ok(file);
    }
    forget(path)?;
    forget(&path.with_extension("json"))?;
    options.create_new(true).open(path)
}

#[cfg(unix)]
fn has_other_names(file: &File) -> io::Result<bool> {
    use std::os::unix::fs::MetadataExt as _;
    Ok(file.metadata()?.nlink() > 1)
}

#[cfg(not(unix))]
fn has_other_names(_: &File) -> io::Result<bool> {
    Ok(false)
}

/// Renames, but never over something.
fn move_to_free(from: &Path, to: &Path) -> io::Result<()> {
    match rename_to_free(from, to) {
        Err(error) if is_unsupported(&error) => link_to_free(from, to),
        renamed => renamed,
    }
}

/// Not every system and file system can do this.
fn is_unsupported(error: &io::Error) -> bool {
    use io::ErrorKind::{InvalidInput, Unsupported};
    matches!(error.kind(), InvalidInput | Unsupported)
}

#[cfg(any(target_os = "linux", target_os = "android", target_vendor = "apple"))]
fn rename_to_free(from: &Path, to: &Path) -> io::Result<()> {
    use rustix::fs::{CWD, RenameFlags, renameat_with};
    Ok(renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE)?)
}

#[cfg(not(any(target_os = "linux", target_os = "android", target_vendor = "apple")))]
fn rename_to_free(_: &Path, _: &Path) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// The same in two steps. Whoever is killed between them leaves a part with two names.
fn link_to_free(from: &Path, to: &Path) -> io::Result<()> {
    match fs::hard_link(from, to) {
        Ok(()) => fs::remove_file(from),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Err(error),
        // No hard links on this file system: what appears at this very moment is replaced.
        Err(_) if to.symlink_metadata().is_ok() => Err(io::ErrorKind::AlreadyExists.into()),
        Err(_) => fs::rename(from, to),
    }
}

fn forget(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Makes folders that only their owner sees into.
fn private() -> fs::DirBuilder {
    let mut builder = fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::name::Rules;

    const PLAIN: Rules = Rules {
        windows: false,
        folds_case: false,
    };

    struct World {
        folder: tempfile::TempDir,
        parts: Parts,
    }

    impl World {
        fn new() -> Self {
            let folder = tempfile::tempdir().unwrap();
            let parts = Parts::open(folder.path()).unwrap();
            Self { folder, parts }
        }

        async fn part(&self, who: u8) -> Part {
            let name = Name::new("file", PLAIN).unwrap();
            let claim = self.parts.claim(peer(who), &name).await.unwrap();
            self.parts.open_part(claim).unwrap()
        }

        fn left(&self) -> usize {
            fs::read_dir(self.folder.path().join(PARTS_FOLDER))
                .unwrap()
                .count()
        }
    }

    fn peer(number: u8) -> Hashname {
        Hashname::from_bytes([number; 32])
    }

    #[tokio::test]
    async fn a_part_that_was_dropped_goes_on_where_it_was() {
        let world = World::new();
        let mut part = world.part(1).await;
        assert_eq!(part.len(), 0);
        part.write(b"hello, ").unwrap();
        drop(part);
        assert_eq!(world.part(2).await.len(), 0, "peers share nothing");
        let mut part = world.part(1).await;
        assert_eq!((part.len(), part.hash()), (7, blake3::hash(b"hello, ")));
        part.write(b"world").unwrap();
        let to = world.folder.path().join("file");
        part.place(&to, false).unwrap();
        drop(part);
        assert_eq!(fs::read(to).unwrap(), b"hello, world");
        assert_eq!(world.left(), 1, "nothing but the lock");
    }

    #[tokio::test]
    async fn a_killed_program_loses_no_more_than_what_follows_the_last_note() {
        let world = World::new();
        let mut part = world.part(1).await;
        let piece = vec![7; 1 << 20];
        for _ in 0..5 {
            part.write(&piece).unwrap();
        }
        // A kill: nothing is noted at the end.
        part.noted = part.len;
        drop(part);
        assert_eq!(world.part(1).await.len(), NOTE_EVERY);
    }

    #[tokio::test]
    async fn a_part_that_is_not_what_its_journal_says_begins_anew() {
        for damage in [
            (|path: &Path| fs::write(path, b"hellx").unwrap()) as fn(&Path),
            |path| fs::write(path, b"hell").unwrap(),
            |path| fs::write(path.with_extension("json"), b"{").unwrap(),
            |path| fs::remove_file(path.with_extension("json")).unwrap(),
            |path| fs::remove_file(path).unwrap(),
        ] {
            let world = World::new();
            let mut part = world.part(1).await;
            part.write(b"hello").unwrap();
            let path = part.path.clone();
            drop(part);
            damage(&path);
            let part = world.part(1).await;
            assert_eq!((part.len(), part.hash()), (0, blake3::hash(b"")));
        }
    }

    #[tokio::test]
    async fn a_part_that_cannot_be_written_keeps_what_it_has() {
        let world = World::new();
        let mut part = world.part(1).await;
        part.write(b"hello").unwrap();
        part.file = File::open(&part.path).unwrap();
        part.write(b", world").unwrap_err();
        drop(part);
        let part = world.part(1).await;
        assert_eq!((part.len(), part.hash()), (5, blake3::hash(b"hello")));
    }

    #[tokio::test]
    async fn nothing_is_replaced_unasked_and_all_of_the_part_is_kept() {
        let world = World::new();
        let to = world.folder.path().join("file");
        fs::write(&to, "old").unwrap();
        let mut part = world.part(1).await;
        part.write(b"new").unwrap();
        let error = part.place(&to, false).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AlreadyExists);
        drop(part);
        assert_eq!(fs::read(&to).unwrap(), b"old");
        let mut part = world.part(1).await;
        assert_eq!(part.len(), 3);
        part.place(&to, true).unwrap();
        assert_eq!(fs::read(&to).unwrap(), b"new");
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn a_kill_between_the_two_steps_of_a_move_leaves_the_file_alone() {
        for contents in ["of another version", "old"] {
            let world = World::new();
            let to = world.folder.path().join("file");
            let mut part = world.part(1).await;
            part.write(b"old").unwrap();
            let path = part.path.clone();
            drop(part);
            fs::hard_link(&path, &to).unwrap();
            let mut part = world.part(1).await;
            assert_eq!(part.len(), 0, "what arrived is no part any more");
            part.restart().unwrap();
            part.write(contents.as_bytes()).unwrap();
            assert_eq!(fs::read(&to).unwrap(), b"old");
            part.place(&to, true).unwrap();
            drop(part);
            assert_eq!(fs::read(&to).unwrap(), contents.as_bytes());
            assert_eq!(world.left(), 1, "nothing but the lock");
        }
    }

    #[test]
    fn without_a_rename_that_replaces_nothing_a_link_does_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let (from, to) = (folder.path().join("from"), folder.path().join("to"));
        for move_to in [move_to_free, link_to_free] {
            fs::write(&from, "new").unwrap();
            fs::write(&to, "old").unwrap();
            let error = move_to(&from, &to).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::AlreadyExists);
            assert_eq!(fs::read(&to).unwrap(), b"old");
            fs::remove_file(&to).unwrap();
            move_to(&from, &to).unwrap();
            assert!(!from.exists());
            assert_eq!(fs::read(&to).unwrap(), b"new");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_part_waits_for_another_transfer_of_it_but_not_for_ever() {
        let world = World::new();
        let part = world.part(1).await;
        let name = Name::new("file", PLAIN).unwrap();
        assert!(world.parts.claim(peer(1), &name).await.is_none());
        let (claim, ()) = tokio::join!(world.parts.claim(peer(1), &name), async { drop(part) });
        assert!(claim.is_some());
    }

    #[test]
    fn one_program_receives_into_a_folder() {
        let world = World::new();
        let error = Parts::open(world.folder.path()).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::ResourceBusy);
        let folder = world.folder;
        drop(world.parts);
        Parts::open(folder.path()).unwrap();
    }

    #[cfg(unix)]
    #[test]
    fn the_folder_is_no_link_to_elsewhere() {
        let folder = tempfile::tempdir().unwrap();
        let elsewhere = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink(elsewhere.path(), folder.path().join(PARTS_FOLDER)).unwrap();
        Parts::open(folder.path()).unwrap_err();
        assert_eq!(fs::read_dir(elsewhere.path()).unwrap().count(), 0);
    }
}
