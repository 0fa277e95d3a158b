//! `mesh send`: files and folders to a peer, going on where an earlier attempt broke off.

use std::time::{Duration, Instant};

use mesh::Link;
use mesh::files::{FilesError, Progress, Sending};
use mesh::prelude::*;
use tokio::sync::watch;

use crate::args::SendFiles;
use crate::endpoint::Endpoint;
use crate::failure::{Code, Failure, Outcome};
use crate::files::{self, complete, left_out, shown};
use crate::operation::link_up;
use crate::record::Record;
use crate::report::Report;

/// Between two attempts to go on.
const PAUSE: Duration = Duration::from_millis(500);

const GOES_ON: &str = "the same command goes on where it broke off";

/// Paths that mean the same to a running endpoint, which has another working directory.
pub(crate) fn absolute(options: &mut SendFiles) -> Outcome {
    for file in &mut options.files {
        let absolute = std::path::absolute(&*file);
        *file = absolute.map_err(|error| Failure::usage(format_args!("no file: {error}")))?;
    }
    Ok(())
}

pub(crate) async fn perform(
    endpoint: &Endpoint,
    options: &SendFiles,
    report: &mut Report,
) -> Outcome {
    let sending = Sending::new(&options.files).await;
    let mut sending = sending.map_err(files::unusable)?;
    let link = link_up(endpoint, &options.target, options.wait).await?;
    let start = Instant::now();
    send(&link, &mut sending, options.patience, report).await?;
    let sent = sending.outcome();
    left_out(sent, report).await?;
    report
        .report(Record::FilesSent {
            hashname: link.hashname().to_string(),
            files: sent.stored,
            bytes: sent.bytes,
            left_out: sent.left_out,
            seconds: start.elapsed().as_secs_f64(),
        })
        .await?;
    complete(sent, "there, `mesh recv --force` replaces what exists")
}

/// Sends until it is done, however often it breaks off, as long as it goes on within `patience`.
async fn send(
    link: &Link,
    sending: &mut Sending,
    patience: Duration,
    report: &mut Report,
) -> Outcome {
    let mut broken: Option<Instant> = None;
    let mut begun = false;
    loop {
        let (moved, progress) = watch::channel(Progress::default());
        let mut went_on = false;
        let sent = link.send_files_with(sending, |progress| {
            went_on = true;
            moved.send_replace(progress);
        });
        let error = match shown(sent, progress, report).await? {
            Ok(()) => return Ok(()),
            Err(error) => error,
        };
        begun |= went_on;
        let first = match broken {
            Some(since) if !went_on => since,
            _ => Instant::now(),
        };
        let left = patience.saturating_sub(first.elapsed());
        if !may_go_on(&error, begun) || left.is_zero() {
            return Err(failure(link, error));
        }
        if broken != Some(first) {
            let message = format!("{error}; trying to go on");
            report.report(Record::Warning { message }).await?;
        }
        broken = Some(first);
        tokio::time::sleep(PAUSE.min(left)).await;
        let up = link.wait_up(left).await;
        up.map_err(|error| Failure::unreachable(error).hint(GOES_ON))?;
    }
}

/// Whether another attempt may do better. A receiver that comes back takes files only a moment after it is linked.
fn may_go_on(error: &FilesError, begun: bool) -> bool {
    match error {
        FilesError::Broken(_) | FilesError::Open(_) => true,
        FilesError::Refused(reason) => begun && is_nobody(reason),
        _ => false,
    }
}

fn is_nobody(reason: &str) -> bool {
    // The last is said by an endpoint that is about to end.
    ["unknown type", "refused", "closed"].contains(&reason)
}

fn failure(link: &Link, error: FilesError) -> Failure {
    let peer = link.hashname();
    match &error {
        FilesError::Refused(reason) if is_nobody(reason) => {
            let what = format_args!("{} receives no files: {reason}", peer.short()).to_string();
            Failure::new(Code::Refused, what).hint("there, run `mesh recv` or `mesh up --recv DIR`")
        }
        FilesError::Refused(reason) if reason.starts_with("disk") => Failure::failed(error)
            .hint("what arrived is kept there: send the same again when there is room"),
        FilesError::Refused(_) => Failure::new(Code::Refused, error),
        FilesError::Broken(_) | FilesError::Open(_) => Failure::unreachable(error).hint(GOES_ON),
        _ => files::unusable(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_receiver_that_ends_or_does_not_receive_yet_may_come_back_once_something_went_there() {
        for reason in ["closed", "unknown type", "refused"] {
            let error = FilesError::Refused(reason.to_owned());
            assert!(may_go_on(&error, true), "{reason}");
            assert!(!may_go_on(&error, false), "{reason}");
            assert!(is_nobody(reason));
        }
        let error = FilesError::Refused("disk full".to_owned());
        assert!(!may_go_on(&error, true));
    }
}
