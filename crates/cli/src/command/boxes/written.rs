//! Letters in files.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use mesh::boxes::Letter;
use tempfile::NamedTempFile;

use crate::failure::{Failure, Outcome};

/// Letters of one sender, of the same moment and with the same name, which only a sender makes who means harm; one more is
/// not written, and stays where it is.
const MAX_SAME: u32 = 100;

/// Whether it is a folder.
pub(super) fn check(dir: &Path) -> Outcome {
    match fs::metadata(dir) {
        Ok(there) if there.is_dir() => Ok(()),
        Ok(_) => Err(Failure::usage(format_args!(
            "{} is no folder",
            dir.display()
        ))),
        Err(error) => Err(Failure::failed(format_args!(
            "cannot use the folder {}: {error}",
            dir.display()
        ))
        .hint("make it first")),
    }
}

/// Writes the letter into a new file, to the disk; its name. One that is there already, as after a loss of power, is not
/// written again.
pub(super) async fn write(dir: &Path, letter: &Letter) -> Outcome<String> {
    let (dir, body) = (dir.to_owned(), letter.body.clone());
    let shown = dir.display().to_string();
    let name = format!("{}-{}-{}", letter.at, letter.from.short(), letter.id);
    let written = tokio::task::spawn_blocking(move || write_new(&dir, &name, &body));
    let written = written
        .await
        .unwrap_or_else(|error| Err(io::Error::other(error)));
    let path = written.map_err(|error| {
        Failure::failed(format_args!("cannot write a letter into {shown}: {error}"))
            .hint("the letter stays where it is: make room, and do the same again")
    })?;
    Ok(path.display().to_string())
}

fn write_new(dir: &Path, name: &str, body: &[u8]) -> io::Result<PathBuf> {
    let mut file = NamedTempFile::new_in(dir)?;
    file.write_all(body)?;
    file.as_file().sync_all()?;
    for same in 1..=MAX_SAME {
        let path = match same {
            1 => dir.join(name),
            same => dir.join(format!("{name}-{same}")),
        };
        match file.persist_noclobber(&path) {
            Ok(_) => {
                #[cfg(unix)]
                File::open(dir)?.sync_all()?;
                return Ok(path);
            }
            Err(error) if error.error.kind() != io::ErrorKind::AlreadyExists => {
                return Err(error.error);
            }
            Err(_) if is_same(&path, body)? => return Ok(path),
            Err(error) => file = error.file,
        }
    }
    Err(io::Error::other(format!(
        "{MAX_SAME} other letters are called {name}"
    )))
}

fn is_same(path: &Path, body: &[u8]) -> io::Result<bool> {
    let same_size = fs::metadata(path)?.len() == body.len() as u64;
    Ok(same_size && fs::read(path)? == body)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_that_are_called_the_same_get_files_of_their_own_up_to_the_limit() {
        let dir = tempfile::tempdir().unwrap();
        let write = |body: u32| write_new(dir.path(), "name", &body.to_be_bytes());
        let first = write(0).unwrap();
        assert_eq!(first, dir.path().join("name"));
        assert_eq!(write(0).unwrap(), first, "it is there already");
        for body in 1..MAX_SAME {
            let path = write(body).unwrap();
            assert_eq!(fs::read(path).unwrap(), body.to_be_bytes());
        }
        write(MAX_SAME).unwrap_err();
        assert_eq!(fs::read(first).unwrap(), [0; 4]);
        let files = fs::read_dir(dir.path()).unwrap().count();
        assert_eq!(files, MAX_SAME as usize, "and nothing else is left");
    }
}
