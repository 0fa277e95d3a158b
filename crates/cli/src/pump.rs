//! Moving bytes from one place to another, with the place that failed in the error.

use std::future::Future;
use std::io;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

/// Bytes that move at once.
const BLOCK: usize = 64 * 1024;

/// Where bytes come from.
pub(crate) trait Source: Send {
    /// Reads some; 0 only at the proper end, never because the other end went away.
    fn read(&mut self, buf: &mut [u8]) -> impl Future<Output = io::Result<usize>> + Send;
}

/// Where bytes go to.
pub(crate) trait Sink: Send {
    /// Writes them all.
    fn write(&mut self, data: &[u8]) -> impl Future<Output = io::Result<()>> + Send;

    /// That was all; completes when it is all on its way.
    fn end(&mut self) -> impl Future<Output = io::Result<()>> + Send;
}

/// Which side failed.
#[derive(Debug)]
pub(crate) enum PumpError {
    Source(io::Error),
    Sink(io::Error),
}

/// Moves everything, and the end. Calls `moved` with the number of bytes now and then.
pub(crate) async fn pump(
    mut source: impl Source,
    mut sink: impl Sink,
    mut moved: impl FnMut(u64) + Send,
) -> Result<u64, PumpError> {
    let mut block = vec![0; BLOCK];
    let mut total = 0;
    loop {
        match source.read(&mut block).await.map_err(PumpError::Source)? {
            0 => break,
            count => {
                sink.write(&block[..count]).await.map_err(PumpError::Sink)?;
                total += count as u64;
                moved(total);
            }
        }
    }
    sink.end().await.map_err(PumpError::Sink)?;
    Ok(total)
}

impl<S: Sink> Sink for &mut S {
    async fn write(&mut self, data: &[u8]) -> io::Result<()> {
        (**self).write(data).await
    }

    async fn end(&mut self) -> io::Result<()> {
        (**self).end().await
    }
}

/// A file, a standard stream, or a stream of a link: its end is its proper end.
pub(crate) struct Plain<T>(pub(crate) T);

impl<R: AsyncRead + Unpin + Send> Source for Plain<R> {
    async fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.0.read(buf).await
    }
}

/// The same to write to; its end is a flush, or for a stream its `end`.
pub(crate) enum Outlet<W> {
    /// Only flushed at the end.
    Flushed(W),
    /// Shut down at the end.
    Closed(W),
}

impl<W: AsyncWrite + Unpin + Send> Sink for Outlet<W> {
    async fn write(&mut self, data: &[u8]) -> io::Result<()> {
        match self {
            Self::Flushed(inner) | Self::Closed(inner) => inner.write_all(data).await,
        }
    }

    async fn end(&mut self) -> io::Result<()> {
        match self {
            Self::Flushed(inner) => inner.flush().await,
            Self::Closed(inner) => inner.shutdown().await,
        }
    }
}
