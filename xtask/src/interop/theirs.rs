//! The JavaScript peer: installing it, and letting it dial us.

use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::Value;

use super::table::{Dialer, Outcome, Table};
use super::{ECHOED, Programs, js};
use crate::endtoend::mesh::Up;
use crate::process;
use crate::shell::run as sh;

/// All of its tests together.
const LIMIT: Duration = Duration::from_secs(90);

/// Installs exactly what the lock file names, without native modules and without running anybody's scripts.
pub(super) fn install() -> Result<()> {
    sh(Command::new("npm")
        .args([
            "ci",
            "--omit=optional",
            "--ignore-scripts",
            "--no-fund",
            "--no-audit",
            "--loglevel=error",
        ])
        .current_dir(js()))
}

/// Starts our endpoint and lets the JavaScript one run its tests against it.
pub(super) fn dial_us(programs: &Programs, table: &mut Table) {
    if let Err(error) = try_dial_us(programs, table) {
        table.fail_untried(Dialer::Theirs, &format!("{error:#}"));
    }
}

fn try_dial_us(programs: &Programs, table: &mut Table) -> Result<()> {
    let up = Up::start(&programs.mesh, programs.folder.path(), "dialled-by-js")?;
    let finished = process::finish(
        Command::new("node")
            .arg(js().join("peer.js"))
            .args(["dial", "--cs", "3a", "--tests", "link,path,stream,unknown"])
            .args(["--bytes", &ECHOED.to_string()])
            .arg("--link")
            .arg(up.link_file()),
        LIMIT,
    )?;
    for line in finished.json_lines() {
        match line["event"].as_str() {
            Some("result") => {
                let test = line["test"].as_str().context("a result without a test")?;
                table.set(Dialer::Theirs, test, &outcome(&line));
            }
            Some("fatal") => table.fail_untried(Dialer::Theirs, &line["error"].to_string()),
            _ => {}
        }
    }
    table.fail_untried(Dialer::Theirs, finished.last_error_line());
    up.stop()
}

fn outcome(result: &Value) -> Outcome {
    match result["ok"].as_bool() {
        Some(true) => Outcome::Passed(result["info"].to_string()),
        _ => Outcome::Failed(result["error"].to_string()),
    }
}
