//! Telling recipients that there is something for them.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, MutexGuard, PoisonError};
use std::time::Duration;

use telehash_hashname::Hashname;
use telehash_runtime::{ChannelError, Events, Link, LinkState, MeshEvent, Open};
use tokio::time::sleep;

use super::Cache;
use crate::error::BoxError;
use crate::id::BoxId;
use crate::wire::{self, BOXES, BOXES_IN_PACKET};

/// How long an answer is waited for, one attempt after the other: the packet or its answer may be
/// lost.
const ATTEMPTS: [Duration; 4] = [
    Duration::from_secs(1),
    Duration::from_secs(2),
    Duration::from_secs(4),
    Duration::from_secs(10),
];

/// A peer whose link is up.
pub(super) struct Here {
    link: Link,
    /// Boxes that it has not been told of.
    news: BTreeSet<BoxId>,
    /// A task is about to tell it.
    telling: bool,
}

impl Cache {
    /// A link went up or down.
    pub(crate) fn link_changed(self: &Arc<Self>, link: &Link, state: LinkState) {
        let peer = link.hashname();
        if state != LinkState::Up {
            self.here().remove(&peer);
            return;
        }
        let new = || Here {
            link: link.clone(),
            news: BTreeSet::new(),
            telling: false,
        };
        self.here().entry(peer).or_insert_with(new).link = link.clone();
        self.tell_all(&peer);
    }

    /// Tells peers that were restarted, and everybody if we may have missed who was; until the mesh is
    /// closed.
    pub(crate) fn watch(cache: &Arc<Self>, mut events: Events) {
        let cache = Arc::downgrade(cache);
        tokio::spawn(async move {
            while let Some(event) = events.next().await {
                let Some(cache) = cache.upgrade() else { return };
                match event {
                    MeshEvent::LinkRestarted { hashname } => cache.tell_all(&hashname),
                    MeshEvent::Lagged { .. } => {
                        let everybody: Vec<_> = cache.here().keys().copied().collect();
                        everybody.iter().for_each(|peer| cache.tell_all(peer));
                    }
                    _ => {}
                }
            }
        });
    }

    /// Tells the peer of all its boxes.
    fn tell_all(self: &Arc<Self>, peer: &Hashname) {
        let boxes = self.store().boxes_of(peer);
        self.tell(peer, boxes);
    }

    /// Tells the peer of these boxes, if it is there.
    pub(super) fn tell(self: &Arc<Self>, peer: &Hashname, boxes: impl IntoIterator<Item = BoxId>) {
        let mut here = self.here();
        let Some(one) = here.get_mut(peer) else {
            return;
        };
        one.news.extend(boxes);
        if one.news.is_empty() || std::mem::replace(&mut one.telling, true) {
            return;
        }
        let (cache, peer) = (self.clone(), *peer);
        tokio::spawn(async move {
            while let Some((link, boxes)) = cache.take_news(&peer) {
                if let Err(error) = announce(&link, &boxes).await {
                    tracing::debug!(peer = %peer.short(), %error, "not told of its boxes");
                }
            }
        });
    }

    /// What the peer is to be told next; if nothing, nobody is telling any more.
    fn take_news(&self, peer: &Hashname) -> Option<(Link, Vec<BoxId>)> {
        let mut here = self.here();
        let one = here.get_mut(peer)?;
        let mut boxes = Vec::new();
        while boxes.len() < BOXES_IN_PACKET
            && let Some(name) = one.news.pop_first()
        {
            boxes.push(name);
        }
        one.telling = !boxes.is_empty();
        one.telling.then(|| (one.link.clone(), boxes))
    }

    fn here(&self) -> MutexGuard<'_, HashMap<Hashname, Here>> {
        self.here.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Names boxes to their owner, until that one has heard of it.
async fn announce(link: &Link, boxes: &[BoxId]) -> Result<(), BoxError> {
    for wait in ATTEMPTS {
        let open = Open::unreliable(BOXES).body(wire::boxes(boxes));
        let mut channel = link.open(open.timeout(wait)).await?;
        channel.end()?;
        match channel.opened().await {
            Ok(()) => return Ok(()),
            Err(ChannelError::Timeout) => {}
            // It runs more handlers than it wants to.
            Err(ChannelError::Peer(why)) if why == "busy" => sleep(wait).await,
            Err(error) => return Err(error.into()),
        }
    }
    Err(BoxError::Timeout)
}
