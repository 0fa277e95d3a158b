//! Many streams at once, of as many links or of one: whether they add up, and get like shares.

use std::time::Instant;

use anyhow::{Context, Result};
use futures::future::{join_all, try_join_all};

use super::{Scenario, crowded::VARIANT, stream::RATE};
use crate::{
    far::{FarEnd, Processes},
    figures::{Bound, Row, Series},
    library::{self, Connection, Library},
    plan::Plan,
};

const LINKS: usize = 16;
const STREAMS: usize = 64;

/// Rates of the slowest and of the fastest of streams of the same length.
const FAIRNESS: &str = "slowest / fastest";

/// One way to have many streams.
struct Way {
    scenario: Scenario,
    links: usize,
    streams: usize,
}

pub async fn links(plan: &Plan) -> Result<Vec<Row>> {
    let scenario = Scenario::Links;
    let (links, streams) = (LINKS, 1);
    Way {
        scenario,
        links,
        streams,
    }
    .run(plan)
    .await
}

pub async fn streams(plan: &Plan) -> Result<Vec<Row>> {
    let scenario = Scenario::Streams;
    let (links, streams) = (1, STREAMS);
    Way {
        scenario,
        links,
        streams,
    }
    .run(plan)
    .await
}

impl Way {
    async fn run(&self, plan: &Plan) -> Result<Vec<Row>> {
        let mut rows = Vec::new();
        for processes in Processes::ALL {
            let (mut single, mut sum, mut fairness) = (Vec::new(), Vec::new(), Vec::new());
            for round in 1..=plan.rounds() {
                eprintln!(
                    "{}, {processes}, round {round} of {}",
                    self.scenario.name(),
                    plan.rounds()
                );
                let library = library::named(VARIANT)?;
                let far = FarEnd::start(VARIANT, processes).await?;
                let (alone, _) = rates(&*library, &far, 1, 1, plan.bytes()).await?;
                let (all, shares) =
                    rates(&*library, &far, self.links, self.streams, plan.bytes()).await?;
                far.stop().await?;
                single.push(alone);
                sum.push(all);
                fairness.push(shares);
            }
            rows.extend(self.rows(processes, single, sum, fairness));
        }
        Ok(rows)
    }

    fn rows(
        &self,
        processes: Processes,
        single: Vec<f64>,
        sum: Vec<f64>,
        fairness: Vec<f64>,
    ) -> [Row; 2] {
        let name = match self.scenario {
            Scenario::Links => format!("{VARIANT}, {LINKS} links"),
            _ => format!("{VARIANT}, {STREAMS} streams"),
        };
        let row = |figure, values, theirs, least| Row {
            scenario: self.scenario,
            figure,
            setting: processes.to_string(),
            ours: Series::new(&name, values),
            theirs,
            bound: Some(Bound::AtLeast(least)),
        };
        let single = Series::new("a single stream", single);
        [
            row(RATE, sum, Some(single), 1.0),
            row(FAIRNESS, fairness, None, 0.8),
        ]
    }
}

/// The rate of all streams together, and that of the slowest by that of the fastest. All are of the
/// same length and begin together.
async fn rates(
    library: &dyn Library,
    far: &FarEnd,
    links: usize,
    streams: usize,
    bytes: u64,
) -> Result<(f64, f64)> {
    let dials = (0..links).map(|_| library.dial(far.address()));
    let connections: Vec<Box<dyn Connection>> = try_join_all(dials).await?;
    let each = bytes / (links * streams) as u64;
    upload(&connections, streams, each / 16).await?;
    let start = Instant::now();
    let seconds = upload(&connections, streams, each).await?;
    let all = start.elapsed().as_secs_f64();
    join_all(connections.into_iter().map(|connection| connection.close())).await;
    let fastest = seconds.iter().copied().min_by(f64::total_cmp);
    let slowest = seconds.iter().copied().max_by(f64::total_cmp);
    let shares = fastest.context("no streams")? / slowest.context("no streams")?;
    Ok((bytes as f64 / all / 1e6, shares))
}

/// Uploads so much on each stream, all at once, and tells how many seconds each took.
async fn upload(
    connections: &[Box<dyn Connection>],
    streams: usize,
    each: u64,
) -> Result<Vec<f64>> {
    let start = Instant::now();
    let uploads = connections.iter().flat_map(|connection| {
        (0..streams).map(move |_| async move {
            connection.upload(each).await?;
            anyhow::Ok(start.elapsed().as_secs_f64())
        })
    });
    try_join_all(uploads).await
}
