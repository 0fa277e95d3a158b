//! `mesh discover`: who is on this network?

use std::collections::BTreeSet;

use mesh::{Hashname, KeySet, LinkJson, MeshEvent, Path};
use serde_json::Value;
use tokio::time::{Instant, timeout_at};

use crate::args::Discover;
use crate::endpoint::Endpoint;
use crate::failure::Outcome;
use crate::record::Record;
use crate::report::Report;

/// Reports whoever announced itself of late or does so meanwhile, each once, and how many there were.
pub(crate) async fn perform(
    endpoint: &Endpoint,
    options: &Discover,
    report: &mut Report,
) -> Outcome {
    let end = Instant::now() + options.seconds;
    let mut events = endpoint.mesh.events();
    let announcing = options.announce.then(|| endpoint.mesh.announce());
    let _announcing = announcing.transpose()?;
    let mut found = BTreeSet::new();
    for link in endpoint.mesh.discovered() {
        if found.insert(link.hashname) {
            report.report(of_link(&link)).await?;
        }
    }
    while let Ok(Some(event)) = timeout_at(end, events.next()).await {
        if let MeshEvent::Discovered {
            hashname,
            keys,
            paths,
        } = event
            && found.insert(hashname)
        {
            report.report(record(hashname, keys, paths)).await?;
        }
    }
    let (found, seconds) = (found.len(), options.seconds.as_secs_f64());
    report.report(Record::Discovered { found, seconds }).await
}

/// What is reported of an endpoint that announced itself.
pub(crate) fn record(hashname: Hashname, keys: KeySet, paths: Vec<Path>) -> Record {
    let mut link = LinkJson::named(hashname);
    (link.keys, link.paths) = (keys, paths);
    of_link(&link)
}

fn of_link(link: &LinkJson) -> Record {
    Record::Discover {
        hashname: link.hashname.to_string(),
        link: Value::Object(link.to_json()),
    }
}
