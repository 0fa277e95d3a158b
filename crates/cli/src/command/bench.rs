//! `mesh bench`: throughput, round trips, link set-ups, memory.

mod ends;
mod idle;
mod measure;
mod peer;
mod process;
mod watch;

use std::time::Duration;

use mesh::{Csid, Link};
use tokio::time::Instant;

use self::ends::Ends;
use self::measure::Limit;
use self::watch::Watch;
use crate::args::{Bench, Transport};
use crate::endpoint::Endpoint;
use crate::failure::{Failure, Outcome};
use crate::operation::link_up;
use crate::record::{BenchRow, Record};
use crate::report::Report;

/// The cipher sets that new identities have.
const SETS: [Csid; 2] = [Csid::CS42, Csid::CS3A];

/// Bytes that an echo is sent at most, unless told: networks have owners.
const ECHOED: u64 = 256 << 20;

/// Which part of the time goes to a stream, to round trips and to set-ups, in per cent; the rest goes to what is
/// not measured.
const SHARES: [u32; 3] = [55, 15, 20];

/// Measures between endpoints of this process: each transport in each cipher set.
pub(crate) async fn alone(options: &Bench, report: &mut Report) -> Outcome {
    let transports = match options.transport {
        Some(one) => vec![one],
        None => Transport::ALL.to_vec(),
    };
    let sets = options.cs.map_or_else(|| SETS.to_vec(), |one| vec![one]);
    let cases: Vec<_> = transports
        .iter()
        .flat_map(|transport| sets.iter().map(|csid| (*transport, *csid)))
        .collect();
    let count = u32::try_from(cases.len()).unwrap_or(u32::MAX);
    let watch = &mut Watch::new(report, options.seconds);
    let mut idle = None;
    for (number, (transport, csid)) in cases.into_iter().enumerate() {
        let ends = Ends::new(transport, csid, options.wait);
        if number == 0 {
            // Before anything else has grown the memory of this process.
            idle = idle::weigh(&ends).await?;
        }
        let mut row = row(&ends, options, options.seconds / count, watch).await?;
        row.first = number == 0;
        watch.report(Record::BenchRow(row)).await?;
    }
    match idle {
        Some(kib) => figure(watch, "memory of an idle link, each end", kib, "KiB").await,
        None => Ok(()),
    }
}

/// Measures with a target that echoes streams.
pub(crate) async fn perform(endpoint: &Endpoint, options: &Bench, report: &mut Report) -> Outcome {
    let target = options.target.as_deref().unwrap_or_default();
    let watch = &mut Watch::new(report, options.seconds);
    let start = Instant::now();
    let link = link_up(endpoint, target, options.wait).await?;
    let set_up = start.elapsed().as_secs_f64() * 1e3;
    figure(watch, "link set-up", set_up, "ms").await?;
    let [p50, p99] = round_trips(&link, options.seconds * SHARES[1] / 100, watch).await?;
    figure(watch, "round trip of 64 bytes, p50", p50, "us").await?;
    figure(watch, "round trip of 64 bytes, p99", p99, "us").await?;
    let limit = Limit {
        time: options.seconds * (SHARES[0] + SHARES[2]) / 100,
        bytes: options.bytes.unwrap_or(ECHOED),
    };
    watch.about("one stream, there and back");
    let streamed = measure::there_and_back(&link, limit, watch).await?;
    let rate = streamed.megabytes_per_second();
    figure(watch, "one stream, there and back", rate, "MB/s").await
}

/// Measures one transport in one cipher set, in about this time.
async fn row(
    ends: &Ends,
    options: &Bench,
    time: Duration,
    watch: &mut Watch<'_>,
) -> Outcome<BenchRow> {
    let name = format!("{}, CS{}", ends.transport.name(), ends.csid);
    let server = ends.server().await?;
    let to = server.local_link_json();
    let (client, link) = ends.dial(&to).await?;

    watch.about(&format!("{name}: one stream"));
    let limit = Limit {
        time: time * SHARES[0] / 100,
        bytes: options.bytes.unwrap_or(u64::MAX),
    };
    measure::one_way(&link, limit.tenth(), watch).await?; // windows open, packets grow
    let streamed = measure::one_way(&link, limit, watch).await?;
    watch.about(&format!("{name}: round trips"));
    let [p50, p99] = round_trips(&link, time * SHARES[1] / 100, watch).await?;
    client.close().await;
    watch.about(&format!("{name}: set-ups"));
    let set_ups = measure::set_ups(ends, &to, time * SHARES[2] / 100, watch).await?;
    server.close().await;

    Ok(BenchRow {
        transport: ends.transport.name().to_owned(),
        cipher_set: ends.csid.to_string(),
        megabytes_per_second: streamed.megabytes_per_second(),
        cpu_seconds_per_gigabyte: streamed.cpu_seconds_per_gigabyte(),
        ping_p50_us: p50,
        ping_p99_us: p99,
        set_ups_per_second: set_ups,
        first: false,
    })
}

/// The median and the 99th percentile, in microseconds.
async fn round_trips(link: &Link, time: Duration, watch: &mut Watch<'_>) -> Outcome<[f64; 2]> {
    let mut times = measure::round_trips(link, time, watch).await?;
    times.sort_unstable();
    let at = |percent: usize| times.get(times.len() * percent / 100);
    let [Some(p50), Some(p99)] = [50, 99].map(at) else {
        return Err(Failure::failed("no round trip was measured"));
    };
    Ok([p50, p99].map(|time| time.as_secs_f64() * 1e6))
}

async fn figure(watch: &mut Watch<'_>, what: &str, value: f64, unit: &str) -> Outcome {
    let (what, unit) = (what.to_owned(), unit.to_owned());
    watch.report(Record::Bench { what, value, unit }).await
}
