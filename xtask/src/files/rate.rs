//! MB/s of a file by `mesh send` beside the same file through `mesh pipe`, in turns.
//!
//! In memory, where a disk costs nothing, and on the disk. There a file counts as sent once it is on the disk, so
//! the same is asked of what came through the pipe.

use std::fs::{self, File};
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::room::{LIMIT, Process, Room, wait_for};
use crate::endtoend::mesh;
use crate::hops::{median, range};
use crate::process;

/// The share of the pipe's MB/s that files reach at least.
const SHARE: f64 = 0.9;

pub(super) fn run(program: &Path, bytes: u64, rounds: usize) -> Result<String> {
    let in_memory = measure(program, bytes, rounds, "memory")?;
    let on_disk = measure(program, bytes, rounds, "disk")?;
    let line = format!("in memory {in_memory}; on the disk {on_disk}");
    ensure!(in_memory.share() >= SHARE, "below {SHARE}: {line}");
    Ok(line)
}

/// MB/s of each round.
#[derive(Default)]
struct Figures {
    files: Vec<f64>,
    pipe: Vec<f64>,
}

impl Figures {
    fn shares(&self) -> Vec<f64> {
        let rounds = self.files.iter().zip(&self.pipe);
        rounds.map(|(files, pipe)| files / pipe).collect()
    }

    fn share(&self) -> f64 {
        median(&self.shares())
    }
}

impl std::fmt::Display for Figures {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (files, pipe) = (median(&self.files), median(&self.pipe));
        let rounds = range(&self.shares(), 2);
        write!(
            f,
            "{files:.0} MB/s beside {pipe:.0}, {:.2} (in rounds {rounds})",
            self.share()
        )
    }
}

fn measure(program: &Path, bytes: u64, rounds: usize, place: &str) -> Result<Figures> {
    let room = Room::new(program, &[("memory", "size=75%")])?;
    fs::create_dir(room.path("disk"))?;
    let folder = room.inside(place);
    mesh::write_pattern(&folder.join("file"), bytes)?;
    fs::create_dir(folder.join("in"))?;
    let mut figures = Figures::default();
    let rate = |seconds: f64| bytes as f64 / 1e6 / seconds;
    // The first round warms up.
    for round in 0..=rounds {
        let files = rate(files(&room, place)?);
        let pipe = rate(pipe(&room, place)?);
        println!(
            "    {place}: files {files:.0} MB/s, pipe {pipe:.0} MB/s, {:.2}",
            files / pipe
        );
        if round > 0 {
            figures.files.push(files);
            figures.pipe.push(pipe);
        }
    }
    Ok(figures)
}

/// Seconds of `mesh send`.
fn files(room: &Room, place: &str) -> Result<f64> {
    let recv = room.recv(&format!("{place}/in"), &[])?;
    let sent = process::finish(&mut room.send(&[&format!("{place}/file")]), LIMIT)?;
    ensure!(sent.code == Some(0), "{}", sent.last_error_line());
    recv.expect("the file", LIMIT, |line| line["event"] == "files-received")?;
    fs::remove_file(room.inside(place).join("in/file"))?;
    seconds(&sent.stdout, "files-sent")
}

/// Seconds of `mesh pipe`, and of bringing the copy to the disk.
fn pipe(room: &Room, place: &str) -> Result<f64> {
    let folder = room.inside(place);
    let copy = File::create(folder.join("in/copy"))?;
    let said = room.path("said");
    let mut listen = room.pipe(true);
    let listen = listen.stdin(Stdio::null()).stdout(copy.try_clone()?);
    let mut listen = Process(listen.stderr(File::create(&said)?).spawn()?);
    wait_for("a pipe that listens", || Ok(fs::metadata(&said)?.len() > 0))?;
    let mut dial = room.pipe(false);
    dial.stdin(File::open(folder.join("file"))?)
        .stdout(Stdio::null());
    let done = process::run_to_end(&mut dial, LIMIT)?;
    ensure!(done.code == Some(0), "{}", done.last_error_line());
    let piped = seconds(&done.stderr, "piped")?;
    let ended = process::wait(&mut listen.0, LIMIT)?;
    ensure!(
        ended.is_some_and(|status| status.success()),
        "mesh pipe --listen failed"
    );
    let start = Instant::now();
    copy.sync_all()?;
    let synced = start.elapsed();
    let whole = copy.metadata()?.len() == fs::metadata(folder.join("file"))?.len();
    ensure!(whole, "the copy is not whole");
    fs::remove_file(folder.join("in/copy"))?;
    Ok((Duration::from_secs_f64(piped) + synced).as_secs_f64())
}

fn seconds(lines: &str, event: &str) -> Result<f64> {
    let lines = lines
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let mut events = lines.filter(|line| line["event"] == event);
    let line = events.next().with_context(|| format!("no `{event}`"))?;
    line["seconds"].as_f64().context("no seconds")
}
