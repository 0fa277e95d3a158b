//! What comes: each letter once, to the application.

use std::collections::{BTreeSet, HashMap};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use telehash_hashname::Hashname;
use tokio::sync::{Notify, mpsc};

use super::Sealer;
use super::memory::{Admission, Arrived, Memory};
use crate::id::BoxId;

/// Where messages for us arrive, from senders and caches.
pub(crate) struct Post {
    sealer: Arc<Sealer>,
    pub(super) queue: mpsc::Sender<Arrived>,
    memory: Arc<Memory>,
    /// By cache, the boxes that are to be fetched from there. Somebody is at it if there is an entry.
    pub(super) fetching: Mutex<HashMap<Hashname, BTreeSet<BoxId>>>,
    /// Somebody is at it no longer.
    pub(super) ended: Notify,
    /// How many messages were refused.
    refused: AtomicU64,
}

/// What became of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// The application has it, from now on or from before.
    Taken,
    /// It is not to be taken now, since of its time. It stays where it is.
    Refused,
    /// It is not in order: changed, or of somebody else.
    Forged,
    /// The application did not take it, or there is none any more.
    Left,
}

impl Post {
    pub(super) fn new(sealer: Arc<Sealer>, queue: mpsc::Sender<Arrived>, memory: Memory) -> Self {
        Self {
            sealer,
            queue,
            memory: Arc::new(memory),
            fetching: Mutex::default(),
            ended: Notify::new(),
            refused: AtomicU64::new(0),
        }
    }

    /// How many messages were refused so far.
    pub(super) fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }

    /// Takes a message that its sender delivers itself.
    pub(crate) async fn take_from(&self, sender: &Hashname, message: &[u8]) -> Fate {
        let name = BoxId::new(sender, &self.sealer.identity.hashname());
        self.take(&name, message).await
    }

    /// Takes a message of the box with this name, and waits until the application has it.
    pub(crate) async fn take(&self, name: &BoxId, message: &[u8]) -> Fate {
        let us = self.sealer.identity.hashname();
        let opened = self.sealer.open(message);
        let Some(letter) = opened.filter(|letter| BoxId::new(&letter.from, &us) == *name) else {
            return Fate::Forged;
        };
        let (from, at) = (letter.from, letter.at);
        let mut taken = match self.memory.admit(letter) {
            Admission::New(arrived, taken) => {
                if self.queue.send(*arrived).await.is_err() {
                    return Fate::Left;
                }
                taken
            }
            Admission::Waits(taken) => taken,
            Admission::Old => return Fate::Taken,
            Admission::Refused => {
                tracing::info!(from = %from.short(), at, "a letter is left where it is, for its time");
                self.refused.fetch_add(1, Ordering::Relaxed);
                return Fate::Refused;
            }
        };
        match taken.wait_for(|taken| *taken).await {
            Ok(_) => Fate::Taken,
            Err(_) => Fate::Left,
        }
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
        letters.recv().await.unwrap().settle();
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
        letters.recv().await.unwrap().settle();
        assert_eq!((first.await, again.await), (Fate::Taken, Fate::Taken));
        assert_eq!(post.take(&name, &message).await, Fate::Taken);
        assert!(letters.is_empty(), "it came once");
        // What is not taken comes again.
        let message = ann.seal(&us, b"hello again").unwrap();
        let mut first = Box::pin(post.take(&name, &message));
        assert_eq!((&mut first).now_or_never(), None);
        drop(letters.recv().await.unwrap());
        assert_eq!(first.await, Fate::Left);
        let mut again = Box::pin(post.take(&name, &message));
        assert_eq!((&mut again).now_or_never(), None);
        // Also if whoever brought it is gone before it is taken.
        drop(again);
        letters.recv().await.unwrap().settle();
        assert_eq!(post.take(&name, &message).await, Fate::Taken);
        assert!(letters.is_empty(), "it came once");
        // Without an application nothing is taken, whichever way it comes.
        let message = ann.seal(&us, b"bye").unwrap();
        let mut first = Box::pin(post.take(&name, &message));
        assert_eq!((&mut first).now_or_never(), None);
        drop(letters);
        assert_eq!(first.await, Fate::Left);
        assert_eq!(post.take(&name, &message).await, Fate::Left);
        // In another box it is a forgery.
        let other = BoxId::from_bytes([0; 8]);
        assert_eq!(post.take(&other, &message).await, Fate::Forged);
    }
}
