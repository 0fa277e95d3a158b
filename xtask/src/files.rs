//! `mesh send` and `mesh recv` as people meet them: kills, crowds of small files, full disks, closed folders, and the
//! rate beside `mesh pipe`.
//!
//! Each step has namespaces of its own for the network and for mounts: its bytes can be counted, its disks can be as
//! small as it likes, and all of it is gone with it.

mod closed;
mod full;
mod kills;
mod many;
mod rate;
mod room;

use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::Result;
use clap::Args;

use crate::report::Report;
use crate::shell;

/// How much of it.
#[derive(Args)]
pub(crate) struct Size {
    /// Bytes of the file that is sent while programs are killed
    #[arg(long, default_value_t = SHORT.bytes)]
    bytes: u64,
    /// Small files
    #[arg(long, default_value_t = SHORT.files)]
    files: usize,
    /// Rounds in which the rate is measured beside `mesh pipe`, if any; that wants a quiet machine
    #[arg(long, default_value_t = SHORT.rounds)]
    rounds: usize,
    /// Decides when programs are killed; a new one each time unless it is given
    #[arg(long)]
    seed: Option<u64>,
    /// Only the steps with this in their name
    #[arg(long)]
    only: Option<String>,
}

/// What CI has time for.
pub(crate) const SHORT: Size = Size {
    bytes: 64 << 20,
    files: 10_000,
    rounds: 0,
    seed: None,
    only: None,
};

/// All of it.
pub(crate) const LONG: Size = Size {
    bytes: 1_000_000_000,
    rounds: 9,
    ..SHORT
};

pub(crate) fn run(size: &Size) -> Result<()> {
    let program = shell::mesh_program()?;
    let mut report = Report::new("files").only(size.only.clone());
    steps(&mut report, &program, size);
    report.finish()
}

fn steps(report: &mut Report, program: &Path, size: &Size) {
    report.step("files: twenty kills", || {
        kills::run(program, size.bytes, size.seed.unwrap_or_else(any_seed))
    });
    report.step("files: many small ones", || many::run(program, size.files));
    report.step("files: the receiver's disk is full", || full::run(program));
    report.step("files: a folder that is closed to us", || {
        closed::folder(program)
    });
    report.step("files: files that are closed to us", || {
        closed::files(program)
    });
    if size.rounds > 0 {
        report.step("files: the rate beside mesh pipe", || {
            rate::run(program, size.bytes, size.rounds)
        });
    }
}

fn any_seed() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| since.as_nanos() as u64)
}
