//! `mesh bench`: throughput, round trips, link set-ups.

mod measure;
mod peer;

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use mesh::prelude::*;
use mesh::{CipherSets, LinkJson, StrangerBudget};
use tokio::time::Instant;

use crate::args::{Bench, Transport};
use crate::endpoint::Endpoint;
use crate::failure::{Failure, Outcome};
use crate::operation::link_up;
use crate::record::Record;
use crate::report::Report;

/// Round trips that are measured.
const ROUND_TRIPS: usize = 2000;

/// Link set-ups that are measured.
const SET_UPS: u32 = 200;

/// Handshakes a second, more than can be.
const UNLIMITED: u32 = 1_000_000;

const LOOPBACK: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

/// Measures between two endpoints of this process.
pub(crate) async fn alone(options: &Bench, report: &mut Report) -> Outcome {
    let server = endpoint(options, true).await?;
    let client = endpoint(options, false).await?;
    let link = client.link(server.local_link_json()).await?;
    link.wait_up(options.wait)
        .await
        .map_err(Failure::unreachable)?;
    let seconds = measure::one_way(&link, options.bytes, report).await?;
    megabytes(report, "one stream, one way", options.bytes, seconds).await?;
    round_trips(&link, report).await?;
    let seconds = set_ups(&server.local_link_json(), options).await?;
    let rate = f64::from(SET_UPS) / seconds;
    bench(report, "link set-ups, one after the other", rate, "/s").await?;
    client.close().await;
    server.close().await;
    Ok(())
}

/// Measures with a target that echoes streams.
pub(crate) async fn perform(endpoint: &Endpoint, options: &Bench, report: &mut Report) -> Outcome {
    let target = options.target.as_deref().unwrap_or_default();
    let start = Instant::now();
    let link = link_up(endpoint, target, options.wait).await?;
    let set_up = start.elapsed().as_secs_f64() * 1e3;
    bench(report, "link set-up", set_up, "ms").await?;
    round_trips(&link, report).await?;
    let seconds = measure::there_and_back(&link, options.bytes, report).await?;
    megabytes(report, "one stream, there and back", options.bytes, seconds).await
}

/// An endpoint of its own identity on the loopback interface.
async fn endpoint(options: &Bench, serves: bool) -> Outcome<Mesh> {
    let sets = CipherSets::default();
    let one = |cs| vec![cs];
    let csids = options.cs.map_or_else(|| sets.recommended().collect(), one);
    let builder = mesh::builder().new_identity(csids);
    let builder = match options.transport {
        Transport::Udp => builder.udp(LOOPBACK),
        Transport::Tcp => builder.tcp(LOOPBACK),
        Transport::Tls => builder.tls(LOOPBACK),
        Transport::Quic => builder.quic(LOOPBACK),
    };
    let builder = match serves {
        true => builder
            .accept(Accept::All)
            .strangers(no_ration())
            .on_stream(peer::serve),
        false => builder.accept(Accept::None),
    };
    Ok(builder.build().await?)
}

/// All the strangers come from one address here, which would be suspicious elsewhere.
fn no_ration() -> StrangerBudget {
    let mut budget = StrangerBudget::default();
    (budget.per_prefix, budget.global) = (UNLIMITED, UNLIMITED);
    budget
}

async fn round_trips(link: &Link, report: &mut Report) -> Outcome {
    let mut times = measure::round_trips(link, ROUND_TRIPS).await?;
    times.sort_unstable();
    for (name, at) in [("p50", 50), ("p99", 99)] {
        let time = times
            .get(times.len() * at / 100)
            .map_or(0.0, Duration::as_secs_f64);
        bench(
            report,
            &format!("round trip of 64 bytes, {name}"),
            time * 1e6,
            "us",
        )
        .await?;
    }
    Ok(())
}

/// Seconds for all of them: each by a new endpoint with a new identity.
async fn set_ups(to: &LinkJson, options: &Bench) -> Outcome<f64> {
    let start = Instant::now();
    for _ in 0..SET_UPS {
        let mesh = endpoint(options, false).await?;
        let link = mesh.link(to).await?;
        link.wait_up(options.wait)
            .await
            .map_err(Failure::unreachable)?;
        mesh.close().await;
    }
    Ok(start.elapsed().as_secs_f64())
}

async fn megabytes(report: &mut Report, what: &str, bytes: u64, seconds: f64) -> Outcome {
    bench(report, what, bytes as f64 / seconds / 1e6, "MB/s").await
}

async fn bench(report: &mut Report, what: &str, value: f64, unit: &str) -> Outcome {
    let (what, unit) = (what.to_owned(), unit.to_owned());
    report.report(Record::Bench { what, value, unit }).await
}
