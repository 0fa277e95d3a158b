//! Driving the `mesh` program.
#![allow(dead_code, reason = "each test file uses its own part")]

pub(crate) mod site;

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Output, Stdio};
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

pub(crate) const FAILED: i32 = 1;
pub(crate) const USAGE: i32 = 2;
pub(crate) const UNREACHABLE: i32 = 3;
pub(crate) const REFUSED: i32 = 4;

/// How long a test waits for what never comes.
pub(crate) const PATIENCE: Duration = Duration::from_secs(40);

/// Lines that wait to be looked at.
const LINES: usize = 1000;

/// A folder of its own for every test, that the program takes for its home.
pub(crate) struct World {
    folder: tempfile::TempDir,
}

impl World {
    pub(crate) fn new() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
        }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, contents: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        std::fs::write(&path, contents).unwrap();
        path
    }

    /// `mesh` with these arguments, in the folder.
    pub(crate) fn mesh<'a>(&self, args: impl IntoIterator<Item = &'a str>) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_mesh"));
        command
            .args(args)
            .current_dir(self.folder.path())
            .env_clear()
            .env("HOME", self.folder.path())
            .stdin(Stdio::null());
        command
    }

    /// What `mesh` with these arguments says, to its end.
    pub(crate) fn run<'a>(&self, args: impl IntoIterator<Item = &'a str>) -> Done {
        Done::of(&self.mesh(args).output().unwrap())
    }

    /// A running `mesh up` on a free port of the loopback interface, with these arguments as well.
    pub(crate) fn up<'a>(&self, args: impl IntoIterator<Item = &'a str>) -> Up {
        self.up_at("127.0.0.1:0", args)
    }

    /// The same on this UDP address.
    pub(crate) fn up_at<'a>(&self, udp: &'a str, args: impl IntoIterator<Item = &'a str>) -> Up {
        let args = ["up", "--udp", udp, "--json"].into_iter().chain(args);
        Up::start(&mut self.mesh(args))
    }
}

impl World {
    /// A running `mesh serve` on a free port of the loopback interface.
    pub(crate) fn serve<'a>(&self, args: impl IntoIterator<Item = &'a str>) -> Up {
        let base = ["serve", "--udp", "127.0.0.1:0", "--json"];
        let mut up = Up::start(&mut self.mesh(base.into_iter().chain(args)));
        up.wait_for("serving");
        up
    }

    /// A running `mesh recv` on a free port of the loopback interface.
    pub(crate) fn recv<'a>(&self, args: impl IntoIterator<Item = &'a str>) -> Up {
        self.recv_at(["--udp", "127.0.0.1:0"], args)
    }

    /// The same at this address.
    pub(crate) fn recv_at<'a>(
        &self,
        [transport, address]: [&'a str; 2],
        args: impl IntoIterator<Item = &'a str>,
    ) -> Up {
        let base = ["recv", transport, address, "--json"];
        let mut up = Up::start(&mut self.mesh(base.into_iter().chain(args)));
        up.wait_for("receiving");
        up
    }

    /// A running `mesh proxy` on a free port.
    pub(crate) fn proxy<'a>(&self, args: impl IntoIterator<Item = &'a str>) -> Up {
        let base = ["proxy", "--listen", "127.0.0.1:0", "--json"];
        Up::started(&mut self.mesh(base.into_iter().chain(args)), "proxying")
    }
}

/// What a program left behind.
#[derive(Debug)]
pub(crate) struct Done {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Done {
    pub(crate) fn of(output: &Output) -> Self {
        Self {
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout.clone()).unwrap(),
            stderr: String::from_utf8(output.stderr.clone()).unwrap(),
        }
    }

    /// It went well.
    #[track_caller]
    pub(crate) fn ok(self) -> Self {
        assert_eq!(self.code, Some(0), "{self:?}");
        self
    }

    /// It failed with this code and one sentence that has these words, and printed nothing else.
    #[track_caller]
    pub(crate) fn failed(self, code: i32, words: &[&str]) -> Self {
        assert_eq!(self.code, Some(code), "{self:?}");
        assert_eq!(self.stdout, "", "{self:?}");
        assert!(!self.stderr.contains("panicked"), "{self:?}");
        for word in words {
            assert!(self.stderr.contains(word), "no `{word}` in {self:?}");
        }
        self
    }

