//! One timer for all links: a queue of deadlines, one entry a link, and one task that sleeps until
//! the first.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use telehash_link::{Instant, LinkKey};
use tokio::sync::Notify;

use super::LinkDriver;
use crate::shared::Shared;

/// Links that are handled in one go before others get the thread.
const MAX_DUE: usize = 64;

/// Whose deadline it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Owner {
    Endpoint,
    Link(LinkKey),
}

/// The deadlines of a mesh.
#[derive(Debug, Default)]
pub(crate) struct Timers {
    queue: Mutex<Queue>,
    earlier: Notify,
}

#[derive(Debug, Default)]
struct Queue {
    entries: BTreeMap<(Instant, Owner), Weak<LinkDriver>>,
    endpoint: Option<Instant>,
    /// What the task sleeps until; `None` while it is awake or has nothing to wait for.
    sleeping_until: Option<Instant>,
}

/// The deadline that a link has in the queue. Kept beside the link, under its lock.
#[derive(Debug, Default)]
pub(crate) struct Armed(Option<Instant>);

impl Timers {
    /// Makes sure that the link is woken at `deadline` or before. A later deadline than the armed
    /// one changes nothing: the early wake-up finds out, which is cheaper than moving the entry
    /// with every packet.
    pub(crate) fn arm(
        &self,
        driver: &Arc<LinkDriver>,
        armed: &mut Armed,
        deadline: Option<Instant>,
    ) {
        let Some(deadline) = deadline else { return };
        if armed.0.is_some_and(|armed| armed <= deadline) {
            return;
        }
        let owner = Owner::Link(driver.key());
        let mut queue = self.queue();
        if let Some(old) = armed.0.replace(deadline) {
            queue.entries.remove(&(old, owner));
        }
        queue
            .entries
            .insert((deadline, owner), Arc::downgrade(driver));
        self.wake_if_earlier(&queue, deadline);
    }

    /// The same for the endpoint itself.
    pub(crate) fn arm_endpoint(&self, deadline: Option<Instant>) {
        let Some(deadline) = deadline else { return };
        let mut queue = self.queue();
        if queue.endpoint.is_some_and(|armed| armed <= deadline) {
            return;
        }
        if let Some(old) = queue.endpoint.replace(deadline) {
            queue.entries.remove(&(old, Owner::Endpoint));
        }
        queue
            .entries
            .insert((deadline, Owner::Endpoint), Weak::new());
        self.wake_if_earlier(&queue, deadline);
    }

    /// Who is due, and what to sleep until if nobody is.
    fn due(&self, now: Instant) -> (Vec<(Owner, Weak<LinkDriver>)>, Option<Instant>) {
        let mut queue = self.queue();
        (queue.due(now), queue.sleeping_until)
    }

    /// Takes the link out of the queue.
    pub(crate) fn disarm(&self, key: LinkKey, armed: &mut Armed) {
        if let Some(old) = armed.0.take() {
            self.queue().entries.remove(&(old, Owner::Link(key)));
        }
    }

    fn wake_if_earlier(&self, queue: &Queue, deadline: Instant) {
        if queue.sleeping_until.is_none_or(|until| deadline < until) {
            self.earlier.notify_one();
        }
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Armed {
    /// The queue has no entry of this link any more.
    pub(crate) fn fired(&mut self) {
        self.0 = None;
    }
}

impl Queue {
    /// Takes what is due out of the queue, or notes what to sleep until.
    fn due(&mut self, now: Instant) -> Vec<(Owner, Weak<LinkDriver>)> {
        let mut due = Vec::new();
        while due.len() < MAX_DUE
            && let Some(entry) = self.entries.first_entry()
            && entry.key().0 <= now
        {
            let (_, owner) = *entry.key();
            due.push((owner, entry.remove()));
            if owner == Owner::Endpoint {
                self.endpoint = None;
            }
        }
        let first = self
            .entries
            .first_key_value()
            .map(|((deadline, _), _)| *deadline);
        self.sleeping_until = if due.is_empty() { first } else { None };
        due
    }
}

/// Wakes links at their deadlines, until the mesh stops.
pub(crate) async fn run(shared: Arc<Shared>) {
    loop {
        let (due, next) = shared.timers.due(shared.clock.now());
        if due.is_empty() {
            wait(&shared, next).await;
        } else {
            shared.follow_clock();
            fire(&shared, due);
            tokio::task::consume_budget().await;
        }
    }
}

async fn wait(shared: &Shared, until: Option<Instant>) {
    let earlier = shared.timers.earlier.notified();
    match until {
        None => earlier.await,
        Some(until) => {
            let _ = tokio::time::timeout_at(shared.clock.to_tokio(until), earlier).await;
        }
    }
}

fn fire(shared: &Arc<Shared>, due: Vec<(Owner, Weak<LinkDriver>)>) {
    for (owner, driver) in due {
        match owner {
            Owner::Endpoint => shared.endpoint_timeout(),
            Owner::Link(_) => {
                if let Some(driver) = driver.upgrade() {
                    driver.timeout(shared);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn no_more_are_due_in_one_go_than_the_limit_and_the_rest_in_the_next() {
        let at = |number: usize| Instant::from_micros(number as u64);
        let mut queue = Queue::default();
        // Whose they are does not matter; the endpoint's can be made without a link.
        for number in 1..=MAX_DUE + 1 {
            queue
                .entries
                .insert((at(number), Owner::Endpoint), Weak::new());
        }
        let later = at(MAX_DUE + 1) + Duration::from_secs(1);
        queue.entries.insert((later, Owner::Endpoint), Weak::new());
        let now = at(MAX_DUE + 1);
        assert_eq!(queue.due(now).len(), MAX_DUE);
        assert_eq!(queue.sleeping_until, None, "there may be more");
        assert_eq!(queue.due(now).len(), 1);
        assert_eq!(queue.due(now).len(), 0);
        assert_eq!(queue.sleeping_until, Some(later));
    }
}
