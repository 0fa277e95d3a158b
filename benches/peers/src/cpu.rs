//! Processor time: this process, its children, and the kernel's softirqs, which the system charges
//! to nobody.

use std::{fs, time::Duration};

use anyhow::{Context, Result};

/// Ticks of /proc a second (USER_HZ, the same on every Linux).
const TICKS: f64 = 100.0;

/// A point in time.
#[derive(Clone, Copy, Debug)]
pub struct Cpu {
    processes: f64,
    softirq: f64,
}

impl Cpu {
    /// Now, over this process and that of `child`.
    pub fn now(child: Option<u32>) -> Result<Self> {
        let mut processes = process_ticks("self")?;
        if let Some(child) = child {
            processes += process_ticks(&child.to_string())?;
        }
        Ok(Self {
            processes,
            softirq: softirq_ticks()?,
        })
    }

    /// Processor time since `earlier`.
    pub fn since(self, earlier: Self) -> Duration {
        let ticks = self.processes - earlier.processes + self.softirq - earlier.softirq;
        Duration::from_secs_f64(ticks.max(0.0) / TICKS)
    }
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

fn process_ticks(process: &str) -> Result<f64> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat"))?;
    // The name in parentheses may hold spaces; the fields after it are fixed.
    let (_, fields) = stat.rsplit_once(')').context("malformed stat")?;
    let mut fields = fields.split_whitespace().skip(11);
    let user: f64 = fields.next().context("no utime")?.parse()?;
    let system: f64 = fields.next().context("no stime")?.parse()?;
    Ok(user + system)
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
