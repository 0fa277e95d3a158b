//! Fetching letters from caches.

use std::collections::BTreeSet;
use std::collections::hash_map::Entry;
use std::sync::PoisonError;
use std::time::Duration;

use telehash_hashname::Hashname;
use telehash_runtime::{AckMode, Channel, IncomingChannel, Link, Open, Packet};
use tokio::time::timeout;

use super::post::{Fate, Post};
use crate::error::BoxError;
use crate::id::{BoxId, MessageId};
use crate::limits::{FETCH_TIMEOUT, MAX_BOXES, MAX_FORGED};
use crate::pieces::Pieces;
use crate::wire::{self, Ask, INBOX};

/// How long more names of boxes are waited for, of which each packet may be lost.
const MORE_NAMES: Duration = Duration::from_secs(2);

impl Post {
    /// Fetches the boxes that a cache names, unless somebody is at it already.
    pub(crate) async fn fetch_all(&self, incoming: IncomingChannel) -> Result<(), BoxError> {
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
        if !self.begin(cache, &names) {
            return Ok(());
        }
        while let Some(name) = self.next_box(&cache) {
            if let Err(error) = self.fetch(&link, &name).await {
                tracing::debug!(cache = %cache.short(), %error, "a box was not fetched");
            }
        }
        Ok(())
    }

    /// Adds names; whether nobody is at it.
    fn begin(&self, cache: Hashname, names: &[BoxId]) -> bool {
        let mut fetching = self.fetching.lock().unwrap_or_else(PoisonError::into_inner);
        let (boxes, first) = match fetching.entry(cache) {
            Entry::Occupied(entry) => (entry.into_mut(), false),
            Entry::Vacant(entry) => (entry.insert(BTreeSet::new()), true),
        };
        for name in names {
            if boxes.len() < MAX_BOXES {
                boxes.insert(*name);
            }
        }
        first
    }

    /// The next one to fetch; if there is none, nobody is at it any more.
    fn next_box(&self, cache: &Hashname) -> Option<BoxId> {
        let mut fetching = self.fetching.lock().unwrap_or_else(PoisonError::into_inner);
        let next = fetching.get_mut(cache)?.pop_first();
        if next.is_none() {
            fetching.remove(cache);
        }
        next
    }

    /// Takes everything in a box. Each message is removed there once the application has it.
    async fn fetch(&self, link: &Link, name: &BoxId) -> Result<(), BoxError> {
        let open = Open::reliable(INBOX).head(wire::inbox(name));
        let mut channel = link.open(open.ack_mode(AckMode::OnConsume)).await?;
        let (mut pieces, mut forged) = (Pieces::default(), 0);
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
            let Ok(message) = pieces.push(&packet.body, ask.done) else {
                channel.fail("too large");
                return Ok(());
            };
            let Some(message) = message else {
                continue;
            };
            match self.take(name, &message).await {
                Fate::Taken => {}
                Fate::Forged => forged += 1,
                Fate::Nobody => return Ok(()),
            }
            let full = forged > MAX_FORGED;
            let ask = match full {
                true => Ask {
                    clear: true,
                    ..Ask::default()
                },
                false => Ask {
                    remove: Some(MessageId::new(name, &message)),
                    ..Ask::default()
                },
            };
            channel.send(Packet::default().head(ask.to_head())).await?;
            answers += 1;
            if full {
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
    use super::*;
    use crate::mailbox::tests::post;

    #[test]
    fn a_cache_names_so_many_boxes_and_no_more() {
        let (post, _letters) = post();
        let cache = Hashname::from_bytes([9; 32]);
        let name = |n: usize| BoxId::from_bytes(n.to_be_bytes());
        let names: Vec<_> = (0..MAX_BOXES + 1).map(name).collect();
        assert!(post.begin(cache, &names[..1]), "nobody is at it yet");
        assert!(!post.begin(cache, &names), "somebody is at it now");
        for name in &names[..MAX_BOXES] {
            assert_eq!(post.next_box(&cache), Some(*name));
        }
        assert_eq!(post.next_box(&cache), None);
        assert!(post.begin(cache, &names[MAX_BOXES..]));
    }
}
