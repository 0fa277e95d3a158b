//! The two directions of a connection, which two threads can work on at once.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{
        TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
};

#[cfg(feature = "tls")]
use crate::tls;

/// Both directions.
pub(crate) type Halves = (ReadHalf, WriteHalf);

/// What the peer sends.
#[derive(Debug)]
pub(crate) enum ReadHalf {
    Tcp(OwnedReadHalf),
    #[cfg(feature = "tls")]
    Tls(tls::ReadHalf),
}

/// What we send.
#[derive(Debug)]
pub(crate) enum WriteHalf {
    Tcp(OwnedWriteHalf),
    #[cfg(feature = "tls")]
    Tls(tls::WriteHalf),
}

/// A bare TCP connection.
pub(crate) fn plain(stream: TcpStream) -> Halves {
    let (read, write) = stream.into_split();
    (ReadHalf::Tcp(read), WriteHalf::Tcp(write))
}

impl ReadHalf {
    /// Reads into `buffer` and returns the number of bytes; 0 at the end.
    pub(crate) fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let mut buffer = ReadBuf::new(buffer);
        ready!(match self {
            Self::Tcp(half) => Pin::new(half).poll_read(cx, &mut buffer),
            #[cfg(feature = "tls")]
            Self::Tls(half) => Pin::new(half).poll_read(cx, &mut buffer),
        })?;
        Poll::Ready(Ok(buffer.filled().len()))
    }
}

impl WriteHalf {
    /// Writes from the front of `bytes` and returns how many.
    pub(crate) fn poll_write(
        &mut self,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self {
            // The budget of whatever task sends is not ours to spend.
            Self::Tcp(half) => loop {
                match half.try_write(bytes) {
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                        ready!(half.as_ref().poll_write_ready(cx))?;
                    }
                    result => return Poll::Ready(result),
                }
            },
            #[cfg(feature = "tls")]
            Self::Tls(half) => Pin::new(half).poll_write(cx, bytes),
        }
    }

    /// Whether what was written may still wait here, until it is flushed.
    pub(crate) const fn holds_back(&self) -> bool {
        !matches!(self, Self::Tcp(_))
    }

    pub(crate) fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Tcp(half) => Pin::new(half).poll_flush(cx),
            #[cfg(feature = "tls")]
            Self::Tls(half) => Pin::new(half).poll_flush(cx),
        }
    }

    /// Tells the peer that nothing follows.
    pub(crate) fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Tcp(half) => Pin::new(half).poll_shutdown(cx),
            #[cfg(feature = "tls")]
            Self::Tls(half) => Pin::new(half).poll_shutdown(cx),
        }
    }
}
