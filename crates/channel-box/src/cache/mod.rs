//! What a cache keeps, and for whom.

mod quota;
mod store;
mod tell;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use futures::FutureExt as _;
use telehash_hashname::Hashname;
use telehash_runtime::{Channel, IncomingChannel, Packet};
use tokio::time::{Instant, sleep};

pub use self::quota::Quota;
pub(crate) use self::store::{Kept, Store};
use self::tell::Here;
use crate::error::BoxError;
use crate::id::{BoxId, MessageId};
use crate::mailbox::{Fate, Post};
use crate::outgoing::packets;
use crate::wire::{self, Ask, BOXES_IN_PACKET};

/// How often messages that nobody asks for are looked at, whether they have expired.
const SWEEP: Duration = Duration::from_secs(60);

/// Keeps the messages of others; made by [`MeshBoxExt::cache_boxes`](crate::MeshBoxExt::cache_boxes).
/// A cheap clone. The cache goes on until its mesh is closed, whether this is dropped or not.
#[derive(Clone)]
pub struct BoxCache(pub(crate) Arc<Cache>);

/// What a [`BoxCache`] has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct CacheStats {
    /// Messages that are kept.
    pub messages: usize,
    /// What they cost of the quota, in bytes.
    pub bytes: usize,
}

/// The state of a cache.
pub(crate) struct Cache {
    store: Mutex<Store>,
    /// Who is linked, and what they have not been told.
    here: Mutex<HashMap<Hashname, Here>>,
}

impl BoxCache {
    /// What it has now.
    #[must_use]
    pub fn stats(&self) -> CacheStats {
        let mut store = self.0.store();
        store.expire(Instant::now().into_std());
        let (messages, bytes) = store.figures();
        CacheStats { messages, bytes }
    }
}

impl fmt::Debug for BoxCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("BoxCache").field(&self.stats()).finish()
    }
}

impl Cache {
    /// Starts empty.
    pub(crate) fn start(quota: Quota) -> Arc<Self> {
        let cache = Arc::new(Self {
            store: Mutex::new(Store::new(quota)),
            here: Mutex::default(),
        });
        let weak = Arc::downgrade(&cache);
        tokio::spawn(async move {
            loop {
                sleep(SWEEP).await;
                let Some(cache) = weak.upgrade() else { return };
                cache.store().expire(Instant::now().into_std());
            }
        });
        cache
    }

    pub(crate) fn store(&self) -> MutexGuard<'_, Store> {
        self.store.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps a message if there is room, and tells the recipient if it is there.
    pub(crate) fn keep(
        self: &Arc<Self>,
        people: (Hashname, Hashname),
        message: Bytes,
        keep: Option<Duration>,
    ) {
        let now = Instant::now().into_std();
        let kept = self.store().put(now, people, message, keep);
        if kept == Kept::First {
            let (from, to) = people;
            self.tell(&to, [BoxId::new(&from, &to)]);
        }
    }

    /// Sends what is in a box, and does what its owner asks for, until that one ends. A box that does
    /// not exist is an empty one.
    pub(crate) async fn serve(
        self: &Arc<Self>,
        key: (Hashname, BoxId),
        mut channel: Channel,
    ) -> Result<(), BoxError> {
        let (mut sent, mut owed, mut ended) = (0, 1, false);
        while !ended {
            // Nothing is locked while it is sent.
            let next = self.next_after(&key, sent);
            if let Some((turn, message)) = next {
                for packet in packets(&message, channel.quota(), None) {
                    channel.send(packet).await?;
                }
                sent = turn;
                while let Some(asked) = channel.recv().now_or_never() {
                    ended |= self.ask(&key, asked?);
                    owed += 1;
                    if ended {
                        break;
                    }
                }
                continue;
            }
            for _ in 0..std::mem::take(&mut owed) {
                let room = Some(self.store().room(&key.0));
                let head = Ask {
                    room,
                    ..Ask::default()
                };
                channel.send(Packet::default().head(head.to_head())).await?;
            }
            ended = self.ask(&key, channel.recv().await?);
            owed += 1;
        }
        channel.end()?;
        // It came too late for this channel, and the box was not empty then.
        if self.next_after(&key, sent).is_some() {
            self.tell(&key.0, [key.1]);
        }
        Ok(())
    }

    /// Hands what is kept for ourselves to our own mailbox.
    pub(crate) fn hand_over(self: &Arc<Self>, us: Hashname, post: &Arc<Post>) {
        let boxes = self.store().boxes_of(&us);
        if boxes.is_empty() {
            return;
        }
        // From now on the mailbox is not idle.
        let Some(at_it) = post.begin(us, &boxes) else {
            return;
        };
        let (cache, post) = (self.clone(), post.clone());
        tokio::spawn(async move {
            while let Some(key) = at_it.next_box().map(|name| (us, name)) {
                let mut turn = 0;
                while let Some((next, message)) = cache.next_after(&key, turn) {
                    match post.take(&key.1, &message).await {
                        Fate::Left => break,
                        Fate::Refused => {}
                        Fate::Taken | Fate::Forged => {
                            let id = MessageId::new(&key.1, &message);
                            cache.store().remove_from(&key, &id);
                        }
                    }
                    turn = next;
                }
            }
        });
    }

    /// Tells a peer that asks which boxes there are for it.
    pub(crate) async fn list(&self, incoming: IncomingChannel) -> Result<(), BoxError> {
        let boxes = self.store().boxes_of(&incoming.peer());
        let mut channel = incoming.accept()?;
        for names in boxes.chunks(BOXES_IN_PACKET) {
            channel.send(Packet::new(wire::boxes(names))).await?;
        }
        Ok(channel.end()?)
    }

    fn next_after(&self, key: &(Hashname, BoxId), turn: u64) -> Option<(u64, Bytes)> {
        let mut store = self.store();
        store.expire(Instant::now().into_std());
        store.next_after(key, turn)
    }

    /// Does what the owner of a box asks for; whether that was the last.
    fn ask(&self, key: &(Hashname, BoxId), packet: Option<Packet>) -> bool {
        let Some(packet) = packet else {
            return true;
        };
        let ask = Ask::read(packet.head.as_deref());
        if ask.clear {
            self.store().empty(key);
        }
        if let Some(id) = &ask.remove {
            self.store().remove_from(key, id);
        }
        packet.end
    }
}
