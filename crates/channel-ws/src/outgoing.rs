//! What is on its way out of a WebSocket that is read and written by two tasks.

use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker, ready};

use futures::task::AtomicWaker;
use telehash_runtime::{Channel, Packet};

use crate::encode::{Encoder, whole};
use crate::error::WsError;
use crate::piece::Piece;

/// Packets to be sent: those of messages in order, and answers before them.
#[derive(Debug, Default)]
pub(crate) struct Outgoing {
    encoder: Encoder,
    /// A ping or pong of our own accord. A newer one takes its place: only the last has to be sent.
    ping: Option<Packet>,
    pong: Option<Packet>,
    sending: Option<Packet>,
    /// The close is in line, or sent: nothing comes after it.
    closing: bool,
    tasks: Arc<Tasks>,
}

/// The task that reads and the one that writes. A channel wakes one task when there is room, but
/// reading has something to send, too: answers.
#[derive(Debug, Default)]
struct Tasks {
    reader: AtomicWaker,
    writer: AtomicWaker,
}

impl Wake for Tasks {
    fn wake(self: Arc<Self>) {
        self.reader.wake();
        self.writer.wake();
    }
}

/// Who is polling.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Task {
    Reader,
    Writer,
}

impl Outgoing {
    /// Puts a piece in line.
    ///
    /// # Errors
    /// The close is in line already.
    pub(crate) fn push(&mut self, piece: Piece) -> Result<(), WsError> {
        if self.closing {
            return Err(WsError::Closed);
        }
        self.closing = matches!(piece, Piece::Close(_));
        self.encoder.push(piece);
        Ok(())
    }

    /// Sends this before messages, if nothing is closed.
    pub(crate) fn push_first(&mut self, piece: Piece) {
        if self.closing {
            return;
        }
        match piece {
            Piece::Ping(_) => self.ping = Some(whole(piece)),
            Piece::Pong(_) => self.pong = Some(whole(piece)),
            Piece::Close(_) => {
                self.closing = true;
                self.encoder.clear();
                self.encoder.push(piece);
            }
            Piece::Data(_) => self.encoder.push(piece),
        }
    }

    /// Whether the close is in line, or sent.
    pub(crate) fn is_closing(&self) -> bool {
        self.closing
    }

    /// Sends everything.
    pub(crate) fn poll_flush(
        &mut self,
        channel: &Channel,
        task: Task,
        cx: &Context<'_>,
    ) -> Poll<Result<(), WsError>> {
        match task {
            Task::Reader => self.tasks.reader.register(cx.waker()),
            Task::Writer => self.tasks.writer.register(cx.waker()),
        }
        let both = Waker::from(self.tasks.clone());
        let mut cx = Context::from_waker(&both);
        loop {
            if self.sending.is_none() {
                self.sending = self.next(channel.quota());
            }
            if self.sending.is_none() {
                return Poll::Ready(Ok(()));
            }
            ready!(channel.poll_send(&mut cx, &mut self.sending))?;
        }
    }

    fn next(&mut self, quota: usize) -> Option<Packet> {
        let first = self.pong.take().or_else(|| self.ping.take());
        first.or_else(|| self.encoder.next(quota))
    }

    /// Whether everything was sent.
    pub(crate) fn is_flushed(&self) -> bool {
        let waiting = self.sending.is_some() || self.pong.is_some() || self.ping.is_some();
        !waiting && self.encoder.is_empty()
    }
}
