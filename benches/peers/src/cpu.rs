//! Processor time of processes, and of the kernel's softirqs, which the system charges to nobody.

use std::{fs, time::Duration};

use anyhow::{Context, Result};

/// Ticks of /proc a second (USER_HZ, the same on every Linux).
const TICKS: f64 = 100.0;

/// A point in time.
#[derive(Clone, Copy, Debug)]
pub struct Cpu {
    processes: Duration,
    softirq: f64,
}

impl Cpu {
    /// Now, over this process and that of `child`.
    pub fn now(child: Option<u32>) -> Result<Self> {
        let mut processes = own()?;
        if let Some(child) = child {
            processes += of(child)?;
        }
        Ok(Self {
            processes,
            softirq: softirq_ticks()?,
        })
    }

    /// Processor time since `earlier`.
    pub fn since(self, earlier: Self) -> Duration {
        let softirq = (self.softirq - earlier.softirq).max(0.0) / TICKS;
        self.processes.saturating_sub(earlier.processes) + Duration::from_secs_f64(softirq)
    }
}

/// Processor time of this process, to the nanosecond, without softirqs.
pub fn own() -> Result<Duration> {
    of(std::process::id())
}

/// Processor time of a process, to the nanosecond, without softirqs. That of threads which have
/// ended is missing; the runtimes that are measured keep theirs.
pub fn of(process: u32) -> Result<Duration> {
    let mut nanoseconds = 0;
    let threads = fs::read_dir(format!("/proc/{process}/task"))
        .with_context(|| format!("process {process} is gone"))?;
    for thread in threads {
        // It may end before it is looked at.
        let Ok(line) = fs::read_to_string(thread?.path().join("schedstat")) else {
            continue;
        };
        let first = line.split_whitespace().next().context("empty schedstat")?;
        nanoseconds += first.parse::<u64>()?;
    }
    Ok(Duration::from_nanos(nanoseconds))
}

/// Resident memory of a process, in bytes.
pub fn resident(process: u32) -> Result<u64> {
    let status = fs::read_to_string(format!("/proc/{process}/status"))?;
    let line = status
        .lines()
        .find(|line| line.starts_with("VmRSS:"))
        .context("no VmRSS")?;
    let kib: u64 = line
        .split_whitespace()
        .nth(1)
        .context("no figure")?
        .parse()?;
    Ok(kib * 1024)
}

fn softirq_ticks() -> Result<f64> {
    let stat = fs::read_to_string("/proc/stat")?;
    let total = stat.lines().next().context("empty /proc/stat")?;
    Ok(total
        .split_whitespace()
        .nth(7)
        .context("no softirq")?
        .parse()?)
}
