//! Connections that can send again, whoever drives them.

use std::{
    sync::Arc,
    task::{Context, Poll, Wake, Waker},
};

use futures::task::AtomicWaker;
use telehash_transport::Readiness;

/// Which connections can send again. The task that receives asks, and the one that waits for room:
/// either may be absent at times, so both are woken.
#[derive(Debug)]
pub(crate) struct Outgoing {
    readiness: Readiness,
    tasks: Arc<Tasks>,
    waker: Waker,
}

#[derive(Debug, Default)]
struct Tasks {
    reader: AtomicWaker,
    writer: AtomicWaker,
}

impl Outgoing {
    pub(crate) fn new() -> Self {
        let tasks = Arc::<Tasks>::default();
        Self {
            readiness: Readiness::default(),
            waker: tasks.clone().into(),
            tasks,
        }
    }

    /// The waker of a connection; see [`Readiness::waker`].
    pub(crate) fn member(&self, number: u64) -> Waker {
        self.readiness.waker(number)
    }

    pub(crate) fn enter_reader(&self, cx: &Context<'_>) {
        self.tasks.reader.register(cx.waker());
    }

    pub(crate) fn enter_writer(&self, cx: &Context<'_>) {
        self.tasks.writer.register(cx.waker());
    }

    /// The next connection. If there is none, both tasks are woken when there is.
    pub(crate) fn next(&self) -> Option<u64> {
        match self.readiness.poll_next(&Context::from_waker(&self.waker)) {
            Poll::Ready(number) => Some(number),
            Poll::Pending => None,
        }
    }

    pub(crate) fn wake(&self) {
        self.waker.wake_by_ref();
    }
}

impl Wake for Tasks {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.reader.wake();
        self.writer.wake();
    }
}
