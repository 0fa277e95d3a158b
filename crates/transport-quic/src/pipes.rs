//! The connections of a transport.

use std::{
    collections::HashMap,
    io,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll, Waker},
};

use futures::{FutureExt as _, StreamExt as _, future::BoxFuture, stream::FuturesUnordered};
use quinn::{Connection, ConnectionError};
use telehash_transport::{CloseReason, Readiness, Remote};
use tokio::time::Instant;

use crate::{
    inbox::Received,
    limits::Limits,
    news::News,
    outgoing::Outgoing,
    packer::Packer,
    parameters,
    pipe::{Pipe, reason},
    stats::{Counters, count},
    strangers::{Host, Strangers},
};

/// The number under which the door is ready: those of connections begin after it.
pub(crate) const DOOR: u64 = 0;

/// Connections that one poll looks at. Then it lets other tasks run first.
const TURNS: usize = 256;

/// The connections of a transport, and what it knows of them.
pub(crate) struct Pipes {
    open: RwLock<HashMap<u64, Arc<Pipe>>>,
    last_number: AtomicU64,
    pub(crate) limits: Limits,
    pub(crate) strangers: Mutex<Strangers>,
    pub(crate) incoming: Readiness,
    pub(crate) door: Waker,
    pub(crate) outgoing: Outgoing,
    leaving: Mutex<FuturesUnordered<BoxFuture<'static, ()>>>,
    pub(crate) news: News,
    pub(crate) counters: Counters,
}

impl Pipes {
    pub(crate) fn new(limits: Limits) -> Self {
        let incoming = Readiness::default();
        Self {
            open: RwLock::default(),
            last_number: AtomicU64::new(DOOR),
            limits,
            strangers: Strangers::new(limits.first_packet).into(),
            door: incoming.waker(DOOR),
            incoming,
            outgoing: Outgoing::new(),
            leaving: Mutex::default(),
            news: News::default(),
            counters: Counters::default(),
        }
    }

    pub(crate) fn pipe(&self, number: u64) -> Option<Arc<Pipe>> {
        self.open().get(&number).cloned()
    }

    /// Makes room for one more connection, if need be at the cost of a stranger.
    ///
    /// # Errors
    /// There is none.
    pub(crate) fn make_room(&self) -> io::Result<()> {
        let limit = self.limits.connections;
        while self.open().len() >= limit || self.news.len() >= limit {
            let oldest = self.strangers().oldest();
            let Some(oldest) = oldest.filter(|_| self.news.len() < limit) else {
                let text = format!("there are {limit} connections already");
                return Err(io::Error::new(io::ErrorKind::QuotaExceeded, text));
            };
            self.evict(
                oldest,
                CloseReason::Failed(io::ErrorKind::ConnectionAborted),
            );
        }
        Ok(())
    }

    /// Adds a connection, which is a stranger's if a host is given; its number.
    pub(crate) fn add(&self, connection: Connection, stranger: Option<Host>) -> u64 {
        let number = self.last_number.fetch_add(1, Ordering::Relaxed) + 1;
        let wakers = [self.incoming.waker(number), self.outgoing.member(number)];
        let pipe = Arc::new(Pipe::new(number, connection, wakers));
        let receiver = pipe.receiver.clone();
        self.open_mut().insert(number, pipe);
        let victim = stranger.and_then(|host| self.strangers().enter(number, host, Instant::now()));
        if let Some(victim) = victim {
            self.evict(
                victim,
                CloseReason::Failed(io::ErrorKind::ConnectionAborted),
            );
        }
        receiver.wake();
        number
    }

    /// A link uses this connection.
    pub(crate) fn keep(&self, number: u64) {
        if self.strangers().remove(number)
            && let Some(pipe) = self.pipe(number)
        {
            parameters::widen(&pipe.connection);
        }
    }

    /// Closes the connections of strangers whose time is over.
    pub(crate) fn evict_overdue(&self, now: Instant) {
        while let Some(number) = self.pop_overdue(now) {
            self.evict(number, CloseReason::TimedOut);
        }
    }

    fn pop_overdue(&self, now: Instant) -> Option<u64> {
        self.strangers().pop_overdue(now)
    }

    fn evict(&self, number: u64, reason: CloseReason) {
        if let Some(pipe) = self.remove(number) {
            pipe.abandon();
            count(&self.counters.evicted, 1);
            self.news.gone(number, reason);
        }
    }

