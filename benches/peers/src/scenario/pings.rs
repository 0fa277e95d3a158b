//! Round trips of 64 bytes on one stream.

use anyhow::Result;

use super::{
    Scenario,
    alternate::{Comparison, Round, alternate},
};
use crate::{
    far::FarEnd,
    figures::{Bound, Row, percentile},
    library::Library,
    plan::Plan,
};

const P50: &str = "ping p50 us";
const P99: &str = "ping p99 us";

fn comparisons() -> Vec<Comparison> {
    vec![
        Comparison::new(
            "udp-cs42",
            "quinn",
            &[(P50, Bound::AtMost(1.0)), (P99, Bound::AtMost(1.1))],
        ),
        Comparison::new("udp-cs42", "iroh", &[]),
        Comparison::new("tcp-cs42", "libp2p", &[]),
        Comparison::new("quic-cs42", "quinn", &[]),
    ]
}

pub async fn run(plan: &Plan) -> Result<Vec<Row>> {
    let comparisons = Comparison::of(plan, comparisons());
    let round = async |library: &dyn Library, far: &FarEnd| round(library, far, plan.pings()).await;
    alternate(Scenario::Pings, plan, &comparisons, round).await
}

async fn round(library: &dyn Library, far: &FarEnd, count: usize) -> Result<Round> {
    let connection = library.dial(far.address()).await?;
    connection.pings(count / 10).await?;
    let mut times = connection.pings(count).await?;
    times.sort_unstable();
    connection.close().await;
    Ok(vec![
        (P50, percentile(&times, 50)),
        (P99, percentile(&times, 99)),
    ])
}
