//! Files that are either the old ones or the new ones, never half of each.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

/// How the names of files end that are not complete.
const SUFFIX: &str = ".new";

/// Replaces `path` with `contents`: written beside it with mode 0600, synced, renamed over it.
pub(super) fn replace(path: &Path, contents: &[u8]) -> io::Result<()> {
    let temporary = write_beside(path, contents)?;
    fs::rename(&temporary, path).inspect_err(|_| discard(&temporary))?;
    sync_parent(path)
}

/// Creates `path` with `contents` and mode 0600; fails with
/// [`AlreadyExists`](io::ErrorKind::AlreadyExists) and changes nothing if it exists.
pub(super) fn create(path: &Path, contents: &[u8]) -> io::Result<()> {
    if path.try_exists()? {
        return Err(io::ErrorKind::AlreadyExists.into());
    }
    let temporary = write_beside(path, contents)?;
    // A hard link never replaces a file that appeared meanwhile, as a rename would.
    let linked = match fs::hard_link(&temporary, path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
            // No hard links on this file system: the complete copy of the last resort.
            create_new(path)
                .and_then(|file| write_synced(file, contents).inspect_err(|_| discard(path)))
        }
        result => result,
    };
    discard(&temporary);
    linked?;
    sync_parent(path)
}

/// Reads all of `path`, unless it is larger than `limit` bytes: then `None`.
pub(super) fn read_bounded(file: &File, limit: u64) -> io::Result<Option<Vec<u8>>> {
    let mut contents = Vec::new();
    file.take(limit.saturating_add(1))
        .read_to_end(&mut contents)?;
    Ok((contents.len() as u64 <= limit).then_some(contents))
}

/// Removes what killed processes left half written beside `path`. Only for who holds the lock of the
/// directory: others may be writing.
pub(super) fn tidy(path: &Path) {
    let entries = path.parent().map(fs::read_dir);
    let entries = entries.into_iter().flatten().flatten().flatten();
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    for entry in entries {
        let left = entry.file_name();
        let left = left.to_string_lossy();
        let number = left
            .strip_prefix(&*name)
            .and_then(|end| end.strip_prefix('.'));
        if number.is_some_and(|number| number.ends_with(SUFFIX)) {
            discard(&entry.path());
        }
    }
}

fn write_beside(path: &Path, contents: &[u8]) -> io::Result<PathBuf> {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let mut name = path
        .file_name()
        .ok_or(io::ErrorKind::InvalidInput)?
        .to_os_string();
    name.push(format!(".{}-{number}{SUFFIX}", std::process::id()));
    let temporary = path.with_file_name(name);
    discard(&temporary);
    let file = create_new(&temporary)?;
    write_synced(file, contents).inspect_err(|_| discard(&temporary))?;
    Ok(temporary)
}

fn write_synced(mut file: File, contents: &[u8]) -> io::Result<()> {
    file.write_all(contents)?;
    file.sync_all()
}

fn create_new(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

/// Removes a temporary file. That it stays behind harms nobody, so errors are not worth reporting.
fn discard(path: &Path) {
    let _ = fs::remove_file(path);
}

/// Makes a rename or a new name durable. Not every system can sync directories.
fn sync_parent(path: &Path) -> io::Result<()> {
    #[cfg(unix)]
    {
        let parent = path
            .parent()
            .filter(|parent| !parent.as_os_str().is_empty());
        File::open(parent.unwrap_or(Path::new(".")))?.sync_all()?;
    }
    #[cfg(not(unix))]
    let _ = path;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_created_file_is_never_overwritten() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("id.json");
        create(&path, b"first").unwrap();
        let error = create(&path, b"second").unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(fs::read(&path).unwrap(), b"first");
        assert_eq!(
            fs::read_dir(dir.path()).unwrap().count(),
            1,
            "no temporary file is left"
        );
    }

    #[test]
    fn a_replaced_file_holds_the_new_contents_and_leaves_nothing_beside_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("links.json");
        replace(&path, b"first, longer").unwrap();
        replace(&path, b"second").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"second");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn what_was_left_half_written_is_removed_and_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("links.json");
        replace(&path, b"complete").unwrap();
        for name in [
            "links.json.7-0.new",
            "links.json.8-3.new",
            "id.json.7-1.new",
            "links.json.bak",
        ] {
            fs::write(dir.path().join(name), b"half").unwrap();
        }
        tidy(&path);
        let left = fs::read_dir(dir.path()).unwrap();
        let mut left: Vec<_> = left.map(|entry| entry.unwrap().file_name()).collect();
        left.sort();
        assert_eq!(left, ["id.json.7-1.new", "links.json", "links.json.bak"]);
    }

    #[cfg(unix)]
    #[test]
    fn nobody_else_can_read_what_is_written() {
        use std::os::unix::fs::PermissionsExt as _;
        let dir = tempfile::tempdir().unwrap();
        for write in [create, replace] {
            let path = dir.path().join("secret");
            write(&path, b"x").unwrap();
            assert_eq!(
                fs::metadata(&path).unwrap().permissions().mode() & 0o777,
                0o600
            );
        }
    }

    #[test]
    fn a_file_beyond_the_limit_is_not_read() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("big");
        fs::write(&path, [0; 11]).unwrap();
        assert_eq!(read_bounded(&File::open(&path).unwrap(), 10).unwrap(), None);
        assert_eq!(
            read_bounded(&File::open(&path).unwrap(), 11).unwrap(),
            Some(vec![0; 11])
        );
    }
}
