//! Fetching letters from caches.

use std::collections::hash_map::Entry;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::pin::pin;
use std::sync::{Arc, MutexGuard, PoisonError};
use std::time::Duration;

use futures::StreamExt as _;
use futures::future::{Either, select};
use futures::stream::FuturesUnordered;
use telehash_hashname::Hashname;
use telehash_runtime::{Channel, IncomingChannel, Link, Open, Packet};
use tokio::time::timeout;

use super::post::{Fate, Post};
use crate::error::BoxError;
use crate::id::{BoxId, MessageId};
use crate::limits::{
    FETCH_TIMEOUT, MAX_BOXES, MAX_FETCHES, MAX_FORGED, MAX_REMEMBERED, MAX_SILENT,
};
use crate::pieces::Pieces;
use crate::wire::{self, Ask, BOXES, INBOX};

/// How long more names of boxes are waited for, of which each packet may be lost.
const MORE_NAMES: Duration = Duration::from_secs(2);

/// Somebody is fetching from a cache, as long as this is there.
pub(crate) struct AtIt {
    post: Arc<Post>,
    cache: Hashname,
    done: bool,
}

impl Post {
    /// Fetches the boxes that a cache names, unless somebody is at it already, or the application does
    /// not take letters any more.
    pub(crate) async fn fetch_told(
        self: &Arc<Self>,
        incoming: IncomingChannel,
    ) -> Result<(), BoxError> {
        let gone = pin!(self.queue.closed());
        match select(pin!(self.fetch_named(incoming)), gone).await {
            Either::Left((fetched, _)) => fetched,
            Either::Right(_) => Ok(()),
        }
    }

    async fn fetch_named(self: &Arc<Self>, incoming: IncomingChannel) -> Result<(), BoxError> {
        let (cache, link) = (incoming.peer(), incoming.link());
        let mut names: Vec<BoxId> = wire::read_boxes(incoming.body()).collect();
        let mut ended = incoming.is_ended();
        let mut channel = incoming.accept()?;
        // The protocol has no answer. Without one the cache cannot know that its packet was not lost.
        channel.send(Packet::default()).await?;
        while !ended && names.len() < MAX_BOXES {
            let Ok(Ok(Some(packet))) = timeout(MORE_NAMES, channel.recv()).await else {
                break;
            };
            names.extend(wire::read_boxes(&packet.body));
            ended = packet.end;
        }
        let _ = channel.end();
        drop(channel);
        if let Some(at_it) = self.begin(cache, &names) {
            at_it.fetch_all(&link).await?;
        }
        Ok(())
    }

    /// Asks a cache which boxes it has for us, and fetches them; how many there were.
    pub(super) async fn fetch_asked(self: &Arc<Self>, link: &Link) -> Result<usize, BoxError> {
        let mut count = 0;
        loop {
            let names = timeout(FETCH_TIMEOUT, names_of(link));
            let names = names.await.map_err(|_| BoxError::Timeout)??;
            count = count.max(names.len());
            if names.is_empty() {
                return Ok(count);
            }
            if let Some(at_it) = self.begin(link.hashname(), &names) {
                at_it.fetch_all(link).await?;
                return Ok(count);
            }
            // Whether that went well shows in what the cache has afterwards.
            self.idle_at(Some(&link.hashname())).await;
        }
    }

    /// Adds names; if nobody is at it, the caller is from now on.
    pub(crate) fn begin(self: &Arc<Self>, cache: Hashname, names: &[BoxId]) -> Option<AtIt> {
        let mut fetching = self.fetching();
        let (boxes, first) = match fetching.entry(cache) {
            Entry::Occupied(entry) => (entry.into_mut(), false),
            Entry::Vacant(entry) => (entry.insert(BTreeSet::new()), true),
        };
        for name in names {
            if boxes.len() < MAX_BOXES {
                boxes.insert(*name);
            }
        }
        drop(fetching);
        // Whoever is not the first has nothing to give up.
        first.then(|| AtIt {
            post: self.clone(),
            cache,
            done: false,
        })
    }

    /// Completes once nobody is fetching: from this cache, or from any.
    pub(super) async fn idle_at(&self, cache: Option<&Hashname>) {
        loop {
            let mut one_ended = pin!(self.ended.notified());
            one_ended.as_mut().enable();
            let fetching = match cache {
                Some(cache) => self.fetching().contains_key(cache),
                None => !self.fetching().is_empty(),
            };
            if !fetching {
                return;
            }
            one_ended.await;
        }
    }

