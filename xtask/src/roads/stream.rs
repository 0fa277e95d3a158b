//! Bytes that go through `mesh pipe` to an endpoint which returns them, watched as they come back.

use std::ffi::OsString;
use std::io::{ErrorKind, Read, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use super::net::Host;
use super::world::World;
use super::{endpoint, patient};
use crate::endtoend::mesh::pattern;
use crate::process;

/// Bytes in a megabyte.
pub(super) const MB: u64 = 1_000_000;

/// A stream without end, until somebody ends it.
pub(super) const ENDLESS: u64 = u64::MAX;

/// The bytes repeat after so many: a prime, so that nothing else that has a size repeats with them.
const PERIOD: usize = 1_048_573;

/// Bytes written at once.
const BLOCK: usize = 16 * 1024;

/// What the first byte may take: a link has to be made first.
const FIRST: Duration = Duration::from_secs(20);

/// How long no byte may come before the stream counts as broken.
const BROKEN: Duration = Duration::from_secs(60);

/// How long to wait before looking at the time again.
const TICK: Duration = Duration::from_millis(100);

/// How long a stream may take, however well it goes.
const WHOLE: Duration = Duration::from_secs(150);

/// A running `mesh pipe`, with threads that write to it and read from it.
pub(super) struct Stream {
    child: Child,
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

/// What came of it.
pub(super) struct Arrived {
    /// All the bytes, there and back.
    pub(super) bytes: u64,
    /// From the first that came back to the last.
    pub(super) took: Duration,
    /// The longest that none came, between the first and the last.
    pub(super) stall: Duration,
}

#[derive(Default)]
struct Shared {
    progress: Mutex<Progress>,
    changed: Condvar,
}

#[derive(Default)]
struct Progress {
    /// No more than these are sent.
    end: u64,
    sent: u64,
    received: u64,
    first: Option<Instant>,
    last: Option<Instant>,
    stall: Duration,
    /// Where the first byte was that should have been another.
    wrong: Option<u64>,
    /// Nothing more comes; this was its last line on standard error.
    ended: Option<String>,
}

impl Stream {
    /// Dials `target` from `host`, with a new identity and these transports, and sends `bytes` at `rate`, in bytes a
    /// second. It has to be slower than the network: what breaks a road has to find the stream on it.
    pub(super) fn dial(
        world: &World,
        host: &Host,
        transports: &[&str],
        target: OsString,
        bytes: u64,
        rate: u64,
    ) -> Result<Self> {
        let mut pipe = host.command(&world.place.program);
        pipe.arg("pipe").args(endpoint::listen(transports));
        pipe.arg("--id")
            .arg(world.place.path("dialer.json"))
            .arg(target);
        Self::start(&mut pipe, bytes, rate)
    }

    /// The same with a command line that is complete.
    pub(super) fn start(pipe: &mut Command, bytes: u64, rate: u64) -> Result<Self> {
        let mut child = pipe
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .context("could not start mesh pipe")?;
        let stdin = child.stdin.take().context("no standard input")?;
        let stdout = child.stdout.take().context("no standard output")?;
        let stderr = child.stderr.take().context("no standard error")?;
        let shared = Arc::new(Shared::default());
        shared.lock().end = bytes;
        let pattern: Arc<[u8]> = pattern(PERIOD, bytes).into();
        let writer = {
            let (shared, pattern) = (shared.clone(), pattern.clone());
            thread::spawn(move || write(&shared, stdin, &pattern, rate))
        };
        let reader = {
            let shared = shared.clone();
            thread::spawn(move || {
                read(&shared, stdout, &pattern);
                shared.end(&process::read_all(stderr));
            })
        };
        Ok(Self {
            child,
            shared,
            threads: vec![writer, reader],
        })
    }

    /// Waits until so many bytes have come back.
    pub(super) fn expect(&self, bytes: u64) -> Result<()> {
        self.wait(&format!("{} MB", bytes / MB), |progress| {
            progress.received >= bytes
        })
    }

    /// Sends no more.
    pub(super) fn end(&self) {
        self.shared.lock().end = 0;
    }

    /// Waits for its end and checks that every byte came back as it was sent, and that the program is content.
    pub(super) fn finish(mut self) -> Result<Arrived> {
        self.wait("the end", |progress| progress.ended.is_some())?;
        let status = process::wait(&mut self.child, patient(FIRST))?;
        let status = status.context("mesh pipe does not end")?;
        let progress = self.shared.lock();
        let at = progress.at();
        if let (false, Some(said)) = (status.success(), &progress.ended) {
            bail!("mesh pipe ended with {status} at {at}: {said}");
        }
        ensure!(
            progress.wrong.is_none(),
            "byte {:?} is another",
            progress.wrong
        );
        ensure!(progress.received == progress.sent, "only {at} came back");
        let (Some(first), Some(last)) = (progress.first, progress.last) else {
            bail!("not one byte came back");
        };
        Ok(Arrived {
            bytes: progress.received,
            took: last - first,
            stall: progress.stall,
        })
    }

    fn wait(&self, what: &str, done: impl Fn(&Progress) -> bool) -> Result<()> {
        let start = Instant::now();
        let mut progress = self.shared.lock();
        while !done(&progress) {
            let at = progress.at();
            if let Some(said) = &progress.ended {
                bail!("mesh pipe ended at {at}, before {what}: {said}");
            }
            let limit = progress.last.map_or(FIRST, |_| BROKEN);
            let since = progress.last.map_or(start, |last| last.max(start));
            ensure!(
                since.elapsed() < limit,
                "nothing came for {limit:?} after {at}"
            );
            ensure!(
                start.elapsed() < WHOLE,
                "{what} did not come in {WHOLE:?}, only {at}"
            );
            (progress, _) = self
                .shared
                .changed
                .wait_timeout(progress, TICK)
                .unwrap_or_else(PoisonError::into_inner);
        }
        Ok(())
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        process::end(&mut self.child);
        self.end();
        for thread in self.threads.drain(..) {
            let _panicked = thread.join();
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Progress> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn end(&self, stderr: &str) {
        let said = stderr.lines().last().unwrap_or("it said nothing");
        self.lock().ended = Some(said.to_owned());
        self.changed.notify_all();
    }
}

impl Progress {
    fn at(&self) -> String {
        format!("{} of {} bytes", self.received, self.sent)
    }
}

impl Arrived {
    /// In words.
    pub(super) fn figures(&self) -> String {
        format!(
            "{} MB there and back in {:.1} s, longest stall {:.2} s",
            self.bytes / MB,
            self.took.as_secs_f32(),
            self.stall.as_secs_f32()
        )
    }
}

fn write(shared: &Shared, mut stdin: ChildStdin, pattern: &[u8], rate: u64) {
    let start = Instant::now();
    let mut sent = 0;
    loop {
        let left = shared.lock().end.saturating_sub(sent);
        if left == 0 {
            return;
        }
        let due = start + Duration::from_secs_f64(sent as f64 / rate as f64);
        thread::sleep(due.saturating_duration_since(Instant::now()));
        let rest = &pattern[(sent % PERIOD as u64) as usize..];
        let most = usize::try_from(left).unwrap_or(BLOCK).min(BLOCK);
        let block = &rest[..rest.len().min(most)];
        // Why it does not take them shows in its exit code.
        if stdin.write_all(block).is_err() {
            return;
        }
        sent += block.len() as u64;
        shared.lock().sent = sent;
    }
}

fn read(shared: &Shared, mut stdout: ChildStdout, pattern: &[u8]) {
    let mut block = vec![0; 4 * BLOCK];
    loop {
        let count = match stdout.read(&mut block) {
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Ok(0) | Err(_) => break,
            Ok(count) => count,
        };
        let now = Instant::now();
        let mut progress = shared.lock();
        progress.first.get_or_insert(now);
        if let Some(last) = progress.last.replace(now) {
            progress.stall = progress.stall.max(now - last);
        }
        let expected = pattern
            .iter()
            .cycle()
            .skip((progress.received % PERIOD as u64) as usize);
        let differs = block[..count]
            .iter()
            .zip(expected)
            .position(|(got, sent)| got != sent);
        if let Some(place) = differs {
            let place = progress.received + place as u64;
            progress.wrong.get_or_insert(place);
        }
        progress.received += count as u64;
        shared.changed.notify_all();
    }
}
