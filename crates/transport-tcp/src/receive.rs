//! What polling a transport does: takes in peers, reads, writes what waited, and minds the time.

use std::{
    collections::HashMap,
    io,
    net::SocketAddr,
    sync::Arc,
    task::{Context, Poll, Waker},
};

use telehash_transport::{CloseReason, RecvBatch, Remote, TransportEvent, ip};
use tokio::{
    net::{TcpListener, TcpStream},
    time::Instant,
};

use crate::{
    accept::{Accept, Accepter},
    batch::Packer,
    connection::{Connection, Reading},
    crowd::Admission,
    deadlines::Deadlines,
    half::Halves,
    inner::Inner,
    layer::{Accepted, Handshake},
    limits::{FIRST_PACKET_TIMEOUT, MAX_ACCEPTS, MAX_ACKS_DUE, MAX_BATCHES_UNACKED, MAX_TURNS},
    stats::count,
    token::Token,
};

/// Bytes that are read at once.
const SCRATCH: usize = 64 * 1024;

/// The deadline that is the end of a pause in accepting. No connection has this number.
const PAUSE: u64 = 0;

/// What belongs to whoever polls the transport.
#[derive(Debug)]
pub(crate) struct Receiver {
    accepter: Accepter,
    handshakes: HashMap<u64, Pending>,
    deadlines: Deadlines,
    scratch: Box<[u8]>,
    /// Whose bytes are in `scratch`.
    current: Option<Current>,
    /// News to be told once the packets before it were handled.
    farewells: Vec<TransportEvent>,
    /// Connections that have to be answered unless they send.
    unanswered: Vec<Arc<Connection>>,
    batches_unanswered: usize,
}

/// A TLS handshake of a peer.
#[derive(Debug)]
struct Pending {
    handshake: Handshake,
    peer: SocketAddr,
    accepted: Instant,
    waker: Waker,
}

/// Bytes that were read but are no packets yet.
#[derive(Debug)]
struct Current {
    connection: Arc<Connection>,
    start: usize,
    end: usize,
    /// What comes after them.
    finish: Option<CloseReason>,
}

impl Receiver {
    pub(crate) fn new(listener: TcpListener, inner: &Inner) -> Self {
        // The first look makes the system tell of peers.
        inner.listener_waker.wake_by_ref();
        let timer_waker = inner.readiness.waker(Token::Timer.encode());
        Self {
            accepter: Accepter::new(listener),
            handshakes: HashMap::new(),
            deadlines: Deadlines::new(timer_waker),
            scratch: vec![0; SCRATCH].into(),
            current: None,
            farewells: Vec::new(),
            unanswered: Vec::new(),
            batches_unanswered: 0,
        }
    }

    /// Stops taking in peers.
    pub(crate) fn stop(&mut self) {
        self.accepter.stop();
        self.handshakes.clear();
        self.unanswered.clear();
        self.current = None;
    }

    /// Serves whoever can go on until there are packets.
    pub(crate) fn poll(
        &mut self,
        inner: &Inner,
        cx: &Context<'_>,
        batch: &mut RecvBatch,
    ) -> Poll<io::Result<usize>> {
        // Once closed, the readiness is that of closing.
        if inner.is_closed() {
            return Poll::Ready(Err(io::ErrorKind::NotConnected.into()));
        }
        self.before_batch(inner);
        let mut packer = Packer::new(batch);
        self.decode(inner, &mut packer);
        let mut turns = 0;
        let mut idle = false;
        while self.current.is_none() && !packer.has_enough() && turns < MAX_TURNS && !idle {
            turns += 1;
            match inner.readiness.poll_next(cx) {
                Poll::Ready(_) if inner.is_closed() => {
                    return Poll::Ready(Err(io::ErrorKind::NotConnected.into()));
                }
                Poll::Ready(code) => self.serve(inner, Token::decode(code), &mut packer),
                Poll::Pending => idle = true,
            }
        }
        self.deadlines.set_timer();
        let (packets, bytes) = packer.finish();
        if packets > 0 {
            count(&inner.counters.received_packets, packets);
            count(&inner.counters.received_bytes, bytes);
            return Poll::Ready(Ok(packets));
        }
        self.say_farewells(inner);
        if idle {
            self.answer(inner);
        } else {
            cx.waker().wake_by_ref();
        }
        Poll::Pending
    }

