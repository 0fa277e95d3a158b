//! The endpoint's side of the control socket.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncBufRead, AsyncRead, AsyncReadExt as _, AsyncWrite, BufReader};
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio::time::timeout;

use super::frames::{FrameReader, FrameWriter};
use super::{Answer, CONFIRMED, lines, socket};
use crate::args::{PipeEnd, Talk};
use crate::chat::{self, INPUT_CAPACITY, Input};
use crate::command::pipe;
use crate::endpoint::Endpoint;
use crate::failure::{Failure, Outcome};
use crate::operation::{self, Request};
use crate::report::Report;

/// Clients at once; one more is told so and closed.
const MAX_CLIENTS: usize = 64;

/// How long a client may take to say what it wants; then it is closed.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(5);

/// How long a client may leave one answer unread; then it is closed.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);

/// How long to wait when the system has no file descriptors left for clients.
const RETRY: Duration = Duration::from_millis(200);

/// A bound control socket; removed when dropped.
#[derive(Debug)]
pub(crate) struct Server {
    listener: UnixListener,
    path: PathBuf,
}

impl Server {
    /// Offers the control socket in a state directory whose lock the caller holds.
    pub(crate) fn bind(state: &Path) -> Outcome<Self> {
        let path = socket(state);
        let listener = bind_private(&path).map_err(|error| {
            Failure::failed(format_args!("cannot offer the control socket {}: {error}", path.display()))
                .hint("choose a state directory with a shorter path, on a local file system, with --state")
        })?;
        Ok(Self { listener, path })
    }

