//! A WebSocket as a sequence of messages.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures::{Sink, SinkExt as _, Stream, StreamExt as _};
use telehash_hashname::Hashname;
use telehash_runtime::Link;
use tokio::time::timeout;

use crate::assemble::Assembler;
use crate::close::CloseFrame;
use crate::config::{ANSWER_TIMEOUT, WsConfig};
use crate::error::WsError;
use crate::keepalive::{Due, Keepalive};
use crate::message::Message;
use crate::outgoing::Task;
use crate::piece::{Data, Piece};
use crate::pieces::PieceSocket;

/// A WebSocket over a link: `Stream` and `Sink` of [`Message`]s, as tokio-tungstenite's.
///
/// - A ping is answered by itself, and so is a close; both are handed out as well. After a close, and
///   after an error, there is nothing more to read.
/// - Sending waits while the peer does not read. Text and binary messages are cut into packets.
/// - Dropping it without a close fails it for the peer.
///
/// `futures::StreamExt::split` takes the directions apart, for two tasks. Reading is what answers, so
/// somebody has to read for the peer to get its pongs.
#[derive(Debug)]
pub struct WebSocket {
    pieces: PieceSocket,
    assembler: Assembler,
    keepalive: Option<Keepalive>,
    /// Nothing more is handed out.
    finished: bool,
    /// The peer has closed.
    closed: bool,
}

impl WebSocket {
    /// The message face.
    pub(crate) fn new(pieces: PieceSocket, config: &WsConfig) -> Self {
        Self {
            pieces,
            assembler: Assembler::new(config.max_message),
            keepalive: config.keepalive.map(Keepalive::new),
            finished: false,
            closed: false,
        }
    }

    /// The peer.
    #[must_use]
    pub fn peer(&self) -> Hashname {
        self.pieces.peer()
    }

    /// The link that it goes over.
    #[must_use]
    pub fn link(&self) -> Link {
        self.pieces.link()
    }

    /// The subprotocol that was agreed on, if any.
    #[must_use]
    pub fn protocol(&self) -> Option<&str> {
        self.pieces.protocol()
    }

    /// Sends one message, once there is room for all of it.
    ///
    /// Not cancel-safe: a message of which some packets were sent when the future is dropped is
    /// completed by the next call.
    ///
    /// # Errors
    /// The WebSocket is closed or failed, or the message is a ping or close that is too long.
    pub async fn send(&mut self, message: impl Into<Message>) -> Result<(), WsError> {
        futures::SinkExt::send(self, message.into()).await
    }

    /// The next message; `None` after the peer's close, and after an error.
    ///
    /// Cancel-safe.
    ///
    /// # Errors
    /// The peer broke the protocol, or is gone.
    pub async fn recv(&mut self) -> Result<Option<Message>, WsError> {
        self.next().await.transpose()
    }

    /// Closes it in good order: sends what was written and the close, and waits, at most
    /// [`ANSWER_TIMEOUT`], until the peer has closed, too. Messages that come meanwhile are discarded.
    ///
    /// # Errors
    /// The peer did not answer, or is gone.
    pub async fn close(&mut self, frame: Option<CloseFrame>) -> Result<(), WsError> {
        let closes = async {
            match self.send(Message::Close(frame)).await {
                Ok(()) | Err(WsError::Closed) => {}
                Err(error) => return Err(error),
            }
            while self.recv().await?.is_some() {}
            Ok(())
        };
        match timeout(ANSWER_TIMEOUT, closes).await {
            Ok(closed) => closed,
            Err(_) => {
                self.pieces.channel().fail("timeout");
                Err(WsError::Unanswered(ANSWER_TIMEOUT))
            }
        }
    }

    /// The piece face, unless it is closed already. A message that was begun is handed out from where it
    /// is, or lost in part: change before the first one.
    #[must_use]
    pub fn into_pieces(self) -> PieceSocket {
        self.pieces
    }

