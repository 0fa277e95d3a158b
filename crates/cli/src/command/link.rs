//! `mesh link`: is it there, and how?

use std::time::Duration;

use crate::args::LinkArgs;
use crate::command::status;
use crate::endpoint::Endpoint;
use crate::failure::Outcome;
use crate::operation::link_up;
use crate::record::Record;
use crate::report::Report;

/// How long to wait for paths other than the first that answers.
const OTHER_PATHS: Duration = Duration::from_millis(300);

/// Links, and reports the link with the round trip of every path that answers.
pub(crate) async fn perform(
    endpoint: &Endpoint,
    options: &LinkArgs,
    report: &mut Report,
) -> Outcome {
    let link = link_up(endpoint, &options.target, options.wait).await?;
    // A peer that answers no path request is up all the same.
    let _ = link.ping_all(OTHER_PATHS).await;
    report
        .report(Record::Link(status::describe(endpoint, &link)))
        .await
}
