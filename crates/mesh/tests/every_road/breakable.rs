//! Transports that break when they are told to.

use std::{
    collections::{BTreeSet, VecDeque},
    future::pending,
    io,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, Waker, ready},
};

use async_trait::async_trait;
use mesh::{
    Path,
    transport::{
        Capabilities, CloseReason, RecvBatch, Remote, Transmit, Transport, TransportError,
        TransportEvent, Writable,
    },
};

/// A transport with a switch; clones are handles of the same one.
#[derive(Clone)]
pub(crate) struct Breakable(Arc<Inner>);

struct Inner {
    transport: Box<dyn Transport>,
    /// Nothing gets through any more, either way.
    stopped: AtomicBool,
    /// Pipes that something was sent by.
    used: Mutex<BTreeSet<Remote>>,
    /// Pipes that broke, until that is reported.
    broken: Mutex<VecDeque<Remote>>,
    /// Those without a connection, until something is to be sent by them.
    dead: Mutex<BTreeSet<Remote>>,
    reporter: Mutex<Option<Waker>>,
}

impl Breakable {
    pub(crate) fn new(transport: Box<dyn Transport>) -> Self {
        Self(Arc::new(Inner {
            transport,
            stopped: AtomicBool::new(false),
            used: Mutex::default(),
            broken: Mutex::default(),
            dead: Mutex::default(),
            reporter: Mutex::default(),
        }))
    }

    /// Breaks every pipe: connections close under the link, and the other end learns it from the
    /// network.
    pub(crate) fn break_pipes(&self) {
        let used = std::mem::take(&mut *self.0.used.lock().unwrap());
        for remote in used {
            self.0.transport.close_pipe(&remote);
            self.0.broken.lock().unwrap().push_back(remote);
            if matches!(remote, Remote::Socket(_)) {
                self.0.dead.lock().unwrap().insert(remote);
            }
        }
        if let Some(waker) = self.0.reporter.lock().unwrap().take() {
            waker.wake();
        }
    }

    /// Becomes a black hole: nobody is told, connections stay open.
    pub(crate) fn stop(&self) {
        self.0.stopped.store(true, Ordering::SeqCst);
    }

    fn is_stopped(&self) -> bool {
        self.0.stopped.load(Ordering::SeqCst)
    }
}

#[async_trait]
impl Transport for Breakable {
    fn name(&self) -> &'static str {
        self.0.transport.name()
    }

    fn capabilities(&self, remote: &Remote) -> Capabilities {
        self.0.transport.capabilities(remote)
    }

    fn local_paths(&self) -> Vec<Path> {
        self.0.transport.local_paths()
    }

    fn remote_path(&self, remote: &Remote) -> Option<Path> {
        self.0.transport.remote_path(remote)
    }

    fn dialable(&self, path: &Path) -> bool {
        self.0.transport.dialable(path)
    }

    fn connects(&self) -> bool {
        self.0.transport.connects()
    }

    async fn dial(&self, path: &Path) -> Result<Remote, TransportError> {
        if self.is_stopped() {
            pending::<()>().await;
        }
        self.0.transport.dial(path).await
    }

    fn recv_batch(&self) -> RecvBatch {
        self.0.transport.recv_batch()
    }

    fn poll_recv(&self, cx: &mut Context<'_>, batch: &mut RecvBatch) -> Poll<io::Result<usize>> {
        loop {
            let received = ready!(self.0.transport.poll_recv(cx, batch));
            if received.is_err() || !self.is_stopped() {
                return Poll::Ready(received);
            }
        }
    }

    fn try_send(&self, transmit: &Transmit<'_>) -> io::Result<usize> {
        if self.is_stopped() {
            return Ok(transmit.contents.len());
        }
        if self.0.dead.lock().unwrap().remove(&transmit.remote) {
            return Err(io::ErrorKind::NotConnected.into());
        }
        self.0.used.lock().unwrap().insert(transmit.remote);
        self.0.transport.try_send(transmit)
    }

    fn poll_writable(&self, cx: &mut Context<'_>) -> Poll<io::Result<Writable>> {
        self.0.transport.poll_writable(cx)
    }

    fn poll_event(&self, cx: &mut Context<'_>) -> Poll<TransportEvent> {
        *self.0.reporter.lock().unwrap() = Some(cx.waker().clone());
        match self.0.broken.lock().unwrap().pop_front() {
            Some(remote) => {
                let reason = CloseReason::Failed(io::ErrorKind::ConnectionReset);
                Poll::Ready(TransportEvent::PipeClosed(remote, reason))
            }
            None => self.0.transport.poll_event(cx),
        }
    }

    fn max_segments(&self) -> usize {
        self.0.transport.max_segments()
    }

    fn keep(&self, remote: &Remote) {
        self.0.transport.keep(remote);
    }

    fn close_pipe(&self, remote: &Remote) {
        self.0.transport.close_pipe(remote);
    }

    async fn close(&self) {
        self.0.transport.close().await;
    }
}
