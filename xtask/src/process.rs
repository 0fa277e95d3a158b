//! Child processes that talk JSON lines, never outlive us and never make us wait for ever.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

/// Lines that wait to be read; the child blocks when there are more.
const LINES: usize = 1024;

/// A running program whose standard output is JSON, one object a line.
pub(crate) struct JsonChild {
    name: String,
    child: Child,
    lines: Receiver<Value>,
    /// Kept open: the JavaScript peer ends when its input does.
    _stdin: Option<ChildStdin>,
}

impl JsonChild {
    /// Starts `command`; `name` is what errors call it.
    pub(crate) fn start(name: impl Into<String>, command: &mut Command) -> Result<Self> {
        let name = name.into();
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .with_context(|| format!("could not start {name}"))?;
        let (sender, lines) = sync_channel(LINES);
        let stdout = child.stdout.take().context("the child has no output")?;
        thread::spawn(move || read_lines(stdout, &sender));
        let stdin = child.stdin.take();
        Ok(Self {
            name,
            child,
            lines,
            _stdin: stdin,
        })
    }

    /// The next line for which `wanted` holds, within `limit`; other lines are dropped.
    pub(crate) fn expect(
        &self,
        what: &str,
        limit: Duration,
        mut wanted: impl FnMut(&Value) -> bool,
    ) -> Result<Value> {
        let deadline = Instant::now() + limit;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.lines.recv_timeout(left) {
                Ok(line) if wanted(&line) => return Ok(line),
                Ok(line) if line["event"] == "fatal" => bail!("{}: {}", self.name, line["error"]),
                Ok(_) => {}
                Err(RecvTimeoutError::Timeout) => {
                    bail!("{} did not report {what} within {limit:?}", self.name)
                }
                Err(RecvTimeoutError::Disconnected) => {
                    bail!("{} ended before it reported {what}", self.name)
                }
            }
        }
    }

    /// The lines that have come and that nobody expected; they are dropped.
    pub(crate) fn unread(&self) -> Vec<Value> {
        self.lines.try_iter().collect()
    }

    /// The number of the process.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Sends a signal, by its name without `SIG`.
    pub(crate) fn signal(&self, signal: &str) -> Result<()> {
        let id = self.id().to_string();
        let sent = Command::new("kill")
            .args(["-s", signal, &id])
            .status()
            .context("could not run kill")?;
        ensure!(sent.success(), "{} cannot be sent {signal}", self.name);
        Ok(())
    }

    /// Asks the program to end with SIGTERM and waits for it.
    pub(crate) fn terminate(mut self, limit: Duration) -> Result<ExitStatus> {
        self.signal("TERM")?;
        wait(&mut self.child, limit)?
            .with_context(|| format!("{} ignored SIGTERM for {limit:?}", self.name))
    }
}

impl Drop for JsonChild {
    fn drop(&mut self) {
        end(&mut self.child);
    }
}

/// What a program that ran to its end left behind.
pub(crate) struct Finished {
    /// Its exit code; none when a signal ended it.
    pub(crate) code: Option<i32>,
    /// Its standard error, and its standard output unless that went elsewhere.
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    /// From start to end.
    pub(crate) took: Duration,
}

impl Finished {
    /// The last line of standard error, or `nothing on stderr`.
    pub(crate) fn last_error_line(&self) -> &str {
        self.stderr.lines().last().unwrap_or("nothing on stderr")
    }

    /// Every line of standard output that is JSON.
    pub(crate) fn json_lines(&self) -> Vec<Value> {
        self.stdout
            .lines()
            .filter_map(|line| serde_json::from_str(line).ok())
            .collect()
    }
}

/// Runs `command` to its end, killing it at `limit`. Input and output default to nothing and to a pipe.
pub(crate) fn finish(command: &mut Command, limit: Duration) -> Result<Finished> {
    run_to_end(command.stdin(Stdio::null()).stdout(Stdio::piped()), limit)
}

/// Like [`finish`], with the standard input and output that `command` was given.
pub(crate) fn run_to_end(command: &mut Command, limit: Duration) -> Result<Finished> {
    let start = Instant::now();
    let mut child = command
        .stderr(Stdio::piped())
        .spawn()
        .context("could not start the program")?;
    let stdout = child
        .stdout
        .take()
        .map(|pipe| thread::spawn(move || read_all(pipe)));
    let stderr = child
        .stderr
        .take()
        .map(|pipe| thread::spawn(move || read_all(pipe)));
    let status = wait(&mut child, limit)?;
    let took = start.elapsed();
    end(&mut child);
    let text = |reader: Option<thread::JoinHandle<String>>| {
        reader
            .and_then(|thread| thread.join().ok())
            .unwrap_or_default()
    };
    let (stdout, stderr) = (text(stdout), text(stderr));
    let Some(status) = status else {
        bail!("still running after {limit:?}; stderr: {stderr}");
    };
    Ok(Finished {
        code: status.code(),
        stdout,
        stderr,
        took,
    })
}

/// Waits for it to end; none if it still runs at `limit`.
pub(crate) fn wait(child: &mut Child, limit: Duration) -> Result<Option<ExitStatus>> {
    let deadline = Instant::now() + limit;
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        if Instant::now() >= deadline {
            return Ok(None);
        }
        thread::sleep(Duration::from_millis(5));
    }
}

/// Kills a child that still runs. Errors mean that it is gone already.
pub(crate) fn end(child: &mut Child) {
    let _gone = child.kill();
    let _reaped = child.wait();
}

/// Everything that comes until the end, as text.
pub(crate) fn read_all(mut pipe: impl Read) -> String {
    let mut bytes = Vec::new();
    let _partial = pipe.read_to_end(&mut bytes);
    String::from_utf8_lossy(&bytes).into_owned()
}

fn read_lines(stdout: impl Read, sender: &SyncSender<Value>) {
    for line in BufReader::new(stdout).lines().map_while(Result::ok) {
        match serde_json::from_str(&line) {
            Ok(value) => {
                if sender.send(value).is_err() {
                    return;
                }
            }
            Err(_) => eprintln!("not JSON: {line}"),
        }
    }
}
