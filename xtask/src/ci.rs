//! Everything a change has to pass besides the plain tests, which `.ci/run` runs first.

use std::process::Command;

use anyhow::Result;

use crate::report::Report;
use crate::shell::{cargo, run as sh};
use crate::{
    arrows, browser, counts, deny, endtoend, files, fuzz, interop, outside, portable, roads, shell,
    tui, vectors,
};

/// Seconds that each fuzz target gets here.
const FUZZ_SECONDS: u64 = 20;

/// Runs every step, whatever the others say, and fails if one did.
pub(crate) fn run() -> Result<()> {
    shell::use_tested_build();
    let mut report = Report::new("ci");
    report.step("format", || sh(cargo().args(["fmt", "--all", "--check"])));
    report.step("clippy", || sh(&mut clippy()));
    report.step("documentation", || sh(&mut documentation()));
    report.step("arrows", arrows::run);
    report.step("deny", || deny::run(false));
    portable::steps(&mut report);
    report.step("outside", outside::run);
    report.step("fuzz", || fuzz::run(&[], FUZZ_SECONDS));
    report.step("vectors", vectors::check);
    report.step("instruction counts", counts::check);
    report.step("interop", || interop::run(&[]));
    report.step("end to end", || endtoend::run(endtoend::SHORT_FILE));
    report.step("files", || files::run(&files::SHORT));
    report.step("browser", browser::run);
    report.step("tui", tui::run);
    roads::ROADS.steps(&mut report);
    roads::NAT.steps(&mut report);
    report.finish()
}

fn clippy() -> Command {
    let mut command = cargo();
    command.args([
        "clippy",
        "--workspace",
        "--all-targets",
        "--",
        "-D",
        "warnings",
    ]);
    command
}

fn documentation() -> Command {
    let mut command = cargo();
    command
        .args(["doc", "--workspace", "--no-deps"])
        .env("RUSTDOCFLAGS", "-D warnings");
    command
}
