//! Driving the `mesh` program.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::process::{self, Finished, JsonChild};
use crate::proxy::Random;

/// What an endpoint may take to come up, or to end.
const LIMIT: Duration = Duration::from_secs(20);

/// A running `mesh up` that accepts everybody and echoes streams.
pub(crate) struct Up {
    child: JsonChild,
    link: PathBuf,
}

impl Up {
    /// Starts one on a free UDP port of the loopback interface; `name` names its files in `folder`.
    pub(crate) fn start(program: &Path, folder: &Path, name: &str) -> Result<Self> {
        let identity = identity(program, folder, name)?;
        Self::start_as(program, folder, name, &identity)
    }

    /// The same with this identity.
    pub(crate) fn start_as(
        program: &Path,
        folder: &Path,
        name: &str,
        identity: &Path,
    ) -> Result<Self> {
        Self::start_on(program, folder, name, identity, &["--udp", "127.0.0.1:0"])
    }

    /// The same, listening as these arguments say.
    pub(crate) fn start_on(
        program: &Path,
        folder: &Path,
        name: &str,
        identity: &Path,
        listening: &[&str],
    ) -> Result<Self> {
        let mut command = Command::new(program);
        command
            .arg("up")
            .args(listening)
            .args(["--accept", "all", "--echo", "--json", "--id"])
            .arg(identity);
        let child = JsonChild::start(format!("mesh up ({name})"), &mut command)?;
        let ready = child.expect("that it is ready", LIMIT, |line| line["event"] == "ready")?;
        let link = folder.join(format!("{name}-link.json"));
        fs::write(&link, ready["link"].to_string())?;
        Ok(Self { child, link })
    }

    /// The file with its link JSON.
    pub(crate) fn link_file(&self) -> &Path {
        &self.link
    }

    /// The UDP address in its link JSON.
    pub(crate) fn address(&self) -> Result<SocketAddr> {
        let link: Value = serde_json::from_str(&fs::read_to_string(&self.link)?)?;
        let paths = link["paths"]
            .as_array()
            .context("the link JSON has no paths")?;
        let udp = paths
            .iter()
            .find(|path| path["type"] == "udp4")
            .context("it has no udp4 path")?;
        let ip = udp["ip"].as_str().context("a path without ip")?.parse()?;
        let port = udp["port"].as_u64().context("a path without port")?;
        Ok(SocketAddr::new(ip, u16::try_from(port)?))
    }

    /// Waits until it reports that the link to this hashname is up.
    pub(crate) fn expect_link(&self, hashname: &str) -> Result<()> {
        let is_it = |line: &Value| {
            line["event"] == "link" && line["hashname"] == hashname && line["state"] == "up"
        };
        self.child.expect("the link", LIMIT, is_it)?;
        Ok(())
    }

    /// Asks it to end and checks that it did so in order.
    pub(crate) fn stop(self) -> Result<()> {
        let status = self.child.terminate(LIMIT)?;
        ensure!(status.success(), "mesh up ended with {status}");
        Ok(())
    }
}

/// The identity file `name` in `folder`, made by `mesh id new` the first time.
pub(crate) fn identity(program: &Path, folder: &Path, name: &str) -> Result<PathBuf> {
    identity_with(program, folder, name, &[])
}

/// The same with further arguments for `mesh id new`.
pub(crate) fn identity_with(
    program: &Path,
    folder: &Path,
    name: &str,
    arguments: &[&str],
) -> Result<PathBuf> {
    let file = folder.join(format!("{name}.json"));
    if !file.exists() {
        let done = process::finish(
            Command::new(program)
                .args(["id", "new", "--out"])
                .arg(&file)
                .args(arguments),
            LIMIT,
        )?;
        ensure!(
            done.code == Some(0),
            "`mesh id new` failed: {}",
            done.last_error_line()
        );
    }
    Ok(file)
}

/// A run of `mesh pipe`.
pub(crate) struct Pipe<'a> {
    /// The program.
    pub(crate) program: &'a Path,
    /// Who dials.
    pub(crate) identity: &'a Path,
    /// The link JSON of whom to dial.
    pub(crate) link: &'a Path,
    /// Where to listen: a transport's flag and an address.
    pub(crate) listening: [&'a str; 2],
}

impl Pipe<'_> {
    /// Runs it with the files `input` and `output` as its standard input and output.
    pub(crate) fn run(&self, input: &Path, output: &Path, limit: Duration) -> Result<Finished> {
        let mut command = Command::new(self.program);
        command
            .arg("pipe")
            .args(self.listening)
            .arg("--id")
            .arg(self.identity)
            .arg(at_file(self.link))
            .stdin(File::open(input)?)
            .stdout(File::create(output)?);
        process::run_to_end(&mut command, limit)
    }
}

/// `@file`, as the program takes a link JSON.
pub(crate) fn at_file(file: &Path) -> OsString {
    let mut argument = OsString::from("@");
    argument.push(file);
    argument
}

/// Bytes that neither compress nor repeat.
pub(crate) fn pattern(bytes: usize, seed: u64) -> Vec<u8> {
    let mut random = Random(seed);
    let words = std::iter::repeat_with(|| random.next().to_le_bytes());
    words.flatten().take(bytes).collect()
}

/// A file of such bytes.
pub(crate) fn write_pattern(file: &Path, bytes: u64) -> Result<()> {
    let mut random = Random(bytes);
    let mut output = BufWriter::new(File::create(file)?);
    let mut left = bytes;
    while left > 0 {
        let word = random.next().to_le_bytes();
        let part = usize::try_from(left).unwrap_or(word.len()).min(word.len());
        output.write_all(&word[..part])?;
        left -= part as u64;
    }
    Ok(output.flush()?)
}
