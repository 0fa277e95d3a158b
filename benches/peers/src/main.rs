//! This library beside others on this machine, on the loopback interface, in alternating runs; and
//! what many links and streams of ours cost. Ratios are the result; absolute figures drift with the
//! machine.
//!
//! ```text
//! cargo run --release --manifest-path benches/peers/Cargo.toml
//! cargo run --release --manifest-path benches/peers/Cargo.toml -- --quick
//! cargo run --release --manifest-path benches/peers/Cargo.toml -- --only stream,pings --rounds 9
//! cargo run --release --manifest-path benches/peers/Cargo.toml -- --pair tcp-cs42:libp2p=1.5 --check
//! ```

mod capped;
mod cpu;
mod crowd;
mod far;
mod figures;
mod impair;
mod iroh_peer;
mod libp2p_peer;
mod library;
mod ours;
mod pair;
mod plan;
mod plot;
mod process;
mod quinn_peer;
mod report;
mod roles;
mod scenario;
mod variant;

use anyhow::{Result, ensure};
use clap::{Parser, Subcommand};

use crate::{figures::Row, plan::Plan, roles::Role, scenario::Scenario};

#[derive(Parser)]
#[command(about = "Measures this library beside others on loopback, alternating")]
#[command(args_conflicts_with_subcommands = true)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    plan: Plan,
}

#[derive(Subcommand)]
enum Command {
    #[command(flatten)]
    Role(Role),
    /// Goodput, delay and fairness over slow, far and lossy paths, beside quinn
    Impair(impair::Plan),
}

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> Result<()> {
    let cli = Cli::parse();
    match cli.command {
        Some(Command::Role(role)) => role.play().await,
        Some(Command::Impair(plan)) => impair::compare(&plan).await,
        None => measure(&cli.plan).await,
    }
}

async fn measure(plan: &Plan) -> Result<()> {
    let mut rows: Vec<Row> = Vec::new();
    for scenario in Scenario::of(plan) {
        let measured = scenario.run(plan).await?;
        print!("{}", report::table(scenario, &measured));
        // After each: what a long run has measured is not lost if it is broken off.
        report::write(plan, scenario, &measured)?;
        rows.extend(measured);
    }
    let below = rows.iter().filter(|row| !row.is_ok()).count();
    println!(
        "\n{below} of {} figures are below their bounds",
        bounded(&rows)
    );
    for pair in &plan.pairs {
        println!("{}", pair.summary(&rows));
    }
    ensure!(!plan.check || below == 0, "a figure is below its bound");
    Ok(())
}

fn bounded(rows: &[Row]) -> usize {
    rows.iter().filter(|row| row.bound.is_some()).count()
}
