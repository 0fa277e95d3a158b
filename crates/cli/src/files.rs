//! What sending and receiving files have in common, and receiving for as long as an endpoint runs.

use std::future::Future;
use std::path::Path;
use std::pin::pin;
use std::time::{Duration, Instant};

use mesh::files::limits::MAX_TRANSFERS_PER_PEER;
use mesh::files::{self, FilesError, Folder, IncomingFiles, LeftOut, Outcome as Files, Progress};
use mesh::prelude::*;
use mesh::{Hashname, Mesh};
use tokio::sync::{mpsc, watch};

use crate::failure::{Code, Failure, Outcome};
use crate::record::Record;
use crate::report::Report;

/// How often progress is shown at most.
const REFRESH: Duration = Duration::from_millis(100);

/// A folder to receive into, within these limits.
pub(crate) fn folder(dir: &Path, quota: Option<u64>, max_file: Option<u64>) -> Outcome<Folder> {
    let mut folder = Folder::open(dir).map_err(unusable)?;
    if let Some(bytes) = quota {
        folder = folder.quota(bytes);
    }
    if let Some(bytes) = max_file {
        folder = folder.max_file(bytes);
    }
    Ok(folder)
}

/// Files are received while this is there.
pub(crate) struct Receiver {
    mesh: Mesh,
    ended: mpsc::Receiver<Ended>,
    /// Of whatever moved last.
    pub(crate) progress: watch::Receiver<Progress>,
}

/// A transfer that is over.
pub(crate) struct Ended {
    peer: Hashname,
    result: Result<Files, FilesError>,
    seconds: f64,
}

impl Receiver {
    /// Receives into this folder from whoever may link to us.
    pub(crate) fn new(mesh: &Mesh, folder: Folder) -> Self {
        let (tell, ended) = mpsc::channel(MAX_TRANSFERS_PER_PEER);
        let (moved, progress) = watch::channel(Progress::default());
        mesh.on_files(move |incoming: IncomingFiles| {
            let (folder, tell, moved) = (folder.clone(), tell.clone(), moved.clone());
            async move {
                let (peer, start) = (incoming.peer(), Instant::now());
                let show = |progress| {
                    moved.send_replace(progress);
                };
                let result = tokio::select! {
                    result = incoming.receive_with(&folder, show) => result,
                    // Nobody receives here any more; what arrived is kept.
                    () = tell.closed() => return,
                };
                let seconds = start.elapsed().as_secs_f64();
                let ended = Ended {
                    peer,
                    result,
                    seconds,
                };
                // Nobody may be interested any more.
                let _ = tell.send(ended).await;
            }
        });
        let mesh = mesh.clone();
        Self {
            mesh,
            ended,
            progress,
        }
    }

    /// The next transfer that is over.
    pub(crate) async fn ended(&mut self) -> Ended {
        match self.ended.recv().await {
            Some(ended) => ended,
            // Another handler took its place.
            None => std::future::pending().await,
        }
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.mesh.remove_handler(files::TYPE);
    }
}

impl Ended {
    /// Reports what became of the files: whether all of them were transferred, or why it broke off.
    pub(crate) async fn report(self, report: &mut Report) -> Outcome<Result<Files, FilesError>> {
        let peer = self.peer.to_string();
        match &self.result {
            Ok(files) => {
                left_out(files, report).await?;
                report
                    .report(Record::FilesReceived {
                        hashname: peer,
                        files: files.stored,
                        bytes: files.bytes,
                        left_out: files.left_out,
                        seconds: self.seconds,
                    })
                    .await?;
            }
            Err(error) => {
                let message = format!(
                    "receiving from {}: {error}; what arrived is kept for when the same is sent again",
                    self.peer.short()
                );
                report.report(Record::Warning { message }).await?;
            }
        }
        Ok(self.result)
    }
}

/// Reports the files that were not transferred.
pub(crate) async fn left_out(files: &Files, report: &mut Report) -> Outcome {
    for out in &files.named {
        let (name, reason) = (out.name.clone(), out.reason.clone());
        report.report(Record::LeftOut { name, reason }).await?;
    }
    Ok(())
}

/// The failure that it is if files were left out; `replacing` is what to try if something is in their way.
pub(crate) fn complete(files: &Files, replacing: &str) -> Outcome {
    if files.left_out == 0 {
        return Ok(());
    }
    let code = match files.named.iter().any(LeftOut::is_damaged) {
        true => Code::Integrity,
        false => Code::Failed,
    };
    let all = files.stored.saturating_add(files.left_out);
    let what = format_args!("{} of {all} files were left out", files.left_out).to_string();
    let in_the_way = files.named.iter().any(|out| out.reason == "exists");
    let hint = match in_the_way {
        true => replacing,
        false => "the lines before this say which, and why",
    };
    Err(Failure::new(code, what).hint(hint))
}

/// Works, and shows how far it is.
pub(crate) async fn shown<T>(
    work: impl Future<Output = T>,
    mut progress: watch::Receiver<Progress>,
    report: &mut Report,
) -> Outcome<T> {
    let mut work = pin!(work);
    loop {
        tokio::select! {
            biased;
            done = &mut work => return Ok(done),
            changed = changed(&mut progress) => {
                let (done, total) = (changed.bytes, changed.total_bytes);
                report.report(Record::Progress { done, total }).await?;
            }
        }
    }
}

async fn changed(progress: &mut watch::Receiver<Progress>) -> Progress {
    tokio::time::sleep(REFRESH).await;
    match progress.changed().await {
        Ok(()) => *progress.borrow_and_update(),
        Err(_) => std::future::pending().await,
    }
}

/// A folder or a file of ours that cannot be used.
pub(crate) fn unusable(error: FilesError) -> Failure {
    match &error {
        FilesError::Disk { error: why, .. } if is_full(why) => {
            Failure::failed(error).hint("make room, and do the same again: what arrived is kept")
        }
        _ => Failure::failed(error),
    }
}

fn is_full(error: &std::io::Error) -> bool {
    use std::io::ErrorKind::{QuotaExceeded, StorageFull};
    matches!(error.kind(), QuotaExceeded | StorageFull)
}
