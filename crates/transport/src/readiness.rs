//! One place to wait for many: a queue of what can go on.

use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
};

/// Lets one task poll any number of connections, and only those that can go on.
///
/// Each connection has a number and a [waker](Self::waker) of its own, with which it is polled.
/// When that is woken, [`poll_next`](Self::poll_next) names the connection, once. Nothing is
/// spawned, and a connection that is idle costs nothing.
#[derive(Debug, Default)]
pub struct Readiness {
    queue: Arc<Mutex<Queue>>,
}

#[derive(Debug, Default)]
struct Queue {
    ready: VecDeque<Arc<Member>>,
    waiter: Option<Waker>,
}

#[derive(Debug)]
struct Member {
    number: u64,
    queued: AtomicBool,
    queue: Arc<Mutex<Queue>>,
}

impl Readiness {
    /// The waker of a connection. Make it once and keep it: two with one number are two members.
    #[must_use]
    pub fn waker(&self, number: u64) -> Waker {
        Waker::from(Arc::new(Member {
            number,
            queued: AtomicBool::new(false),
            queue: Arc::clone(&self.queue),
        }))
    }

    /// The number of the next connection to be polled, in the order they were woken. It may be gone
    /// by now.
    ///
    /// Remembers only the waker of its last call.
    pub fn poll_next(&self, cx: &Context<'_>) -> Poll<u64> {
        let mut queue = lock(&self.queue);
        let Some(member) = queue.ready.pop_front() else {
            queue.waiter = Some(cx.waker().clone());
            return Poll::Pending;
        };
        // Before it is polled, so that whatever happens from now on queues it again.
        member.queued.store(false, Ordering::Release);
        Poll::Ready(member.number)
    }
}

impl Wake for Member {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if self.queued.swap(true, Ordering::AcqRel) {
            return;
        }
        let mut queue = lock(&self.queue);
        queue.ready.push_back(Arc::clone(self));
        let waiter = queue.waiter.take();
        drop(queue);
        if let Some(waiter) = waiter {
            waiter.wake();
        }
    }
}

fn lock(queue: &Mutex<Queue>) -> MutexGuard<'_, Queue> {
    queue.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Flag(AtomicBool);

    impl Wake for Flag {
        fn wake(self: Arc<Self>) {
            self.0.store(true, Ordering::Relaxed);
        }
    }

    #[test]
    fn each_that_was_woken_is_named_once_in_order() {
        let readiness = Readiness::default();
        let wakers = [7, 3].map(|number| readiness.waker(number));
        let cx = Context::from_waker(Waker::noop());
        assert!(readiness.poll_next(&cx).is_pending());
        for waker in wakers.iter().chain(&wakers) {
            waker.wake_by_ref();
        }
        assert_eq!(readiness.poll_next(&cx), Poll::Ready(7));
        wakers[0].wake_by_ref();
        assert_eq!(readiness.poll_next(&cx), Poll::Ready(3));
        assert_eq!(readiness.poll_next(&cx), Poll::Ready(7));
        assert!(readiness.poll_next(&cx).is_pending());
    }

    #[test]
    fn who_waits_is_woken_by_the_first() {
        let readiness = Readiness::default();
        let waker = readiness.waker(1);
        let flag = Arc::new(Flag(AtomicBool::new(false)));
        let waiter = Waker::from(Arc::clone(&flag));
        assert!(
            readiness
                .poll_next(&Context::from_waker(&waiter))
                .is_pending()
        );
        waker.wake();
        assert!(flag.0.load(Ordering::Relaxed));
    }
}
