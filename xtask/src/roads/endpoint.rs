//! A running `mesh up` on a host.

use std::ffi::OsString;
use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use rustix::process::{Pid, Resource, Rlimit, prlimit};
use serde_json::Value;

use super::net::{Host, Namespace};
use super::world::{Place, World};
use crate::endtoend::mesh::at_file;
use crate::process::{self, JsonChild};

/// What coming up, linking to somebody near, and ending may take.
const LIMIT: Duration = Duration::from_secs(30);

/// What the kernel counts processor time in.
const TICKS_PER_SECOND: u32 = 100;

/// A program that returns every stream's bytes, with a state directory through which it can be asked.
pub(super) struct Endpoint {
    child: JsonChild,
    program: PathBuf,
    state: PathBuf,
    ready: Value,
    link: PathBuf,
}

impl Endpoint {
    /// Starts one on `host` which listens on all its addresses with these transports (`udp`, `tcp`, …); `words` are
    /// further ones of the command line.
    pub(super) fn start(
        place: &Place,
        host: &Namespace,
        name: &str,
        transports: &[&str],
        words: &[OsString],
    ) -> Result<Self> {
        let state = place.path(name);
        let mut command = host.command(&place.program);
        command
            .args(["up", "--echo", "--json", "--state"])
            .arg(&state);
        command.args(listen(transports)).args(words);
        let child = JsonChild::start(format!("mesh up ({name})"), &mut command)?;
        let ready = child.expect("that it is ready", LIMIT, |line| line["event"] == "ready")?;
        let link = place.path(&format!("{name}-link.json"));
        fs::write(&link, ready["link"].to_string())?;
        Ok(Self {
            child,
            program: place.program.clone(),
            state,
            ready,
            link,
        })
    }

    /// One that accepts everybody.
    pub(super) fn accepting(world: &World, host: &Host, transports: &[&str]) -> Result<Self> {
        let host = &host.namespace;
        Self::start(&world.place, host, "open", transports, &accept("all"))
    }

    /// `@file` with its link JSON.
    pub(super) fn target(&self) -> OsString {
        at_file(&self.link)
    }

    pub(super) fn hashname(&self) -> Result<&str> {
        self.ready["hashname"].as_str().context("no hashname")
    }

    /// Its keys in base32.
    pub(super) fn keys(&self) -> Vec<&str> {
        let keys = self.ready["link"]["keys"].as_object();
        keys.into_iter()
            .flat_map(|keys| keys.values().filter_map(Value::as_str))
            .collect()
    }

    /// Where its link JSON says that `transport` listens.
    pub(super) fn address(&self, transport: &str) -> Result<SocketAddr> {
        let kind = format!("{transport}4");
        let paths = self.ready["link"]["paths"].as_array();
        let path = paths
            .and_then(|paths| paths.iter().find(|path| path["type"] == kind.as_str()))
            .with_context(|| format!("its link JSON has no path {kind}"))?;
        let ip = path["ip"].as_str().context("a path without ip")?.parse()?;
        let port = path["port"].as_u64().context("a path without port")?;
        Ok(SocketAddr::new(ip, u16::try_from(port)?))
    }

    /// A command of the program that works through this endpoint.
    pub(super) fn ask(&self, command: &str) -> Command {
        let mut asking = Command::new(&self.program);
        asking.arg(command).arg("--state").arg(&self.state);
        asking
    }

    /// Waits until its link to this hashname is up.
    pub(super) fn expect_link(&self, hashname: &str) -> Result<()> {
        self.child.expect("the link", LIMIT, |line| {
            line["event"] == "link" && line["hashname"] == hashname && line["state"] == "up"
        })?;
        Ok(())
    }

    /// Its link JSON.
    pub(super) fn link(&self) -> &Value {
        &self.ready["link"]
    }

    /// Waits until the gateway passes something on to it, and returns the paths outside, in words.
    pub(super) fn expect_mapped(&self) -> Result<Vec<String>> {
        let told = |line: &Value| line["event"] == "port-mapping";
        let line = self
            .child
            .expect("a port mapping", LIMIT, |line| told(line))?;
        let ports = line["ports"].as_array().context("no list of ports")?;
        let outer = ports.iter().filter_map(|port| port["outer"].as_str());
        let outer: Vec<String> = outer.map(str::to_owned).collect();
        ensure!(!outer.is_empty(), "nothing is mapped: {line}");
        Ok(outer)
    }

