//! Where records go: stdout or stderr, as JSON or for people, or over the control socket.

use std::io::{self, IsTerminal, Write};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use tokio::sync::mpsc;
use tokio::time::timeout;

use crate::chat::text::escaped;
use crate::failure::{Failure, Outcome, printable};
use crate::record::Record;

/// Records of one client that wait to be sent. At the limit its command waits; if that does not help in time, it fails.
const RECORD_CAPACITY: usize = 64;

/// How long a client of the control socket may leave records unread; then it is cut off.
const SLOW_CLIENT: Duration = Duration::from_secs(10);

/// Progress in bytes.
const BYTES: &str = "{bar:40} {bytes:>10} of {total_bytes} {bytes_per_sec:>12} {eta:>4} left";

/// Progress in time.
const TIME: &str = "{bar:40} {msg}";

/// Takes the records of a command as they come.
#[derive(Debug)]
pub(crate) enum Report {
    /// To whoever started this program.
    Print(Printer),
    /// To a client of the control socket.
    Send {
        client: mpsc::Sender<Record>,
        /// How long it may leave them unread; without one as long as it is there.
        limit: Option<Duration>,
        /// It printed what it was to confirm.
        confirmed: mpsc::Receiver<()>,
    },
    /// To whoever shows them here, in their own time.
    Hand(mpsc::Sender<Record>),
}

/// Prints records.
#[derive(Debug)]
pub(crate) struct Printer {
    json: bool,
    /// stdout carries data: records go to stderr.
    stderr: bool,
    progress: Option<ProgressBar>,
}

impl Report {
    /// For commands whose stdout is theirs.
    pub(crate) fn stdout(json: bool) -> Self {
        Self::Print(Printer::new(json, false))
    }

    /// For commands whose stdout carries data.
    pub(crate) fn stderr(json: bool) -> Self {
        Self::Print(Printer::new(json, true))
    }

    /// For a client of the control socket, to which somebody sends what comes out at the other end, and whose
    /// confirmations go in there.
    pub(crate) fn channel() -> (Self, mpsc::Receiver<Record>, mpsc::Sender<()>) {
        Self::channel_within(Some(SLOW_CLIENT))
    }

    /// The same for one that reads in its own time, such as a person does: its command ends when it leaves.
    pub(crate) fn patient_channel() -> (Self, mpsc::Receiver<Record>, mpsc::Sender<()>) {
        Self::channel_within(None)
    }

    fn channel_within(limit: Option<Duration>) -> (Self, mpsc::Receiver<Record>, mpsc::Sender<()>) {
        let (client, records) = mpsc::channel(RECORD_CAPACITY);
        let (confirm, confirmed) = mpsc::channel(1);
        let report = Self::Send {
            client,
            limit,
            confirmed,
        };
        (report, records, confirm)
    }

    /// For whoever shows records here, to whom somebody hands what comes out at the other end.
    pub(crate) fn hand() -> (Self, mpsc::Receiver<Record>) {
        let (sender, records) = mpsc::channel(RECORD_CAPACITY);
        (Self::Hand(sender), records)
    }

    /// Passes one on.
    ///
    /// # Errors
    /// Nobody reads any more: the command has nobody left to work for.
    pub(crate) async fn report(&mut self, record: Record) -> Outcome {
        match self {
            Self::Print(printer) => printer
                .print(&record)
                .map_err(|error| Failure::output(&error)),
            Self::Send { client, limit, .. } => {
                let sent = within(*limit, client.send(record)).await;
                sent.and_then(Result::ok).ok_or_else(gone)
            }
            Self::Hand(reader) => {
                let sent = reader.send(record).await;
                sent.map_err(|_| Failure::failed("nobody reads what is to be shown"))
            }
        }
    }

    /// Passes on one that [is to be confirmed](Record::is_confirmed), and completes once whoever started the command
    /// has it.
    ///
    /// # Errors
    /// It may not have arrived.
    pub(crate) async fn deliver(&mut self, record: Record) -> Outcome {
        debug_assert!(record.is_confirmed());
        self.report(record).await?;
        match self {
            Self::Print(_) | Self::Hand(_) => Ok(()),
            Self::Send {
                limit, confirmed, ..
            } => {
                let confirmed = within(*limit, confirmed.recv()).await;
                confirmed.flatten().ok_or_else(gone)
            }
        }
    }
}

