//! What a stream that sends all it can adds to the round trips of another one of its connection.

use std::time::Duration;

use anyhow::Result;
use serde_json::json;

use super::{
    Plan,
    contender::Contender,
    measure,
    path::Path,
    report::{Check, Section, median},
};

/// Before a queue of two round trips.
const PATH: Path = Path {
    queue: 2,
    ..Path::new(20_000, 40, 0.0)
};

/// What [`Plan::only`] calls it.
const NAME: &str = "delay";

/// What ours may add of what quinn adds with a controller of the same name.
const MOST: f64 = 1.5;

/// Added milliseconds, of half and of 95 of a hundred pings, a value a round.
type Added = [(Vec<f64>, Vec<f64>); 4];

/// Measures it, if it is wanted.
pub async fn run(plan: &Plan) -> Result<Option<Section>> {
    if !plan.wants(NAME) {
        return Ok(None);
    }
    let title = format!("Added delay under load, ms ({PATH}, a queue of two round trips)");
    let mut section = Section::new(&title, &["", "half of the pings", "95 of 100"]);
    let times = plan.times(Duration::from_secs(5), Duration::from_secs(20));
    let mut added = Added::default();
    for round in 0..plan.rounds {
        for (contender, (half, most)) in Contender::ALL.into_iter().zip(&mut added) {
            let seed = plan.seed + round;
            let run = measure::loaded_pings(plan, PATH, contender, seed, times);
            let (mut pings, report) = run.await?;
            let report = report.map(|report| (format!("{NAME}, {contender}"), report));
            section.proxies.extend(report);
            pings.sort_unstable();
            let at = |percent: usize| {
                let ping = pings
                    .get(pings.len() * percent / 100)
                    .copied()
                    .unwrap_or_default();
                ping.saturating_sub(PATH.rtt()).as_secs_f64() * 1e3
            };
            half.push(at(50));
            most.push(at(95));
            eprintln!("{NAME}: {contender}: {:.1} ms, {:.1} ms", at(50), at(95));
        }
    }
    for (contender, (half, most)) in Contender::ALL.into_iter().zip(&added) {
        section.rows.push(vec![
            contender.to_string(),
            format!("{:.1}", median(half)?),
            format!("{:.1}", median(most)?),
        ]);
        let name = contender.to_string();
        section
            .figures
            .push(json!({"contender": name, "p50_ms": half, "p95_ms": most}));
    }
    let [quinn_cubic, our_cubic, quinn_bbr, our_bbr] = &added;
    for (name, ours, theirs) in [
        ("CUBIC, half of the pings", &our_cubic.0, &quinn_cubic.0),
        ("CUBIC, 95 of 100", &our_cubic.1, &quinn_cubic.1),
        ("BBR, half of the pings", &our_bbr.0, &quinn_bbr.0),
        ("BBR, 95 of 100", &our_bbr.1, &quinn_bbr.1),
    ] {
        let ratios: Vec<f64> = ours
            .iter()
            .zip(theirs)
            .map(|(ours, theirs)| ours / theirs)
            .collect();
        let name = format!("added by ours by that of quinn, {name}");
        section
            .checks
            .push(Check::at_most(name, median(&ratios)?, MOST));
    }
    Ok(Some(section))
}
