//! Side by side over slow, far and lossy paths: ours and quinn through a proxy, alternating.
//!
//! ```text
//! cargo run --release --manifest-path benches/peers/Cargo.toml -- impair --check
//! cargo run --release --manifest-path benches/peers/Cargo.toml -- impair --quick --only 8M --only delay
//! cargo run --release --manifest-path benches/peers/Cargo.toml -- impair --virtual
//! ```

mod contender;
mod delay;
mod flows;
mod measure;
mod our_end;
mod path;
mod proxy;
mod quinn_end;
mod report;
mod rungs;
mod sharing;
mod sim;
mod wires;

use std::{path::PathBuf, time::Duration};

use anyhow::{Result, ensure};
use clap::Args;

use self::{flows::Times, report::Check};

/// How much to measure.
#[derive(Args, Debug)]
pub struct Plan {
    /// Only paths whose names begin like this (`8M`, `25M/600ms`), `delay` or `sharing`
    #[arg(long, value_name = "RUNG")]
    only: Vec<String>,
    /// Rounds of each
    #[arg(long, default_value_t = 1)]
    rounds: u64,
    /// A few seconds each, to see that it works
    #[arg(long)]
    quick: bool,
    /// A bound that is missed is an error
    #[arg(long)]
    check: bool,
    /// What gets lost follows from it
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Where `impair.md` and `impair.json` go
    #[arg(long, default_value = "target/peers")]
    out: PathBuf,
    /// In virtual time, without sockets: the same however busy the machine is
    #[arg(long = "virtual", conflicts_with = "trace")]
    in_virtual_time: bool,
    /// Write windows and round trips into this folder, ten times a second
    #[arg(long)]
    trace: Option<PathBuf>,
}

impl Plan {
    fn wants(&self, name: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|only| name.starts_with(only.as_str()))
    }

    fn times(&self, warmup: Duration, window: Duration) -> Times {
        if self.quick {
            let warmup = warmup / 2;
            let window = Duration::from_secs(5);
            return Times { warmup, window };
        }
        Times { warmup, window }
    }

    fn copies(&self, copies: u64) -> u64 {
        if self.quick { copies.min(2) } else { copies }
    }

    fn trace(&self, seed: u64) -> Option<PathBuf> {
        let folder = self.trace.as_ref()?;
        Some(folder.join(seed.to_string()))
    }
}

/// Measures, and writes the figures down; an error if a bound is missed and that matters.
pub async fn compare(plan: &Plan) -> Result<()> {
    let mut sections = Vec::new();
    sections.extend(rungs::run(plan).await?);
    sections.extend(delay::run(plan).await?);
    sections.extend(sharing::run(plan).await?);
    ensure!(
        !sections.is_empty(),
        "nothing is called {:?}: take the beginning of a path's name such as 8M, delay or sharing",
        plan.only
    );
    report::write(&sections, &plan.out)?;
    let mut checks = sections.iter().flat_map(|section| &section.checks);
    let missed = checks.by_ref().filter(|check| !Check::is_ok(check)).count();
    ensure!(
        missed == 0 || !plan.check,
        "{missed} bounds are missed: see {}",
        plan.out.join("impair.md").display()
    );
    Ok(())
}
