//! `mesh recv`: takes the files that a peer sends.

use std::time::Duration;

use mesh::files::FilesError;

use crate::access::Access;
use crate::args::{Global, Recv, RecvInto};
use crate::endpoint::Endpoint;
use crate::failure::{Failure, Outcome};
use crate::files::{self, Receiver, complete, shown};
use crate::operation::Request;
use crate::record::Record;
use crate::report::Report;

/// How long to stay after the last acknowledgement, which may have been lost: the peer asks for it again.
const LAST_ACK: Duration = Duration::from_millis(100);

pub(crate) async fn run(global: &Global, options: Recv, report: &mut Report) -> Outcome {
    let Recv { mut into, at } = options;
    // A running endpoint has another working directory.
    let dir = std::path::absolute(&into.dir);
    into.dir = dir.map_err(|error| Failure::usage(format_args!("no folder: {error}")))?;
    let access = Access::open(global, &at.listening(true)).await?;
    #[cfg(unix)]
    if matches!(access, Access::Running(_)) {
        at.refuse_for_running()?;
    }
    access.perform(Request::Recv(into), report).await
}

/// Receives until one transfer is complete, or for ever.
pub(crate) async fn perform(endpoint: &Endpoint, into: &RecvInto, report: &mut Report) -> Outcome {
    let Ok(_only) = endpoint.receiving.try_lock() else {
        return Err(Failure::failed("this endpoint receives files already")
            .hint("end that `mesh recv` first, or leave it to `mesh up --recv`"));
    };
    let folder = files::folder(&into.dir, into.quota, into.max_file)?;
    let mut receiver = Receiver::new(&endpoint.mesh, folder.replace(into.force));
    report.report(endpoint.ready(into.qr)?).await?;
    let dir = into.dir.display().to_string();
    report.report(Record::Receiving { dir }).await?;
    loop {
        let progress = receiver.progress.clone();
        let ended = shown(receiver.ended(), progress, report).await?;
        match ended.report(report).await? {
            Ok(received) if !into.keep => {
                tokio::time::sleep(LAST_ACK).await;
                return complete(&received, "--force replaces what exists");
            }
            Err(error @ FilesError::Disk { .. }) if !into.keep => {
                return Err(files::unusable(error));
            }
            _ => {}
        }
    }
}
