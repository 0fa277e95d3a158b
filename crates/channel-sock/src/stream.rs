//! A TCP connection at the other end of a link.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};

use telehash_channel_stream::{ByteReader, ByteStream, ByteWriter};
use telehash_hashname::Hashname;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// A tunnel of bytes: a TCP connection whose other end is at, or beyond, the peer.
///
/// Each direction ends on its own: shutting down ends ours. Dropping it before that resets the
/// connection at the other end. Otherwise as a [`ByteStream`].
#[derive(Debug)]
pub struct SockStream {
    stream: ByteStream,
}

impl SockStream {
    pub(crate) fn new(stream: ByteStream) -> Self {
        Self { stream }
    }

    /// The endpoint that makes the connection.
    #[must_use]
    pub fn peer(&self) -> Hashname {
        self.stream.peer()
    }

    /// Takes the two directions apart, for two tasks.
    #[must_use]
    pub fn into_split(self) -> (ByteReader, ByteWriter) {
        self.stream.into_split()
    }

    /// Resets the connection at the other end, whatever was shut down before.
    pub fn reset(self) {
        self.stream.channel().fail(crate::wire::refusal::RESET);
    }

    /// The stream of bytes that it is.
    #[must_use]
    pub fn into_inner(self) -> ByteStream {
        self.stream
    }
}

/// A tunnel that came to a port that we bound, and where from: without a port, 0, if the peer does
/// not tell it; `None` if it tells nothing.
pub(crate) type Accepted = (SockStream, Option<SocketAddr>);

impl AsyncRead for SockStream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for SockStream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        data: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().stream).poll_write(cx, data)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(cx)
    }
}
