//! The micro-benchmarks, as one table.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::shell::{cargo, run as sh, target_dir};

/// A benchmark's name, `group/what/bytes`, and the median of its time.
pub(crate) struct Figure {
    /// As criterion names it.
    pub(crate) name: String,
    /// Nanoseconds per packet.
    pub(crate) median: f64,
}

/// Runs all and prints the medians.
pub(crate) fn run() -> Result<()> {
    for figure in measure()? {
        println!("{:40} {:10.1} ns", figure.name, figure.median);
    }
    Ok(())
}

/// Runs all and returns the medians.
pub(crate) fn measure() -> Result<Vec<Figure>> {
    let folder = target_dir()?.join("criterion");
    if folder.exists() {
        fs::remove_dir_all(&folder)?; // or figures of benchmarks that are gone would count
    }
    sh(cargo().args(["bench", "-p", "telehash-benches", "--", "--noplot"]))?;
    let mut figures = Vec::new();
    collect(&folder, &mut figures)?;
    ensure!(
        !figures.is_empty(),
        "criterion left no figures in {}",
        folder.display()
    );
    figures.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(figures)
}

/// criterion leaves `<group>/<function>/<parameter>/new/{benchmark,estimates}.json`.
fn collect(folder: &Path, figures: &mut Vec<Figure>) -> Result<()> {
    let estimates = folder.join("new/estimates.json");
    if estimates.exists() {
        let name = read(&folder.join("new/benchmark.json"))?["full_id"]
            .as_str()
            .map(str::to_owned);
        let median = read(&estimates)?["median"]["point_estimate"].as_f64();
        figures.push(Figure {
            name: name.context("a benchmark without a name")?,
            median: median.context("a benchmark without a median")?,
        });
        return Ok(());
    }
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            collect(&path, figures)?;
        }
    }
    Ok(())
}

fn read(path: &Path) -> Result<Value> {
    let text =
        fs::read_to_string(path).with_context(|| format!("could not read {}", path.display()))?;
    Ok(serde_json::from_str(&text)?)
}
