//! A host with nothing but a loopback interface and disks of its own, and the programs that run there.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

use crate::endtoend::mesh;
use crate::process::{self, Finished, JsonChild};

/// What starting something may take.
const START: Duration = Duration::from_secs(20);

/// What the slowest transfer may take.
pub(super) const LIMIT: Duration = Duration::from_secs(600);

/// Where whoever waits listens: nobody else is on this loopback interface.
const ADDRESS: &str = "127.0.0.1:4242";

/// Mounts what follows it in pairs: options, and where to. The process that holds it all ends with its input.
const SET_UP: &str = r#"
ip link set lo up
while [ $# -gt 0 ]; do mount -t tmpfs -o "$1" tmpfs "$2"; shift 2; done
echo '{"event":"ready"}'
exec cat
"#;

/// The host.
pub(super) struct Room {
    holder: JsonChild,
    folder: tempfile::TempDir,
    program: PathBuf,
    /// Whom programs run as, if not as root.
    user: Option<u32>,
}

impl Room {
    /// One with disks in memory: each a folder and options of the mount.
    pub(super) fn new(program: &Path, disks: &[(&str, &str)]) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let mut unshare = Command::new("unshare");
        unshare.args(["--net", "--mount", "sh", "-ec", SET_UP, "sh"]);
        for (name, options) in disks {
            let disk = folder.path().join(name);
            fs::create_dir(&disk)?;
            unshare.arg(options).arg(disk);
        }
        let holder = JsonChild::start("the host", &mut unshare)?;
        holder
            .expect("that it is ready", START, |line| line["event"] == "ready")
            .context("no namespaces could be made: that takes root, unshare, ip and mount")?;
        let program = program.to_owned();
        let room = Self {
            holder,
            folder,
            program,
            user: None,
        };
        for name in ["r", "s"] {
            mesh::identity(&room.program, room.folder.path(), name)?;
        }
        Ok(room)
    }

    /// The same, whose programs run without rights, and whose files are theirs.
    pub(super) fn without_rights(mut self) -> Result<Self> {
        /// `nobody`.
        const NOBODY: u32 = 65_534;
        // Where the program was built may be closed to others.
        let program = self.folder.path().join("mesh");
        fs::copy(&self.program, &program)?;
        self.program = program;
        for name in ["", "r.json", "s.json"] {
            let path = self.folder.path().join(name);
            std::os::unix::fs::chown(path, Some(NOBODY), Some(NOBODY))?;
        }
        self.user = Some(NOBODY);
        Ok(self)
    }

    /// Gives a file or folder to the programs.
    pub(super) fn give(&self, name: &str) -> Result<()> {
        let path = self.folder.path().join(name);
        Ok(std::os::unix::fs::chown(path, self.user, self.user)?)
    }

    /// Where something is that is on no disk of the host's own.
    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The same as the host sees it, on whatever disk it is.
    pub(super) fn inside(&self, name: &str) -> PathBuf {
        let root = PathBuf::from(format!("/proc/{}/root", self.holder.id()));
        let path = self.path(name);
        root.join(path.strip_prefix("/").unwrap_or(&path))
    }

    /// A command on the host.
    pub(super) fn command(&self, program: impl AsRef<Path>) -> Command {
        let namespaces = format!("/proc/{}/ns", self.holder.id());
        let mut command = Command::new("nsenter");
        command.arg(format!("--net={namespaces}/net"));
        command.arg(format!("--mount={namespaces}/mnt"));
        // Whoever enters is at the root.
        command.args(["env", "-C"]).arg(self.folder.path());
        if let Some(user) = self.user {
            command.args(["setpriv", "--clear-groups"]);
            command.arg(format!("--reuid={user}"));
            command.arg(format!("--regid={user}"));
        }
        command.arg(program.as_ref());
        command
    }

    /// A running `mesh recv` into this folder.
    pub(super) fn recv(&self, into: &str, args: &[&str]) -> Result<JsonChild> {
        let recv = JsonChild::start("mesh recv", self.recv_once(into).args(args))?;
        let ready = recv.expect("that it is ready", START, |line| line["event"] == "ready")?;
        self.keep_link(&ready)?;
        recv.expect("that it receives", START, |line| {
            line["event"] == "receiving"
        })?;
        Ok(recv)
    }

    /// What a `mesh recv` says that cannot begin.
    pub(super) fn recv_fails(&self, into: &str) -> Result<Finished> {
        process::finish(&mut self.recv_once(into), START)
    }

    /// A `mesh recv` of one transfer, to be run to its end.
    pub(super) fn recv_once(&self, into: &str) -> Command {
        let mut command = self.command(&self.program);
        command.args(["recv", "--json", "--accept", "all", "--id", "r.json"]);
        command
            .args(["--udp", ADDRESS, "--dir"])
            .arg(self.path(into));
        command
    }

    /// `mesh send`, to whoever waits.
    pub(super) fn send(&self, files: &[&str]) -> Command {
        let mut command = self.command(&self.program);
        command.args(["send", "--json", "--id", "s.json"]);
        command
            .arg(mesh::at_file(&self.path("link.json")))
            .args(files);
        command
    }

    /// A `mesh send` that runs.
    pub(super) fn sending(&self, files: &[&str]) -> Result<Process> {
        let child = self
            .send(files)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn();
        Ok(Process(child.context("could not start mesh send")?))
    }

    /// `mesh pipe`, which listens or dials.
    pub(super) fn pipe(&self, listen: bool) -> Command {
        let mut command = self.command(&self.program);
        command.args(["pipe", "--json"]);
        match listen {
            true => command.args([
                "--listen", "--accept", "all", "--id", "r.json", "--udp", ADDRESS,
            ]),
            false => command
                .args(["--id", "s.json", "--udp", "127.0.0.1:0"])
                .arg(mesh::at_file(&self.path("link.json"))),
        };
        command
    }

    /// Bytes that went over the loopback interface so far.
    pub(super) fn wire_bytes(&self) -> Result<u64> {
        let counters = fs::read_to_string(format!("/proc/{}/net/dev", self.holder.id()))?;
        let line = counters
            .lines()
            .find_map(|line| line.trim().strip_prefix("lo:"));
        let received = line.and_then(|line| line.split_whitespace().next());
        Ok(received.context("no counters of lo")?.parse()?)
    }

    fn keep_link(&self, ready: &Value) -> Result<()> {
        Ok(fs::write(
            self.path("link.json"),
            ready["link"].to_string(),
        )?)
    }
}

/// A program that is killed when it is dropped.
pub(super) struct Process(pub(super) Child);

impl Process {
    /// Whether it runs.
    pub(super) fn runs(&mut self) -> Result<bool> {
        Ok(self.0.try_wait()?.is_none())
    }

    /// Waits for a proper end.
    pub(super) fn finish(mut self) -> Result<()> {
        let Some(status) = process::wait(&mut self.0, LIMIT)? else {
            bail!("it still runs after {LIMIT:?}");
        };
        ensure!(status.success(), "it ended with {status}");
        Ok(())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        process::end(&mut self.0);
    }
}

/// Waits for something, without keeping a processor busy.
pub(super) fn wait_for(what: &str, mut done: impl FnMut() -> Result<bool>) -> Result<()> {
    let deadline = Instant::now() + LIMIT;
    while !done()? {
        ensure!(Instant::now() < deadline, "{what}: not within {LIMIT:?}");
        std::thread::sleep(Duration::from_millis(1));
    }
    Ok(())
}
