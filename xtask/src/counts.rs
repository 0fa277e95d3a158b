//! Instruction counts of the hot functions: `cargo xtask bench --record` writes them to `benches/counts.json`, and
//! `cargo xtask bench --check` fails when one of them has grown.
//!
//! valgrind counts, so neither the machine's speed nor what else it does matters, and two runs agree. The compiler, the
//! C library and the instructions that valgrind offers to programs do matter, and stand beside the counts. Where they
//! are others, the commit that recorded the counts is counted again, here, to compare with.

mod base;
mod environment;
mod measure;
mod table;
#[cfg(test)]
mod tests;

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result, ensure};

use self::measure::Measured;
use self::table::{Counts, compare};
use crate::shell::root;

/// Where the counts are kept, from the root of the repository.
const FILE: &str = "benches/counts.json";

/// Where callgrind's files go, in `target`.
const FILES: &str = "counts";

/// Per cent by which a count may grow.
const ALLOWED: u64 = 2;

/// Counts and writes them down.
pub(crate) fn record() -> Result<()> {
    let measured = Measured::of(root(), FILES)?;
    fs::write(file(), measured.counts.to_json()?)?;
    println!("{}", measured.counts);
    println!("wrote {FILE}; commit it with the change that it belongs to");
    Ok(())
}

/// Counts, and compares with what was written down.
pub(crate) fn check() -> Result<()> {
    let recorded = read()?;
    let now = Measured::of(root(), FILES)?;
    let others = recorded.environment.differences(&now.counts.environment);
    let before = match others.as_slice() {
        [] => recorded,
        _ => {
            println!("    {FILE} was recorded elsewhere, so its counts say nothing here:");
            others.iter().for_each(|other| println!("    - {other}"));
            let commit = base::commit(FILE)?;
            println!("    counting the commit that recorded them, {commit}, again");
            base::count(&commit)?
        }
    };
    let comparison = compare(&before.instructions, &now.counts.instructions);
    print!("{comparison}");
    for name in comparison.grown() {
        println!(
            "    callgrind_annotate {} says what `{name}` executes",
            now.profile(name).display()
        );
    }
    let faults = comparison.faults();
    ensure!(
        faults.is_empty(),
        "{}; if that has to be, `cargo xtask bench --record` writes it down",
        faults.join("; ")
    );
    Ok(())
}

fn read() -> Result<Counts> {
    let text = fs::read_to_string(file())
        .with_context(|| format!("cannot read {FILE}; `cargo xtask bench --record` makes it"))?;
    serde_json::from_str(&text)
        .with_context(|| format!("{FILE} is damaged; `cargo xtask bench --record` makes it anew"))
}

fn file() -> PathBuf {
    root().join(FILE)
}
