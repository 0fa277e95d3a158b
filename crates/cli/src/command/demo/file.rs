//! A folder: ann sends it, bob receives it, and both have the same files.

use std::fs;
use std::io;
use std::path::Path;
use std::time::Instant;

use mesh::files::{Folder, Sending};
use mesh::prelude::*;
use tokio::task::spawn_blocking;

use super::data::{Checksum, Noise};
use super::world::World;
use super::{Figures, figures};
use crate::failure::{Code, Failure, Outcome};

/// Sizes of the small files.
const SMALL: [u64; 3] = [0, 1, 10_000];

/// The folder that is sent.
const NAME: &str = "holiday";

pub(super) async fn send(world: &World, link: &Link, bytes: u64) -> Outcome<((), Figures)> {
    let (here, there) = (folder()?, folder()?);
    let from = here.path().join(NAME);
    let written = from.clone();
    let sent = on_disk(move || make(&written, bytes)).await?;
    let inbox = Folder::open(there.path()).map_err(Failure::failed)?;
    world.bob.on_files(move |incoming: IncomingFiles| {
        let inbox = inbox.clone();
        // The sender learns what became of them.
        async move { incoming.receive(&inbox).await.map(drop) }
    });
    let start = Instant::now();
    let mut sending = Sending::new([&from]).await.map_err(Failure::failed)?;
    let done = link.send_files(&mut sending).await;
    done.map_err(Failure::unreachable)?;
    let seconds = start.elapsed().as_secs_f64();
    world.bob.remove_handler(mesh::files::TYPE);
    let to = there.path().join(NAME);
    let received = on_disk(move || sum(&to)).await?;
    let count = sent.bytes;
    let sha256 = sent.hex();
    if received.bytes != count || received.hex() != sha256 {
        let what = "the folder that arrived is not the one that was sent";
        return Err(Failure::new(Code::Integrity, what));
    }
    let rate = (count as f64 / seconds / 1e4).round() / 1e2;
    let figures = figures([
        ("files", (SMALL.len() + 1).into()),
        ("bytes", count.into()),
        ("mb_per_s", rate.into()),
        ("sha256", sha256.into()),
    ]);
    Ok(((), figures))
}

fn folder() -> Outcome<tempfile::TempDir> {
    tempfile::tempdir().map_err(|error| {
        Failure::failed(format_args!(
            "no folder for files that come and go: {error}"
        ))
        .hint("make room where TMPDIR points to")
    })
}

async fn on_disk<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> Outcome<T> {
    let done = spawn_blocking(work).await;
    let done = done.unwrap_or_else(|error| Err(io::Error::other(error)));
    done.map_err(|error| Failure::failed(format_args!("the disk: {error}")))
}

/// Makes the folder, and sums it up.
fn make(folder: &Path, bytes: u64) -> io::Result<Checksum> {
    fs::create_dir(folder)?;
    for (number, size) in sizes(bytes).enumerate() {
        let (mut noise, mut block) = (Noise::new(size), vec![0; 64 * 1024]);
        let mut file = fs::File::create(folder.join(name(number)))?;
        loop {
            let count = noise.fill(&mut block);
            if count == 0 {
                break;
            }
            io::Write::write_all(&mut file, &block[..count])?;
        }
    }
    sum(folder)
}

/// Of all files in order, with their names.
fn sum(folder: &Path) -> io::Result<Checksum> {
    let mut names: Vec<_> = fs::read_dir(folder)?.collect::<io::Result<_>>()?;
    names.sort_by_key(fs::DirEntry::file_name);
    let mut checksum = Checksum::default();
    for entry in names {
        let name = entry.file_name();
        let mut data = fs::File::open(entry.path())?;
        checksum.name(&name.to_string_lossy());
        let mut block = vec![0; 64 * 1024];
        loop {
            let count = io::Read::read(&mut data, &mut block)?;
            if count == 0 {
                break;
            }
            checksum.add(&block[..count]);
        }
    }
    Ok(checksum)
}

fn sizes(large: u64) -> impl Iterator<Item = u64> {
    SMALL.into_iter().chain([large])
}

fn name(number: usize) -> String {
    format!("picture {number}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sum_tells_a_byte_and_a_name_apart() {
        let there = tempfile::tempdir().unwrap();
        let folder = there.path().join(NAME);
        let made = make(&folder, 100_000).unwrap();
        assert_eq!(made.bytes, 110_001);
        let before = made.hex();
        assert_eq!(sum(&folder).unwrap().hex(), before);
        fs::rename(folder.join(name(1)), folder.join("picture 5")).unwrap();
        assert_ne!(sum(&folder).unwrap().hex(), before);
        fs::rename(folder.join("picture 5"), folder.join(name(1))).unwrap();
        fs::write(folder.join(name(1)), "x").unwrap();
        assert_ne!(sum(&folder).unwrap().hex(), before);
    }
}