    #[track_caller]
    pub(crate) fn json(&self) -> Vec<Value> {
        self.stdout
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }
}

/// A running `mesh up --json`.
pub(crate) struct Up {
    child: Child,
    lines: Receiver<String>,
    said: Vec<String>,
    pub(crate) ready: Value,
}

impl Up {
    pub(crate) fn start(command: &mut Command) -> Self {
        Self::started(command, "ready")
    }

    /// The same of a program that first says this.
    fn started(command: &mut Command, event: &str) -> Self {
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .unwrap();
        let lines = read_lines(child.stdout.take().unwrap());
        let (said, ready) = (Vec::new(), Value::Null);
        let mut up = Self {
            child,
            lines,
            said,
            ready,
        };
        up.ready = up.next();
        assert_eq!(up.ready["event"], event, "{}", up.ready);
        up
    }

    /// The next line.
    #[track_caller]
    pub(crate) fn next(&mut self) -> Value {
        let Ok(line) = self.lines.recv_timeout(PATIENCE) else {
            panic!("after this it says nothing more: {:#?}", self.said);
        };
        self.said.push(line.clone());
        serde_json::from_str(&line).unwrap()
    }

    /// The next line of this kind.
    #[track_caller]
    pub(crate) fn wait_for(&mut self, event: &str) -> Value {
        loop {
            let line = self.next();
            if line["event"] == event {
                return line;
            }
        }
    }

    pub(crate) fn hashname(&self) -> &str {
        self.ready["hashname"].as_str().unwrap()
    }

    /// Its link JSON.
    pub(crate) fn link(&self) -> String {
        self.ready["link"].to_string()
    }

    pub(crate) fn uri(&self) -> &str {
        self.ready["uri"].as_str().unwrap()
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Its exit code, once it has ended by itself.
    pub(crate) fn ends(mut self) -> Option<i32> {
        // Until it closes its output.
        while self.lines.recv_timeout(PATIENCE).is_ok() {}
        self.child.wait().unwrap().code()
    }

    /// Tells it to end; its exit code, and what it had still to say.
    pub(crate) fn terminate(mut self) -> (Option<i32>, String) {
        self.signal(Signal::TERM);
        let rest = self.lines.iter().collect();
        (self.child.wait().unwrap().code(), rest)
    }
}

impl Drop for Up {
    fn drop(&mut self) {
        // It has ended already where the test waited for that.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Reads lines in a thread, so that nobody has to wait for one for ever.
fn read_lines(stdout: ChildStdout) -> Receiver<String> {
    let (sender, lines) = sync_channel(LINES);
    thread::spawn(move || {
        for line in BufReader::new(stdout).lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                return;
            }
        }
    });
    lines
}

/// Runs a command with this input; its exit code, stdout and stderr.
pub(crate) fn with_input(command: &mut Command, input: Vec<u8>) -> (Option<i32>, Vec<u8>, String) {
    let child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = child.spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let writer = thread::spawn(move || stdin.write_all(&input));
    let output = child.wait_with_output().unwrap();
    // A program that fails does not read to the end.
    let _ = writer.join().unwrap();
    (
        output.status.code(),
        output.stdout,
        String::from_utf8(output.stderr).unwrap(),
    )
}

/// Bytes that do not repeat.
pub(crate) fn noise(count: usize) -> Vec<u8> {
    let mut state = count as u64 | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state as u8
    };
    (0..count).map(|_| next()).collect()
}

/// An argument.
pub(crate) fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

impl World {
    /// A running `mesh forward --json` that listens.
    pub(crate) fn forward<'a>(&self, args: impl IntoIterator<Item = &'a str>) -> Up {
        let base = ["forward", "--json"];
        Up::started(&mut self.mesh(base.into_iter().chain(args)), "forwarding")
    }
}

/// The port of what a program says that it listens at.
#[track_caller]
pub(crate) fn listening(said: &Value) -> u16 {
    let (_, port) = said["listening"]
        .as_str()
        .unwrap()
        .rsplit_once(':')
        .unwrap();
    port.parse().unwrap()
}

/// A process that ends when this is dropped.
pub(crate) struct Running(pub(crate) Child);

impl Drop for Running {
    fn drop(&mut self) {
        // It has ended already where the test waited for that.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
