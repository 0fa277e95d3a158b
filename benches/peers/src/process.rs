//! Other processes of this program, which are told what to do in lines.

use std::{fmt::Display, process::Stdio, time::Duration};

use anyhow::{Context, Result, bail, ensure};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines, Stdin},
    process::{ChildStdin, ChildStdout, Command},
    time::timeout,
};

/// What a process says when it did what it was told.
pub const DONE: &str = "done";

/// How long a process may take for one line. Thousands of links on a slow machine take their time.
const PATIENCE: Duration = Duration::from_secs(300);

/// Another process; killed when it is dropped.
pub struct Process {
    child: tokio::process::Child,
    stdin: ChildStdin,
    lines: Lines<BufReader<ChildStdout>>,
    number: u32,
}

impl Process {
    /// Starts this program with other arguments.
    pub fn start(arguments: &[&str]) -> Result<Self> {
        let mut child = Command::new(std::env::current_exe()?)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let stdin = child.stdin.take().context("stdin was piped")?;
        let stdout = child.stdout.take().context("stdout was piped")?;
        let number = child.id().context("it has ended already")?;
        let lines = BufReader::new(stdout).lines();
        Ok(Self {
            child,
            stdin,
            lines,
            number,
        })
    }

    /// Its number.
    pub fn id(&self) -> u32 {
        self.number
    }

    /// Its next line.
    pub async fn hear(&mut self) -> Result<String> {
        let line = timeout(PATIENCE, self.lines.next_line())
            .await
            .context("another process of the benchmark takes too long")??;
        line.context("another process of the benchmark ended; its error is above")
    }

    /// Tells it these lines.
    pub async fn tell(&mut self, lines: &[impl Display]) -> Result<()> {
        let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
        self.stdin.write_all(text.as_bytes()).await?;
        Ok(self.stdin.flush().await?)
    }

    /// Waits until it has done `count` things that it was told.
    pub async fn done(&mut self, count: usize) -> Result<()> {
        for _ in 0..count {
            let line = self.hear().await?;
            ensure!(
                line == DONE,
                "another process said `{line}` and not `{DONE}`"
            );
        }
        Ok(())
    }

    /// Lets it end.
    pub async fn end(self) -> Result<()> {
        let Self {
            mut child,
            stdin,
            lines,
            ..
        } = self;
        drop((stdin, lines));
        match timeout(PATIENCE, child.wait()).await {
            Ok(status) => ensure!(status?.success(), "another process of the benchmark failed"),
            Err(_) => bail!("another process of the benchmark does not end"),
        }
        Ok(())
    }
}

/// What this process is told.
pub fn orders() -> Lines<BufReader<Stdin>> {
    BufReader::new(tokio::io::stdin()).lines()
}
