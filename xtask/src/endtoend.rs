//! The `mesh` program as people use it: processes, real sockets, real files.

mod bad_input;
mod demo;
mod files;
pub(crate) mod mesh;

use std::path::Path;

use anyhow::Result;

use crate::report::Report;
use crate::shell;

pub(crate) use bad_input::check as bad_input;
pub(crate) use demo::check as demo;
pub(crate) use files::{clean, lossy};

/// Bytes of the file that CI pipes through.
pub(crate) const SHORT_FILE: u64 = 16 << 20;

/// Runs every step, with a file of `bytes`.
pub(crate) fn run(bytes: u64) -> Result<()> {
    let program = shell::mesh_program()?;
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("file");
    mesh::write_pattern(&file, bytes)?;
    let mut report = Report::new("endtoend");
    steps(&mut report, &program, &file);
    report.finish()
}

fn steps(report: &mut Report, program: &Path, file: &Path) {
    report.step("demo", || demo(program));
    report.step("commands in a row", || files::in_a_row(program));
    report.step("a file through two processes", || clean(program, file));
    report.step("a file at 5 % loss with reordering", || {
        lossy(program, file)
    });
    bad_input(report, program);
}
