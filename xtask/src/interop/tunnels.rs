//! Tunnels of TCP: connecting, and binding with what comes back, both ways.

use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, ensure};

use super::table::{Dialer, Group, Row, Table};
use super::{ECHOED, Programs, js, outcome};
use crate::process::{self, JsonChild};

/// What one side may take.
const LIMIT: Duration = Duration::from_secs(60);

/// What the rows are called.
const LABEL: &str = "3a tunnels";

const TESTS: [&str; 2] = ["connect", "bind"];

const fn group(dialer: Dialer) -> Group<'static> {
    Group {
        dialer,
        transport: "udp4",
        sets: LABEL,
    }
}

/// Every row that there is to fill.
pub(super) fn rows() -> Vec<Row> {
    let row = |dialer, what| Row::required("telehash-js", dialer, "udp4", LABEL, what);
    let both = [Dialer::Theirs, Dialer::Ours];
    let rows = both.map(|dialer| TESTS.map(|what| row(dialer, what)));
    rows.into_iter().flatten().collect()
}

/// Fills them.
pub(super) fn tunnel(programs: &Programs, table: &mut Table) {
    if let Err(error) = they_dial(programs, table) {
        table.fail_untried(&group(Dialer::Theirs), &format!("{error:#}"));
    }
    for what in TESTS {
        let done = we_dial(programs, what);
        table.set(&group(Dialer::Ours), what, &outcome(done));
    }
}

/// They ask for tunnels of us.
fn they_dial(programs: &Programs, table: &mut Table) -> Result<()> {
    let link = programs.folder.path().join("tunnels.json");
    let mut ours = Command::new(&programs.tunnels);
    ours.arg("serve").arg(&link);
    let ours = JsonChild::start("tunnels", &mut ours)?;
    ours.expect("that it serves", LIMIT, |line| line["event"] == "ready")?;
    let mut node = Command::new("node");
    node.arg(js().join("peer.js"))
        .args(["dial", "--cs", "3a", "--tests", &TESTS.join(",")])
        .args(["--bytes", &ECHOED.to_string(), "--link"])
        .arg(&link);
    let done = process::finish(&mut node, LIMIT)?;
    for line in done.json_lines() {
        let test = line["test"].as_str().unwrap_or_default();
        let result = match line["ok"] == true {
            true => Ok(line["info"].to_string()),
            false => Err(anyhow!("{}", line["error"])),
        };
        table.set(&group(Dialer::Theirs), test, &outcome(result));
    }
    table.fail_untried(&group(Dialer::Theirs), done.last_error_line());
    Ok(())
}

/// We ask for one of theirs, each time as another endpoint.
fn we_dial(programs: &Programs, what: &str) -> Result<String> {
    let link = programs.folder.path().join(format!("js-{what}.json"));
    let mut node = Command::new("node");
    node.arg(js().join("peer.js"))
        .args(["listen", "--cs", "3a", "--link-out"])
        .arg(&link);
    let peer = JsonChild::start("telehash-js", &mut node)?;
    let ready = peer.expect("that it listens", LIMIT, |line| line["event"] == "ready")?;
    let echo = ready["tunnels"].as_u64().context("no port")?.to_string();
    let mut ours = Command::new(&programs.tunnels);
    let done = process::finish(ours.arg(what).arg(&link).arg(echo), LIMIT)?;
    ensure!(done.code == Some(0), "{}", done.last_error_line());
    Ok(done.stdout.trim().to_owned())
}
