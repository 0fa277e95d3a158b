//! A large file, while sender and receiver are killed again and again.

use std::ffi::OsStr;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};

use super::room::{LIMIT, Process, Room, wait_for};
use crate::endtoend::mesh;
use crate::process::JsonChild;
use crate::proxy::Random;
use crate::shell;

/// How often each of the two is killed.
const KILLS: usize = 10;

/// Bytes that a kill may cost: those that the receiver's journal does not know yet, and those under way.
const LOST: u64 = 12 << 20;

/// What may go over the wire for each byte, with heads, acknowledgements and what is sent again.
const OVERHEAD: f64 = 1.2;

#[derive(Clone, Copy, PartialEq)]
enum Victim {
    Sender,
    Receiver,
}

/// Whoever runs.
struct Running {
    recv: JsonChild,
    send: Process,
}

pub(super) fn run(program: &Path, bytes: u64, seed: u64) -> Result<String> {
    let attempt = kill(program, bytes, seed);
    attempt.with_context(|| format!("with --seed {seed}"))
}

fn kill(program: &Path, bytes: u64, seed: u64) -> Result<String> {
    let room = Room::new(program, &[])?;
    mesh::write_pattern(&room.path("file"), bytes)?;
    fs::create_dir(room.path("in"))?;
    let mut running = Running {
        recv: room.recv("in", &["--keep"])?,
        send: room.sending(&["file"])?,
    };
    for (victim, point) in plan(bytes, seed) {
        wait_for("the next part of the file", || {
            running.recv.unread();
            ensure!(running.send.runs()?, "mesh send ended before {point}");
            ensure!(
                !room.path("in/file").exists(),
                "it was complete before {point}"
            );
            Ok(arrived(&room.path("in/.mesh-parts"))? >= point)
        })?;
        running = match victim {
            Victim::Sender => Running {
                send: again(&room, running.send)?,
                ..running
            },
            Victim::Receiver => {
                drop(running.recv);
                // The kernel has to have its lock back.
                let recv = room.recv("in", &["--keep"])?;
                let send = again(&room, running.send)?;
                Running { recv, send }
            }
        };
    }
    let all = |line: &serde_json::Value| line["event"] == "files-received";
    running.recv.expect("the file", LIMIT, all)?;
    running.send.finish()?;
    running.recv.signal("INT")?;
    let sum =
        |name| shell::output(room.command("sha256sum").arg(name)).map(|line| line[..64].to_owned());
    let (sent, received) = (sum("file")?, sum("in/file")?);
    ensure!(sent == received, "{received} arrived, {sent} was sent");
    let left = fs::read_dir(room.path("in/.mesh-parts"))?.count();
    ensure!(
        left == 1,
        "{left} files are left in .mesh-parts, not the lock alone"
    );
    let wire = room.wire_bytes()?;
    let bound = OVERHEAD * (bytes + 2 * KILLS as u64 * LOST) as f64;
    let (megabytes, all) = (bytes as f64 / 1e6, wire as f64 / 1e6);
    ensure!(
        (wire as f64) < bound,
        "{all:.0} MB went over the wire for {megabytes:.0} MB, more than {:.0}",
        bound / 1e6
    );
    Ok(format!(
        "{megabytes:.0} MB by {all:.0} MB on the wire, {:.1} MB more for each of {} kills; seed {seed}, {}",
        (all - megabytes) / (2 * KILLS) as f64,
        2 * KILLS,
        &sent[..16]
    ))
}

/// Kills the sender, and runs the same command again.
fn again(room: &Room, send: Process) -> Result<Process> {
    drop(send);
    room.sending(&["file"])
}

/// Whom to kill once so much is there: ten times each, in some order, anywhere but at the end.
fn plan(bytes: u64, seed: u64) -> Vec<(Victim, u64)> {
    let mut random = Random(seed);
    let mut points: Vec<u64> = (0..2 * KILLS)
        .map(|_| random.next() % (bytes / 10 * 9))
        .collect();
    points.sort_unstable();
    let mut victims = [Victim::Sender, Victim::Receiver].repeat(KILLS);
    for last in (1..victims.len()).rev() {
        victims.swap(last, (random.next() % (last as u64 + 1)) as usize);
    }
    victims.into_iter().zip(points).collect()
}

/// Bytes of the file that is not complete.
fn arrived(parts: &Path) -> Result<u64> {
    for entry in fs::read_dir(parts)? {
        let entry = entry?;
        if entry.path().extension() == Some(OsStr::new("part")) {
            // It may have its name by now.
            return Ok(entry.metadata().map_or(0, |about| about.len()));
        }
    }
    Ok(0)
}
