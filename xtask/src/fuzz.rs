//! Fuzzing for a bounded time, without cargo-fuzz.
//!
//! The targets of `fuzz/` work with `cargo fuzz run -s none TARGET` as well; building them here, with the flags that
//! it would use, needs nothing installed and works on the stable toolchain.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::thread;

use anyhow::{Context, Result, anyhow, bail, ensure};

use crate::shell::{cargo, output, root, run as sh, target_dir};

/// Coverage instrumentation as libFuzzer reads it.
const FLAGS: &str = "--cfg fuzzing -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
    -Cllvm-args=-sanitizer-coverage-trace-compares -Cdebug-assertions -Coverflow-checks -Ccodegen-units=1";

/// Targets that run at the same time.
const JOBS: usize = 2;

/// Seconds that one input may take, and mebibytes that a target may use, before that counts as a failure.
const INPUT_SECONDS: u32 = 10;
const MEMORY_MIB: u32 = 2048;

/// Fuzzes `targets`, or all when none is named, for `seconds` each. New inputs go to the target folder; a crash is
/// left in `fuzz/artifacts` and is an error.
pub(crate) fn run(targets: &[String], seconds: u64) -> Result<()> {
    let all = targets_of_package()?;
    if let Some(unknown) = targets.iter().find(|target| !all.contains(target)) {
        bail!(
            "there is no fuzz target `{unknown}`, only {}",
            all.join(", ")
        );
    }
    let chosen = if targets.is_empty() {
        all
    } else {
        targets.to_vec()
    };
    let programs = build()?;
    let queue = Mutex::new(chosen.into_iter());
    let results: Vec<Result<()>> = thread::scope(|scope| {
        let workers: Vec<_> = (0..JOBS)
            .map(|_| scope.spawn(|| work(&queue, &programs, seconds)))
            .collect();
        workers
            .into_iter()
            .map(|worker| {
                worker
                    .join()
                    .unwrap_or_else(|_| Err(anyhow!("a worker panicked")))
            })
            .collect()
    });
    results.into_iter().collect()
}

fn work(queue: &Mutex<std::vec::IntoIter<String>>, programs: &Path, seconds: u64) -> Result<()> {
    let mut result = Ok(());
    loop {
        let next = queue
            .lock()
            .map_err(|_| anyhow!("the other worker panicked"))?
            .next();
        let Some(target) = next else { return result };
        match fuzz(&target, programs, seconds) {
            Ok(line) => println!("    {target}: {line}"),
            Err(error) => {
                println!("    {target}: {error:#}");
                result = result.and(Err(error));
            }
        }
    }
}

/// Builds all targets and returns their folder.
fn build() -> Result<PathBuf> {
    let host = host()?;
    let target = target_dir()?.join("fuzz");
    sh(cargo()
        .args([
            "build",
            "--release",
            "--bins",
            "--manifest-path",
            "fuzz/Cargo.toml",
            "--target",
            &host,
        ])
        .env("CARGO_TARGET_DIR", &target)
        .env("RUSTFLAGS", FLAGS))?;
    Ok(target.join(host).join("release"))
}

/// Fuzzes one target and returns libFuzzer's closing line.
fn fuzz(target: &str, programs: &Path, seconds: u64) -> Result<String> {
    let found = target_dir()?.join("fuzz/corpus").join(target);
    let artifacts = root().join("fuzz/artifacts").join(target);
    fs::create_dir_all(&found)?;
    fs::create_dir_all(&artifacts)?;
    let output = Command::new(programs.join(target))
        .arg(&found)
        .arg(root().join("fuzz/corpus").join(target))
        .arg(format!("-max_total_time={seconds}"))
        .arg(format!("-timeout={INPUT_SECONDS}"))
        .arg(format!("-rss_limit_mb={MEMORY_MIB}"))
        .arg(format!("-artifact_prefix={}/", artifacts.display()))
        .output()
        .with_context(|| format!("could not start the fuzz target `{target}`"))?;
    let log = String::from_utf8_lossy(&output.stderr);
    ensure!(
        output.status.success(),
        "a failing input is in {}\n{log}",
        artifacts.display()
    );
    let done = log
        .lines()
        .rev()
        .find(|line| line.starts_with("Done "))
        .unwrap_or("done");
    Ok(done.to_owned())
}

/// The names of the targets, from the files that hold them.
fn targets_of_package() -> Result<Vec<String>> {
    let mut targets: Vec<String> = fs::read_dir(root().join("fuzz/targets"))?
        .filter_map(|entry| {
            Some(
                entry
                    .ok()?
                    .path()
                    .file_stem()?
                    .to_string_lossy()
                    .into_owned(),
            )
        })
        .collect();
    targets.sort();
    Ok(targets)
}

/// The triple of this machine; naming it keeps build scripts and macros uninstrumented.
fn host() -> Result<String> {
    let version = output(Command::new("rustc").arg("-vV"))?;
    let host = version.lines().find_map(|line| line.strip_prefix("host: "));
    Ok(host.context("rustc names no host")?.to_owned())
}
