//! Complete files on the way to their names (files.md, "On the disk").
//!
//! What a file holds is on the disk before it gets its name, and its name is before the sender hears of it. A disk
//! takes no longer for many files at once than for a few, so whatever gets complete while it is busy goes together.

use std::collections::BTreeSet;
use std::future::pending;
use std::io;
use std::path::PathBuf;

use tokio::task::{JoinHandle, spawn_blocking};

use crate::error::FilesError;
use crate::folder::{About, Folder};
use crate::name::Name;
use crate::part::Part;
use crate::receive::local;
use crate::refusal::Refusal;

/// What settles while the next files arrive. Offers are bounded, and so is this.
pub(crate) struct Settling {
    folder: Folder,
    waiting: Vec<Ready>,
    /// If this is dropped, it goes on nevertheless.
    busy: Option<JoinHandle<io::Result<Vec<Settled>>>>,
}

/// An offer that needs nothing more of the sender.
pub(crate) struct Ready {
    pub(crate) n: u64,
    pub(crate) name: Name,
    pub(crate) what: What,
}

pub(crate) enum What {
    /// A folder, to be made.
    Folder,
    /// A file, to be given its name.
    File(Part, About),
    /// A file of this size that was there.
    There(u64),
}

/// What became of it.
pub(crate) struct Settled {
    pub(crate) n: u64,
    pub(crate) name: Name,
    pub(crate) size: u64,
    pub(crate) result: Result<(), Refusal>,
}

impl Settling {
    pub(crate) fn new(folder: Folder) -> Self {
        let (waiting, busy) = (Vec::new(), None);
        Self {
            folder,
            waiting,
            busy,
        }
    }

    pub(crate) fn add(&mut self, ready: Ready) {
        self.waiting.push(ready);
        self.begin();
    }

    /// What is settled next. Cancel-safe.
    pub(crate) async fn next(&mut self) -> Result<Vec<Settled>, FilesError> {
        let Some(busy) = &mut self.busy else {
            return pending().await;
        };
        let settled = busy.await;
        self.busy = None;
        self.begin();
        local(settled.map_err(io::Error::other).flatten())
    }

    fn begin(&mut self) {
        if self.busy.is_none() && !self.waiting.is_empty() {
            let ready = std::mem::take(&mut self.waiting);
            self.busy = Some(tokio::spawn(settle(self.folder.clone(), ready)));
        }
    }
}

async fn settle(folder: Folder, ready: Vec<Ready>) -> io::Result<Vec<Settled>> {
    let in_folder = folder.clone();
    let synced = at_once(ready, move |ready| {
        let synced = ready.sync(&in_folder);
        (ready, synced)
    });
    let synced = synced.await?;
    let named = spawn_blocking(move || {
        let mut touched = BTreeSet::new();
        let settled: Vec<_> = synced
            .into_iter()
            .map(|(ready, synced)| {
                let had_a_part = matches!(ready.what, What::File(..));
                let settled = ready.settle(&folder, synced);
                if settled.result.is_ok() {
                    touched.extend(folder.above(&settled.name));
                    // Otherwise a loss of power might bring the part back, beside the file.
                    touched.extend(had_a_part.then(|| folder.parts().to_owned()));
                }
                settled
            })
            .collect();
        (folder, settled, touched)
    });
    let (folder, mut settled, touched) = named.await.map_err(io::Error::other)?;
    let synced = at_once(touched, |path| {
        let synced = sync_folder(&path);
        (path, synced)
    });
    for (path, error) in synced.await?.into_iter().filter_map(failed) {
        for one in &mut settled {
            if one.result.is_ok() && folder.above(&one.name).any(|above| above == path) {
                one.result = Err(Refusal::of(&error));
            }
        }
    }
    Ok(settled)
}

impl Ready {
    /// Brings contents to the disk.
    fn sync(&self, folder: &Folder) -> io::Result<()> {
        match &self.what {
            What::Folder => Ok(()),
            What::File(part, about) => {
                about.put_on(part);
                part.file().sync_all()
            }
            What::There(_) => folder.sync(&self.name),
        }
    }

    /// Gives what is on the disk its name.
    fn settle(self, folder: &Folder, synced: io::Result<()>) -> Settled {
        let Self { n, name, what } = self;
        let synced = synced.map_err(|error| Refusal::of(&error));
        let size = match &what {
            What::Folder => 0,
            What::There(size) => *size,
            What::File(part, _) => part.len(),
        };
        let result = match what {
            What::Folder => folder.make_folder(&name),
            What::There(_) => synced,
            What::File(mut part, _) => match synced {
                Ok(()) => folder.place(&mut part, &name),
                Err(refusal) => {
                    // What the disk did not take is not to be gone on with.
                    let _ = part.restart();
                    Err(refusal)
                }
            },
        };
        Settled {
            n,
            name,
            size,
            result,
        }
    }
}

/// Does it with all of them at the same time, on threads that may wait.
async fn at_once<T: Send + 'static, R: Send + 'static>(
    all: impl IntoIterator<Item = T>,
    work: impl Fn(T) -> R + Clone + Send + 'static,
) -> io::Result<Vec<R>> {
    let begin = |one| {
        let work = work.clone();
        spawn_blocking(move || work(one))
    };
    let tasks: Vec<_> = all.into_iter().map(begin).collect();
    let mut done = Vec::with_capacity(tasks.len());
    for task in tasks {
        done.push(task.await.map_err(io::Error::other)?);
    }
    Ok(done)
}

fn failed((path, synced): (PathBuf, io::Result<()>)) -> Option<(PathBuf, io::Error)> {
    Some((path, synced.err()?))
}

/// Brings the names in a folder to the disk, where a system can do that.
#[cfg(unix)]
fn sync_folder(path: &std::path::Path) -> io::Result<()> {
    match std::fs::File::open(path)?.sync_all() {
        // There are file systems that have nothing to sync in a folder.
        Err(error) if error.kind() == io::ErrorKind::InvalidInput => Ok(()),
        synced => synced,
    }
}

#[cfg(not(unix))]
fn sync_folder(_: &std::path::Path) -> io::Result<()> {
    Ok(())
}
