//! `mesh box`: letters for whoever is not there.

pub(crate) mod get;
pub(crate) mod put;
mod written;

use std::collections::BTreeMap;
use std::time::Duration;

use futures::future::join_all;
use mesh::{Hashname, Link};

use crate::args::BoxCommand;
use crate::args::Global;
use crate::endpoint::Endpoint;
use crate::failure::{Failure, Outcome};
use crate::operation::link_up;
use crate::record::Record;
use crate::report::Report;
use crate::target;

pub(crate) async fn run(global: &Global, command: BoxCommand, report: &mut Report) -> Outcome {
    match command {
        BoxCommand::Put(options) => put::run(global, options, report).await,
        BoxCommand::Get(options) => get::run(global, options, report).await,
    }
}

/// The caches as a running endpoint can read them.
fn expand(via: &mut [String]) -> Outcome {
    for cache in via {
        *cache = target::expand(cache)?;
    }
    Ok(())
}

/// Whether caches that do not answer in time are of use later.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Late {
    GivenUp,
    /// They are linked once they answer.
    Kept,
}

/// Links to caches that are up: to those that are named, or to the routers in use. Of those that are not reached in time
/// a warning tells.
async fn reach(
    endpoint: &Endpoint,
    via: &[String],
    wait: Duration,
    late: Late,
    report: &mut Report,
) -> Outcome<BTreeMap<Hashname, Link>> {
    if via.is_empty() {
        return Ok(routers(endpoint, wait).await);
    }
    let reached = via.iter().map(|cache| link_up(endpoint, cache, wait));
    let mut links = BTreeMap::new();
    for (cache, reached) in via.iter().zip(join_all(reached).await) {
        match reached {
            Ok(link) => {
                links.insert(link.hashname(), link);
            }
            Err(failure) => {
                let message = match late {
                    Late::GivenUp => format!("the cache {} is not used: {failure}", shown(cache)),
                    Late::Kept => {
                        // The mesh goes on trying, and a cache that comes up tells what it has.
                        endpoint.mesh.link(target::parse(cache)?).await?;
                        format!("the cache {} is waited for: {failure}", shown(cache))
                    }
                };
                report.report(Record::Warning { message }).await?;
            }
        }
    }
    Ok(links)
}

async fn routers(endpoint: &Endpoint, wait: Duration) -> BTreeMap<Hashname, Link> {
    let routers = endpoint.mesh.routers().into_iter();
    let links = routers.filter_map(|router| endpoint.mesh.get(&router));
    let up = links.map(|link| async move { link.wait_up(wait).await.is_ok().then_some(link) });
    let up = join_all(up).await.into_iter().flatten();
    up.map(|link| (link.hashname(), link)).collect()
}

/// A target in a message. A URI may hold a secret, and a link JSON is long.
fn shown(target: &str) -> &str {
    let end = target.find(['?', '#']).unwrap_or(target.len());
    match target.starts_with('{') {
        true => "in its link JSON",
        false => &target[..end],
    }
}

fn not_a_mailbox(error: impl std::fmt::Display) -> Failure {
    Failure::failed(error).hint("is the state directory in order, and is there room on its disk?")
}
