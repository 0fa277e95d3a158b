//! The alternating runs, in one process and in two.

use std::{process::Stdio, time::Instant};

use anyhow::{Context, Result, ensure};
use clap::Args;
use futures::future::join_all;
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, BufReader},
    process::{Child, Command},
};

use crate::{
    cpu::{self, Cpu},
    figures::{self, Figures, Summary},
    library::{self, Connection, Library},
    pair::Pair,
};

/// How much to measure.
#[derive(Args)]
pub struct Plan {
    /// What to compare, TRANSPORT:LIBRARY, with `=RATIO` if we have to reach at least that share of
    /// the library's MB/s
    #[arg(long = "pair", default_values = ["udp:quinn", "tcp:libp2p", "quic:quinn"])]
    pairs: Vec<Pair>,
    /// Alternating rounds
    #[arg(long, default_value_t = 7)]
    rounds: usize,
    /// MiB one way on one stream
    #[arg(long, default_value_t = 256)]
    mib: u64,
    /// 64-byte round trips a round
    #[arg(long, default_value_t = 2000)]
    pings: usize,
    /// Connections set up one after the other, a round
    #[arg(long, default_value_t = 200)]
    setups: usize,
    /// Idle connections that are weighed
    #[arg(long, default_value_t = 300)]
    idle: usize,
}

/// Runs the comparisons and prints their tables; an error if a ratio is below its bound.
pub async fn compare(plan: &Plan) -> Result<()> {
    let mut results = Vec::new();
    for pair in &plan.pairs {
        results.push(pair.judge(compare_pair(pair, plan).await?));
    }
    println!();
    for (line, _) in &results {
        println!("{line}");
    }
    ensure!(
        results.iter().all(|(_, passed)| *passed),
        "a ratio is below its bound"
    );
    Ok(())
}

/// Prints the tables of one pair and returns the ratios of MB/s in one process and in two.
async fn compare_pair(pair: &Pair, plan: &Plan) -> Result<[f64; 2]> {
    let mut ratios = [0.0; 2];
    for (ratio, title) in ratios.iter_mut().zip(["one process", "two processes"]) {
        let (theirs, ours) = (pair.theirs(), pair.ours());
        let mut figures = [Figures::default(), Figures::default()];
        for round in 0..plan.rounds {
            for (name, figures) in [theirs, ours].into_iter().zip(&mut figures) {
                eprintln!("{title}: round {} of {}: {name}", round + 1, plan.rounds);
                let library = library::named(name)?;
                measure(&*library, plan, title == "two processes", figures).await?;
            }
        }
        print(title, pair, &figures);
        let [theirs, ours] = &figures;
        *ratio = figures::ratio(&ours.megabytes_per_second, &theirs.megabytes_per_second)
            .context("no rounds")?;
    }
    Ok(ratios)
}

/// The far end of a two-process run.
pub async fn serve(name: &str) -> Result<()> {
    let server = library::named(name)?.serve().await?;
    println!("{}", server.address());
    tokio::io::stdin().read_to_end(&mut Vec::new()).await?;
    Ok(())
}

async fn measure(
    library: &dyn Library,
    plan: &Plan,
    two_processes: bool,
    figures: &mut Figures,
) -> Result<()> {
    let (mut child, server, address);
    if two_processes {
        let (process, line) = far_end(library.name()).await?;
        (child, server, address) = (Some(process), None, line);
    } else {
        let here = library.serve().await?;
        address = here.address();
        (child, server) = (None, Some(here));
    }
    let far = child.as_ref().and_then(Child::id);

    throughput(library, &address, plan, far, figures).await?;
    setups(library, &address, plan, figures).await?;
    idle(library, &address, plan, far, figures).await?;

    if let Some(child) = &mut child {
        drop(child.stdin.take());
        child.wait().await?;
    }
    drop(server);
    Ok(())
}

async fn throughput(
    library: &dyn Library,
    address: &str,
    plan: &Plan,
    far: Option<u32>,
    figures: &mut Figures,
) -> Result<()> {
    let connection = library.dial(address).await?;
    let bytes = plan.mib << 20;
    connection.upload(bytes / 16).await?;
    let (cpu, start) = (Cpu::now(far)?, Instant::now());
    connection.upload(bytes).await?;
    let (seconds, cpu) = (start.elapsed().as_secs_f64(), Cpu::now(far)?.since(cpu));
    figures
        .megabytes_per_second
        .push(bytes as f64 / seconds / 1e6);
    figures
        .cpu_seconds_per_gigabyte
        .push(cpu.as_secs_f64() / (bytes as f64 / 1e9));
    connection.pings(plan.pings / 10).await?;
    figures.add_pings(connection.pings(plan.pings).await?);
    connection.close().await;
    Ok(())
}

async fn setups(
    library: &dyn Library,
    address: &str,
    plan: &Plan,
    figures: &mut Figures,
) -> Result<()> {
    let mut connections = Vec::with_capacity(plan.setups);
    let start = Instant::now();
    for _ in 0..plan.setups {
        connections.push(library.dial(address).await?);
    }
    figures
        .setups_per_second
        .push(plan.setups as f64 / start.elapsed().as_secs_f64());
    close(connections).await;
    Ok(())
}

async fn idle(
    library: &dyn Library,
    address: &str,
    plan: &Plan,
    far: Option<u32>,
    figures: &mut Figures,
) -> Result<()> {
    // Only the far end is weighed: there all connections share one endpoint, here each has its own.
    let Some(far) = far else { return Ok(()) };
    // What the allocator keeps from earlier runs would hide the first connections.
    let mut connections: Vec<Box<dyn Connection>> = Vec::new();
    for _ in 0..plan.idle / 10 {
        connections.push(library.dial(address).await?);
    }
    let before = cpu::resident(far)?;
    for _ in 0..plan.idle {
        connections.push(library.dial(address).await?);
    }
    let grown = cpu::resident(far)?.saturating_sub(before);
    figures
        .kib_per_idle_link
        .push(grown as f64 / 1024.0 / plan.idle as f64);
    close(connections).await;
    Ok(())
}

/// All at once: most of the time a library only waits for the peer's farewell.
async fn close(connections: Vec<Box<dyn Connection>>) {
    join_all(connections.into_iter().map(|connection| connection.close())).await;
}

async fn far_end(name: &str) -> Result<(Child, String)> {
    let mut child = Command::new(std::env::current_exe()?)
        .args(["serve", name])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()?;
    let stdout = child.stdout.take().context("stdout was piped")?;
    let line = BufReader::new(stdout).lines().next_line().await?;
    Ok((child, line.context("the far end said no address")?))
}

fn print(title: &str, pair: &Pair, [theirs, ours]: &[Figures; 2]) {
    println!(
        "\n{title}: median (range) of {} rounds, and the median of the rounds' ratios",
        theirs.megabytes_per_second.len()
    );
    println!(
        "{:<26} {:>28} {:>28} {:>8}",
        "",
        pair.theirs(),
        format!("telehash over {}", pair.ours()),
        "ratio"
    );
    for ((name, theirs), (_, ours)) in theirs.rows().into_iter().zip(ours.rows()) {
        if let (Some(left), Some(right), Some(ratio)) = (
            Summary::of(theirs),
            Summary::of(ours),
            figures::ratio(ours, theirs),
        ) {
            println!(
                "{name:<26} {:>28} {:>28} {ratio:>7.2}x",
                left.to_string(),
                right.to_string()
            );
        }
    }
}
