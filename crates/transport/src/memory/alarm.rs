//! A timer that is set while it is polled.

use std::{
    future::Future,
    pin::Pin,
    sync::{Mutex, PoisonError},
    task::{Context, Poll},
};

use tokio::time::{Instant, Sleep, sleep_until};

/// Wakes the task that waits for an endpoint's next arrival. Made when first needed: an endpoint on
/// a network without delays needs no timer.
#[derive(Debug, Default)]
pub(super) struct Alarm(Mutex<Option<Pin<Box<Sleep>>>>);

impl Alarm {
    /// Ready once `deadline` has come.
    pub(super) fn poll(&self, cx: &mut Context<'_>, deadline: Instant) -> Poll<()> {
        let mut sleep = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let sleep = sleep.get_or_insert_with(|| Box::pin(sleep_until(deadline)));
        if sleep.deadline() != deadline || sleep.is_elapsed() {
            sleep.as_mut().reset(deadline);
        }
        sleep.as_mut().poll(cx)
    }
}
