//! Namespaces of our own for everything: the kernel takes them away, with all that is in them, once we end.
//!
//! This program runs once more in there. It tells its results as JSON lines.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use clap::Args;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use serde_json::{Value, json};

use super::world::FOLDER;
use crate::process::JsonChild;
use crate::report::{Outcome, Report};
use crate::shell;

/// What has to be installed: (program, Debian's package).
const PROGRAMS: [(&str, &str); 8] = [
    ("conntrack", "conntrack"),
    ("ip", "iproute2"),
    ("kill", "procps"),
    ("mount", "mount"),
    ("nft", "nftables"),
    ("nsenter", "util-linux"),
    ("setpriv", "util-linux"),
    ("unshare", "util-linux"),
];

/// The longest that no scenario may end.
const LIMIT: Duration = Duration::from_secs(300);

/// File descriptors that the scenarios need at once, for their crowds of connections.
const DESCRIPTORS: u64 = 6000;

/// How this program is called inside.
#[derive(Args)]
pub(crate) struct Inside {
    /// We are in the enclosure: the `mesh` program to use there
    #[arg(long = "inside", hide = true)]
    program: Option<PathBuf>,
}

impl Inside {
    /// Whether we are.
    pub(crate) fn is_set(&self) -> bool {
        self.program.is_some()
    }

    /// The `mesh` program.
    pub(super) fn program(&self) -> &Path {
        self.program.as_deref().unwrap_or(Path::new("mesh"))
    }
}

/// This program, running inside.
pub(super) struct Enclosure(JsonChild);

/// Whether the programs and privileges that this takes are there.
pub(super) fn check() -> Result<()> {
    let missing: Vec<_> = PROGRAMS
        .iter()
        .filter(|(program, _)| !shell::starts(program))
        .map(|(program, package)| format!("`{program}` (Debian's package {package})"))
        .collect();
    ensure!(
        missing.is_empty(),
        "network namespaces take programs that are not installed here: {}",
        missing.join(", ")
    );
    shell::output(unshare().arg("true")).context(
        "namespaces cannot be made here: run it as root, with CAP_SYS_ADMIN and CAP_NET_ADMIN",
    )?;
    Ok(())
}

impl Enclosure {
    /// Starts this program inside.
    pub(super) fn start(plan: &str, program: &Path, parts: &[String]) -> Result<Self> {
        let mut command = unshare();
        command
            .arg(shell::this_program()?)
            .args([plan, "--inside"])
            .arg(program)
            .arg("--")
            .args(parts);
        Ok(Self(JsonChild::start("the enclosure", &mut command)?))
    }

    /// Adds what it tells to `report`.
    pub(super) fn report(self, report: &mut Report) -> Result<()> {
        loop {
            let line = self.0.expect("the next result", LIMIT, |_| true)?;
            if line["event"] == "end" {
                return Ok(());
            }
            let name = line["name"].as_str().context("a result without name")?;
            let remark = line["remark"].as_str().unwrap_or_default().to_owned();
            let outcome = match line["ok"].as_bool() {
                Some(true) => Outcome::Passed(remark),
                _ => Outcome::Failed(remark),
            };
            let took = Duration::from_secs_f64(line["seconds"].as_f64().unwrap_or_default());
            report.add(name.to_owned(), outcome, took);
        }
    }
}

/// A command that runs the program in its arguments in new namespaces. The kernel kills it when we end, and it what it
/// started: as the first process of its namespace it takes all others there with it.
fn unshare() -> Command {
    let mut command = Command::new("setpriv");
    command.args([
        "--pdeathsig",
        "KILL",
        "unshare",
        "--net",
        "--mount",
        "--pid",
        "--fork",
    ]);
    command.args(["--kill-child", "--mount-proc"]);
    command
}

/// Makes ourselves at home inside: a place of our own for the names of namespaces and for files, and room for crowds.
pub(super) fn settle() -> Result<()> {
    shell::output(Command::new("mount").args(["-t", "tmpfs", "tmpfs", "/run"]))?;
    fs::create_dir(FOLDER).context("could not make a folder for files")?;
    let limit = getrlimit(Resource::Nofile);
    if limit.maximum.is_some_and(|maximum| maximum < DESCRIPTORS) {
        bail!(
            "crowds of connections take {DESCRIPTORS} file descriptors, and the limit is {:?}",
            limit.maximum
        );
    }
    if limit.current.is_some_and(|current| current < DESCRIPTORS) {
        let current = Some(DESCRIPTORS);
        setrlimit(Resource::Nofile, Rlimit { current, ..limit })?;
    }
    Ok(())
}

/// Tells the result of a scenario to the process outside.
pub(super) fn tell(name: &str, outcome: &Result<String>, took: Duration) {
    let remark = match outcome {
        Ok(remark) => remark.clone(),
        Err(error) => format!("{error:#}"),
    };
    let line = json!({
        "event": "result",
        "name": name,
        "ok": outcome.is_ok(),
        "remark": remark,
        "seconds": took.as_secs_f64(),
    });
    say(&line);
}

/// Tells it that this was all.
pub(super) fn tell_end() {
    say(&json!({ "event": "end" }));
}

fn say(line: &Value) {
    println!("{line}");
}