    fn fetching(&self) -> MutexGuard<'_, HashMap<Hashname, BTreeSet<BoxId>>> {
        self.fetching.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl AtIt {
    /// Fetches what is named, several at a time, until there is nothing more. What fails keeps no other
    /// box from being fetched.
    async fn fetch_all(mut self, link: &Link) -> Result<(), BoxError> {
        let post = self.post.clone();
        let (mut running, mut result) = (FuturesUnordered::new(), Ok(()));
        let mut silent = 0;
        loop {
            while running.len() < MAX_FETCHES
                && let Some(name) = self.next_box()
            {
                let post = &post;
                running.push(async move { post.fetch(link, &name).await });
            }
            match running.next().await {
                Some(Ok(())) => {}
                Some(Err(error)) => {
                    tracing::debug!(cache = %self.cache.short(), %error, "a box was not fetched");
                    silent += usize::from(matches!(error, BoxError::Timeout));
                    result = Err(error);
                    if silent >= MAX_SILENT {
                        return result;
                    }
                }
                None if self.is_done() => return result,
                None => {}
            }
        }
    }

    /// Whether nothing is named any more. Then nobody is at it, before more is named.
    fn is_done(&mut self) -> bool {
        let mut fetching = self.post.fetching();
        self.done = fetching.get(&self.cache).is_none_or(BTreeSet::is_empty);
        if self.done {
            fetching.remove(&self.cache);
        }
        self.done
    }

    /// The next one to fetch.
    pub(crate) fn next_box(&self) -> Option<BoxId> {
        self.post.fetching().get_mut(&self.cache)?.pop_first()
    }
}

impl Drop for AtIt {
    fn drop(&mut self) {
        if !self.done {
            self.post.fetching().remove(&self.cache);
        }
        self.post.ended.notify_waiters();
    }
}

/// The boxes that a cache has for us.
async fn names_of(link: &Link) -> Result<Vec<BoxId>, BoxError> {
    let mut channel = link.open(Open::reliable(BOXES)).await?;
    channel.end()?;
    let mut names = Vec::new();
    while let Some(packet) = channel.recv().await? {
        names.extend(wire::read_boxes(&packet.body));
        if packet.end || names.len() >= MAX_BOXES {
            break;
        }
    }
    names.truncate(MAX_BOXES);
    Ok(names)
}

impl Post {
    /// Takes everything in a box. Each message is removed there once the application has it.
    async fn fetch(&self, link: &Link, name: &BoxId) -> Result<(), BoxError> {
        let open = Open::reliable(INBOX).head(wire::inbox(name));
        let mut channel = link.open(open).await?;
        let (mut pieces, mut forged) = (Pieces::default(), 0);
        let mut seen = HashSet::new();
        // The cache says what room there is once after all messages, and in answer to each removal.
        let mut answers = 1_usize;
        while answers > 0 {
            let next = timeout(FETCH_TIMEOUT, channel.recv()).await;
            let Some(packet) = next.map_err(|_| BoxError::Timeout)?? else {
                break;
            };
            let ask = Ask::read(packet.head.as_deref());
            if ask.room.is_some() {
                answers -= 1;
                continue;
            }
            let is_nothing = packet.body.is_empty() && !ask.done && !packet.end;
            let Ok(message) = pieces.push(&packet.body, ask.done) else {
                channel.fail("too large");
                return Ok(());
            };
            let mut ask = Ask::default();
            if let Some(message) = message {
                let id = MessageId::new(name, &message);
                let is_again = !seen.insert(id);
                let fate = self.take(name, &message).await;
                match fate {
                    Fate::Taken | Fate::Forged => ask.remove = Some(id),
                    // It stays there; the next one may be in order.
                    Fate::Refused => {}
                    Fate::Left => return Ok(()),
                }
                forged += usize::from(is_again || fate == Fate::Forged);
            }
            forged += usize::from(is_nothing);
            if forged > MAX_FORGED {
                (ask.clear, ask.remove) = (true, None);
            }
            if ask == Ask::default() {
                continue;
            }
            channel.send(Packet::default().head(ask.to_head())).await?;
            answers += 1;
            if ask.clear || seen.len() >= MAX_REMEMBERED {
                break;
            }
        }
        finish(channel).await
    }
}

async fn finish(mut channel: Channel) -> Result<(), BoxError> {
    channel.end()?;
    let rest = async { while let Ok(Some(_)) = channel.recv().await {} };
    timeout(FETCH_TIMEOUT, rest)
        .await
        .map_err(|_| BoxError::Timeout)
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;

    use super::*;
    use crate::mailbox::tests::post;

    #[test]
    fn a_cache_names_so_many_boxes_and_no_more() {
        let (post, _letters) = post();
        let post = Arc::new(post);
        let cache = Hashname::from_bytes([9; 32]);
        let name = |n: usize| BoxId::from_bytes(n.to_be_bytes());
        let names: Vec<_> = (0..MAX_BOXES + 1).map(name).collect();
        let at_it = post.begin(cache, &names[..1]).expect("nobody is at it yet");
        assert!(post.begin(cache, &names).is_none(), "somebody is at it now");
        assert!(
            post.idle_at(Some(&cache)).now_or_never().is_none(),
            "and goes on"
        );
        for name in &names[..MAX_BOXES] {
            assert_eq!(at_it.next_box(), Some(*name));
        }
        assert_eq!(at_it.next_box(), None);
        drop(at_it);
        assert!(post.idle_at(None).now_or_never().is_some());
        assert!(post.begin(cache, &names[MAX_BOXES..]).is_some());
    }
}
