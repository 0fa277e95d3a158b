//! One connection: its two directions, and what is known of its peer.

use std::{
    io,
    net::SocketAddr,
    sync::{
        Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicBool, AtomicU8, Ordering},
    },
    task::{Context, Poll, Waker},
};

use telehash_transport::{CloseReason, Remote, Transmit};
use tokio::time::Instant;

use crate::{
    half::{Halves, ReadHalf},
    inbound::Inbound,
    limits::{CLOSE_TIMEOUT, MAX_STRANGER_UNSENT, MAX_UNSENT},
    outbound::Outbound,
    stats::Counters,
};

/// A connection in which packets can flow.
///
/// Its two directions have a lock each. No waker is woken, and nobody else's lock taken, under them.
#[derive(Debug)]
pub(crate) struct Connection {
    number: u64,
    peer: SocketAddr,
    dialled: bool,
    /// A link uses it.
    kept: AtomicBool,
    /// We gave it up.
    closing: AtomicBool,
    /// Why sending failed.
    broken: OnceLock<io::ErrorKind>,
    /// Which answers wait until there is nothing else to send, as bits.
    answers: AtomicU8,
    /// A packet was sent since a lone zero was last answered.
    sent_since_answer: AtomicBool,
    read_waker: Waker,
    write_waker: Waker,
    reading: Mutex<Reading>,
    outbound: Mutex<Outbound>,
}

/// The receiving direction.
#[derive(Debug)]
pub(crate) struct Reading {
    half: ReadHalf,
    pub(crate) inbound: Inbound,
    closing_since: Option<Instant>,
}

/// What reading came to.
#[derive(Debug)]
pub(crate) struct Read {
    /// Bytes at the front of the buffer.
    pub(crate) len: usize,
    /// Nothing more is there now. If not, the connection wants another turn.
    pub(crate) dry: bool,
    /// Nothing more will come.
    pub(crate) end: Option<CloseReason>,
}

/// Packets arrived.
const ANSWER_PACKETS: u8 = 1;
/// A lone zero arrived.
const ANSWER_ZERO: u8 = 2;

impl Connection {
    pub(crate) fn new(
        number: u64,
        peer: SocketAddr,
        dialled: bool,
        opened: Instant,
        (read, write): Halves,
        [read_waker, write_waker]: [Waker; 2],
    ) -> Self {
        let inbound = Inbound::new(Remote::Connection(number), opened, !dialled);
        let reading = Reading {
            half: read,
            inbound,
            closing_since: None,
        };
        Self {
            number,
            peer,
            dialled,
            kept: AtomicBool::new(false),
            closing: AtomicBool::new(false),
            broken: OnceLock::new(),
            answers: AtomicU8::new(0),
            sent_since_answer: AtomicBool::new(false),
            read_waker,
            write_waker,
            reading: Mutex::new(reading),
            outbound: Mutex::new(Outbound::new(write)),
        }
    }

    pub(crate) const fn number(&self) -> u64 {
        self.number
    }

    pub(crate) const fn peer(&self) -> SocketAddr {
        self.peer
    }

    pub(crate) const fn dialled(&self) -> bool {
        self.dialled
    }

    /// Lets the receiving task look at it.
    pub(crate) fn wake(&self) {
        self.read_waker.wake_by_ref();
    }

    /// A link uses it from now on.
    pub(crate) fn keep(&self) {
        self.kept.store(true, Ordering::Release);
    }

    pub(crate) fn is_closing(&self) -> bool {
        self.closing.load(Ordering::Acquire)
    }

