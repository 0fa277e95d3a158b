//! One measurement, through a proxy or in virtual time.

use std::time::Duration;

use anyhow::Result;
use tokio::task::spawn_blocking;

use super::{
    Plan,
    contender::Contender,
    flows::{Flows, Times},
    path::Path,
    proxy::Report,
    sim,
};

/// Megabits a second of content that each of these carries over one path.
pub async fn goodput(
    plan: &Plan,
    path: Path,
    contenders: &[Contender],
    seed: u64,
    times: Times,
) -> Result<(Vec<f64>, Option<Report>)> {
    if plan.in_virtual_time {
        let contenders = contenders.to_vec();
        let run = move || sim::goodput(&path, &contenders, seed, times);
        return Ok((spawn_blocking(run).await??, None));
    }
    let flows = Flows::start(path, contenders, seed, plan.trace(seed)).await?;
    let rates = flows.goodput(times).await?;
    Ok((rates, Some(flows.close().await?)))
}

/// How long pings take beside as much as their connection can send.
pub async fn loaded_pings(
    plan: &Plan,
    path: Path,
    contender: Contender,
    seed: u64,
    times: Times,
) -> Result<(Vec<Duration>, Option<Report>)> {
    if plan.in_virtual_time {
        let run = move || sim::loaded_pings(&path, contender, seed, times);
        return Ok((spawn_blocking(run).await??, None));
    }
    let flows = Flows::start(path, &[contender], seed, plan.trace(seed)).await?;
    let pings = flows.loaded_pings(times).await?;
    Ok((pings, Some(flows.close().await?)))
}
