//! A stream as a pipe of bytes.

use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::{Buf as _, Bytes};
use telehash_hashname::Hashname;
use telehash_runtime::{Channel, ChannelError, Link, Packet};
use tokio::io::{AsyncBufRead, AsyncRead, AsyncWrite, ReadBuf};

use crate::error::io_error;
use crate::messages_face::MessageStream;

/// Limit: packets that a reader takes from its channel at once. What it has not handed on yet is
/// outside of the channel's own bound; at the limit the channel keeps the rest.
pub const READ_AHEAD_PACKETS: usize = 64;

/// A stream of bytes in each direction: `AsyncRead + AsyncBufRead + AsyncWrite`.
///
/// - Reading returns 0 bytes at the peer's end. Message boundaries of the peer do not show.
/// - Writing takes bytes while there is room, and waits while the peer does not read. Everything
///   written is sent as soon as it may be, so flushing has nothing to wait for.
/// - Shutting down ends our direction after what was written; reading goes on.
/// - Dropping it after that delivers what was written in the background; dropping it before fails
///   the stream for both ends. See [`Channel`].
///
/// Polling reads or writes and giving up loses nothing.
#[derive(Debug)]
pub struct ByteStream {
    reader: ByteReader,
    writer: ByteWriter,
}

/// The receiving half of a [`ByteStream`].
#[derive(Debug)]
pub struct ByteReader {
    channel: Arc<Channel>,
    packets: VecDeque<Packet>,
    current: Bytes,
}

/// The sending half of a [`ByteStream`].
#[derive(Debug)]
pub struct ByteWriter {
    channel: Arc<Channel>,
}

impl ByteStream {
    /// The byte face of any reliable channel.
    #[must_use]
    pub fn new(channel: Channel) -> Self {
        Self::starting_with(channel, Bytes::new())
    }

    /// The same of a channel whose opening packet brought these first bytes to read.
    #[must_use]
    pub fn starting_with(channel: Channel, first: Bytes) -> Self {
        let channel = Arc::new(channel);
        Self {
            reader: ByteReader {
                channel: channel.clone(),
                packets: VecDeque::new(),
                current: first,
            },
            writer: ByteWriter { channel },
        }
    }

    /// The peer.
    #[must_use]
    pub fn peer(&self) -> Hashname {
        self.channel().peer()
    }

    /// The link that it is a stream of.
    #[must_use]
    pub fn link(&self) -> Link {
        self.channel().link()
    }

    /// The channel below.
    #[must_use]
    pub fn channel(&self) -> &Channel {
        &self.writer.channel
    }

    /// Waits until both directions have ended and everything of ours was acknowledged. Read to the
    /// end first.
    ///
    /// Cancel-safe.
    ///
    /// # Errors
    /// The stream failed.
    pub async fn closed(&mut self) -> Result<(), ChannelError> {
        std::future::poll_fn(|cx| self.channel().poll_closed(cx)).await
    }

    /// Takes the two directions apart, for two tasks.
    #[must_use]
    pub fn into_split(self) -> (ByteReader, ByteWriter) {
        (self.reader, self.writer)
    }

    /// Puts the halves of one stream together again.
    ///
    /// # Errors
    /// The halves come back if they are of two streams.
    pub fn reunite(
        reader: ByteReader,
        writer: ByteWriter,
    ) -> Result<Self, (ByteReader, ByteWriter)> {
        if Arc::ptr_eq(&reader.channel, &writer.channel) {
            Ok(Self { reader, writer })
        } else {
            Err((reader, writer))
        }
    }

    /// The message face, with this limit on messages received, in bytes.
    ///
    /// # Errors
    /// The stream comes back if bytes were read that belong to a message.
    pub fn into_messages(self, max_message: usize) -> Result<MessageStream, Self> {
        if !self.reader.packets.is_empty() || !self.reader.current.is_empty() {
            return Err(self);
        }
        let Self { reader, writer } = self;
        drop(reader);
        let channel = Arc::into_inner(writer.channel);
        let channel = channel.expect("a stream that is not split holds both of its references");
        Ok(MessageStream::new(channel, max_message))
    }
}

