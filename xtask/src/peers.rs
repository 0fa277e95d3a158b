//! Our transports beside other libraries: `benches/peers`, a workspace of its own.

use std::process::Command;

use anyhow::Result;

use crate::shell::{cargo, output, root, run as sh, target_dir};

/// Runs the benchmark with these arguments.
pub(crate) fn run(arguments: &[String]) -> Result<()> {
    sh(benchmark()?.args(arguments))
}

/// The benchmark, whose results go to `peers` in the target directory unless arguments say otherwise.
fn benchmark() -> Result<Command> {
    let mut command = cargo();
    command
        .args(["run", "--release", "--manifest-path"])
        .arg(root().join("benches/peers/Cargo.toml"))
        .args(["--", "--out"])
        .arg(target_dir()?.join("peers"));
    Ok(command)
}

/// Measures these pairs, `TRANSPORT:LIBRARY=RATIO`, in alternating runs, prints their tables, and returns the line that
/// the benchmark says about each. One whose share of the library's MB/s is below its ratio is an error.
pub(crate) fn beside(pairs: &[&str]) -> Result<String> {
    let mut command = benchmark()?;
    command.arg("--check");
    for pair in pairs {
        command.args(["--pair", pair]);
    }
    let text = output(&mut command)?;
    println!("{text}");
    let mut results: Vec<&str> = text.lines().rev().take(pairs.len()).collect();
    results.reverse();
    Ok(results.join("; "))
}
