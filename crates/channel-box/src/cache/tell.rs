//! Telling recipients that there is something for them.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use telehash_hashname::Hashname;
use telehash_runtime::{ChannelError, Events, Link, LinkState, MeshEvent, Open};
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

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

/// After what could not be told there is a pause, each twice as long as the one before, from the first
/// of these to the second.
const PAUSES: (Duration, Duration) = (Duration::from_secs(5), Duration::from_secs(600));

/// A peer whose link is up.
pub(super) struct Here {
    link: Link,
    /// Boxes that it has not been told of.
    news: BTreeSet<BoxId>,
    /// A task is about to tell it.
    telling: bool,
    /// Ends the pause of that task: to try again, or, once this is gone, since nobody is there.
    wake: watch::Sender<()>,
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
            wake: watch::Sender::default(),
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
        if let Some(one) = self.here().get(peer) {
            one.wake.send_replace(());
        }
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
        let woken = one.wake.subscribe();
        tokio::spawn(tell_news(Arc::downgrade(self), *peer, woken));
    }

    /// Boxes that the peer could not be told of, as far as there is something in them.
    fn put_back(&self, peer: &Hashname, boxes: Vec<BoxId>) {
        let there = self.store().boxes_of(peer);
        if let Some(one) = self.here().get_mut(peer) {
            let boxes = boxes.into_iter().filter(|name| there.contains(name));
            one.news.extend(boxes);
        }
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

/// Tells a peer what there is to tell, as long as it is there.
async fn tell_news(cache: Weak<Cache>, peer: Hashname, mut woken: watch::Receiver<()>) {
    let mut pause = PAUSES.0;
    loop {
        let news = cache.upgrade().and_then(|cache| cache.take_news(&peer));
        let Some((link, boxes)) = news else { return };
        woken.mark_unchanged();
        let Err(error) = announce(&link, &boxes).await else {
            pause = PAUSES.0;
            continue;
        };
        tracing::debug!(peer = %peer.short(), %error, "not told of its boxes");
        let Some(cache) = cache.upgrade() else { return };
        cache.put_back(&peer, boxes);
        drop(cache);
        match timeout(pause, woken.changed()).await {
            Ok(Ok(())) => pause = PAUSES.0,
            // The peer is gone.
            Ok(Err(_)) => return,
            Err(_) => pause = PAUSES.1.min(pause * 2),
        }
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