    /// Waits until its links to these are up, in whatever order.
    pub(super) fn expect_links<const N: usize>(&self, hashnames: [&str; N]) -> Result<()> {
        let mut missing = hashnames.to_vec();
        self.child.expect("the links", LIMIT, |line| {
            if line["event"] == "link" && line["state"] == "up" {
                missing.retain(|hashname| line["hashname"] != *hashname);
            }
            missing.is_empty()
        })?;
        Ok(())
    }

    /// Ends it without a word.
    pub(super) fn kill(self) -> Result<()> {
        self.signal("KILL")
    }

    /// The path that its one link sends on, in words.
    pub(super) fn active_path(&self) -> Result<String> {
        let done = process::finish(self.ask("status").arg("--json"), LIMIT)?;
        ensure!(done.code == Some(0), "status: {}", done.last_error_line());
        let lines = done.json_lines();
        let link = lines.iter().find(|line| line["event"] == "link");
        let paths = link.and_then(|link| link["paths"].as_array());
        let active = paths.and_then(|paths| paths.iter().find(|path| path["active"] == true));
        let path = active.and_then(|path| path["path"].as_str());
        Ok(path.unwrap_or("none").to_owned())
    }

    /// What its status says of its link to this hashname.
    pub(super) fn status_of(&self, hashname: &str) -> Result<Value> {
        let done = process::finish(self.ask("status").arg("--json"), LIMIT)?;
        ensure!(done.code == Some(0), "status: {}", done.last_error_line());
        let lines = done.json_lines();
        let link = lines
            .into_iter()
            .find(|line| line["event"] == "link" && line["hashname"] == hashname);
        link.context("the status tells of no such link")
    }

    /// Whether one ping through it to `hashname` was answered, which is tried for up to `limit`.
    pub(super) fn ping(&self, hashname: &str, limit: Duration) -> Result<bool> {
        let mut ping = self.ask("ping");
        let wait = limit.as_secs_f64().to_string();
        ping.args([hashname, "-c", "1", "--wait", &wait]);
        Ok(process::finish(&mut ping, limit + LIMIT)?.code == Some(0))
    }

    /// Sends a signal, by its name without `SIG`.
    pub(super) fn signal(&self, signal: &str) -> Result<()> {
        self.child.signal(signal)
    }

    /// Open files, sockets among them.
    pub(super) fn descriptors(&self) -> Result<usize> {
        // Nobody reads what it reports meanwhile; it must not wait for that.
        self.child.unread();
        Ok(fs::read_dir(format!("/proc/{}/fd", self.child.id()))?.count())
    }

    /// Bounds its open files.
    pub(super) fn limit_descriptors(&self, limit: u64) -> Result<()> {
        let id = i32::try_from(self.child.id())?;
        let limit = Rlimit {
            current: Some(limit),
            maximum: Some(limit),
        };
        prlimit(Pid::from_raw(id), Resource::Nofile, limit)?;
        Ok(())
    }

    /// Processor time that it used so far.
    pub(super) fn processor_time(&self) -> Result<Duration> {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.child.id()))?;
        let (_, fields) = stat.rsplit_once(')').context("no name in /proc/PID/stat")?;
        let ticks: Vec<u32> = fields
            .split_whitespace()
            .skip(11)
            .take(2)
            .map(str::parse)
            .collect::<Result<_, _>>()?;
        Ok(Duration::from_secs(1) * ticks.iter().sum() / TICKS_PER_SECOND)
    }

    /// Waits until it has no more open files than `most`, and returns how long that took.
    pub(super) fn expect_release(&self, most: usize, limit: Duration) -> Result<Duration> {
        let start = Instant::now();
        loop {
            let open = self.descriptors()?;
            if open <= most {
                return Ok(start.elapsed());
            }
            ensure!(
                start.elapsed() < limit,
                "{open} file descriptors are open after {limit:?}, {most} would be right"
            );
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Asks it to end and checks that it did so in order.
    pub(super) fn stop(self) -> Result<()> {
        let status = self.child.terminate(LIMIT)?;
        ensure!(status.success(), "mesh up ended with {status}");
        Ok(())
    }
}

/// `--udp 0.0.0.0:0` for each transport.
pub(super) fn listen(transports: &[&str]) -> Vec<OsString> {
    transports
        .iter()
        .flat_map(|transport| [format!("--{transport}").into(), "0.0.0.0:0".into()])
        .collect()
}

/// `--accept WHOM`.
pub(super) fn accept(whom: &str) -> [OsString; 2] {
    ["--accept".into(), whom.into()]
}