/// Waits, and no longer than that.
async fn within<T>(limit: Option<Duration>, what: impl Future<Output = T>) -> Option<T> {
    match limit {
        Some(limit) => timeout(limit, what).await.ok(),
        None => Some(what.await),
    }
}

fn gone() -> Failure {
    Failure::failed("the client of the control socket went away")
}

impl Printer {
    /// One that prints to standard output, or to stderr.
    pub(crate) fn new(json: bool, stderr: bool) -> Self {
        Self {
            json,
            stderr,
            progress: None,
        }
    }

    /// Prints one.
    pub(crate) fn print(&mut self, record: &Record) -> io::Result<()> {
        match record {
            Record::Progress { done, total } => {
                self.draw(*done, *total, BYTES);
                return Ok(());
            }
            Record::Measuring { what, ms, of_ms } => {
                if let Some(bar) = self.draw(*ms.min(of_ms), *of_ms, TIME) {
                    bar.set_message(what.clone());
                }
                return Ok(());
            }
            _ => self.clear(),
        }
        match self.stderr {
            true => self.write(&mut io::stderr().lock(), record),
            false => self.write(&mut io::stdout().lock(), record),
        }
    }

    fn write(&self, out: &mut dyn Write, record: &Record) -> io::Result<()> {
        if self.json {
            // Where it is a terminal, texts of peers must do nothing to it.
            writeln!(out, "{}", escaped(&serde_json::to_string(record)?))?;
        } else {
            writeln!(out, "{}", printable(&record.to_string()))?;
        }
        out.flush()
    }

    /// Shows how far it is, if there is anybody to see it.
    fn draw(&mut self, done: u64, total: u64, style: &str) -> Option<&ProgressBar> {
        if self.json || !io::stderr().is_terminal() {
            return None;
        }
        let bar = self.progress.get_or_insert_with(|| bar(total, style));
        bar.set_position(done);
        Some(bar)
    }

    fn clear(&mut self) {
        if let Some(bar) = self.progress.take() {
            bar.finish_and_clear();
        }
    }
}

fn bar(total: u64, style: &str) -> ProgressBar {
    let style =
        ProgressStyle::with_template(style).unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(total).with_style(style)
}

/// Tells the user about something that does not keep the command from going on.
pub(crate) fn warn(message: impl std::fmt::Display) {
    // If even stderr is gone there is nobody to tell.
    let _ = writeln!(io::stderr(), "mesh: warning: {message}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_command_waits_for_a_slow_client_but_not_for_ever() {
        let (mut report, mut records, _) = Report::channel();
        let record = || Record::PingLost { seq: 1 };
        for _ in 0..RECORD_CAPACITY {
            report.report(record()).await.unwrap();
        }
        let (one_more, _) = tokio::join!(report.report(record()), records.recv());
        one_more.unwrap();
        report.report(record()).await.unwrap_err();
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_reads_in_its_own_time_is_waited_for_until_it_leaves() {
        let (mut report, mut records, confirm) = Report::patient_channel();
        let record = || Record::PingLost { seq: 1 };
        for _ in 0..RECORD_CAPACITY {
            report.report(record()).await.unwrap();
        }
        let reads_late = async {
            tokio::time::sleep(10 * SLOW_CLIENT).await;
            records.recv().await
        };
        let (one_more, _) = tokio::join!(report.report(record()), reads_late);
        one_more.unwrap();
        drop((records, confirm));
        report.report(record()).await.unwrap_err();
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_to_be_confirmed_is_delivered_once_it_was() {
        let (mut report, mut records, confirm) = Report::channel();
        let letter = || Record::Letter(crate::record::LetterRecord::default());
        let client = async {
            records.recv().await.unwrap();
            confirm.send(()).await.unwrap();
        };
        let (delivered, ()) = tokio::join!(report.deliver(letter()), client);
        delivered.unwrap();
        report.deliver(letter()).await.unwrap_err();
    }
}