    /// The last batch was handled: what had to wait for that.
    fn before_batch(&mut self, inner: &Inner) {
        self.say_farewells(inner);
        self.batches_unanswered += 1;
        if self.unanswered.len() >= MAX_ACKS_DUE || self.batches_unanswered >= MAX_BATCHES_UNACKED {
            self.answer(inner);
        }
    }

    fn say_farewells(&mut self, inner: &Inner) {
        for event in self.farewells.drain(..) {
            inner.events.put(event);
        }
    }

    fn answer(&mut self, inner: &Inner) {
        self.batches_unanswered = 0;
        for connection in self.unanswered.drain(..) {
            connection.answer(&inner.counters);
        }
    }

    fn serve(&mut self, inner: &Inner, token: Token, packer: &mut Packer<'_>) {
        match token {
            Token::Listener => self.accept(inner),
            Token::Timer => self.mind_the_time(inner),
            Token::Read(number) if self.handshakes.contains_key(&number) => {
                self.shake_hands(inner, number);
            }
            Token::Read(number) => {
                if let Some(connection) = inner.connection(number) {
                    self.read(inner, connection, packer);
                }
            }
            Token::Write(number) => {
                if let Some(connection) = inner.connection(number) {
                    self.write(inner, &connection);
                }
            }
        }
    }

    fn accept(&mut self, inner: &Inner) {
        let mut cx = Context::from_waker(&inner.listener_waker);
        for _ in 0..MAX_ACCEPTS {
            match self.accepter.poll(&mut cx) {
                Accept::Connection(stream, peer) => self.admit(inner, stream, ip::canonical(peer)),
                Accept::Nobody => return,
                Accept::Pause(until) => {
                    count(&inner.counters.accept_errors, 1);
                    return self.deadlines.by(PAUSE, until);
                }
            }
        }
        inner.listener_waker.wake_by_ref();
    }