impl ByteReader {
    /// Makes sure that `current` holds bytes, unless the peer has ended.
    fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.current.is_empty() {
            match self.packets.pop_front() {
                Some(packet) => self.current = packet.body,
                None => {
                    let taken =
                        self.channel
                            .poll_recv_many(cx, &mut self.packets, READ_AHEAD_PACKETS);
                    if ready!(taken).map_err(|error| io_error(error.into()))? == 0 {
                        return Poll::Ready(Ok(()));
                    }
                }
            }
        }
        Poll::Ready(Ok(()))
    }

    /// The channel below.
    #[must_use]
    pub fn channel(&self) -> &Channel {
        &self.channel
    }

    /// The next piece of the stream as it was received, without copying; `None` at the peer's end.
    ///
    /// Cancel-safe.
    ///
    /// # Errors
    /// The stream failed.
    pub async fn chunk(&mut self) -> io::Result<Option<Bytes>> {
        std::future::poll_fn(|cx| self.poll_chunk(cx)).await
    }

    /// Polls for the next piece, as [`chunk`](Self::chunk).
    ///
    /// # Errors
    /// The stream failed.
    pub fn poll_chunk(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Option<Bytes>>> {
        ready!(self.poll_fill(cx))?;
        let chunk = std::mem::take(&mut self.current);
        Poll::Ready(Ok((!chunk.is_empty()).then_some(chunk)))
    }
}

impl ByteWriter {
    /// The channel below.
    #[must_use]
    pub fn channel(&self) -> &Channel {
        &self.channel
    }
}

impl ByteWriter {
    /// Fails the stream at once for both ends, whatever ended before, and tells the peer why.
    pub fn fail(&self, error: &str) {
        self.channel.fail(error);
    }

    /// As [`ByteStream::closed`], for whoever has this half. Only the last caller's waker is kept.
    ///
    /// # Errors
    /// The stream failed.
    pub fn poll_closed(&self, cx: &mut Context<'_>) -> Poll<Result<(), ChannelError>> {
        self.channel.poll_closed(cx)
    }
}

impl AsyncRead for ByteReader {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if buf.remaining() == 0 {
            return Poll::Ready(Ok(()));
        }
        ready!(this.poll_fill(cx))?;
        loop {
            let len = this.current.len().min(buf.remaining());
            buf.put_slice(&this.current.split_to(len));
            if buf.remaining() == 0 {
                return Poll::Ready(Ok(()));
            }
            // Only what is at hand: a read does not wait to fill the buffer.
            match this.packets.pop_front() {
                Some(packet) => this.current = packet.body,
                None => return Poll::Ready(Ok(())),
            }
        }
    }
}

impl AsyncBufRead for ByteReader {
    fn poll_fill_buf(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<&[u8]>> {
        let this = self.get_mut();
        ready!(this.poll_fill(cx))?;
        Poll::Ready(Ok(&this.current))
    }

    fn consume(self: Pin<&mut Self>, amount: usize) {
        let this = self.get_mut();
        this.current.advance(amount.min(this.current.len()));
    }
}

impl AsyncWrite for ByteWriter {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        data: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut &*self).poll_write(cx, data)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut &*self).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut &*self).poll_shutdown(cx)
    }
}

/// So that one who watches the stream can look on.
impl AsyncWrite for &ByteWriter {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        data: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.channel.poll_write(cx, data).map_err(io_error)
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(self.channel.end().map_err(|error| io_error(error.into())))
    }
}

impl AsyncRead for ByteStream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().reader).poll_read(cx, buf)
    }
}

impl AsyncBufRead for ByteStream {
    fn poll_fill_buf(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<&[u8]>> {
        Pin::new(&mut self.get_mut().reader).poll_fill_buf(cx)
    }

    fn consume(self: Pin<&mut Self>, amount: usize) {
        Pin::new(&mut self.get_mut().reader).consume(amount);
    }
}

impl AsyncWrite for ByteStream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        data: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().writer).poll_write(cx, data)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().writer).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().writer).poll_shutdown(cx)
    }
}
