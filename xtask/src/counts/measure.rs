//! Builds the program of the counts and has valgrind run it.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

use super::environment::Environment;
use super::table::{Counts, Instructions};
use crate::shell::{cargo, output, run as sh, target_dir};

/// The function of the program whose instructions are counted, as valgrind knows it.
const MEASURED: &str = "counts::counter::measured";

/// callgrind's files begin with this.
const OUT: &str = "out";

/// What valgrind counted.
pub(super) struct Measured {
    pub(super) counts: Counts,
    /// Its files.
    folder: PathBuf,
    /// The number of the first file of each name.
    files: BTreeMap<String, usize>,
}

impl Measured {
    /// Counts the source that is in a folder. callgrind's files stay in this folder of `target`.
    pub(super) fn of(source: &Path, files: &str) -> Result<Self> {
        let valgrind = find("valgrind").context(
            "instructions are counted by valgrind, which is not there; `apt-get install valgrind` helps on Debian",
        )?;
        sh(&mut build(source)?)?;
        let folder = target_dir()?.join(files);
        if folder.exists() {
            fs::remove_dir_all(&folder)?; // or its files would be taken for those of this run
        }
        fs::create_dir_all(&folder)?;
        let said = output(&mut under(&valgrind, &folder))?;
        let mut lines = said.lines();
        let processor = lines
            .next()
            .and_then(|line| line.strip_prefix("processor "));
        let environment = Environment::here(processor.context("the program names no processor")?)?;
        let steps = lines.map(step).collect::<Result<Vec<_>>>()?;
        ensure!(!steps.is_empty(), "the program counted nothing");
        let mut files = BTreeMap::new();
        for (at, (_, name)) in steps.iter().enumerate() {
            files.entry((*name).to_owned()).or_insert(at + 1);
        }
        let totals = (1..=steps.len()).map(|number| total(&folder, number));
        let instructions = sum(&steps, &totals.collect::<Result<Vec<_>>>()?);
        let counts = Counts {
            environment,
            instructions,
        };
        Ok(Self {
            counts,
            folder,
            files,
        })
    }

    /// callgrind's file about this count.
    pub(super) fn profile(&self, name: &str) -> PathBuf {
        let number = self.files.get(name).copied().unwrap_or_default();
        self.folder.join(format!("{OUT}.{number}"))
    }
}

/// The release profile, as everybody builds it.
fn build(source: &Path) -> Result<Command> {
    let mut command = cargo();
    command
        .current_dir(source)
        .args([
            "build",
            "--release",
            "-p",
            "telehash-benches",
            "--bin",
            "counts",
        ])
        .env("CARGO_TARGET_DIR", target_dir()?);
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if text.ends_with("RUSTFLAGS") || text.starts_with("CARGO_PROFILE_") {
            command.env_remove(&name);
        }
    }
    command.env_remove("CARGO_BUILD_TARGET");
    Ok(command)
}

/// Runs it in `folder`. Neither paths nor variables of this machine reach the program: they would move its stack.
fn under(valgrind: &Path, folder: &Path) -> Command {
    let mut command = Command::new(valgrind);
    command
        .current_dir(folder)
        .env_clear()
        .args(["--tool=callgrind", "--quiet"])
        .arg(format!("--toggle-collect={MEASURED}"))
        .arg(format!("--dump-after={MEASURED}"))
        .arg(format!("--callgrind-out-file={OUT}"))
        .arg("../release/counts");
    command
}

/// A line of the program: `64 chunks: encode`.
pub(super) fn step(line: &str) -> Result<(u64, &str)> {
    let parts = line.split_once(' ');
    let parsed = parts.and_then(|(packets, name)| Some((packets.parse().ok()?, name)));
    let (packets, name) = parsed.with_context(|| format!("not a count: {line}"))?;
    ensure!(packets > 0, "{name} was counted for no packet");
    Ok((packets, name))
}

/// The instructions in callgrind's file of this number.
fn total(folder: &Path, number: usize) -> Result<u64> {
    let file = folder.join(format!("{OUT}.{number}"));
    let text = fs::read_to_string(&file).with_context(|| {
        format!("valgrind did not count `{MEASURED}` {number} times; is that still its name?")
    })?;
    total_in(&text).with_context(|| format!("{} has no total", file.display()))
}

pub(super) fn total_in(text: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix("totals: "));
    line?.trim().parse().ok()
}

/// Instructions for each packet. Steps of the same name add up.
pub(super) fn sum(steps: &[(u64, &str)], totals: &[u64]) -> Instructions {
    let mut sums = BTreeMap::<&str, (u64, u64)>::new();
    for ((packets, name), total) in steps.iter().zip(totals) {
        let sum = sums.entry(name).or_default();
        *sum = (sum.0 + packets, sum.1 + total);
    }
    sums.into_iter()
        .map(|(name, (packets, total))| (name.to_owned(), total.div_ceil(packets)))
        .collect()
}

fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    let mut places = std::env::split_paths(&path).map(|folder| folder.join(program));
    places.find(|place| place.is_file())
}
