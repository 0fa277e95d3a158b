//! What we send: packets wait here, chunked, until the system takes them.

use std::{
    io,
    task::{Context, Poll, ready},
};

use telehash_lob::chunk::{self, MAX_FRAGMENT, TERMINATOR};
use telehash_transport::Transmit;

use crate::{
    half::WriteHalf,
    stats::{Counters, count},
};

/// The sending side of a connection.
#[derive(Debug)]
pub(crate) struct Outbound {
    half: WriteHalf,
    /// Chunked packets, of which the first `written` bytes were written.
    buffer: Vec<u8>,
    written: usize,
    /// TLS may hold back what was written.
    unflushed: bool,
    /// A packet was refused, and its sender waits for room.
    wants_room: bool,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Open,
    /// Takes no packets: what it has leaves, then the peer is told.
    Closing,
    /// Everything left, and the peer was told.
    Shut,
    Broken,
}

impl Outbound {
    pub(crate) const fn new(half: WriteHalf) -> Self {
        Self {
            half,
            buffer: Vec::new(),
            written: 0,
            unflushed: false,
            wants_room: false,
            state: State::Open,
        }
    }

    /// Takes as much of a run as there is room for, and writes all that waits in as few calls as
    /// possible. Returns the number of bytes taken.
    ///
    /// # Errors
    /// `WouldBlock` if there is no room, `NotConnected` if the connection is closing or broken.
    pub(crate) fn send(
        &mut self,
        transmit: &Transmit<'_>,
        limit: usize,
        cx: &mut Context<'_>,
        counters: &Counters,
    ) -> io::Result<usize> {
        if self.state != State::Open {
            return Err(io::ErrorKind::NotConnected.into());
        }
        let (mut bytes, mut packets) = (0, 0);
        for packet in transmit.packets() {
            if !self.has_room(packet.len(), limit) {
                // More has to go out before more can come in; perhaps it can.
                let all = self.flush(cx, counters)?;
                if !all && !self.has_room(packet.len(), limit) {
                    self.wants_room = true;
                    break;
                }
            }
            self.push(packet);
            bytes += packet.len();
            packets += 1;
        }
        if packets == 0 && !transmit.contents.is_empty() {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        count(&counters.sent_packets, packets);
        count(&counters.sent_bytes, bytes);
        // A failure here concerns later packets; these may be lost as on a connection that breaks.
        self.flush(cx, counters)?;
        Ok(bytes)
    }

    /// A single zero, if nothing else is on its way.
    ///
    /// # Errors
    /// The connection broke.
    pub(crate) fn ack(&mut self, cx: &mut Context<'_>, counters: &Counters) -> io::Result<bool> {
        if self.state != State::Open || !self.buffer.is_empty() || self.unflushed {
            return Ok(false);
        }
        self.buffer.push(TERMINATOR);
        count(&counters.acks, 1);
        self.flush(cx, counters)?;
        Ok(true)
    }

    /// Writes what waits. Whether nothing waits any more; if not, whoever `cx` wakes goes on.
    ///
    /// # Errors
    /// The connection broke.
    pub(crate) fn flush(&mut self, cx: &mut Context<'_>, counters: &Counters) -> io::Result<bool> {
        let flushed = match self.try_flush(cx, counters) {
            Poll::Ready(Ok(())) => true,
            Poll::Ready(Err(error)) => {
                self.state = State::Broken;
                self.buffer = Vec::new();
                self.written = 0;
                return Err(error);
            }
            Poll::Pending => false,
        };
        Ok(flushed)
    }

    fn try_flush(&mut self, cx: &mut Context<'_>, counters: &Counters) -> Poll<io::Result<()>> {
        while let Some(rest) = self.buffer.get(self.written..).filter(|r| !r.is_empty()) {
            count(&counters.write_calls, 1);
            match ready!(self.half.poll_write(cx, rest))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                written => self.written += written,
            }
            self.unflushed = self.half.holds_back();
        }
        self.buffer.clear();
        self.written = 0;
        if self.unflushed {
            ready!(self.half.poll_flush(cx))?;
            self.unflushed = false;
        }
        Poll::Ready(Ok(()))
    }

    /// Whether there is room now for someone who was told that there was none. Says so once.
    pub(crate) fn take_room(&mut self, limit: usize) -> bool {
        let room = self.state != State::Open || self.unsent() <= limit / 2;
        room && std::mem::take(&mut self.wants_room)
    }

    /// Takes no more packets. False if that was so already.
    pub(crate) fn close(&mut self) -> bool {
        let open = self.state == State::Open;
        if open {
            self.state = State::Closing;
        }
        open
    }

