//! Goodput on eight paths, from a good line to a bad one.

use std::time::Duration;

use anyhow::Result;
use futures::future::try_join_all;
use serde_json::json;

use super::{
    Plan,
    contender::Contender,
    flows::Times,
    measure,
    path::Path,
    proxy::Report,
    report::{Check, Section, mean, median},
};

/// Ours with CUBIC has to carry at least this of what quinn carries with it.
const LEAST: f64 = 0.9;

/// On so many of the paths ours has to be ahead, each with its better controller.
const AHEAD: usize = 6;

/// A path, and how to measure it.
struct Rung {
    path: Path,
    /// Runs at the same time, each with chances of its own, of which the mean is taken: the fewer
    /// packets a path carries the more their fate is chance.
    copies: u64,
    window_secs: u64,
}

/// Those of a group run at the same time.
const GROUPS: [&[Rung]; 3] = [
    &[Rung::new(Path::new(100_000, 16, 0.1), 1, 20)],
    &[
        Rung::new(Path::new(25_000, 40, 1.0), 2, 20),
        Rung::new(Path::new(25_000, 600, 1.5), 2, 20),
    ],
    &[
        Rung::new(Path::new(8_000, 90, 2.0), 4, 30),
        Rung::new(Path::new(3_000, 200, 3.0), 8, 30),
        Rung::new(Path::new(1_500, 300, 5.0), 8, 30),
        Rung::new(Path::new(800, 450, 8.0), 12, 30),
        Rung::new(Path::new(500, 450, 12.0), 16, 30),
    ],
];

/// Megabits a second of each contender, a value a round.
type Rates = [Vec<f64>; 4];

impl Rung {
    const fn new(path: Path, copies: u64, window_secs: u64) -> Self {
        Self {
            path,
            copies,
            window_secs,
        }
    }

    fn times(&self, plan: &Plan) -> Times {
        // Twenty round trips, so that slow start is over wherever it is worth anything.
        let warmup = (20 * self.path.rtt()).max(Duration::from_secs(5));
        plan.times(warmup, Duration::from_secs(self.window_secs))
    }
}

/// Measures them; nothing if none is wanted.
pub async fn run(plan: &Plan) -> Result<Option<Section>> {
    let mut results = Vec::new();
    for group in GROUPS {
        let group: Vec<&Rung> = group
            .iter()
            .filter(|rung| plan.wants(&rung.path.to_string()))
            .collect();
        results.extend(try_join_all(group.iter().map(|rung| alternate(plan, rung))).await?);
    }
    if results.is_empty() {
        return Ok(None);
    }
    let mut section = Section::new(
        "Goodput on lossy paths, Mbit/s",
        &[
            "path",
            "quinn CUBIC",
            "ours CUBIC",
            "ratio",
            "quinn BBR",
            "ours BBR",
            "ratio of the better",
        ],
    );
    let mut ahead = 0;
    let all = results.len() == GROUPS.iter().map(|group| group.len()).sum::<usize>();
    for (path, rates, proxies) in results {
        ahead += usize::from(add(&mut section, &path, &rates)?);
        section.proxies.extend(proxies);
    }
    if all {
        let name = "paths on which ours is ahead, each with its better controller";
        section
            .checks
            .push(Check::at_least(name, ahead as f64, AHEAD as f64));
    }
    Ok(Some(section))
}

/// Adds a row; whether ours is ahead.
fn add(section: &mut Section, path: &Path, rates: &Rates) -> Result<bool> {
    let ratios = |ours: &[f64], theirs: &[f64]| {
        let ratios: Vec<f64> = ours
            .iter()
            .zip(theirs)
            .map(|(ours, theirs)| ours / theirs)
            .collect();
        median(&ratios)
    };
    let better = |one: &[f64], other: &[f64]| -> Vec<f64> {
        one.iter()
            .zip(other)
            .map(|(one, other)| one.max(*other))
            .collect()
    };
    let [quinn_cubic, our_cubic, quinn_bbr, our_bbr] = rates;
    let cubic = ratios(our_cubic, quinn_cubic)?;
    let best = ratios(&better(our_cubic, our_bbr), &better(quinn_cubic, quinn_bbr))?;
    let rate = |rates: &[f64]| Ok::<_, anyhow::Error>(format!("{:.3}", median(rates)?));
    section.rows.push(vec![
        path.to_string(),
        rate(quinn_cubic)?,
        rate(our_cubic)?,
        format!("{cubic:.2}"),
        rate(quinn_bbr)?,
        rate(our_bbr)?,
        format!("{best:.2}"),
    ]);
    section.figures.push(json!({
        "path": path.to_string(),
        "mbit_s": {
            "quinn CUBIC": quinn_cubic, "ours CUBIC": our_cubic, "quinn BBR": quinn_bbr, "ours BBR": our_bbr,
        },
        "ratio_cubic": cubic,
        "ratio_better": best,
    }));
    section.checks.push(Check::at_least(
        format!("{path}: ours by quinn, both with CUBIC"),
        cubic,
        LEAST,
    ));
    Ok(best > 1.0)
}

/// One after the other, in every round.
async fn alternate(plan: &Plan, rung: &Rung) -> Result<(Path, Rates, Vec<(String, Report)>)> {
    let (mut rates, mut proxies) = (Rates::default(), Vec::new());
    let copies = plan.copies(rung.copies);
    for round in 0..plan.rounds {
        for (contender, rates) in Contender::ALL.into_iter().zip(&mut rates) {
            let seeds = (0..copies).map(|copy| plan.seed + round * copies + copy);
            let runs = try_join_all(seeds.map(|seed| one(plan, rung, contender, seed))).await?;
            let run: Vec<f64> = runs.iter().map(|(rate, _)| *rate).collect();
            eprintln!("{}: {contender}: {:.3} Mbit/s", rung.path, mean(&run));
            rates.push(mean(&run));
            let reports = runs.into_iter().filter_map(|(_, report)| report);
            proxies.extend(reports.map(|report| (format!("{}, {contender}", rung.path), report)));
        }
    }
    Ok((rung.path, rates, proxies))
}

async fn one(
    plan: &Plan,
    rung: &Rung,
    contender: Contender,
    seed: u64,
) -> Result<(f64, Option<Report>)> {
    let times = rung.times(plan);
    let (rates, report) = measure::goodput(plan, rung.path, &[contender], seed, times).await?;
    Ok((rates.iter().sum(), report))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ratios_are_of_rounds_and_the_better_controller_counts() {
        let mut section = Section::default();
        let path = Path::new(8_000, 90, 2.0);
        let rates = [
            vec![1.0, 2.0, 4.0],
            vec![0.8, 1.0, 4.0],
            vec![0.5, 0.5, 0.5],
            vec![3.0; 3],
        ];
        assert!(add(&mut section, &path, &rates).expect("there are rounds"));
        assert_eq!(section.checks[0].value, 0.8);
        assert_eq!(section.rows[0][6], "1.50");
        assert!(!section.checks[0].is_ok());
    }
}
