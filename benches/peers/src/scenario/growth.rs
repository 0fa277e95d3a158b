//! What a packet costs both ends of a link while ever more links and channels lie idle beside it.
//! The packets are pings: nothing else of a packet's cost is as small.

use std::any::Any;

use anyhow::Result;

use super::{
    Scenario,
    crowded::{Crowded, Initiator, VARIANT},
};
use crate::{
    cpu,
    far::{FarEnd, Processes},
    figures::{Bound, Row, Series},
    library::{self, Connection},
    plan::Plan,
};

/// Of both processes, without softirqs: the keepalives of all the other links cause some, too.
const COST: &str = "cpu-us/ping";

const FLAT: Bound = Bound::AtMost(1.2);

pub async fn run(plan: &Plan) -> Result<Vec<Row>> {
    let mut rows = links(plan).await?;
    rows.extend(channels(plan).await?);
    Ok(rows)
}

async fn links(plan: &Plan) -> Result<Vec<Row>> {
    let counts = plan.growth_links();
    let mut costs = vec![Vec::new(); counts.len() + 1];
    for round in 1..=plan.few_rounds() {
        eprintln!("growth, links, round {round} of {}", plan.few_rounds());
        let mut crowded = Crowded::start(Initiator::Crowd).await?;
        let process = crowded.process()?;
        let connection = library::named(VARIANT)?.dial(crowded.far.address()).await?;
        for (count, costs) in std::iter::once(&0).chain(counts).zip(&mut costs) {
            crowded.grow(*count).await?;
            costs.push(cost(&*connection, process, plan).await?);
        }
        connection.close().await;
        crowded.stop().await?;
    }
    Ok(rows("links", counts, costs))
}

async fn channels(plan: &Plan) -> Result<Vec<Row>> {
    let counts = plan.growth_channels();
    let mut costs = vec![Vec::new(); counts.len() + 1];
    for round in 1..=plan.rounds() {
        eprintln!("growth, channels, round {round} of {}", plan.rounds());
        let far = FarEnd::start(VARIANT, Processes::Two).await?;
        let process = far.process().unwrap_or_else(std::process::id);
        let connection = library::named(VARIANT)?.dial(far.address()).await?;
        let mut idle: Vec<Box<dyn Any + Send>> = Vec::new();
        for (count, costs) in std::iter::once(&0).chain(counts).zip(&mut costs) {
            while idle.len() < *count {
                idle.push(connection.idle_stream().await?);
            }
            costs.push(cost(&*connection, process, plan).await?);
        }
        drop(idle);
        connection.close().await;
        far.stop().await?;
    }
    Ok(rows("channels", counts, costs))
}

/// Microseconds of both processes for a ping.
async fn cost(connection: &dyn Connection, far: u32, plan: &Plan) -> Result<f64> {
    connection.pings(plan.pings() / 10).await?;
    let before = cpu::own()? + cpu::of(far)?;
    connection.pings(plan.pings()).await?;
    let used = (cpu::own()? + cpu::of(far)?).saturating_sub(before);
    Ok(used.as_secs_f64() * 1e6 / plan.pings() as f64)
}

/// A row for each number, beside none at all.
fn rows(of_what: &str, counts: &[usize], mut costs: Vec<Vec<f64>>) -> Vec<Row> {
    let none = costs.remove(0);
    let row = |(count, values)| Row {
        scenario: Scenario::Growth,
        figure: COST,
        setting: format!("{count} idle {of_what}"),
        ours: Series::new(VARIANT, values),
        theirs: Some(Series::new(format!("no idle {of_what}"), none.clone())),
        bound: Some(FLAT),
    };
    counts.iter().zip(costs).map(row).collect()
}
