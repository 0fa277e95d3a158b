//! Links one after the other, each from an endpoint and with an identity of its own.

use std::time::Instant;

use anyhow::Result;
use futures::future::join_all;

use super::{
    Scenario,
    alternate::{Comparison, Round, alternate},
};
use crate::{
    cpu::Cpu,
    far::FarEnd,
    figures::{Bound, Row},
    library::Library,
    plan::Plan,
};

const RATE: &str = "set-ups/s";
const CPU: &str = "cpu-ms/set-up";

fn comparisons() -> Vec<Comparison> {
    let bounds = [(RATE, Bound::AtLeast(2.0)), (CPU, Bound::AtMost(0.5))];
    vec![
        Comparison::new("udp-cs42", "quinn", &bounds),
        Comparison::new("udp-cs3a", "quinn", &bounds),
        Comparison::new("udp-cs42", "iroh", &[]),
        Comparison::new("tcp-cs42", "libp2p", &[]),
        Comparison::new("quic-cs42", "quinn", &[]),
    ]
}

pub async fn run(plan: &Plan) -> Result<Vec<Row>> {
    let comparisons = Comparison::of(plan, comparisons());
    let round =
        async |library: &dyn Library, far: &FarEnd| round(library, far, plan.setups()).await;
    alternate(Scenario::Setups, plan, &comparisons, round).await
}

async fn round(library: &dyn Library, far: &FarEnd, count: usize) -> Result<Round> {
    let mut connections = vec![library.dial(far.address()).await?];
    let (cpu, start) = (Cpu::now(far.process())?, Instant::now());
    for _ in 0..count {
        connections.push(library.dial(far.address()).await?);
    }
    let seconds = start.elapsed().as_secs_f64();
    let cpu = Cpu::now(far.process())?.since(cpu);
    // All at once: most of the time a library only waits for the peer's farewell.
    join_all(connections.into_iter().map(|connection| connection.close())).await;
    Ok(vec![
        (RATE, count as f64 / seconds),
        (CPU, cpu.as_secs_f64() * 1e3 / count as f64),
    ])
}
