//! Channels that programs use: tunnels of TCP and HTTP, both ways.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Result, anyhow, ensure};
use serde_json::Value;

use super::table::{Dialer, Group, Row, Table};
use super::{ECHOED, Programs, js, outcome};
use crate::process::{self, JsonChild};

/// What one side may take.
const LIMIT: Duration = Duration::from_secs(60);

/// Lines of a large response, 289 kB, and of a request of 15 kB.
const LARGE: u32 = 50_000;
const POSTED: u32 = 3222;

/// A type of channel, and what is tried with it.
pub(super) struct Suite {
    label: &'static str,
    /// Our program: it serves, and it does each of these.
    program: fn(&Programs) -> &Path,
    tests: &'static [&'static str],
    /// What our program is given for one of them, and what it prints then.
    asked: fn(&str, &Value) -> (Vec<String>, String),
}

/// Tunnels: connecting, binding a port, and accepting what comes to it.
pub(super) const SOCK: Suite = Suite {
    label: "3a sock",
    program: |programs| &programs.tunnels,
    tests: &["connect", "bind", "accept"],
    asked: |what, ready| match what {
        "bind" => (Vec::new(), "bound\n".to_owned()),
        // Where the echo is.
        _ => (
            vec![ready["tunnels"].to_string()],
            format!("{ECHOED} bytes\n"),
        ),
    },
};

/// Requests, of which one has a large response and one a large body.
pub(super) const THTP: Suite = Suite {
    label: "3a thtp",
    program: |programs| &programs.requests,
    tests: &["get", "large", "post"],
    asked: |what, _| match what {
        "get" => (vec!["/numbers/3".to_owned()], numbers(3)),
        "large" => (vec![format!("/numbers/{LARGE}")], numbers(LARGE)),
        _ => (vec!["/echo".to_owned(), numbers(POSTED)], numbers(POSTED)),
    },
};

/// As many lines, each with its number.
fn numbers(count: u32) -> String {
    (0..count).map(|number| format!("{number}\n")).collect()
}

impl Suite {
    const fn group(&self, dialer: Dialer) -> Group<'static> {
        Group {
            dialer,
            transport: "udp4",
            sets: self.label,
        }
    }

    /// Every row that there is to fill.
    pub(super) fn rows(&self) -> impl Iterator<Item = Row> {
        let both = [Dialer::Theirs, Dialer::Ours].into_iter();
        both.flat_map(move |dialer| {
            let row = move |what| Row::required("telehash-js", dialer, "udp4", self.label, what);
            self.tests.iter().copied().map(row)
        })
    }

    /// Fills them.
    pub(super) fn run(&self, programs: &Programs, table: &mut Table) {
        if let Err(error) = self.they_ask(programs, table) {
            table.fail_untried(&self.group(Dialer::Theirs), &format!("{error:#}"));
        }
        for what in self.tests {
            let done = self.we_ask(programs, what);
            table.set(&self.group(Dialer::Ours), what, &outcome(done));
        }
    }

    /// We serve, and they do all.
    fn they_ask(&self, programs: &Programs, table: &mut Table) -> Result<()> {
        let link = programs.folder.path().join(format!("{}.json", self.label));
        let mut ours = Command::new((self.program)(programs));
        ours.arg("serve").arg(&link);
        let ours = JsonChild::start(self.label, &mut ours)?;
        ours.expect("that it serves", LIMIT, |line| line["event"] == "ready")?;
        let mut node = Command::new("node");
        node.arg(js().join("peer.js"))
            .args(["dial", "--cs", "3a", "--tests", &self.tests.join(",")])
            .args(["--bytes", &ECHOED.to_string(), "--link"])
            .arg(&link);
        let done = process::finish(&mut node, LIMIT)?;
        for line in done.json_lines() {
            let test = line["test"].as_str().unwrap_or_default();
            let result = match line["ok"] == true {
                true => Ok(line["info"].to_string()),
                false => Err(anyhow!("{}", line["error"])),
            };
            table.set(&self.group(Dialer::Theirs), test, &outcome(result));
        }
        table.fail_untried(&self.group(Dialer::Theirs), done.last_error_line());
        Ok(())
    }

    /// They serve, and we do one thing, each time as another endpoint.
    fn we_ask(&self, programs: &Programs, what: &str) -> Result<String> {
        let link = programs.folder.path().join(format!("js-{what}.json"));
        let mut node = Command::new("node");
        node.arg(js().join("peer.js"))
            .args(["listen", "--cs", "3a", "--link-out"])
            .arg(&link);
        let peer = JsonChild::start("telehash-js", &mut node)?;
        let ready = peer.expect("that it listens", LIMIT, |line| line["event"] == "ready")?;
        let (arguments, wanted) = (self.asked)(what, &ready);
        // A large response is a GET, as far as our program is concerned.
        let command = if what == "large" { "get" } else { what };
        let mut ours = Command::new((self.program)(programs));
        ours.arg(command).arg(&link).args(arguments);
        let done = process::finish(&mut ours, LIMIT)?;
        ensure!(done.code == Some(0), "{}", done.last_error_line());
        ensure!(
            done.stdout == wanted,
            "it printed {} bytes, not the {} that were wanted",
            done.stdout.len(),
            wanted.len()
        );
        Ok(format!("{} ms", done.took.as_millis()))
    }
}
