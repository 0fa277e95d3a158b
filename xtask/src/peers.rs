//! Our transports beside other libraries: `benches/peers`, a workspace of its own.

use anyhow::Result;

use crate::shell::{cargo, output, root};

/// Measures these pairs, `TRANSPORT:LIBRARY=RATIO`, in alternating runs, prints their tables, and returns the line that
/// the benchmark says about each. One whose share of the library's MB/s is below its ratio is an error.
pub(crate) fn beside(pairs: &[&str]) -> Result<String> {
    let manifest = root().join("benches/peers/Cargo.toml");
    let mut command = cargo();
    command
        .args(["run", "--release", "--manifest-path"])
        .arg(manifest)
        .arg("--");
    for pair in pairs {
        command.args(["--pair", pair]);
    }
    let text = output(&mut command)?;
    println!("{text}");
    let mut results: Vec<&str> = text.lines().rev().take(pairs.len()).collect();
    results.reverse();
    Ok(results.join("; "))
}
