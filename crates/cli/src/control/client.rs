//! A command's side of the control socket.

use std::io;
use std::path::{Path, PathBuf};

use tokio::io::{AsyncWrite, AsyncWriteExt as _, BufReader};
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::mpsc;

use super::frames::{FrameReader, FrameWriter};
use super::{Answer, CONFIRMED, lines, socket};
use crate::chat::Input;
use crate::failure::{Failure, Outcome};
use crate::operation::Request;
use crate::pump::{PumpError, Sink, Source, pump};
use crate::report::Report;

/// A connection to the running endpoint.
#[derive(Debug)]
pub(crate) struct Client {
    read: BufReader<OwnedReadHalf>,
    write: OwnedWriteHalf,
    path: PathBuf,
}

impl Client {
    /// Connects to the endpoint that runs with this state directory; `None` if none does.
    pub(crate) async fn connect(state: &Path) -> Option<Self> {
        let path = socket(state);
        let (read, write) = UnixStream::connect(&path).await.ok()?.into_split();
        Some(Self {
            read: BufReader::new(read),
            write,
            path,
        })
    }

    /// Has a command done.
    pub(crate) async fn perform(mut self, request: &Request, report: &mut Report) -> Outcome {
        self.ask(request).await;
        rest(&mut self.read, &mut self.write, &self.path, report).await
    }

    /// Has a stream connected to `source` and `sink`.
    pub(crate) async fn pipe(
        mut self,
        request: &Request,
        source: impl Source,
        sink: impl Sink,
        report: &mut Report,
    ) -> Outcome {
        self.ask(request).await;
        match next(&mut self.read, &self.path).await? {
            Answer::Stream => {}
            Answer::Failed(failure) => return Err(failure),
            answer => return Err(broken(&self.path, format_args!("unexpected {answer:?}"))),
        }
        let Self { read, write, path } = &mut self;
        let up = async {
            match pump(source, FrameWriter::new(write), |_| {}).await {
                Err(PumpError::Source(error)) => Err(Failure::failed(format_args!(
                    "cannot read standard input: {error}"
                ))),
                // If the endpoint takes no more, it says why.
                Err(PumpError::Sink(_)) | Ok(_) => std::future::pending().await,
            }
        };
        let down = async {
            match pump(FrameReader::new(&mut *read), sink, |_| {}).await {
                Err(PumpError::Sink(error)) => return Err(Failure::output(&error)),
                Err(PumpError::Source(error))
                    if error.kind() != io::ErrorKind::ConnectionAborted =>
                {
                    return Err(broken(path, error));
                }
                // Aborted: the last lines say why.
                Err(PumpError::Source(_)) | Ok(_) => {}
            }
            // A pipe has nothing to confirm.
            rest(read, &mut tokio::io::sink(), path, report).await
        };
        tokio::select! { outcome = down => outcome, outcome = up => outcome }
    }

    /// Takes part in a chat: inputs go there as they come.
    pub(crate) async fn chat(
        mut self,
        request: &Request,
        inputs: &mut mpsc::Receiver<Input>,
        report: &mut Report,
    ) -> Outcome {
        self.ask(request).await;
        let Self { read, write, path } = &mut self;
        let up = async {
            while let Some(input) = inputs.recv().await {
                // If the endpoint takes no more, it says why.
                if lines::write(write, &input).await.is_err() {
                    std::future::pending::<()>().await;
                }
            }
        };
        // A chat has nothing to confirm.
        let mut nothing = tokio::io::sink();
        tokio::select! {
            outcome = rest(read, &mut nothing, path, report) => outcome,
            // Whoever types has left.
            () = up => Ok(()),
        }
    }

    async fn ask(&mut self, request: &Request) {
        // If it hung up before it read this, it may have said why.
        let _ = lines::write(&mut self.write, request).await;
    }
}

/// The records of a command, and its outcome.
async fn rest(
    read: &mut BufReader<OwnedReadHalf>,
    write: &mut (impl AsyncWrite + Unpin),
    path: &Path,
    report: &mut Report,
) -> Outcome {
    loop {
        match next(read, path).await? {
            Answer::Record(record) => {
                let is_confirmed = record.is_confirmed();
                report.report(*record).await?;
                if is_confirmed {
                    let confirmed = write.write_u8(CONFIRMED).await;
                    confirmed.map_err(|error| broken(path, error))?;
                }
            }
            Answer::Done => return Ok(()),
            Answer::Failed(failure) => return Err(failure),
            Answer::Stream => return Err(broken(path, "it sent a stream that nobody asked for")),
        }
    }
}

async fn next(read: &mut BufReader<OwnedReadHalf>, path: &Path) -> Outcome<Answer> {
    match lines::read(read).await {
        Ok(Some(answer)) => Ok(answer),
        Ok(None) => Err(broken(path, "it closed the connection")),
        Err(error) => Err(broken(path, error)),
    }
}

fn broken(path: &Path, error: impl std::fmt::Display) -> Failure {
    let what = format_args!("lost the running endpoint at {}: {error}", path.display());
    Failure::failed(what).hint("did it end, or is it of another version?")
}
