//! Side by side on this machine: one reliable stream on the loopback interface, ours and another
//! library's, in alternating runs. Ratios are the result; absolute figures drift with the machine.
//!
//! ```text
//! cargo run --release --manifest-path benches/peers/Cargo.toml
//! cargo run --release --manifest-path benches/peers/Cargo.toml -- --pair tcp:libp2p=0.8 --rounds 3
//! TELEHASH_BENCH_CS=42 cargo run --release --manifest-path benches/peers/Cargo.toml
//! ```

mod cpu;
mod figures;
mod impair;
mod libp2p_peer;
mod library;
mod ours;
mod pair;
mod quinn_peer;
mod run;

use anyhow::Result;
use clap::{Parser, Subcommand};

use crate::run::Plan;

#[derive(Parser)]
#[command(about = "Measures this library beside others on loopback, alternating")]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    plan: Plan,
}

#[derive(Subcommand)]
enum Command {
    /// The far end of a two-process run: prints its address, ends when stdin closes
    Serve {
        /// Which library
        library: String,
    },
    /// Goodput, delay and fairness over slow, far and lossy paths, beside quinn
    Impair(impair::Plan),
}

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> Result<()> {
    let cli = Cli::parse();
    match cli.command {
        Some(Command::Serve { library }) => run::serve(&library).await,
        Some(Command::Impair(plan)) => impair::compare(&plan).await,
        None => run::compare(&cli.plan).await,
    }
}