    /// Lets what waits leave, then tells the peer that nothing follows.
    pub(crate) fn poll_finish(
        &mut self,
        cx: &mut Context<'_>,
        counters: &Counters,
    ) -> Poll<io::Result<()>> {
        if self.state == State::Closing {
            ready!(self.try_flush(cx, counters))?;
            ready!(self.half.poll_shutdown(cx))?;
            self.state = State::Shut;
        }
        Poll::Ready(Ok(()))
    }

    fn unsent(&self) -> usize {
        self.buffer.len() - self.written
    }

    fn has_room(&self, packet: usize, limit: usize) -> bool {
        let unsent = self.unsent();
        unsent == 0 || unsent + chunked_len(packet) <= limit
    }

    fn push(&mut self, packet: &[u8]) {
        // Rarely, so that each byte moves once at most.
        if self.written > self.buffer.len() / 2 {
            self.buffer.drain(..self.written);
            self.written = 0;
        }
        chunk::encode_into(packet, MAX_FRAGMENT, &mut self.buffer);
    }
}

/// Bytes that a packet has on the wire.
const fn chunked_len(packet: usize) -> usize {
    packet + packet.div_ceil(MAX_FRAGMENT) + 1
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use telehash_transport::Remote;
    use tokio::net::{TcpListener, TcpStream};

    use super::*;
    use crate::{
        half,
        limits::{MAX_STRANGER_UNSENT, MAX_UNSENT},
    };

    const REMOTE: Remote = Remote::Connection(2);

    /// The sending side of a connection whose peer reads nothing, and all that keeps it alive.
    async fn outbound() -> (Outbound, [Box<dyn Send>; 2]) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let stream = TcpStream::connect(listener.local_addr().unwrap())
            .await
            .unwrap();
        let (read, write) = half::plain(stream);
        (Outbound::new(write), [Box::new(listener), Box::new(read)])
    }

    #[tokio::test]
    async fn a_connection_holds_as_much_as_allowed_and_a_packet_alone_always() {
        let (counters, mut cx) = (Counters::default(), Context::from_waker(Waker::noop()));
        for limit in [MAX_STRANGER_UNSENT, MAX_UNSENT] {
            let (mut outbound, _peer) = outbound().await;
            let run = vec![7; 64_000];
            let transmit = Transmit::run(REMOTE, &run, 1_000);
            let refused = loop {
                if let Err(error) = outbound.send(&transmit, limit, &mut cx, &counters) {
                    break error;
                }
            };
            assert_eq!(refused.kind(), io::ErrorKind::WouldBlock);
            assert!(outbound.unsent() <= limit);
            assert!(outbound.unsent() + chunked_len(1_000) > limit);
            assert!(!outbound.take_room(limit), "nothing has left");
        }
        let (outbound, _peer) = outbound().await;
        assert!(outbound.has_room(65_507, MAX_STRANGER_UNSENT));
    }

    #[tokio::test]
    async fn what_waits_is_not_interrupted_by_an_answer() {
        let (counters, mut cx) = (Counters::default(), Context::from_waker(Waker::noop()));
        let (mut outbound, _peer) = outbound().await;
        assert!(outbound.ack(&mut cx, &counters).unwrap());
        let run = vec![7; 64_000];
        let transmit = Transmit::run(REMOTE, &run, 1_000);
        while outbound
            .send(&transmit, MAX_UNSENT, &mut cx, &counters)
            .is_ok()
        {}
        assert!(!outbound.ack(&mut cx, &counters).unwrap());
    }

    #[tokio::test]
    async fn a_closing_connection_takes_nothing_more_and_makes_those_who_wait_look() {
        let (counters, mut cx) = (Counters::default(), Context::from_waker(Waker::noop()));
        let (mut outbound, _peer) = outbound().await;
        let run = vec![7; 64_000];
        let transmit = Transmit::run(REMOTE, &run, 1_000);
        while outbound
            .send(&transmit, MAX_UNSENT, &mut cx, &counters)
            .is_ok()
        {}
        assert!(outbound.close() && !outbound.close());
        assert!(outbound.take_room(MAX_UNSENT) && !outbound.take_room(MAX_UNSENT));
        let refused = outbound.send(&transmit, MAX_UNSENT, &mut cx, &counters);
        assert_eq!(refused.unwrap_err().kind(), io::ErrorKind::NotConnected);
        assert!(outbound.poll_finish(&mut cx, &counters).is_pending());
    }
}
