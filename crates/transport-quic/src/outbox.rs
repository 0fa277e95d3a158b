//! The sending half of a connection.

use std::{
    io,
    task::{Context, Poll, Waker},
};

use bytes::Bytes;
use futures::{FutureExt as _, StreamExt as _, future::BoxFuture, stream::FuturesUnordered};
use quinn::{Connection, SendDatagramError};
use telehash_transport::Capabilities;

use crate::{
    limits::MAX_STREAMS,
    stats::{Counters, count},
};

/// Bytes of a run that are taken although quinn's buffer is full: they enter it as it drains. One
/// wake-up then serves many packets, and what is refused stays with whoever sent it. A packet that
/// is larger is taken alone.
pub(crate) const MAX_WAITING: usize = 64 * 1024;

/// Bytes that quinn counts for a datagram on top of its own.
const DATAGRAM_COST: usize = size_of::<Bytes>();

/// Packets on their way out of one connection.
pub(crate) struct Outbox {
    connection: Connection,
    /// What [`Connection::datagram_send_buffer_space`] says when nothing is in that buffer.
    idle_space: usize,
    /// Datagrams that quinn has no room for yet, in order.
    waiting: Option<BoxFuture<'static, ()>>,
    /// Packets on streams, each until the peer has all of it.
    streams: FuturesUnordered<BoxFuture<'static, ()>>,
    /// Packets were refused, and whoever sent them has not been told that there is room again.
    refused: bool,
}

impl Outbox {
    pub(crate) fn new(connection: Connection) -> Self {
        Self {
            idle_space: connection.datagram_send_buffer_space(),
            connection,
            waiting: None,
            streams: FuturesUnordered::new(),
            refused: false,
        }
    }

    /// Takes as much of a run as there is room for and returns its bytes. `waker` is woken when
    /// [`poll_progress`](Self::poll_progress) can go on.
    pub(crate) fn send(
        &mut self,
        run: &[u8],
        stride: usize,
        waker: &Waker,
        counters: &Counters,
    ) -> io::Result<usize> {
        if self.connection.close_reason().is_some() {
            return Err(io::ErrorKind::NotConnected.into());
        }
        if stride > Capabilities::MAX_DATAGRAM {
            count(&counters.oversized, run.len().div_ceil(stride));
            return Ok(run.len());
        }
        let fits = |room| stride <= room;
        let (taken, counter) = if self.connection.max_datagram_size().is_some_and(fits) {
            (
                self.send_datagrams(run, stride, waker)?,
                &counters.sent_datagrams,
            )
        } else {
            (
                self.send_streams(run, stride, waker),
                &counters.sent_streams,
            )
        };
        if taken < run.len() {
            self.refused = true;
        }
        if taken == 0 && !run.is_empty() {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        count(counter, taken.div_ceil(stride));
        count(&counters.sent_bytes, taken);
        Ok(taken)
    }

    /// Makes what progress there is; whether packets that were refused can be tried again now.
    #[must_use = "whoever waits is told once"]
    pub(crate) fn poll_progress(&mut self, cx: &mut Context<'_>) -> bool {
        if let Some(waiting) = &mut self.waiting
            && waiting.poll_unpin(cx).is_ready()
        {
            self.waiting = None;
        }
        while let Poll::Ready(Some(())) = self.streams.poll_next_unpin(cx) {}
        self.refused && self.waiting.is_none() && self.streams.len() < MAX_STREAMS && {
            self.refused = false;
            true
        }
    }

    /// Ready once quinn has every datagram, and the peer every packet on a stream.
    pub(crate) fn poll_handed_over(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        // Nobody can be waiting for room in a connection that is on its way out.
        let _ = self.poll_progress(cx);
        if self.waiting.is_none() && self.streams.is_empty() {
            return Poll::Ready(());
        }
        Poll::Pending
    }

    /// Whether every datagram has left.
    pub(crate) fn is_empty(&self) -> bool {
        self.connection.datagram_send_buffer_space() >= self.idle_space
            || self.connection.close_reason().is_some()
    }

    /// Whether someone has to be told that there is room, or never will be.
    pub(crate) const fn has_refused(&self) -> bool {
        self.refused
    }

    fn send_datagrams(&mut self, run: &[u8], stride: usize, waker: &Waker) -> io::Result<usize> {
        if self.waiting.is_some() {
            return Ok(0);
        }
        let space = self.connection.datagram_send_buffer_space();
        let at_once = (space + DATAGRAM_COST) / (stride + DATAGRAM_COST);
        let later = (MAX_WAITING / stride).max(1);
        // One allocation for the whole run.
        let run = run.get(..(at_once + later) * stride).unwrap_or(run);
        let mut rest = Bytes::copy_from_slice(run);
        for _ in 0..at_once {
            if rest.is_empty() {
                break;
            }
            let packet = rest.split_to(stride.min(rest.len()));
            match self.connection.send_datagram(packet) {
                // The path got narrower just now: lost, as others on their way are.
                Ok(()) | Err(SendDatagramError::TooLarge) => {}
                Err(_) => return Err(io::ErrorKind::NotConnected.into()),
            }
        }
        if !rest.is_empty() {
            let mut waiting = feed(self.connection.clone(), rest, stride).boxed();
            if waiting
                .poll_unpin(&mut Context::from_waker(waker))
                .is_pending()
            {
                self.waiting = Some(waiting);
            }
        }
        Ok(run.len())
    }

    fn send_streams(&mut self, run: &[u8], stride: usize, waker: &Waker) -> usize {
        let mut taken = 0;
        for packet in run.chunks(stride) {
            if self.streams.len() >= MAX_STREAMS {
                break;
            }
            let len = packet.len();
            let packet = Bytes::copy_from_slice(packet);
            self.streams
                .push(deliver(self.connection.clone(), packet).boxed());
            taken += len;
        }
        // Whoever is refused waits for one of these, so that they have to know whom to wake.
        while let Poll::Ready(Some(())) = self
            .streams
            .poll_next_unpin(&mut Context::from_waker(waker))
        {}
        taken
    }
}

/// Hands datagrams to quinn as it has room for them.
async fn feed(connection: Connection, mut run: Bytes, stride: usize) {
    while !run.is_empty() {
        let packet = run.split_to(stride.min(run.len()));
        match connection.send_datagram_wait(packet).await {
            Ok(()) | Err(SendDatagramError::TooLarge) => {}
            Err(_) => return,
        }
    }
}

/// Sends a packet on a stream of its own and waits until the peer has it. If that fails, so has the
/// connection, or the peer did not want it.
async fn deliver(connection: Connection, packet: Bytes) {
    let Ok(mut stream) = connection.open_uni().await else {
        return;
    };
    if stream.write_chunk(packet).await.is_ok() && stream.finish().is_ok() {
        let _ = stream.stopped().await;
    }
}
