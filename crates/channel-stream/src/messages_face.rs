//! A stream as a sequence of messages.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use futures::{Sink, Stream};
use serde_json::Map;
use telehash_hashname::Hashname;
use telehash_runtime::{Channel, ChannelError, Link, Packet};

use crate::assemble::Assembler;
use crate::error::MessageError;
use crate::message::Message;

/// Limit: bytes of one message received, unless the application sets another. At the limit the
/// stream fails.
pub const DEFAULT_MAX_MESSAGE: usize = 1024 * 1024;

/// Room in the last packet of a message for `"enc":"binary"`.
const ENC_ROOM: usize = 24;

/// Least content of a packet, whatever the quota says: a message is never cut to nothing.
const MIN_PIECE: usize = 128;

/// A stream of messages in each direction: `Stream` and `Sink` of [`Message`]s.
///
/// A received message that is not what its encoding says is an error of its own; the next one can
/// be read. Other errors are the end.
#[derive(Debug)]
pub struct MessageStream {
    channel: Channel,
    /// The message that is being received.
    assembler: Assembler,
    /// Packets of the message that is being sent.
    outgoing: VecDeque<Packet>,
    sending: Option<Packet>,
    received_all: bool,
}

impl MessageStream {
    /// The message face of any reliable channel, with this limit on messages received, in bytes.
    #[must_use]
    pub fn new(channel: Channel, max_message: usize) -> Self {
        Self {
            channel,
            assembler: Assembler::new(max_message),
            outgoing: VecDeque::new(),
            sending: None,
            received_all: false,
        }
    }

    /// The peer.
    #[must_use]
    pub fn peer(&self) -> Hashname {
        self.channel.peer()
    }

    /// The link that it is a stream of.
    #[must_use]
    pub fn link(&self) -> Link {
        self.channel.link()
    }

    /// Sends one message, once there is room for all of it.
    ///
    /// Not cancel-safe: a message of which some packets were sent when the future is dropped is
    /// completed by the next call.
    ///
    /// # Errors
    /// The message cannot be encoded, or the stream ended or failed.
    pub async fn send(&mut self, message: impl Into<Message>) -> Result<(), MessageError> {
        poll_fn(|cx| self.poll_flush_outgoing(cx)).await?;
        self.cut(message.into())?;
        poll_fn(|cx| self.poll_flush_outgoing(cx)).await
    }

    /// The next message; `None` when the peer has ended its direction.
    ///
    /// Cancel-safe.
    ///
    /// # Errors
    /// The message is too large or malformed, or the stream failed; see [`MessageError`].
    pub async fn recv(&mut self) -> Result<Option<Message>, MessageError> {
        poll_fn(|cx| self.poll_message(cx)).await
    }

    /// Ends our direction. Receiving goes on.
    ///
    /// # Errors
    /// The stream failed.
    pub fn end(&mut self) -> Result<(), ChannelError> {
        self.channel.end()
    }

    fn poll_message(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Option<Message>, MessageError>> {
        while !self.received_all {
            let Some(packet) = ready!(self.channel.poll_recv(cx))? else {
                self.received_all = true;
                return Poll::Ready(self.assembler.finish().map(|()| None));
            };
            let assembled = self.assembler.push(packet).inspect_err(|error| {
                if let MessageError::TooLarge { .. } = error {
                    self.received_all = true;
                    self.channel.fail("message too large");
                }
            });
            if let Some(message) = assembled? {
                return Poll::Ready(Ok(Some(message)));
            }
        }
        Poll::Ready(Ok(None))
    }

    /// Cuts a message into packets.
    fn cut(&mut self, message: Message) -> Result<(), MessageError> {
        let encoding = message.encoding();
        let mut rest: Bytes = message.encode()?;
        let piece = self.channel.quota().saturating_sub(ENC_ROOM).max(MIN_PIECE);
        while rest.len() > piece {
            let mut packet = Packet::new(rest.split_to(piece));
            packet.frag = true;
            self.outgoing.push_back(packet);
        }
        let head = Map::from_iter([("enc".to_owned(), encoding.into())]);
        self.outgoing.push_back(Packet::new(rest).head(head));
        Ok(())
    }

    fn poll_flush_outgoing(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), MessageError>> {
        loop {
            if self.sending.is_none() {
                self.sending = self.outgoing.pop_front();
            }
            if self.sending.is_none() {
                return Poll::Ready(Ok(()));
            }
            ready!(self.channel.poll_send(cx, &mut self.sending))?;
        }
    }
}

impl Stream for MessageStream {
    type Item = Result<Message, MessageError>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.get_mut().poll_message(cx).map(Result::transpose)
    }
}

impl Sink<Message> for MessageStream {
    type Error = MessageError;

    fn poll_ready(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), MessageError>> {
        self.get_mut().poll_flush_outgoing(cx)
    }

    fn start_send(self: Pin<&mut Self>, message: Message) -> Result<(), MessageError> {
        self.get_mut().cut(message)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), MessageError>> {
        self.get_mut().poll_flush_outgoing(cx)
    }

    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), MessageError>> {
        let this = self.get_mut();
        ready!(this.poll_flush_outgoing(cx))?;
        Poll::Ready(this.channel.end().map_err(Into::into))
    }
}
