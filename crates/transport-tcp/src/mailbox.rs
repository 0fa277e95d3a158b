//! A queue that one task waits for.

use std::{
    collections::VecDeque,
    sync::{Mutex, PoisonError},
    task::{Context, Poll, Waker},
};

/// What was put in comes out in order; when it is full the oldest goes.
#[derive(Debug)]
pub(crate) struct Mailbox<T> {
    capacity: usize,
    contents: Mutex<Contents<T>>,
}

#[derive(Debug)]
struct Contents<T> {
    items: VecDeque<T>,
    waiter: Option<Waker>,
}

impl<T> Mailbox<T> {
    pub(crate) const fn new(capacity: usize) -> Self {
        let contents = Contents {
            items: VecDeque::new(),
            waiter: None,
        };
        Self {
            capacity,
            contents: Mutex::new(contents),
        }
    }

    pub(crate) fn put(&self, item: T) {
        let waiter = self.with(|contents| {
            if contents.items.len() == self.capacity {
                contents.items.pop_front();
            }
            contents.items.push_back(item);
            contents.waiter.take()
        });
        if let Some(waiter) = waiter {
            waiter.wake();
        }
    }

    /// Remembers only the waker of its last call.
    pub(crate) fn poll(&self, cx: &Context<'_>) -> Poll<T> {
        self.with(|contents| match contents.items.pop_front() {
            Some(item) => Poll::Ready(item),
            None => {
                contents.waiter = Some(cx.waker().clone());
                Poll::Pending
            }
        })
    }

    /// Lets whoever waits look again.
    pub(crate) fn wake(&self) {
        if let Some(waiter) = self.with(|contents| contents.waiter.take()) {
            waiter.wake();
        }
    }

    fn with<R>(&self, action: impl FnOnce(&mut Contents<T>) -> R) -> R {
        action(&mut self.contents.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::MAX_EVENTS;

    #[test]
    fn a_mailbox_that_nobody_empties_forgets_the_oldest() {
        let mailbox = Mailbox::new(MAX_EVENTS);
        for item in 0..=MAX_EVENTS {
            mailbox.put(item);
        }
        let cx = Context::from_waker(Waker::noop());
        for item in 1..=MAX_EVENTS {
            assert_eq!(mailbox.poll(&cx), Poll::Ready(item));
        }
        assert!(mailbox.poll(&cx).is_pending());
    }
}
