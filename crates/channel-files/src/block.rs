//! Disks and hashes away from the threads that must not wait.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _};
use std::path::Path;

use blake3::{Hash, Hasher};

use crate::frame::{HEAD, data_head};

/// Bytes that are read, hashed and written at once. Each transfer holds two of these.
pub(crate) const BLOCK: usize = 512 * 1024;

/// Does it on a thread that may wait.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> io::Result<T> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(io::Error::other)
}

/// Opens a file for reading. What is a pipe by now does not keep us waiting for somebody who writes to it.
pub(crate) fn open(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::custom_flags(
        &mut options,
        rustix::fs::OFlags::NONBLOCK.bits().cast_signed(),
    );
    options.read(true).open(path)
}

/// A file that is read from the beginning to the end, and hashed meanwhile.
#[derive(Debug)]
pub(crate) struct Source {
    file: File,
    hasher: Box<Hasher>,
    len: u64,
}

impl Source {
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        Ok(Self::of(open(path)?))
    }

    pub(crate) fn of(file: File) -> Self {
        let (hasher, len) = (Box::new(Hasher::new()), 0);
        Self { file, hasher, len }
    }

    /// The bytes read so far.
    pub(crate) fn len(&self) -> u64 {
        self.len
    }

    /// The hash of these.
    pub(crate) fn hash(&self) -> Hash {
        self.hasher.finalize()
    }

    pub(crate) fn file(&self) -> &File {
        &self.file
    }

    pub(crate) fn into_parts(self) -> (File, Box<Hasher>, u64) {
        (self.file, self.hasher, self.len)
    }

    /// Reads on up to `limit` bytes from the beginning, or to the end of the file if it is shorter.
    pub(crate) fn skip_to(&mut self, limit: u64) -> io::Result<()> {
        let mut block = vec![0; BLOCK];
        while self.len < limit {
            let wanted = usize::try_from(limit - self.len).map_or(BLOCK, |left| left.min(BLOCK));
            let Some(room) = block.get_mut(..wanted) else {
                break;
            };
            match self.read(room)? {
                0 => break,
                _ => continue,
            }
        }
        Ok(())
    }

    /// The next block as a frame in `frame`, whose length is kept at no more than that; empty at the end.
    pub(crate) fn frame(&mut self, frame: &mut Vec<u8>) -> io::Result<()> {
        frame.resize(HEAD + BLOCK, 0);
        let Some((head, room)) = frame.split_first_chunk_mut::<HEAD>() else {
            return Ok(());
        };
        let mut filled = 0;
        while let Some(rest) = room.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            match self.read_unhashed(rest)? {
                0 => break,
                count => filled += count,
            }
        }
        if filled == 0 {
            frame.clear();
            return Ok(());
        }
        *head = data_head(filled);
        self.hasher.update(room.get(..filled).unwrap_or_default());
        frame.truncate(HEAD + filled);
        Ok(())
    }

    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        let count = self.read_unhashed(room)?;
        self.hasher.update(room.get(..count).unwrap_or_default());
        Ok(count)
    }

    fn read_unhashed(&mut self, room: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.file.read(room) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
                Ok(count) => {
                    self.len += count as u64;
                    return Ok(count);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_hashed_as_it_is_read_by_blocks_or_skipped() {
        let bytes: Vec<u8> = (0..2 * BLOCK + 7)
            .map(|at| (at ^ (at >> 9)) as u8)
            .collect();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        std::fs::write(&path, &bytes).unwrap();
        let mut source = Source::open(&path).unwrap();
        source.skip_to(1000).unwrap();
        assert_eq!(
            (source.len(), source.hash()),
            (1000, blake3::hash(&bytes[..1000]))
        );
        let (mut frame, mut rest) = (Vec::new(), Vec::new());
        loop {
            source.frame(&mut frame).unwrap();
            if frame.is_empty() {
                break;
            }
            assert_eq!(&frame[..HEAD], data_head(frame.len() - HEAD));
            rest.extend_from_slice(&frame[HEAD..]);
        }
        assert!(rest == bytes[1000..]);
        assert_eq!(
            (source.len(), source.hash()),
            (bytes.len() as u64, blake3::hash(&bytes))
        );
    }
}
