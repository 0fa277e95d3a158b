//! What idle links cost the end that has them all. The crowd at the other end is not weighed: an
//! endpoint for each link is not what is measured.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use futures::future::join_all;
use tokio::time::sleep;

use super::{
    Scenario,
    crowded::{Crowded, Initiator, REST, VARIANT},
};
use crate::{
    cpu::{self, resident},
    far::{FarEnd, Processes},
    figures::{Bound, Row, Series},
    library,
    plan::Plan,
};

/// Links that are there before the first weighing: what an endpoint needs once, and what the
/// allocator keeps, does not count.
const BEFORE: usize = 64;

const MEMORY: &str = "KiB/idle link";
const SHARE: &str = "% of a core";

/// Idle links whose CPU is watched.
const WATCHED: usize = 1000;

/// Whose links are weighed as well, at the end that accepts.
const BESIDE: &str = "quinn";

pub async fn memory(plan: &Plan) -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    for (initiator, end) in [
        (Initiator::Crowd, "the end that accepts"),
        (Initiator::FarEnd, "the end that links"),
    ] {
        let counts = plan.idle_links();
        let mut values = vec![Vec::new(); counts.len()];
        for round in 1..=plan.few_rounds() {
            eprintln!("idle-memory, {end}, round {round} of {}", plan.few_rounds());
            let weights = weigh(initiator, &counts).await?;
            for (values, weight) in values.iter_mut().zip(weights) {
                values.push(weight);
            }
        }
        for (count, values) in counts.iter().zip(values) {
            let bound = Some(Bound::AtMost(8.0));
            let ours = Series::new(VARIANT, values);
            rows.push(row(format!("{count} links, {end}"), ours, None, bound));
        }
    }
    rows.extend(beside(plan, &rows).await?);
    Ok(rows)
}

/// The first of these figures beside what another library needs for as many.
async fn beside(plan: &Plan, rows: &[Row]) -> Result<Option<Row>> {
    let (Some(ours), Some(count)) = (rows.first(), plan.idle_links().first().copied()) else {
        return Ok(None);
    };
    let mut values = Vec::new();
    for round in 1..=plan.few_rounds() {
        eprintln!(
            "idle-memory, {BESIDE}, round {round} of {}",
            plan.few_rounds()
        );
        values.push(weigh_other(BESIDE, count).await?);
    }
    let theirs = Some(Series::new(BESIDE, values));
    Ok(Some(row(
        ours.setting.clone(),
        ours.ours.clone(),
        theirs,
        None,
    )))
}

fn row(setting: String, ours: Series, theirs: Option<Series>, bound: Option<Bound>) -> Row {
    Row {
        scenario: Scenario::IdleMemory,
        figure: MEMORY,
        setting,
        ours,
        theirs,
        bound,
    }
}

/// KiB for each of so many links of ours, for ascending numbers.
async fn weigh(initiator: Initiator, counts: &[usize]) -> Result<Vec<f64>> {
    let mut crowded = Crowded::start(initiator).await?;
    let process = crowded.process()?;
    crowded.grow(BEFORE).await?;
    let before = resident(process)?;
    let mut weights = Vec::with_capacity(counts.len());
    for count in counts {
        crowded.grow(BEFORE + count).await?;
        weights.push(each(before, resident(process)?, *count));
    }
    crowded.stop().await?;
    Ok(weights)
}

/// The same at the far end of another library. At the near end each link has an endpoint of its own.
async fn weigh_other(name: &str, count: usize) -> Result<f64> {
    let far = FarEnd::start(name, Processes::Two).await?;
    let process = far.process().context("it is another process")?;
    let library = library::named(name)?;
    let mut connections = Vec::with_capacity(BEFORE + count);
    for _ in 0..BEFORE {
        connections.push(library.dial(far.address()).await?);
    }
    sleep(REST).await;
    let before = resident(process)?;
    for _ in 0..count {
        connections.push(library.dial(far.address()).await?);
    }
    sleep(REST).await;
    let weight = each(before, resident(process)?, count);
    join_all(connections.into_iter().map(|connection| connection.close())).await;
    far.stop().await?;
    Ok(weight)
}

fn each(before: u64, now: u64, count: usize) -> f64 {
    now.saturating_sub(before) as f64 / 1024.0 / count as f64
}

pub async fn cpu(plan: &Plan) -> Result<Vec<Row>> {
    let count = plan
        .idle_links()
        .first()
        .map_or(WATCHED, |first| WATCHED.min(*first));
    ensure!(count > 0, "no idle links to watch");
    let mut crowded = Crowded::start(Initiator::Crowd).await?;
    let process = crowded.process()?;
    crowded.grow(count).await?;
    // The first keepalives, which come together, are not what it is like in the long run.
    sleep(Duration::from_secs(plan.idle_seconds()) / 6).await;
    let mut values = Vec::new();
    for round in 1..=plan.few_rounds() {
        let seconds = plan.idle_seconds();
        eprintln!(
            "idle-cpu, {count} links, {seconds} s, round {round} of {}",
            plan.few_rounds()
        );
        let (cpu, start) = (cpu::of(process)?, Instant::now());
        sleep(Duration::from_secs(seconds)).await;
        let used = cpu::of(process)?.saturating_sub(cpu);
        values.push(used.as_secs_f64() / start.elapsed().as_secs_f64() * 100.0);
    }
    crowded.stop().await?;
    Ok(vec![Row {
        scenario: Scenario::IdleCpu,
        figure: SHARE,
        setting: format!("{count} links, the end that accepts"),
        ours: Series::new(VARIANT, values),
        theirs: None,
        bound: Some(Bound::AtMost(0.2)),
    }])
}
