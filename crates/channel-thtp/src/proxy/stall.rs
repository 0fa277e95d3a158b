//! Nobody waits for ever for somebody who stopped.

use std::future::Future;
use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Frame, SizeHint};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep, timeout};

/// Limit: how long the body of a request may stand still, and how long a client may leave a response
/// unread; then the connection is closed.
pub const STALL_TIMEOUT: Duration = Duration::from_secs(60);

/// What becomes of a request's body.
#[derive(Clone, Debug, Default)]
pub(super) struct Progress(Arc<Counts>);

#[derive(Debug, Default)]
struct Counts {
    frames: AtomicU64,
    failed: AtomicBool,
}

impl Progress {
    fn made(&self) {
        self.0.frames.fetch_add(1, Ordering::Relaxed);
    }

    fn failed(&self) {
        self.0.failed.store(true, Ordering::Relaxed);
    }

    /// Whether whoever sent it broke off, or sent what is none.
    pub(super) fn has_failed(&self) -> bool {
        self.0.failed.load(Ordering::Relaxed)
    }

    fn frames(&self) -> u64 {
        self.0.frames.load(Ordering::Relaxed)
    }

    /// The outcome of `work`, unless for so long there is neither that nor progress.
    pub(super) async fn or_silence<T>(
        &self,
        limit: Duration,
        work: impl Future<Output = T>,
    ) -> Option<T> {
        let mut work = pin!(work);
        loop {
            let before = self.frames();
            match timeout(limit, work.as_mut()).await {
                Ok(done) => return Some(done),
                Err(_) if self.frames() == before => return None,
                Err(_) => {}
            }
        }
    }
}

/// A request's body that fails when it stands still.
pub(super) struct Steady<B> {
    body: Pin<Box<B>>,
    progress: Progress,
    alarm: Option<Pin<Box<Sleep>>>,
}

impl<B> Steady<B> {
    pub(super) fn new(body: B, progress: Progress) -> Self {
        Self {
            body: Box::pin(body),
            progress,
            alarm: None,
        }
    }
}

type BoxError = Box<dyn std::error::Error + Send + Sync>;

impl<B> http_body::Body for Steady<B>
where
    B: http_body::Body<Data = Bytes>,
    B::Error: Into<BoxError>,
{
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        if let Poll::Ready(frame) = self.body.as_mut().poll_frame(cx) {
            match frame {
                Some(Err(_)) => self.progress.failed(),
                _ => self.progress.made(),
            }
            self.alarm = None;
            return Poll::Ready(frame.map(|frame| frame.map_err(Into::into)));
        }
        ready!(
            self.alarm
                .get_or_insert_with(|| Box::pin(sleep(STALL_TIMEOUT)))
                .as_mut()
                .poll(cx)
        );
        self.progress.failed();
        Poll::Ready(Some(Err(io::Error::from(io::ErrorKind::TimedOut).into())))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// A connection whose writes fail when the other end leaves them unread.
pub(super) struct Patient<I> {
    io: I,
    alarm: Option<Pin<Box<Sleep>>>,
}

impl<I> Patient<I> {
    pub(super) fn new(io: I) -> Self {
        Self { io, alarm: None }
    }

    fn wait<T>(&mut self, cx: &mut Context<'_>, poll: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if poll.is_ready() {
            self.alarm = None;
            return poll;
        }
        let alarm = self.alarm.get_or_insert_with(|| {
            Box::pin(tokio::time::sleep_until(Instant::now() + STALL_TIMEOUT))
        });
        ready!(alarm.as_mut().poll(cx));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl<I: AsyncRead + Unpin> AsyncRead for Patient<I> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_read(cx, buf)
    }
}

impl<I: AsyncWrite + Unpin> AsyncWrite for Patient<I> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.io).poll_write(cx, buf);
        self.wait(cx, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.io).poll_write_vectored(cx, bufs);
        self.wait(cx, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.io).poll_flush(cx);
        self.wait(cx, flushed)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let shut = Pin::new(&mut self.io).poll_shutdown(cx);
        self.wait(cx, shut)
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt as _;
    use tokio::io::AsyncWriteExt as _;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_client_that_leaves_a_response_unread_is_given_up() {
        let (near, _unread) = tokio::io::duplex(4);
        let start = Instant::now();
        let error = Patient::new(near).write_all(b"too long").await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert_eq!(start.elapsed(), STALL_TIMEOUT);
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_body_that_stands_still_fails() {
        let stuck =
            http_body_util::StreamBody::new(futures::stream::pending::<Result<_, io::Error>>());
        let start = Instant::now();
        let frame = Steady::new(stuck, Progress::default()).frame().await;
        assert!(matches!(frame, Some(Err(_))));
        assert_eq!(start.elapsed(), STALL_TIMEOUT);
    }

    #[tokio::test(start_paused = true)]
    async fn progress_keeps_a_long_upload_from_being_given_up() {
        let progress = Progress::default();
        let second = Duration::from_secs(1);
        let work = async {
            for _ in 0..10 {
                sleep(second).await;
                progress.made();
            }
            7
        };
        assert_eq!(progress.or_silence(3 * second, work).await, Some(7));
        let silence = std::future::pending::<()>();
        assert_eq!(progress.or_silence(3 * second, silence).await, None);
    }
}
