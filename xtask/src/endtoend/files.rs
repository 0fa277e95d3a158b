//! A file goes to another process, is echoed, and comes back the same.

use std::fs::{self, File};
use std::io::{BufReader, Read};
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::Ordering;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::mesh::{self, Pipe, Up};
use crate::process::{self, Finished};
use crate::proxy::{Impairment, Proxy};

/// What the slowest of them may take.
const LIMIT: Duration = Duration::from_secs(600);

/// The network that the protocol has to cope with.
const LOSSY: Impairment = Impairment {
    loss: 5,
    reordered: 5,
    delay: Duration::from_millis(10),
};

/// Commands that follow each other.
const IN_A_ROW: usize = 5;

/// Over plain loopback.
pub(crate) fn clean(program: &Path, file: &Path) -> Result<String> {
    let folder = tempfile::tempdir()?;
    let up = Up::start(program, folder.path(), "a")?;
    let done = echo(program, folder.path(), up.link_file(), "127.0.0.1:0", file)?;
    up.stop()?;
    rate(file, &done)
}

/// Through a proxy that loses and reorders. The link file names the proxy only.
pub(crate) fn lossy(program: &Path, file: &Path) -> Result<String> {
    let folder = tempfile::tempdir()?;
    let up = Up::start(program, folder.path(), "a")?;
    let proxy = Proxy::start(up.address()?, LOSSY, 42)?;
    let link = folder.path().join("proxy-link.json");
    redirect(up.link_file(), &link, proxy.address())?;
    let done = echo(program, folder.path(), &link, "[::1]:0", file)?;
    let traffic = proxy.traffic();
    let (passed, lost) = (
        traffic.bytes.load(Ordering::Relaxed),
        traffic.lost.load(Ordering::Relaxed),
    );
    let forwarded = traffic.forwarded.load(Ordering::Relaxed);
    // If the two found another way, this showed nothing.
    let needed = 2 * fs::metadata(file)?.len();
    ensure!(
        passed >= needed,
        "only {passed} of {needed} bytes went through the proxy"
    );
    up.stop()?;
    Ok(format!(
        "{}, {lost} of {} datagrams lost",
        rate(file, &done)?,
        forwarded + lost
    ))
}

/// The same identity comes back as another process, from another port, again and again: each is linked at once.
pub(crate) fn in_a_row(program: &Path) -> Result<String> {
    let folder = tempfile::tempdir()?;
    let up = Up::start(program, folder.path(), "a")?;
    let identity = mesh::identity(program, folder.path(), "b")?;
    let mut took = Vec::new();
    for _ in 0..IN_A_ROW {
        let mut link = Command::new(program);
        link.args(["link", "--id"])
            .arg(&identity)
            .arg(mesh::at_file(up.link_file()));
        let done = process::finish(&mut link, LIMIT)?;
        took.push(format!("{:.2}", done.took.as_secs_f32()));
        ensure!(
            done.code == Some(0),
            "{} s: {}",
            took.join(", "),
            done.last_error_line()
        );
    }
    up.stop()?;
    Ok(format!("{} s", took.join(", ")))
}

fn echo(program: &Path, folder: &Path, link: &Path, udp: &str, file: &Path) -> Result<Finished> {
    let copy = folder.join("copy");
    let identity = mesh::identity(program, folder, "b")?;
    let pipe = Pipe {
        program,
        identity: &identity,
        link,
        listening: ["--udp", udp],
    };
    let done = pipe.run(file, &copy, LIMIT)?;
    ensure!(
        done.code == Some(0),
        "mesh pipe exited with {:?}: {}",
        done.code,
        done.last_error_line()
    );
    ensure!(same(file, &copy)?, "the copy differs");
    Ok(done)
}

/// Writes the link JSON again, with one path.
fn redirect(from: &Path, to: &Path, address: SocketAddr) -> Result<()> {
    let mut link: Value = serde_json::from_str(&fs::read_to_string(from)?)?;
    link["paths"] =
        serde_json::json!([{ "type": "udp6", "ip": address.ip(), "port": address.port() }]);
    fs::write(to, link.to_string()).context("could not write the link file")
}

fn rate(file: &Path, done: &Finished) -> Result<String> {
    let bytes = fs::metadata(file)?.len();
    let megabytes = bytes as f64 / 1e6;
    let seconds = done.took.as_secs_f64();
    Ok(format!(
        "{megabytes:.0} MB there and back in {seconds:.1} s, {:.1} MB/s each way",
        megabytes / seconds
    ))
}

fn same(one: &Path, other: &Path) -> Result<bool> {
    if fs::metadata(one)?.len() != fs::metadata(other)?.len() {
        return Ok(false);
    }
    let (mut one, mut other) = (
        BufReader::new(File::open(one)?),
        BufReader::new(File::open(other)?),
    );
    let (mut left, mut right) = (vec![0; 1 << 16], vec![0; 1 << 16]);
    loop {
        let read = one.read(&mut left)?;
        if read == 0 {
            return Ok(true);
        }
        other.read_exact(&mut right[..read])?;
        if left[..read] != right[..read] {
            return Ok(false);
        }
    }
}
