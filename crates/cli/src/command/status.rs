//! `mesh status`: the running endpoint and its links.

use std::time::Duration;

use mesh::boxes::BoxCache;
use mesh::{Link, Path, PipeStatus};
use serde_json::Value;

use crate::endpoint::Endpoint;
use crate::failure::Outcome;
use crate::operation::state_word;
use crate::record::{LinkRecord, PathRecord, Record, show_path};
use crate::report::Report;

/// Reports the endpoint, then each link.
pub(crate) async fn perform(endpoint: &Endpoint, report: &mut Report) -> Outcome {
    let links = endpoint.mesh.links();
    let own = endpoint.mesh.local_link_json();
    let status = Record::Status {
        hashname: own.hashname.to_string(),
        link: Value::Object(own.to_json()),
        uri: endpoint.uri(),
        links: links.len(),
    };
    report.report(status).await?;
    if let Some(mapping) = endpoint.mesh.port_mapping() {
        report.report(Record::PortMapping(mapping.into())).await?;
    }
    if let Some(kept) = endpoint.cache().map(BoxCache::stats) {
        let (letters, bytes) = (kept.messages, kept.bytes);
        report.report(Record::Keeping { letters, bytes }).await?;
    }
    for link in links {
        report
            .report(Record::Link(describe(endpoint, &link)))
            .await?;
    }
    Ok(())
}

/// A link as it is now, with every path.
pub(crate) fn describe(endpoint: &Endpoint, link: &Link) -> LinkRecord {
    let hashname = link.hashname();
    let pipes = link.pipes();
    let stats = link.stats();
    let up = link.is_up();
    let active = pipes.iter().find(|pipe| pipe.active);
    let rtt = active.and_then(|pipe| pipe.rtt);
    let loss = stats
        .pipe
        .map(|pipe| pipe.lost as f64 / (pipe.acked + pipe.lost).max(1) as f64);
    LinkRecord {
        hashname: hashname.to_string(),
        alias: endpoint
            .known()
            .get(&hashname)
            .and_then(|known| known.alias),
        state: state_word(link.state()).to_owned(),
        reason: None,
        csid: link.csid().map(|csid| csid.to_string()),
        rtt_ms: rtt.filter(|_| up).map(milliseconds),
        way: active.filter(|_| up).map(way),
        loss: loss.filter(|_| up),
        moves: stats.moves,
        doubts: stats.doubts,
        paths: pipes.iter().map(describe_path).collect(),
    }
}

/// How traffic goes by this pipe, in one word.
fn way(pipe: &PipeStatus) -> String {
    let relayed = matches!(pipe.path, Some(Path::Peer { .. }));
    if relayed { "relayed" } else { "direct" }.to_owned()
}

fn describe_path(pipe: &PipeStatus) -> PathRecord {
    let path = pipe.path.as_ref();
    PathRecord {
        path: path.map_or_else(|| pipe.transport.to_owned(), show_path),
        validated: pipe.validated,
        active: pipe.active,
        doubted: pipe.doubted,
        packet_size: pipe.packet_size,
        rtt_ms: pipe.rtt.map(milliseconds),
    }
}

pub(crate) fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}
