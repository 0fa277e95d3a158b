//! Chats of two, led by either side: what one says and corrects, the other one answers; then the first one leaves.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use anyhow::{Result, ensure};

use super::table::{Dialer, Group, Row, Table};
use super::{Programs, js, outcome};
use crate::process::{self, JsonChild};

/// What one side may take.
const LIMIT: Duration = Duration::from_secs(60);

/// Who dials leads a chat and invites the other side to it, or asks to be let into that of the other side.
const TESTS: [&str; 2] = ["lead", "join"];

const SETS: &str = "3a chat";

const fn group(dialer: Dialer) -> Group<'static> {
    Group {
        dialer,
        transport: "udp4",
        sets: SETS,
    }
}

/// Every row that there is to fill.
pub(super) fn rows() -> impl Iterator<Item = Row> {
    let both = [Dialer::Theirs, Dialer::Ours].into_iter();
    let row = |dialer, what| Row::required("telehash-js", dialer, "udp4", SETS, what);
    both.flat_map(move |dialer| TESTS.into_iter().map(move |what| row(dialer, what)))
}

/// Fills them.
pub(super) fn run(programs: &Programs, table: &mut Table) {
    for what in TESTS {
        let (theirs, ours) = (they_speak(programs, what), we_speak(programs, what));
        table.set(&group(Dialer::Theirs), what, &outcome(theirs));
        table.set(&group(Dialer::Ours), what, &outcome(ours));
    }
}

/// We answer what they say. They hear our correction, which we made when their receipt had come.
fn they_speak(programs: &Programs, what: &str) -> Result<String> {
    let link = file(programs, "chat-ours", what);
    let mut ours = Command::new(&programs.chats);
    ours.arg("serve").arg(&link);
    let ours = JsonChild::start("chats", &mut ours)?;
    let ready = ours.expect("that it serves", LIMIT, |line| line["event"] == "ready")?;
    let mut node = Command::new("node");
    node.arg(js().join("peer.js"))
        .args(["dial", "--cs", "3a", "--tests", what, "--link"])
        .arg(&link)
        .args(["--chat", ready["chat"].as_str().unwrap_or_default()]);
    let done = process::finish(&mut node, LIMIT)?;
    let lines = done.json_lines();
    let result = lines.iter().find(|line| line["test"] == what);
    let result = result.map(|line| (line["ok"] == true, line));
    ensure!(
        matches!(result, Some((true, _))),
        "{}",
        result.map_or_else(
            || done.last_error_line().to_owned(),
            |(_, line)| line["error"].to_string()
        )
    );
    ours.expect("that it answered", LIMIT, |line| {
        line["event"] == "answered"
    })?;
    ours.expect("that they left", LIMIT, |line| line["event"] == "left")?;
    Ok(format!("{} ms", done.took.as_millis()))
}

/// They answer what we say.
fn we_speak(programs: &Programs, what: &str) -> Result<String> {
    let link = file(programs, "chat-js", what);
    let mut node = Command::new("node");
    node.arg(js().join("peer.js"))
        .args(["listen", "--cs", "3a", "--link-out"])
        .arg(&link);
    let peer = JsonChild::start("telehash-js", &mut node)?;
    let ready = peer.expect("that it listens", LIMIT, |line| line["event"] == "ready")?;
    let mut ours = Command::new(&programs.chats);
    ours.arg(what).arg(&link);
    if what == "join" {
        ours.arg(ready["chat"].as_str().unwrap_or_default());
    }
    let done = process::finish(&mut ours, LIMIT)?;
    ensure!(done.code == Some(0), "{}", done.last_error_line());
    ensure!(
        done.stdout == "echo:hello\n",
        "the answer was {:?}",
        done.stdout
    );
    peer.expect("that we left", LIMIT, |line| line["left"].is_string())?;
    Ok(format!("{} ms", done.took.as_millis()))
}

fn file(programs: &Programs, prefix: &str, what: &str) -> PathBuf {
    programs.folder.path().join(format!("{prefix}-{what}.json"))
}
