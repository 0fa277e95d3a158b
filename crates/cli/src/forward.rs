//! `mesh forward` on an endpoint: its listeners, and what becomes of what comes there.

mod datagrams;
mod local;
mod remote;
mod socks;
mod spec;
mod way;

use tokio::sync::mpsc;
use tokio::task::JoinSet;

pub(crate) use self::spec::{Bind, HostPort, Rule};
use self::way::Way;
pub(crate) use self::way::{allowing, failure};
use crate::args::Forward;
use crate::endpoint::Endpoint;
use crate::failure::{Failure, Outcome};
use crate::operation::link_up;
use crate::record::Record;
use crate::report::Report;

/// Records of all listeners that wait to be reported. At the limit the listeners wait.
const NEWS_CAPACITY: usize = 64;

/// Keeps all listeners open until the last of them has failed, whose failure it is then.
pub(crate) async fn perform(
    endpoint: &Endpoint,
    options: &Forward,
    report: &mut Report,
) -> Outcome {
    let link = link_up(endpoint, &options.target, options.wait).await?;
    let closed = way::closed(link.clone());
    let (news, mut told) = mpsc::channel(NEWS_CAPACITY);
    let mut listeners = listen(options, &Way::new(link, options.wait, news));
    let work = async {
        loop {
            tokio::select! {
                biased;
                Some(record) = told.recv() => report.report(record).await?,
                Some(failed) = listeners.join_next() => {
                    let failure = failed.unwrap_or_else(|_| fault());
                    if listeners.is_empty() {
                        return Err(failure);
                    }
                    let message = failure.to_string();
                    report.report(Record::Warning { message }).await?;
                }
                else => return Err(Failure::usage("there is nothing to forward")),
            }
        }
    };
    tokio::select! {
        outcome = work => outcome,
        failure = closed => Err(failure),
    }
}

/// Starts a task for each listener; all end when the set is dropped.
fn listen(options: &Forward, way: &Way) -> JoinSet<Failure> {
    let mut listeners = JoinSet::new();
    for rule in options.local.iter().cloned() {
        listeners.spawn(local::forward(rule, way.clone()));
    }
    for bind in options.dynamic.iter().cloned() {
        listeners.spawn(local::socks(bind, way.clone()));
    }
    for rule in options.udp.iter().cloned() {
        listeners.spawn(datagrams::forward(rule, way.clone()));
    }
    for rule in options.remote.iter().cloned() {
        listeners.spawn(remote::forward(rule, way.clone()));
    }
    listeners
}

fn fault() -> Failure {
    Failure::failed("a fault of this program ended a listener; please report it")
}
