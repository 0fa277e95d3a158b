//! One timer for all connections.

use std::{
    collections::{BTreeSet, HashMap},
    fmt,
    future::Future,
    pin::Pin,
    task::{Context, Waker},
};

use tokio::time::{Instant, Sleep, sleep_until};

/// When to look at which connection; each is in here once at most.
pub(crate) struct Deadlines {
    queue: BTreeSet<(Instant, u64)>,
    of: HashMap<u64, Instant>,
    sleep: Pin<Box<Sleep>>,
    /// The sleep is set for another time than the first in the queue.
    stale: bool,
    waker: Waker,
}

impl Deadlines {
    /// Wakes `waker` when something is due.
    pub(crate) fn new(waker: Waker) -> Self {
        Self {
            queue: BTreeSet::new(),
            of: HashMap::new(),
            sleep: Box::pin(sleep_until(Instant::now())),
            stale: false,
            waker,
        }
    }

    /// Looks at `number` at this time at the latest. An earlier look stays: whoever is looked at then
    /// says anew when it is due.
    pub(crate) fn by(&mut self, number: u64, at: Instant) {
        match self.of.get(&number) {
            Some(&armed) if armed <= at => return,
            Some(&armed) => _ = self.queue.remove(&(armed, number)),
            None => {}
        }
        self.of.insert(number, at);
        self.queue.insert((at, number));
        self.stale |= self.queue.first() == Some(&(at, number));
    }

    pub(crate) fn forget(&mut self, number: u64) {
        if let Some(at) = self.of.remove(&number) {
            self.queue.remove(&(at, number));
        }
    }

    /// The next whose time has come.
    pub(crate) fn pop_due(&mut self, now: Instant) -> Option<u64> {
        let &(at, number) = self.queue.first().filter(|(at, _)| *at <= now)?;
        self.queue.remove(&(at, number));
        self.of.remove(&number);
        self.stale = true;
        Some(number)
    }

    /// Sets the timer, if need be.
    pub(crate) fn set_timer(&mut self) {
        if !std::mem::take(&mut self.stale) {
            return;
        }
        let Some(&(at, _)) = self.queue.first() else {
            return;
        };
        self.sleep.as_mut().reset(at);
        let mut cx = Context::from_waker(&self.waker);
        if self.sleep.as_mut().poll(&mut cx).is_ready() {
            self.waker.wake_by_ref();
            self.stale = true;
        }
    }
}

impl fmt::Debug for Deadlines {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Deadlines")
            .field("queue", &self.queue)
            .finish_non_exhaustive()
    }
}
