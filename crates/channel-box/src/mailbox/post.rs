//! What comes: each letter once, to the application.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use telehash_hashname::Hashname;
use tokio::sync::{mpsc, oneshot, watch};

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

/// Which letter: of whom, and its name.
type Key = (Hashname, MessageId);

/// What is to be done about a letter.
enum Admission {
    /// It is handed to the application; whoever waits for that is told here.
    New(watch::Sender<bool>),
    /// It came another way, too, and the application has not taken it yet.
    Waits(watch::Receiver<bool>),
    /// It was taken before, or is refused for good.
    Old,
}

#[derive(Default)]
struct Known {
    seen: Seen,
    /// Not taken by the application yet; tells once it is.
    waiting: HashMap<Key, watch::Receiver<bool>>,
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
        let key = (letter.from, MessageId::new(name, message));
        // Locked only as long as this.
        let admission = self.known().admit(key, letter.at);
        let told = match admission {
            Admission::New(told) => told,
            Admission::Old => return Fate::Taken,
            Admission::Waits(mut taken) => {
                let taken = taken.wait_for(|taken| *taken).await.is_ok();
                return if taken { Fate::Taken } else { Fate::Nobody };
            }
        };
        let (tell, taken) = oneshot::channel();
        let waiting = Waiting {
            letter,
            taken: tell,
        };
        if self.queue.send(waiting).await.is_err() || taken.await.is_err() {
            return Fate::Nobody;
        }
        told.send_replace(true);
        self.known().waiting.remove(&key);
        Fate::Taken
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    fn admit(&mut self, key: Key, at: u64) -> Admission {
        if let Some(taken) = self.waiting.get(&key) {
            return Admission::Waits(taken.clone());
        }
        if !self.seen.take(key.0, at, key.1, now()) {
            return Admission::Old;
        }
        let (tell, taken) = watch::channel(false);
        self.waiting.insert(key, taken);
        Admission::New(tell)
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
    async fn what_comes_twice_waits_until_it_is_taken_and_comes_once() {
        let ((post, mut letters), ann) = (post(), sealer(1));
        let us = post.sealer.identity.keys().clone();
        let name = BoxId::new(&ann.identity.hashname(), &us.hashname().unwrap());
        let message = ann.seal(&us, b"hello").unwrap();
        let mut first = Box::pin(post.take(&name, &message));
        assert_eq!((&mut first).now_or_never(), None);
        let mut again = Box::pin(post.take(&name, &message));
        assert_eq!((&mut again).now_or_never(), None);
        letters.recv().await.unwrap().take();
        assert_eq!((first.await, again.await), (Fate::Taken, Fate::Taken));
        assert_eq!(post.take(&name, &message).await, Fate::Taken);
        assert!(letters.is_empty(), "it came once");
        // Without an application nothing is taken, whichever way it comes.
        let message = ann.seal(&us, b"bye").unwrap();
        let mut first = Box::pin(post.take(&name, &message));
        assert_eq!((&mut first).now_or_never(), None);
        drop(letters);
        assert_eq!(first.await, Fate::Nobody);
        assert_eq!(post.take(&name, &message).await, Fate::Nobody);
        // In another box it is a forgery.
        let other = BoxId::from_bytes([0; 8]);
        assert_eq!(post.take(&other, &message).await, Fate::Forged);
    }
}