    /// Lets a connection go: what it accepted leaves, then it is closed.
    pub(crate) fn leave(&self, number: u64) {
        if let Some(pipe) = self.remove(number) {
            let leaving = async move { pipe.leave().await };
            self.leaving().push(leaving.boxed());
            self.door.wake_by_ref();
        }
    }

    /// The same for all of them: done when they are closed.
    pub(crate) async fn leave_all(&self) {
        let numbers: Vec<_> = self.open().keys().copied().collect();
        for number in numbers {
            self.leave(number);
        }
        let mut leaving = std::mem::take(&mut *self.leaving());
        while let Some(()) = leaving.next().await {}
    }

    /// Drives the connections that are let go.
    pub(crate) fn poll_leaving(&self, cx: &mut Context<'_>) {
        while let Poll::Ready(Some(())) = self.leaving().poll_next_unpin(cx) {}
    }

    /// Takes a connection out. Whoever waits for room in it finds that it is gone.
    fn remove(&self, number: u64) -> Option<Arc<Pipe>> {
        let pipe = self.open_mut().remove(&number)?;
        self.strangers().remove(number);
        if pipe.outbox().has_refused() {
            self.news.writable(number);
        }
        Some(pipe)
    }

    /// Receives from one connection after the other, and lets `open_door` see to newcomers.
    pub(crate) fn poll_receive(
        &self,
        cx: &mut Context<'_>,
        packer: &mut Packer<'_>,
        mut open_door: impl FnMut(&mut Context<'_>),
    ) -> Poll<()> {
        self.outgoing.enter_reader(cx);
        self.send_on();
        for _ in 0..TURNS {
            let Poll::Ready(number) = self.incoming.poll_next(cx) else {
                return if packer.len() > 0 {
                    Poll::Ready(())
                } else {
                    Poll::Pending
                };
            };
            let done = if number == DOOR {
                // It may close connections that the batch has packets of: those go first.
                let turn = packer.len() == 0;
                if turn {
                    open_door(&mut Context::from_waker(&self.door));
                } else {
                    self.door.wake_by_ref();
                }
                !turn || self.news.check().is_err()
            } else {
                !self.receive_from(number, packer)
            };
            if done {
                return Poll::Ready(());
            }
        }
        if packer.len() == 0 {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        Poll::Ready(())
    }

    /// Receives from one connection; false if the batch has to be handled before anything else.
    fn receive_from(&self, number: u64, packer: &mut Packer<'_>) -> bool {
        let Some(pipe) = self.pipe(number) else {
            return true;
        };
        let before = packer.len();
        let mut cx = Context::from_waker(&pipe.receiver);
        let remote = Remote::Connection(number);
        let received = pipe
            .inbox()
            .receive(&mut cx, remote, packer, &self.counters);
        if packer.len() > before && pipe.is_first_packet() {
            self.strangers().heard(number);
        }
        match received {
            Received::All => {}
            Received::Some => pipe.receiver.wake_by_ref(),
            Received::Last(end) if packer.len() == 0 => self.ended(number, &end),
            Received::Last(_) => {
                pipe.receiver.wake_by_ref();
                return false;
            }
        }
        packer.has_room()
    }

    fn ended(&self, number: u64, end: &ConnectionError) {
        if self.remove(number).is_some() {
            tracing::debug!(connection = number, %end, "QUIC connection closed");
            self.news.gone(number, reason(end));
        }
    }

    /// Lets connections go on sending that can.
    pub(crate) fn send_on(&self) {
        for _ in 0..TURNS {
            let Some(number) = self.outgoing.next() else {
                return;
            };
            if let Some(pipe) = self.pipe(number) {
                let mut cx = Context::from_waker(&pipe.sender);
                if pipe.outbox().poll_progress(&mut cx) {
                    self.news.writable(number);
                }
            }
        }
        self.outgoing.wake();
    }

    pub(crate) fn strangers(&self) -> MutexGuard<'_, Strangers> {
        self.strangers
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn leaving(&self) -> MutexGuard<'_, FuturesUnordered<BoxFuture<'static, ()>>> {
        self.leaving.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn open(&self) -> RwLockReadGuard<'_, HashMap<u64, Arc<Pipe>>> {
        self.open.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn open_mut(&self) -> RwLockWriteGuard<'_, HashMap<u64, Arc<Pipe>>> {
        self.open.write().unwrap_or_else(PoisonError::into_inner)
    }
}
