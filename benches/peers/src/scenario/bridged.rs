//! A stream between two processes through a third, which routes.

use anyhow::{Context, Result};

use super::{Scenario, crowded::VARIANT, stream::RATE};
use crate::{
    cpu,
    far::FarEnd,
    figures::{Bound, Row, Series},
    library,
    plan::Plan,
};

/// Of one process, without softirqs: who caused those cannot be told.
const CPU: &str = "cpu-s/GB";

/// Which part of other scenarios' streams is sent: a router carries 4 MiB/s for each pair.
const PART: u64 = 8;

/// What one round comes to.
struct Round {
    rate: f64,
    router: f64,
    /// The mean of both.
    endpoint: f64,
}

pub async fn run(plan: &Plan) -> Result<Vec<Row>> {
    let mut rounds = Vec::new();
    for number in 1..=plan.rounds() {
        eprintln!("bridged, round {number} of {}", plan.rounds());
        rounds.push(round(plan.bytes() / PART).await?);
    }
    let values = |of: fn(&Round) -> f64| rounds.iter().map(of).collect();
    let row = |figure, ours, theirs, bound| Row {
        scenario: Scenario::Bridged,
        figure,
        setting: "three processes".to_owned(),
        ours,
        theirs,
        bound,
    };
    let router = Series::new(
        format!("{VARIANT}, the router"),
        values(|round| round.router),
    );
    let endpoint = Series::new("an endpoint", values(|round| round.endpoint));
    let rate = Series::new(VARIANT, values(|round| round.rate));
    Ok(vec![
        row(CPU, router, Some(endpoint), Some(Bound::AtMost(0.3))),
        row(RATE, rate, None, None),
    ])
}

async fn round(bytes: u64) -> Result<Round> {
    let router = FarEnd::with(&["route", VARIANT]).await?;
    let far = FarEnd::with(&["serve-behind", VARIANT, router.address()]).await?;
    let processes = [
        router.process().context("it is another process")?,
        far.process().context("it is another process")?,
        std::process::id(),
    ];
    let connection = library::named(VARIANT)?.dial(far.address()).await?;
    connection.upload(bytes / 16).await?;
    let before = seconds(processes)?;
    let start = std::time::Instant::now();
    connection.upload(bytes).await?;
    let rate = bytes as f64 / start.elapsed().as_secs_f64() / 1e6;
    let after = seconds(processes)?;
    let [router_cpu, far_cpu, near_cpu] =
        std::array::from_fn(|at| (after[at] - before[at]) / (bytes as f64 / 1e9));
    connection.close().await;
    far.stop().await?;
    router.stop().await?;
    Ok(Round {
        rate,
        router: router_cpu,
        endpoint: (far_cpu + near_cpu) / 2.0,
    })
}

fn seconds(processes: [u32; 3]) -> Result<[f64; 3]> {
    let mut seconds = [0.0; 3];
    for (seconds, process) in seconds.iter_mut().zip(processes) {
        *seconds = cpu::of(process)?.as_secs_f64();
    }
    Ok(seconds)
}
