//! We dial the JavaScript peer.
//!
//! Each command is an endpoint of its own: telehash-js keeps sending to the first address that it saw of an endpoint, so
//! one that comes back from another port is not heard before the next keepalive.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Result, ensure};

use super::table::{Dialer, Group, Table};
use super::{Case, ECHOED, Programs, js, outcome};
use crate::endtoend::mesh;
use crate::process::{self, Finished, JsonChild};

/// One command of ours.
const LIMIT: Duration = Duration::from_secs(40);

/// Starts the JavaScript peer and runs one command of ours for each test.
pub(super) fn dial_them(programs: &Programs, case: &Case, table: &mut Table) {
    let label = case.label();
    let group = Group {
        dialer: Dialer::Ours,
        transport: case.transport,
        sets: &label,
    };
    match Listening::start(programs.folder.path(), case) {
        Ok(peer) => {
            for what in case.tests.iter().filter(|what| **what != "identity") {
                let result = match *what {
                    "link" => link(programs, case, &peer),
                    "path" => path(programs, case, &peer),
                    "stream" => stream(programs, case, &peer),
                    _ => unknown(programs, &peer),
                };
                table.set(&group, what, &outcome(result));
            }
        }
        Err(error) => table.fail_untried(&group, &format!("{error:#}")),
    }
}

/// A JavaScript peer that waits to be dialled.
struct Listening {
    link: PathBuf,
    events: JsonChild,
}

impl Listening {
    fn start(folder: &Path, case: &Case) -> Result<Self> {
        let link = folder.join(format!("{}.json", case.name("js-link")));
        let mut node = Command::new("node");
        node.arg(js().join("peer.js"))
            .args(["listen", "--transport", case.transport])
            .args(["--cs", case.theirs, "--link-out"])
            .arg(&link);
        let events = JsonChild::start("telehash-js", &mut node)?;
        events.expect("that it listens", LIMIT, |line| line["event"] == "ready")?;
        Ok(Self { link, events })
    }
}

fn link(programs: &Programs, case: &Case, peer: &Listening) -> Result<String> {
    let done = command(programs, case, peer, "link", &["--json"])?;
    let lines = done.json_lines();
    let csid = lines.iter().find_map(|line| line["csid"].as_str());
    ensure!(
        csid == Some(case.agreed),
        "they agreed on {csid:?}, not on {}",
        case.agreed
    );
    peer.events.expect("the link", LIMIT, |line| {
        line["event"] == "link" && line["up"] == true
    })?;
    Ok(format!("{} ms", done.took.as_millis()))
}

fn path(programs: &Programs, case: &Case, peer: &Listening) -> Result<String> {
    let done = command(programs, case, peer, "ping", &["-c", "3", "-i", "0.2"])?;
    Ok(done.stdout.lines().last().unwrap_or_default().to_owned())
}

fn stream(programs: &Programs, case: &Case, peer: &Listening) -> Result<String> {
    let folder = programs.folder.path();
    let (sent, echoed) = (folder.join("sent"), folder.join("echoed"));
    fs::write(&sent, mesh::pattern(ECHOED, 1))?;
    let identity = case.identity(programs, "our-pipe")?;
    let pipe = mesh::Pipe {
        program: &programs.mesh,
        identity: &identity,
        link: &peer.link,
        listening: case.listening(),
    };
    let done = pipe.run(&sent, &echoed, LIMIT)?;
    succeeded("pipe", &done)?;
    ensure!(
        fs::read(&sent)? == fs::read(&echoed)?,
        "the echo differs from what was sent"
    );
    let line = peer
        .events
        .expect("the stream's end", LIMIT, |line| line["event"] == "stream")?;
    ensure!(
        line["bytes"] == ECHOED,
        "it counted {} bytes",
        line["bytes"]
    );
    Ok(format!("{ECHOED} bytes in {} ms", done.took.as_millis()))
}

fn unknown(programs: &Programs, peer: &Listening) -> Result<String> {
    let done = process::finish(Command::new(&programs.open_unknown).arg(&peer.link), LIMIT)?;
    succeeded("open_unknown", &done)?;
    let answer = done.stdout.trim();
    ensure!(answer == "refused: unknown type", "it answered `{answer}`");
    Ok(answer.to_owned())
}

/// Runs `mesh NAME --id our-NAME.json @peer`.
fn command(
    programs: &Programs,
    case: &Case,
    peer: &Listening,
    name: &str,
    more: &[&str],
) -> Result<Finished> {
    let done = process::finish(
        Command::new(&programs.mesh)
            .args([name, "--id"])
            .arg(case.identity(programs, &format!("our-{name}"))?)
            .arg(mesh::at_file(&peer.link))
            .args(more),
        LIMIT,
    )?;
    succeeded(name, &done)?;
    Ok(done)
}

fn succeeded(name: &str, done: &Finished) -> Result<()> {
    ensure!(
        done.code == Some(0),
        "`{name}` exited with {:?}: {}",
        done.code,
        done.last_error_line()
    );
    Ok(())
}
