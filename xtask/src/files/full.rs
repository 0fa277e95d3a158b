//! A disk that is too small for what is sent, and grows.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};

use super::room::{LIMIT, Room};
use crate::endtoend::mesh::pattern;
use crate::process::{self, Finished};
use crate::shell;

/// What is sent, in this order: the second one does not fit.
const FILES: [(&str, usize); 3] = [("a", 300_000), ("b", 1_500_000), ("c", 100_000)];

pub(super) fn run(program: &Path) -> Result<String> {
    let room = Room::new(program, &[("in", "size=1m")])?;
    fs::create_dir(room.path("tree"))?;
    for (name, bytes) in FILES {
        fs::write(room.path("tree").join(name), pattern(bytes, bytes as u64))?;
    }
    fs::write(room.inside("in/other"), "of somebody else")?;
    let recv = room.recv("in", &["--keep"])?;
    let sent = send(&room)?;
    ensure!(
        sent.code == Some(1),
        "mesh send exited with {:?}",
        sent.code
    );
    for words in ["disk full", "what arrived is kept"] {
        ensure!(
            sent.stderr.contains(words),
            "no word of `{words}`: {}",
            sent.stderr
        );
    }
    let warning = recv.expect("that it broke off", LIMIT, |line| {
        line["event"] == "warning"
    })?;
    let said = warning["message"].as_str().unwrap_or_default();
    ensure!(
        said.contains("No space left") && said.contains("kept"),
        "{said}"
    );
    same(&room, &FILES[..1])?;
    ensure!(
        !room.inside("in/tree/b").exists(),
        "half a file has its name"
    );
    let kept = noted(&room)?;
    ensure!(kept > 0, "nothing of the file that did not fit is kept");
    // One transfer at a time ends with an error and a code of its own.
    drop(recv);
    let ended = ends(&room)?;
    ensure!(
        ended.code == Some(1),
        "mesh recv exited with {:?}",
        ended.code
    );
    ensure!(ended.stderr.contains("make room"), "{}", ended.stderr);
    let disk = room.path("in");
    shell::output(grow(&room).arg(disk))?;
    let recv = room.recv("in", &[])?;
    let before = room.wire_bytes()?;
    let sent = send(&room)?;
    ensure!(sent.code == Some(0), "{}", sent.last_error_line());
    let wire = room.wire_bytes()? - before;
    recv.expect("the files", LIMIT, |line| line["event"] == "files-received")?;
    same(&room, &FILES)?;
    let other = fs::read_to_string(room.inside("in/other"))?;
    ensure!(other == "of somebody else", "another file was touched");
    let whole: usize = FILES[1..].iter().map(|(_, bytes)| bytes).sum();
    let missing = whole as u64 - kept;
    ensure!(
        wire < missing + missing / 4,
        "{wire} bytes went over the wire for {missing}"
    );
    Ok(format!(
        "{kept} bytes of {} kept, {wire} on the wire for the rest",
        FILES[1].1
    ))
}

fn send(room: &Room) -> Result<Finished> {
    process::finish(&mut room.send(&["tree"]), LIMIT)
}

/// How a `mesh recv` ends whose only transfer breaks off on the full disk.
fn ends(room: &Room) -> Result<Finished> {
    let mut recv = room.recv_once("in");
    let recv = std::thread::scope(|scope| {
        let recv = scope.spawn(move || process::finish(&mut recv, LIMIT));
        let sent = send(room)?;
        ensure!(
            sent.code == Some(1),
            "mesh send exited with {:?}",
            sent.code
        );
        recv.join().ok().context("a thread panicked")?
    })?;
    Ok(recv)
}

fn grow(room: &Room) -> Command {
    let mut mount = room.command("mount");
    mount.args(["-o", "remount,size=8m"]);
    mount
}

/// How much the journal knows of.
fn noted(room: &Room) -> Result<u64> {
    for entry in fs::read_dir(room.inside("in/.mesh-parts"))? {
        let path = entry?.path();
        if path.extension().is_some_and(|end| end == "json") {
            let note: serde_json::Value = serde_json::from_slice(&fs::read(path)?)?;
            return note["len"].as_u64().context("a journal without a length");
        }
    }
    Ok(0)
}

fn same(room: &Room, files: &[(&str, usize)]) -> Result<()> {
    for (name, _) in files {
        let sent = fs::read(room.path("tree").join(name))?;
        let received = fs::read(room.inside("in/tree").join(name));
        ensure!(
            received.with_context(|| format!("no {name}"))? == sent,
            "{name} differs"
        );
    }
    Ok(())
}