    fn admit(&mut self, inner: &Inner, stream: TcpStream, peer: SocketAddr) {
        let number = inner.number(&stream, peer);
        let admission = inner.crowd().admit(number, peer.ip());
        match admission {
            Admission::Admitted => {}
            Admission::InPlaceOf(other) => self.displace(inner, other),
            Admission::Refused => {
                count(&inner.counters.refused, 1);
                tracing::debug!(%peer, "there are too many connections; this one is refused");
                return;
            }
        }
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%peer, %error, "packets to this peer may be delayed");
        }
        count(&inner.counters.accepted, 1);
        let (accepted, waker) = (
            Instant::now(),
            inner.readiness.waker(Token::Read(number).encode()),
        );
        match inner.layer.accept(stream) {
            Accepted::Open(halves) => inner.add(number, peer, false, accepted, halves, waker),
            Accepted::Handshake(handshake) => {
                self.deadlines.by(number, accepted + FIRST_PACKET_TIMEOUT);
                waker.wake_by_ref();
                let pending = Pending {
                    handshake,
                    peer,
                    accepted,
                    waker,
                };
                self.handshakes.insert(number, pending);
            }
        }
    }

    /// A silent stranger makes room for another.
    fn displace(&mut self, inner: &Inner, number: u64) {
        count(&inner.counters.displaced, 1);
        self.deadlines.forget(number);
        if self.handshakes.remove(&number).is_none()
            && let Some(connection) = inner.connection(number)
        {
            inner.remove(number);
            connection.abandon();
        }
    }

    fn shake_hands(&mut self, inner: &Inner, number: u64) {
        let Some(pending) = self.handshakes.get_mut(&number) else {
            return;
        };
        let mut cx = Context::from_waker(&pending.waker);
        let Poll::Ready(result) = pending.handshake.0.as_mut().poll(&mut cx) else {
            return;
        };
        if let Some(pending) = self.handshakes.remove(&number) {
            self.shook_hands(inner, number, pending, result);
        }
    }

    fn shook_hands(
        &mut self,
        inner: &Inner,
        number: u64,
        Pending {
            peer,
            accepted,
            waker,
            ..
        }: Pending,
        result: io::Result<Halves>,
    ) {
        match result {
            Ok(halves) => inner.add(number, peer, false, accepted, halves, waker),
            Err(error) => {
                tracing::debug!(%peer, %error, "TLS handshake failed");
                count(&inner.counters.handshakes_failed, 1);
                self.deadlines.forget(number);
                inner.crowd().leave(number);
            }
        }
    }

    fn read(&mut self, inner: &Inner, connection: Arc<Connection>, packer: &mut Packer<'_>) {
        let mut reading = connection.reading();
        let read = connection.read(&mut reading, &mut self.scratch);
        if read.len > 0 {
            count(&inner.counters.read_calls, 1);
        }
        let closing = connection.is_closing();
        let at = reading.deadline(closing, Instant::now());
        drop(reading);
        self.deadlines.by(connection.number(), at);
        // What is still on its way when sending breaks is read first.
        let finish = read
            .end
            .or_else(|| connection.broken().filter(|_| read.dry));
        if !read.dry && finish.is_none() {
            connection.wake();
        }
        if read.len > 0 && !closing {
            self.current = Some(Current {
                connection,
                start: 0,
                end: read.len,
                finish,
            });
            self.decode(inner, packer);
        } else if let Some(reason) = finish {
            self.lose(inner, &connection, reason);
        }
    }

    /// Makes packets of what was read, as far as there is room for them.
    fn decode(&mut self, inner: &Inner, packer: &mut Packer<'_>) {
        let Some(mut current) = self.current.take() else {
            return;
        };
        let connection = current.connection.clone();
        let mut reading = connection.reading();
        let mut input = self
            .scratch
            .get(current.start..current.end)
            .unwrap_or_default();
        let spoke = reading.inbound.spoke();
        let now = Instant::now();
        let taken = reading.inbound.take(&mut input, now, packer);
        current.start = current.end - input.len();
        let speaks = !spoke && reading.inbound.spoke();
        self.mind(&connection, &mut reading, now);
        drop(reading);
        if speaks {
            inner.crowd().spoke(connection.number());
        }
        match taken {
            Ok(heard) => {
                if connection.owe_answer(heard.packets > 0, heard.zero) {
                    self.owe(&connection);
                }
                if current.start < current.end {
                    self.current = Some(current);
                } else if let Some(reason) = current.finish {
                    self.lose(inner, &connection, reason);
                }
            }
            Err(error) => {
                tracing::debug!(peer = %connection.peer(), %error, "closing a connection");
                let reason = CloseReason::Failed(io::ErrorKind::InvalidData);
                self.lose(inner, &connection, reason);
            }
        }
    }

    fn owe(&mut self, connection: &Arc<Connection>) {
        let listed = self
            .unanswered
            .iter()
            .any(|other| Arc::ptr_eq(other, connection));
        if !listed {
            self.unanswered.push(connection.clone());
        }
    }

    fn mind(&mut self, connection: &Connection, reading: &mut Reading, now: Instant) {
        let at = reading.deadline(connection.is_closing(), now);
        self.deadlines.by(connection.number(), at);
    }

    fn write(&mut self, inner: &Inner, connection: &Arc<Connection>) {
        if connection.is_closing() {
            if let Poll::Ready(Err(error)) = connection.poll_finish(&inner.counters) {
                self.lose(inner, connection, CloseReason::Failed(error.kind()));
            }
        } else if connection.flush(&inner.counters) {
            inner.writable.put(connection.number());
        }
    }

    fn mind_the_time(&mut self, inner: &Inner) {
        let now = Instant::now();
        while let Some(number) = self.deadlines.pop_due(now) {
            if number == PAUSE {
                inner.listener_waker.wake_by_ref();
            } else if self.handshakes.remove(&number).is_some() {
                count(&inner.counters.timed_out, 1);
                inner.crowd().leave(number);
            } else if let Some(connection) = inner.connection(number) {
                let at = connection.reading().deadline(connection.is_closing(), now);
                if at <= now {
                    self.lose(inner, &connection, CloseReason::TimedOut);
                } else {
                    self.deadlines.by(number, at);
                }
            }
        }
    }

    /// A connection is gone. Whoever knows of it is told, unless it was given up.
    fn lose(&mut self, inner: &Inner, connection: &Arc<Connection>, reason: CloseReason) {
        let number = connection.number();
        self.deadlines.forget(number);
        if !inner.remove(number) {
            return;
        }
        let closing = connection.is_closing();
        if connection.abandon() {
            inner.writable.put(number);
        }
        let counters = &inner.counters;
        let counter = match reason {
            _ if closing => &counters.closed_by_us,
            CloseReason::Peer => &counters.closed_by_peer,
            CloseReason::TimedOut => &counters.timed_out,
            _ => &counters.failed,
        };
        count(counter, 1);
        let known = connection.dialled() || connection.reading().inbound.spoke();
        if known && !closing {
            let remote = Remote::Connection(number);
            self.farewells
                .push(TransportEvent::PipeClosed(remote, reason));
        }
    }
}

#[cfg(test)]
mod tests;
