//! One reliable stream.

use std::time::Instant;

use anyhow::Result;

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

/// The figure that a pair's ratio is about.
pub const RATE: &str = "MB/s";

const CPU: &str = "cpu-s/GB";

fn comparisons() -> Vec<Comparison> {
    let rate = |least| (RATE, Bound::AtLeast(least));
    vec![
        Comparison::new("udp-cs42", "quinn", &[rate(1.5), (CPU, Bound::AtMost(0.7))]),
        Comparison::new("udp-cs42-1400", "quinn", &[]),
        Comparison::new("udp-cs42", "iroh", &[]),
        Comparison::new("udp-cs42-full", "quinn", &[rate(1.2)]),
        Comparison::new("udp-cs3a-full", "quinn", &[rate(1.0)]),
        Comparison::new("tcp-cs42", "libp2p", &[rate(1.5)]),
        Comparison::new("quic-cs42", "quinn", &[rate(0.6)]),
    ]
}

pub async fn run(plan: &Plan) -> Result<Vec<Row>> {
    let comparisons = Comparison::of(plan, comparisons());
    let round = async |library: &dyn Library, far: &FarEnd| round(library, far, plan.bytes()).await;
    alternate(Scenario::Stream, plan, &comparisons, round).await
}

async fn round(library: &dyn Library, far: &FarEnd, bytes: u64) -> Result<Round> {
    let connection = library.dial(far.address()).await?;
    connection.upload(bytes / 16).await?;
    let (cpu, start) = (Cpu::now(far.process())?, Instant::now());
    connection.upload(bytes).await?;
    let seconds = start.elapsed().as_secs_f64();
    let cpu = Cpu::now(far.process())?.since(cpu);
    connection.close().await;
    Ok(vec![
        (RATE, bytes as f64 / seconds / 1e6),
        (CPU, cpu.as_secs_f64() / (bytes as f64 / 1e9)),
    ])
}
