//! What comes: each letter once, to the application.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use telehash_hashname::Hashname;
use tokio::sync::{mpsc, oneshot};

use super::{Sealer, now};
use crate::id::{BoxId, MessageId};
use crate::letter::Letter;
use crate::seen::Seen;

/// Where messages for us arrive, from senders and caches.
pub(crate) struct Post {
    sealer: Arc<Sealer>,
    queue: mpsc::Sender<Waiting>,
    known: Mutex<Known>,
    /// By cache, the boxes that are to be fetched from there. Somebody is at it if there is an entry.
    pub(super) fetching: Mutex<HashMap<Hashname, BTreeSet<BoxId>>>,
}

#[derive(Default)]
struct Known {
    seen: Seen,
    /// Not yet taken by the application.
    waiting: HashSet<(Hashname, MessageId)>,
}

/// A letter that the application has not taken yet.
pub(crate) struct Waiting {
    letter: Letter,
    taken: oneshot::Sender<()>,
}

/// What became of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// The application has it, from now on or from before; or it is refused for good.
    Taken,
    /// It came another way, too, and waits for the application.
    Waits,
    /// It is not in order: changed, or of somebody else.
    Forged,
    /// There is no application any more.
    Nobody,
}

impl Waiting {
    pub(super) fn take(self) -> Letter {
        // Nobody waits for that any more if the channel has failed.
        let _ = self.taken.send(());
        self.letter
    }
}

impl Post {
    pub(super) fn new(sealer: Arc<Sealer>, queue: mpsc::Sender<Waiting>) -> Self {
        Self {
            sealer,
            queue,
            known: Mutex::default(),
            fetching: Mutex::default(),
        }
    }

    /// Takes a message that its sender delivers itself.
    pub(crate) async fn take_from(&self, sender: &Hashname, message: &[u8]) {
        let name = BoxId::new(sender, &self.sealer.identity.hashname());
        self.take(&name, message).await;
    }

    /// Takes a message of the box with this name, and waits until the application has it.
    pub(super) async fn take(&self, name: &BoxId, message: &[u8]) -> Fate {
        let us = self.sealer.identity.hashname();
        let opened = self.sealer.open(message);
        let Some(letter) = opened.filter(|letter| BoxId::new(&letter.from, &us) == *name) else {
            return Fate::Forged;
        };
        let (from, id) = (letter.from, MessageId::new(name, message));
        {
            let mut known = self.known();
            if known.waiting.contains(&(from, id)) {
                return Fate::Waits;
            }
            if !known.seen.take(from, letter.at, id, now()) {
                return Fate::Taken;
            }
            known.waiting.insert((from, id));
        }
        let (tell, taken) = oneshot::channel();
        let waiting = Waiting {
            letter,
            taken: tell,
        };
        if self.queue.send(waiting).await.is_err() || taken.await.is_err() {
            return Fate::Nobody;
        }
        self.known().waiting.remove(&(from, id));
        Fate::Taken
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;

    use super::*;
    use crate::limits::QUEUE_CAPACITY;
    use crate::mailbox::tests::{post, sealer};

    #[tokio::test]
    async fn letters_wait_for_the_application_up_to_the_limit() {
        let ((post, mut letters), ann) = (post(), sealer(1));
        let us = post.sealer.identity.keys().clone();
        let sealed: Vec<_> = (0..QUEUE_CAPACITY + 1)
            .map(|_| ann.seal(&us, b"hello").unwrap())
            .collect();
        let name = BoxId::new(&ann.identity.hashname(), &us.hashname().unwrap());
        let mut taking: Vec<_> = sealed
            .iter()
            .map(|message| Box::pin(post.take(&name, message)))
            .collect();
        for take in &mut taking {
            assert_eq!(
                take.now_or_never(),
                None,
                "the application does not have it"
            );
        }
        assert_eq!(letters.len(), QUEUE_CAPACITY);
        letters.recv().await.unwrap().take();
        let (first, last) = (taking.remove(0), taking.pop().unwrap());
        assert_eq!(first.await, Fate::Taken);
        assert_eq!(last.now_or_never(), None);
        assert_eq!(letters.len(), QUEUE_CAPACITY, "it enters the queue now");
    }

    #[tokio::test]
    async fn what_comes_twice_before_it_is_taken_waits_and_after_that_it_is_taken() {
        let ((post, mut letters), ann) = (post(), sealer(1));
        let us = post.sealer.identity.keys().clone();
        let name = BoxId::new(&ann.identity.hashname(), &us.hashname().unwrap());
        let message = ann.seal(&us, b"hello").unwrap();
        let mut first = Box::pin(post.take(&name, &message));
        assert_eq!((&mut first).now_or_never(), None);
        assert_eq!(post.take(&name, &message).await, Fate::Waits);
        letters.recv().await.unwrap().take();
        assert_eq!(first.await, Fate::Taken);
        assert_eq!(post.take(&name, &message).await, Fate::Taken);
        assert!(letters.is_empty(), "it came once");
        // In another box it is a forgery.
        let other = BoxId::from_bytes([0; 8]);
        assert_eq!(post.take(&other, &message).await, Fate::Forged);
    }
}
