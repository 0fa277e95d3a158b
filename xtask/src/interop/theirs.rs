//! The JavaScript peer: installing it, and letting it dial us.

use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::table::{Dialer, Group, Outcome, Table};
use super::{Case, ECHOED, Programs, js};
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
pub(super) fn dial_us(programs: &Programs, case: &Case, table: &mut Table) {
    if let Err(error) = try_dial_us(programs, case, table) {
        let label = case.label();
        table.fail_untried(&group(case, &label), &format!("{error:#}"));
    }
}

fn group<'a>(case: &Case, sets: &'a str) -> Group<'a> {
    Group {
        dialer: Dialer::Theirs,
        transport: case.transport,
        sets,
    }
}

fn try_dial_us(programs: &Programs, case: &Case, table: &mut Table) -> Result<()> {
    let label = case.label();
    let group = group(case, &label);
    let identity = case.identity(programs, "dialled-by-js")?;
    let name = case.name("dialled-by-js");
    let folder = programs.folder.path();
    let up = Up::start_on(&programs.mesh, folder, &name, &identity, &case.listening())?;
    let finished = process::finish(
        Command::new("node")
            .arg(js().join("peer.js"))
            .args(["dial", "--transport", case.transport, "--cs", case.theirs])
            .args(["--tests", &case.asked_of_js()])
            .args(["--bytes", &ECHOED.to_string()])
            .arg("--link")
            .arg(up.link_file()),
        LIMIT,
    )?;
    for line in finished.json_lines() {
        match line["event"].as_str() {
            Some("result") => {
                let test = line["test"].as_str().context("a result without a test")?;
                table.set(&group, test, &outcome(case, &line));
            }
            Some("fatal") => {
                table.fail_untried(&group, &line["error"].to_string());
            }
            _ => {}
        }
    }
    if case.tests.contains(&"identity") {
        let loaded = load_ours(programs, case, &up);
        table.set(&group, "identity", &super::outcome(loaded));
    }
    table.fail_untried(&group, finished.last_error_line());
    up.stop()
}

/// The JavaScript peer takes an identity file that our program made, and links with it.
fn load_ours(programs: &Programs, case: &Case, up: &Up) -> Result<String> {
    let file = case.identity(programs, "for-js")?;
    let finished = process::finish(
        Command::new("node")
            .arg(js().join("peer.js"))
            .args(["dial", "--tests", "link", "--identity"])
            .arg(&file)
            .arg("--link")
            .arg(up.link_file()),
        LIMIT,
    )?;
    let identity: Value = serde_json::from_slice(&std::fs::read(&file)?)?;
    let hashname = identity["hashname"].as_str().context("no hashname")?;
    let lines = finished.json_lines();
    let linked = lines
        .iter()
        .any(|line| line["test"] == "link" && line["ok"] == true);
    ensure!(linked, "{}", finished.last_error_line());
    up.expect_link(hashname)?;
    Ok(format!("{}…", &hashname[..8]))
}

fn outcome(case: &Case, result: &Value) -> Outcome {
    let csid = &result["info"]["csid"];
    match result["ok"].as_bool() {
        Some(true) if result["test"] == "link" && *csid != case.agreed => {
            Outcome::Failed(format!("they agreed on {csid}, not on {}", case.agreed))
        }
        Some(true) => Outcome::Passed(result["info"].to_string()),
        _ => Outcome::Failed(result["error"].to_string()),
    }
}
