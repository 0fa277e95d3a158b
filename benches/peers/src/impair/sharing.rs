//! Two connections share a bottleneck.

use std::time::Duration;

use anyhow::{Result, bail};
use futures::future::try_join_all;
use serde_json::json;

use super::{
    Plan,
    contender::{Contender, Kind},
    measure,
    path::Path,
    proxy::Report,
    report::{Check, Section, mean, median},
};

/// Before a queue of two round trips.
const PATH: Path = Path {
    queue: 2,
    ..Path::new(20_000, 40, 0.0)
};

/// What [`Plan::only`] calls it.
const NAME: &str = "sharing";

/// Runs of a pair at the same time.
const COPIES: u64 = 3;

/// What the larger share of two of ours may be, and of one of ours and one of quinn's.
const ALIKE: f64 = 0.6;
const UNLIKE: f64 = 0.7;

/// Who shares with whom, and what the larger share may be, if anything is asked of it.
const PAIRS: [([Contender; 2], Option<f64>); 5] = [
    ([Contender::Ours(Kind::Cubic); 2], Some(ALIKE)),
    ([Contender::Ours(Kind::Bbr); 2], Some(ALIKE)),
    (
        [Contender::Ours(Kind::Cubic), Contender::Quinn(Kind::Cubic)],
        Some(UNLIKE),
    ),
    (
        [Contender::Ours(Kind::Bbr), Contender::Quinn(Kind::Cubic)],
        Some(UNLIKE),
    ),
    ([Contender::Quinn(Kind::Cubic); 2], None),
];

/// Measures it, if it is wanted.
pub async fn run(plan: &Plan) -> Result<Option<Section>> {
    if !plan.wants(NAME) {
        return Ok(None);
    }
    let title = format!("Shares of a bottleneck ({PATH}, a queue of two round trips)");
    let mut section = Section::new(
        &title,
        &["", "first, Mbit/s", "second, Mbit/s", "larger share"],
    );
    for (pair, bound) in PAIRS {
        let name = format!("{} beside {}", pair[0], pair[1]);
        let mut rates: [Vec<f64>; 2] = Default::default();
        let mut shares = Vec::new();
        for round in 0..plan.rounds {
            let copies = plan.copies(COPIES);
            let seeds = (0..copies).map(|copy| plan.seed + round * copies + copy);
            let runs = try_join_all(seeds.map(|seed| one(plan, pair, seed))).await?;
            let of = |n: usize| runs.iter().map(|(rates, _)| rates[n]).collect::<Vec<f64>>();
            rates[0].extend(of(0));
            rates[1].extend(of(1));
            let larger = |([one, other], _): &([f64; 2], _)| one.max(*other) / (one + other);
            shares.push(mean(&runs.iter().map(larger).collect::<Vec<f64>>()));
            let reports = runs.into_iter().filter_map(|(_, report)| report);
            let named = reports.map(|report| (name.clone(), report));
            section.proxies.extend(named);
        }
        let share = median(&shares)?;
        let [first, second] = rates.each_ref().map(|rates| mean(rates));
        eprintln!("{NAME}: {name}: {first:.2} and {second:.2} Mbit/s, larger share {share:.2}");
        section.rows.push(vec![
            name.clone(),
            format!("{first:.2}"),
            format!("{second:.2}"),
            format!("{share:.2}"),
        ]);
        section
            .figures
            .push(json!({"pair": name, "mbit_s": rates, "larger_share": shares}));
        if let Some(bound) = bound {
            let name = format!("larger share of {name}");
            section.checks.push(Check::at_most(name, share, bound));
        }
    }
    Ok(Some(section))
}

async fn one(plan: &Plan, pair: [Contender; 2], seed: u64) -> Result<([f64; 2], Option<Report>)> {
    let times = plan.times(Duration::from_secs(5), Duration::from_secs(30));
    let (rates, report) = measure::goodput(plan, PATH, &pair, seed, times).await?;
    match rates[..] {
        [one, other] => Ok(([one, other], report)),
        _ => bail!("two flows have two rates"),
    }
}