    pub(crate) fn reading(&self) -> MutexGuard<'_, Reading> {
        let mut reading = self.reading.lock().unwrap_or_else(PoisonError::into_inner);
        if self.kept.load(Ordering::Acquire) {
            reading.inbound.keep();
        }
        reading
    }

    fn outbound(&self) -> MutexGuard<'_, Outbound> {
        self.outbound.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn limit(&self) -> usize {
        if self.kept.load(Ordering::Acquire) {
            MAX_UNSENT
        } else {
            MAX_STRANGER_UNSENT
        }
    }

    /// Sends what there is room for: the number of bytes taken, and whether someone who waits for
    /// room should be told that there is some.
    pub(crate) fn send(
        &self,
        transmit: &Transmit<'_>,
        counters: &Counters,
    ) -> (io::Result<usize>, bool) {
        let mut cx = Context::from_waker(&self.write_waker);
        let limit = self.limit();
        let mut outbound = self.outbound();
        let sent = outbound.send(transmit, limit, &mut cx, counters);
        let whole = matches!(sent, Ok(bytes) if bytes == transmit.contents.len());
        let room = whole && outbound.take_room(limit);
        drop(outbound);
        match &sent {
            Ok(0) => {}
            Ok(_) => {
                self.answers.store(0, Ordering::Relaxed);
                self.sent_since_answer.store(true, Ordering::Relaxed);
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => {
                self.break_off(error);
                return (Err(io::ErrorKind::NotConnected.into()), room);
            }
        }
        (sent, room)
    }

    /// Goes on writing; whether someone who waits for room should be told that there is some.
    pub(crate) fn flush(&self, counters: &Counters) -> bool {
        let mut cx = Context::from_waker(&self.write_waker);
        let limit = self.limit();
        let mut outbound = self.outbound();
        let flushed = outbound.flush(&mut cx, counters);
        let room = outbound.take_room(limit);
        drop(outbound);
        if let Err(error) = flushed {
            self.break_off(&error);
        }
        room
    }

    /// Sending failed: the receiving side hands on what has arrived, and then closes.
    fn break_off(&self, error: &io::Error) {
        // A connection that is closing says so by the same kind of error, and is not broken.
        if !self.is_closing() && self.broken.set(error.kind()).is_ok() {
            self.wake();
        }
    }

    /// Why sending failed, if it did.
    pub(crate) fn broken(&self) -> Option<CloseReason> {
        self.broken.get().copied().map(CloseReason::Failed)
    }

    /// Notes what has to be answered unless packets are sent before; whether there is anything.
    /// Strangers get no answer.
    pub(crate) fn owe_answer(&self, packets: bool, zero: bool) -> bool {
        if !self.kept.load(Ordering::Acquire) {
            return false;
        }
        let zero = zero && self.sent_since_answer.load(Ordering::Relaxed);
        let answers = (u8::from(packets) * ANSWER_PACKETS) | (u8::from(zero) * ANSWER_ZERO);
        if answers != 0 {
            self.answers.fetch_or(answers, Ordering::Relaxed);
        }
        answers != 0
    }

    /// Answers with a single zero, unless packets were sent in between or wait to be.
    pub(crate) fn answer(&self, counters: &Counters) {
        let answers = self.answers.swap(0, Ordering::Relaxed);
        if answers == 0 {
            return;
        }
        let mut cx = Context::from_waker(&self.write_waker);
        let answered = self.outbound().ack(&mut cx, counters);
        match answered {
            Ok(true) if answers & ANSWER_ZERO != 0 => {
                self.sent_since_answer.store(false, Ordering::Relaxed);
            }
            Ok(_) => {}
            Err(error) => self.break_off(&error),
        }
    }

    /// Takes no more packets, and closes when what it has is gone. Whether it was open.
    pub(crate) fn close(&self) -> bool {
        self.closing.store(true, Ordering::Release);
        let was_open = self.outbound().close();
        self.read_waker.wake_by_ref();
        self.write_waker.wake_by_ref();
        was_open
    }

    /// Takes no more packets, at once and for ever; whether someone waits for room.
    pub(crate) fn abandon(&self) -> bool {
        let mut outbound = self.outbound();
        outbound.close();
        outbound.take_room(0)
    }

    /// Lets what a closing connection has leave, and tells the peer then.
    pub(crate) fn poll_finish(&self, counters: &Counters) -> Poll<io::Result<()>> {
        let mut cx = Context::from_waker(&self.write_waker);
        self.outbound().poll_finish(&mut cx, counters)
    }

    /// Fills `buffer` with what is there.
    pub(crate) fn read(&self, reading: &mut Reading, buffer: &mut [u8]) -> Read {
        let mut cx = Context::from_waker(&self.read_waker);
        let mut read = Read {
            len: 0,
            dry: false,
            end: None,
        };
        while let Some(room) = buffer.get_mut(read.len..).filter(|room| !room.is_empty()) {
            match reading.half.poll_read(&mut cx, room) {
                Poll::Ready(Ok(0)) => read.end = Some(CloseReason::Peer),
                Poll::Ready(Ok(len)) => {
                    read.len += len;
                    continue;
                }
                Poll::Ready(Err(error)) if error.kind() == io::ErrorKind::Interrupted => continue,
                Poll::Ready(Err(error)) => read.end = Some(CloseReason::Failed(error.kind())),
                Poll::Pending => read.dry = true,
            }
            break;
        }
        read
    }
}

impl Reading {
    /// When it is to be closed unless the peer is heard before. A closing connection has its own
    /// time.
    pub(crate) fn deadline(&mut self, closing: bool, now: Instant) -> Instant {
        if closing {
            return *self.closing_since.get_or_insert(now) + CLOSE_TIMEOUT;
        }
        self.inbound.deadline()
    }
}
