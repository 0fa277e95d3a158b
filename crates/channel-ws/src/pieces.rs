//! A WebSocket as a sequence of pieces, for messages that are not to be held in memory.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures::{Sink, Stream};
use telehash_hashname::Hashname;
use telehash_runtime::{Channel, Link};

use crate::close::CloseFrame;
use crate::decode::Decoder;
use crate::error::WsError;
use crate::outgoing::{Outgoing, Task};
use crate::piece::{MAX_CONTROL, Piece};
use crate::utf8::Utf8Check;

/// `Stream` and `Sink` of [`Piece`]s: messages of any size, in pieces as they come, and everything
/// that comes between them as it is. What relays a WebSocket wants this.
///
/// Nothing is answered by itself: a ping is handed out, and the pong is up to the caller, as is the
/// answer to a close. What is received was checked: text is UTF-8, codes may be sent, sizes are within
/// limits. After an error, of which the peer is told, or a close there is nothing more to receive.
///
/// Memory stays bounded: a piece received is one packet, sending waits until the channel has room.
#[derive(Debug)]
pub struct PieceSocket {
    channel: Channel,
    protocol: Option<String>,
    decoder: Decoder,
    pub(crate) outgoing: Outgoing,
    /// The text message that is being sent.
    sending_text: Option<(bool, Utf8Check)>,
    /// Nothing more is received.
    finished: bool,
}

impl PieceSocket {
    pub(crate) fn new(channel: Channel, protocol: Option<String>) -> Self {
        Self {
            channel,
            protocol,
            decoder: Decoder::default(),
            outgoing: Outgoing::default(),
            sending_text: None,
            finished: false,
        }
    }

    /// The peer.
    #[must_use]
    pub fn peer(&self) -> Hashname {
        self.channel.peer()
    }

    /// The link that it goes over.
    #[must_use]
    pub fn link(&self) -> Link {
        self.channel.link()
    }

    /// The subprotocol that was agreed on, if any.
    #[must_use]
    pub fn protocol(&self) -> Option<&str> {
        self.protocol.as_deref()
    }

    pub(crate) fn channel(&self) -> &Channel {
        &self.channel
    }

    pub(crate) fn poll_piece(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Piece, WsError>>> {
        while !self.finished {
            let received = ready!(self.channel.poll_recv(cx));
            let decoded = received
                .map_err(WsError::from)
                .and_then(|packet| match packet {
                    Some(packet) => self.decoder.push(packet),
                    None => Ok(Some(Piece::Close(None))),
                });
            match decoded {
                Ok(None) => {}
                Ok(Some(piece)) => {
                    self.finished = matches!(piece, Piece::Close(_));
                    return Poll::Ready(Some(Ok(piece)));
                }
                Err(error) => {
                    self.fail(&error, cx);
                    return Poll::Ready(Some(Err(error)));
                }
            }
        }
        Poll::Ready(None)
    }

    /// Tells the peer what it did wrong. Nothing more is received.
    pub(crate) fn fail(&mut self, error: &WsError, cx: &Context<'_>) {
        self.finished = true;
        if let Some(code) = error.close_code() {
            self.outgoing.push_first(Piece::Close(Some(code.into())));
            // Whether it leaves now or not: nothing depends on it.
            let _ = self.outgoing.poll_flush(&self.channel, Task::Reader, cx);
        }
    }

    /// Checks what is to be sent.
    fn check(&mut self, piece: Piece) -> Result<Piece, WsError> {
        match &piece {
            Piece::Ping(bytes) | Piece::Pong(bytes) if bytes.len() > MAX_CONTROL => {
                return Err(WsError::TooLarge { limit: MAX_CONTROL });
            }
            Piece::Data(data) => {
                let begun = self.sending_text.take();
                let (text, mut check) = begun.unwrap_or((data.text, Utf8Check::default()));
                if text {
                    check.push(&data.bytes);
                }
                if check.is_broken() || data.last && !check.is_whole() {
                    return Err(WsError::NotUtf8);
                }
                self.sending_text = (!data.last).then_some((text, check));
            }
            _ => {}
        }
        Ok(match piece {
            Piece::Close(frame) => Piece::Close(frame.map(CloseFrame::check).transpose()?),
            other => other,
        })
    }

    pub(crate) fn poll_send(&mut self, task: Task, cx: &Context<'_>) -> Poll<Result<(), WsError>> {
        self.outgoing.poll_flush(&self.channel, task, cx)
    }
}

impl Stream for PieceSocket {
    type Item = Result<Piece, WsError>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.get_mut().poll_piece(cx)
    }
}

impl Sink<Piece> for PieceSocket {
    type Error = WsError;

    fn poll_ready(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), WsError>> {
        self.get_mut().poll_send(Task::Writer, cx)
    }

    fn start_send(self: Pin<&mut Self>, piece: Piece) -> Result<(), WsError> {
        let this = self.get_mut();
        let piece = this.check(piece)?;
        this.outgoing.push(piece)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), WsError>> {
        self.get_mut().poll_send(Task::Writer, cx)
    }

    /// Closes without a code, unless a close was sent.
    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), WsError>> {
        let this = self.get_mut();
        if !this.outgoing.is_closing() {
            this.outgoing.push(Piece::Close(None))?;
        }
        this.poll_send(Task::Writer, cx)
    }
}
