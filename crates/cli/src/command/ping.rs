//! `mesh ping`: round trips.

use std::time::Instant;

use mesh::PingReply;
use tokio::time::timeout;

use crate::args::Ping;
use crate::command::status::milliseconds;
use crate::endpoint::Endpoint;
use crate::failure::{Failure, Outcome};
use crate::operation::link_up;
use crate::record::{PingSummary, Record, RttSummary, show_path};
use crate::report::Report;

/// Pings as often as asked, and sums up.
pub(crate) async fn perform(endpoint: &Endpoint, options: &Ping, report: &mut Report) -> Outcome {
    let link = link_up(endpoint, &options.target, options.wait).await?;
    let start = Instant::now();
    let mut interval = tokio::time::interval(options.interval.max(Ping::SHORTEST_INTERVAL));
    let mut times = Vec::new();
    for seq in 1..=options.count {
        interval.tick().await;
        let record = match timeout(options.wait, link.ping()).await {
            Ok(Ok(reply)) => {
                times.push(milliseconds(reply.rtt));
                answered(seq, &reply)
            }
            Ok(Err(_)) | Err(_) => Record::PingLost { seq },
        };
        report.report(record).await?;
    }
    let received = times.len() as u32;
    let summary = PingSummary {
        hashname: link.hashname().to_string(),
        sent: options.count,
        received,
        loss: f64::from(options.count - received) / f64::from(options.count),
        time_ms: milliseconds(start.elapsed()),
        rtt: RttSummary::of(&times),
    };
    report.report(Record::PingSummary(summary)).await?;
    match received {
        0 => Err(
            Failure::unreachable(format_args!("{} answered no ping", link.hashname()))
                .hint("the link is up, but path requests or their answers get lost"),
        ),
        _ => Ok(()),
    }
}

fn answered(seq: u32, reply: &PingReply) -> Record {
    let path = reply
        .path
        .as_ref()
        .map_or_else(|| "unknown".to_owned(), show_path);
    Record::Ping {
        seq,
        ms: milliseconds(reply.rtt),
        path,
    }
}
