//! What a transport has to tell, and who waits to hear it.

use std::{
    collections::VecDeque,
    io,
    sync::{Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
};

use telehash_transport::{CloseReason, Remote, TransportEvent};

/// Pipes that have room again, pipes that are gone, and the end of the transport itself.
#[derive(Debug, Default)]
pub(crate) struct News(Mutex<Queues>);

#[derive(Debug, Default)]
struct Queues {
    closed: bool,
    writable: VecDeque<u64>,
    gone: VecDeque<(u64, CloseReason)>,
    writer: Option<Waker>,
    watcher: Option<Waker>,
}

impl News {
    /// Fails once the transport is closed.
    pub(crate) fn check(&self) -> io::Result<()> {
        if self.queues().closed {
            return Err(io::ErrorKind::NotConnected.into());
        }
        Ok(())
    }

    /// What nobody asked for yet, each one the last of a connection or once for it.
    pub(crate) fn len(&self) -> usize {
        let queues = self.queues();
        queues.gone.len().max(queues.writable.len())
    }

    /// A pipe that refused packets takes some again, or never will: trying tells.
    pub(crate) fn writable(&self, number: u64) {
        let mut queues = self.queues();
        queues.writable.push_back(number);
        let writer = queues.writer.take();
        drop(queues);
        wake(writer);
    }

    pub(crate) fn gone(&self, number: u64, reason: CloseReason) {
        let mut queues = self.queues();
        queues.gone.push_back((number, reason));
        let watcher = queues.watcher.take();
        drop(queues);
        wake(watcher);
    }

    pub(crate) fn poll_writable(&self, cx: &Context<'_>) -> Poll<io::Result<u64>> {
        let mut queues = self.queues();
        if queues.closed {
            return Poll::Ready(Err(io::ErrorKind::NotConnected.into()));
        }
        match queues.writable.pop_front() {
            Some(number) => Poll::Ready(Ok(number)),
            None => {
                queues.writer = Some(cx.waker().clone());
                Poll::Pending
            }
        }
    }

    pub(crate) fn poll_event(&self, cx: &Context<'_>) -> Poll<TransportEvent> {
        let mut queues = self.queues();
        match queues.gone.pop_front() {
            Some((number, reason)) => {
                let pipe = Remote::Connection(number);
                Poll::Ready(TransportEvent::PipeClosed(pipe, reason))
            }
            None => {
                queues.watcher = Some(cx.waker().clone());
                Poll::Pending
            }
        }
    }

    /// Closes the transport; false if it was closed already.
    pub(crate) fn close(&self) -> bool {
        let mut queues = self.queues();
        let was_open = !std::mem::replace(&mut queues.closed, true);
        let writer = queues.writer.take();
        drop(queues);
        wake(writer);
        was_open
    }

    fn queues(&self) -> MutexGuard<'_, Queues> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn wake(waker: Option<Waker>) {
    if let Some(waker) = waker {
        waker.wake();
    }
}