    /// Serves clients for ever. One that fails, stalls or panics harms nobody else.
    pub(crate) async fn run(self, endpoint: Arc<Endpoint>) {
        let places = Arc::new(Semaphore::new(MAX_CLIENTS));
        loop {
            let client = match self.listener.accept().await {
                Ok((client, _)) => client,
                Err(error) => {
                    tracing::warn!(%error, "the control socket takes no client");
                    tokio::time::sleep(RETRY).await;
                    continue;
                }
            };
            let place = places.clone().try_acquire_owned();
            let endpoint = endpoint.clone();
            tokio::spawn(async move {
                let served = match place {
                    Ok(_place) => serve(client, &endpoint).await,
                    Err(_) => refuse(client).await,
                };
                if let Err(error) = served {
                    tracing::debug!(%error, "a client of the control socket left");
                }
            });
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Whoever finds it there later replaces it.
        let _ = fs::remove_file(&self.path);
    }
}

/// Nobody else can ever connect: the socket gets its name only once it has its permissions. It replaces one that a
/// crashed endpoint left behind; the lock of the directory says that nobody uses it.
fn bind_private(path: &Path) -> io::Result<UnixListener> {
    let new = path.with_extension("new");
    match fs::remove_file(&new) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let listener = UnixListener::bind(&new)?;
    fs::set_permissions(&new, fs::Permissions::from_mode(0o600))?;
    fs::rename(&new, path)?;
    Ok(listener)
}

async fn refuse(client: UnixStream) -> io::Result<()> {
    let busy = Failure::failed(format_args!(
        "{MAX_CLIENTS} commands are attached to this endpoint already"
    ));
    let (_, mut write) = client.into_split();
    answer(
        &mut write,
        &Answer::Failed(busy.hint("try again when one has ended")),
    )
    .await
}

async fn serve(client: UnixStream, endpoint: &Endpoint) -> io::Result<()> {
    let (read, mut write) = client.into_split();
    let mut read = BufReader::new(read);
    match request(&mut read).await {
        Ok(None) => Ok(()),
        Ok(Some(Request::Pipe(end))) => serve_pipe(read, write, endpoint, &end).await,
        Ok(Some(Request::Chat(talk))) => serve_chat(read, write, endpoint, &talk).await,
        Ok(Some(request)) => serve_records(read, write, endpoint, request).await,
        Err(error) => answer(&mut write, &Answer::Failed(not_understood(&error))).await,
    }
}

fn not_understood(error: &io::Error) -> Failure {
    Failure::usage(format_args!(
        "the running endpoint cannot understand the request: {error}"
    ))
    .hint("are both of the same version?")
}

/// What the client wants; `None` if it left instead.
async fn request(read: &mut (impl AsyncBufRead + Unpin)) -> io::Result<Option<Request>> {
    let request = timeout(REQUEST_TIMEOUT, lines::read(read)).await;
    request.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
}

/// Sends records while the command goes on. A client that leaves ends its command.
async fn serve_records(
    mut read: BufReader<OwnedReadHalf>,
    mut write: OwnedWriteHalf,
    endpoint: &Endpoint,
    request: Request,
) -> io::Result<()> {
    // A letter is gone from its box only once it was read: whoever reads letters takes their time.
    let patient = matches!(request, Request::BoxGet(_));
    let (mut report, mut records, confirm) = match patient {
        true => Report::patient_channel(),
        false => Report::channel(),
    };
    let work = async {
        let outcome = operation::perform(endpoint, request, &mut report).await;
        drop(report);
        io::Result::Ok(outcome)
    };
    let relay = async {
        while let Some(record) = records.recv().await {
            let record = Answer::Record(Box::new(record));
            match patient {
                true => lines::write(&mut write, &record).await?,
                false => answer(&mut write, &record).await?,
            }
        }
        Ok(())
    };
    let both = async { tokio::try_join!(work, relay) };
    let (outcome, ()) = tokio::select! {
        both = both => both?,
        gone = listen(&mut read, &confirm) => return Err(gone),
    };
    answer(&mut write, &last_answer(outcome)).await
}

/// Has the client take part in a chat, in which it leaves when it closes the connection. It reads in its own time.
async fn serve_chat(
    mut read: BufReader<OwnedReadHalf>,
    mut write: OwnedWriteHalf,
    endpoint: &Endpoint,
    talk: &Talk,
) -> io::Result<()> {
    let (mut report, mut records, _) = Report::patient_channel();
    let (input, mut inputs) = mpsc::channel(INPUT_CAPACITY);
    let work = async {
        let outcome = chat::perform(endpoint, talk, &mut inputs, &mut report).await;
        drop(report);
        io::Result::Ok(outcome)
    };
    let relay = async {
        while let Some(record) = records.recv().await {
            lines::write(&mut write, &Answer::Record(Box::new(record))).await?;
        }
        Ok(())
    };
    let hear = async {
        loop {
            match lines::read::<Input>(&mut read).await {
                Ok(Some(wanted)) => {
                    if input.send(wanted).await.is_err() {
                        return std::future::pending().await;
                    }
                }
                Ok(None) => return io::ErrorKind::UnexpectedEof.into(),
                Err(error) => return error,
            }
        }
    };
    let both = async { tokio::try_join!(work, relay) };
    let (outcome, ()) = tokio::select! {
        both = both => both?,
        gone = hear => return Err(gone),
    };
    lines::write(&mut write, &last_answer(outcome)).await
}

/// Connects the client to a stream. If it leaves before both ends, the stream fails.
async fn serve_pipe(
    mut read: BufReader<OwnedReadHalf>,
    mut write: OwnedWriteHalf,
    endpoint: &Endpoint,
    end: &PipeEnd,
) -> io::Result<()> {
    let connected = tokio::select! {
        connected = pipe::connect(endpoint, end) => connected,
        gone = gone(&mut read) => return Err(gone),
    };
    let stream = match connected {
        Ok(stream) => stream,
        Err(failure) => return answer(&mut write, &Answer::Failed(failure)).await,
    };
    answer(&mut write, &Answer::Stream).await?;
    let (source, rest) = FrameReader::giving_back(read);
    let mut sink = FrameWriter::new(write);
    let (mut report, mut records, _) = Report::channel();
    let outcome = tokio::select! {
        outcome = pipe::exchange(stream, source, &mut sink, &mut report) => outcome,
        gone = gone_after(rest) => return Err(gone),
    };
    drop(report);
    let mut write = timeout(ANSWER_TIMEOUT, sink.finish()).await??;
    while let Some(record) = records.recv().await {
        answer(&mut write, &Answer::Record(Box::new(record))).await?;
    }
    answer(&mut write, &last_answer(outcome)).await
}

/// Completes when the client, which has nothing more to say, leaves or breaks that rule.
async fn gone(read: &mut (impl AsyncRead + Unpin)) -> io::Error {
    match read.read_u8().await {
        Ok(_) => io::Error::new(io::ErrorKind::InvalidData, "it speaks out of turn"),
        Err(error) => error,
    }
}

/// The same, of one that confirms records.
async fn listen(read: &mut (impl AsyncRead + Unpin), confirm: &mpsc::Sender<()>) -> io::Error {
    loop {
        match read.read_u8().await {
            // One that confirms what it was not asked to speaks out of turn as well.
            Ok(CONFIRMED) if confirm.try_send(()).is_ok() => {}
            Ok(_) => return io::Error::new(io::ErrorKind::InvalidData, "it speaks out of turn"),
            Err(error) => return error,
        }
    }
}

/// The same, once it has sent all its frames.
async fn gone_after(frames: oneshot::Receiver<BufReader<OwnedReadHalf>>) -> io::Error {
    match frames.await {
        Ok(mut read) => gone(&mut read).await,
        Err(_) => std::future::pending().await,
    }
}

fn last_answer(outcome: Outcome) -> Answer {
    match outcome {
        Ok(()) => Answer::Done,
        Err(failure) => Answer::Failed(failure),
    }
}

async fn answer(write: &mut (impl AsyncWrite + Unpin), answer: &Answer) -> io::Result<()> {
    timeout(ANSWER_TIMEOUT, lines::write(write, answer)).await?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_client_that_says_nothing_is_not_waited_for() {
        let (_silent, end) = tokio::io::duplex(64);
        let error = request(&mut BufReader::new(end)).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_reads_nothing_is_not_waited_for() {
        let (_reads_nothing, mut end) = tokio::io::duplex(1);
        let error = answer(&mut end, &Answer::Done).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }
}