    fn poll_message(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Message, WsError>>> {
        loop {
            // Answers leave as soon as they can, whether anything came or not.
            let sent = match self.pieces.outgoing.is_flushed() {
                true => Poll::Ready(Ok(())),
                false => self.pieces.poll_send(Task::Reader, cx),
            };
            if self.finished {
                return match (self.closed, sent) {
                    (true, Poll::Pending) => Poll::Pending,
                    _ => Poll::Ready(None),
                };
            }
            let piece = match self.pieces.poll_piece(cx) {
                Poll::Ready(piece) => piece,
                Poll::Pending => match self.poll_silence(cx) {
                    Poll::Pending => return Poll::Pending,
                    Poll::Ready(None) => continue,
                    Poll::Ready(Some(error)) => Some(Err(error)),
                },
            };
            let message = piece.map(|piece| piece.and_then(|piece| self.take(piece, cx)));
            self.finished |= !matches!(message, Some(Ok(_)));
            if let Some(message) = message.and_then(Result::transpose) {
                return Poll::Ready(Some(message));
            }
        }
    }

    /// What a piece means.
    fn take(&mut self, piece: Piece, cx: &Context<'_>) -> Result<Option<Message>, WsError> {
        if let Some(keepalive) = &mut self.keepalive {
            keepalive.heard();
        }
        match piece {
            Piece::Data(data) => {
                let pushed = self.assembler.push(data);
                pushed.inspect_err(|error| self.pieces.fail(error, cx))
            }
            Piece::Ping(bytes) => {
                self.pieces.outgoing.push_first(Piece::Pong(bytes.clone()));
                self.answer(cx);
                Ok(Some(Message::Ping(bytes)))
            }
            Piece::Pong(bytes) => Ok(Some(Message::Pong(bytes))),
            Piece::Close(frame) => {
                (self.finished, self.closed) = (true, true);
                self.pieces.outgoing.push_first(Piece::Close(frame.clone()));
                self.answer(cx);
                Ok(Some(Message::Close(frame)))
            }
        }
    }

    /// Sends an answer at once if there is room; otherwise the next poll goes on with it.
    fn answer(&mut self, cx: &Context<'_>) {
        let _ = self.pieces.poll_send(Task::Reader, cx);
    }

    /// Nothing came: asks the peer in time, and gives it up.
    fn poll_silence(&mut self, cx: &mut Context<'_>) -> Poll<Option<WsError>> {
        let Some(keepalive) = &mut self.keepalive else {
            return Poll::Pending;
        };
        match ready!(keepalive.poll(cx)) {
            Due::Ping => {
                let ping = Piece::Ping(bytes::Bytes::new());
                self.pieces.outgoing.push_first(ping);
                Poll::Ready(None)
            }
            Due::Failure(silence) => {
                self.pieces.channel().fail("timeout");
                Poll::Ready(Some(WsError::Silent(silence)))
            }
        }
    }
}

impl Stream for WebSocket {
    type Item = Result<Message, WsError>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.get_mut().poll_message(cx)
    }
}

impl Sink<Message> for WebSocket {
    type Error = WsError;

    fn poll_ready(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), WsError>> {
        self.pieces.poll_ready_unpin(cx)
    }

    fn start_send(mut self: Pin<&mut Self>, message: Message) -> Result<(), WsError> {
        let data = |text, bytes| {
            let last = true;
            Piece::Data(Data { text, bytes, last })
        };
        self.pieces.start_send_unpin(match message {
            Message::Text(text) => data(true, text.into()),
            Message::Binary(bytes) => data(false, bytes),
            Message::Ping(bytes) => Piece::Ping(bytes),
            Message::Pong(bytes) => Piece::Pong(bytes),
            Message::Close(frame) => Piece::Close(frame),
        })
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), WsError>> {
        self.pieces.poll_flush_unpin(cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), WsError>> {
        self.pieces.poll_close_unpin(cx)
    }
}
