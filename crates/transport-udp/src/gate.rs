//! Lets whoever waits for a socket know that it was closed.

use std::{
    io,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Waker},
};

/// Open until closed; wakes a reader and a writer then.
#[derive(Debug, Default)]
pub(crate) struct Gate {
    closed: AtomicBool,
    reader: Slot,
    writer: Slot,
}

#[derive(Debug, Default)]
struct Slot(Mutex<Option<Waker>>);

impl Gate {
    /// Fails once closed.
    pub(crate) fn check(&self) -> io::Result<()> {
        if self.closed.load(Ordering::Acquire) {
            return Err(io::ErrorKind::NotConnected.into());
        }
        Ok(())
    }

    /// Fails once closed; until then the reader is woken by closing.
    pub(crate) fn enter_reader(&self, cx: &Context<'_>) -> io::Result<()> {
        self.reader.set(cx);
        self.check()
    }

    /// Fails once closed; until then the writer is woken by closing.
    pub(crate) fn enter_writer(&self, cx: &Context<'_>) -> io::Result<()> {
        self.writer.set(cx);
        self.check()
    }

    pub(crate) fn close(&self) {
        self.closed.store(true, Ordering::Release);
        self.reader.wake();
        self.writer.wake();
    }
}

impl Slot {
    fn set(&self, cx: &Context<'_>) {
        let mut slot = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match &mut *slot {
            Some(waker) => waker.clone_from(cx.waker()),
            None => *slot = Some(cx.waker().clone()),
        }
    }

    fn wake(&self) {
        let waker = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}
