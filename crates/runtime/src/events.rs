//! What happens in a mesh, for whoever wants to watch.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll, Waker};

use futures::Stream;
use telehash_hashname::{Hashname, KeySet, Path};
use telehash_link::{DownReason, LinkState};

use crate::limits::EVENT_CAPACITY;
use crate::mapping::PortMapping;

/// News of a mesh; see [`Mesh::events`](crate::Mesh::events).
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum MeshEvent {
    /// There is a link to this endpoint now: because we asked for it, or because it did and was
    /// accepted.
    LinkAdded {
        /// The peer.
        hashname: Hashname,
        /// It came to us and was accepted.
        accepted: bool,
    },
    /// A link changed its state.
    LinkState {
        /// The peer.
        hashname: Hashname,
        /// The state now.
        state: LinkState,
        /// Why it went down, if it did.
        reason: Option<DownReason>,
    },
    /// The peer of a link that is up was restarted: it knows of nothing that it was told before, and
    /// the channels with it have failed.
    LinkRestarted {
        /// The peer.
        hashname: Hashname,
    },
    /// A link is gone: closed, forgotten, or broken by a fault of ours.
    LinkRemoved {
        /// The peer.
        hashname: Hashname,
    },
    /// A fault of ours while handling this link closed it, and no other.
    LinkPanicked {
        /// The peer.
        hashname: Hashname,
    },
    /// A stranger proved an identity and was refused, in silence.
    StrangerRefused {
        /// Who it was.
        hashname: Hashname,
    },
    /// A stranger proved an identity, or was introduced, and had no token that
    /// [`Builder::demand_jwt`](crate::Builder::demand_jwt) takes. [`StrangerRefused`](Self::StrangerRefused)
    /// follows.
    #[cfg(feature = "jwt")]
    JwtRefused {
        /// Who it was.
        hashname: Hashname,
        /// What was wrong.
        reason: crate::jwt::JwtRefusal,
    },
    /// Somebody redeemed an invite or a shared URI of ours, and is a known and trusted link now.
    InviteRedeemed {
        /// Who it was.
        hashname: Hashname,
    },
    /// A router gave us another URI to share; see [`Mesh::share_uri`](crate::Mesh::share_uri).
    RouterUri {
        /// The router.
        hashname: Hashname,
    },
    /// The peer opened a channel and a handler took it over.
    ChannelOpened {
        /// The peer.
        hashname: Hashname,
        /// The type of the channel.
        kind: String,
    },
    /// The peer opened a channel and was refused: nobody handles that type, or too many run.
    ChannelRefused {
        /// The peer.
        hashname: Hashname,
        /// The type of the channel.
        kind: String,
    },
    /// The handler of a channel returned an error.
    HandlerFailed {
        /// The peer.
        hashname: Hashname,
        /// The type of the channel.
        kind: String,
        /// What it said.
        error: String,
    },
    /// The handler of a channel panicked; its channel failed, everything else goes on.
    HandlerPanicked {
        /// The peer.
        hashname: Hashname,
        /// The type of the channel.
        kind: String,
    },
    /// A peer says that it sees us at this path. Nobody but that peer vouches for it.
    SeenAs {
        /// The peer.
        hashname: Hashname,
        /// Our path, as it sees it.
        path: Path,
    },
    /// The traffic of a link goes by this path from now on: that of a router, until there is a direct
    /// one.
    PathSelected {
        /// The peer.
        hashname: Hashname,
        /// Where it leads; `None` if its transport cannot describe it.
        path: Option<Path>,
    },
    /// An endpoint announced itself on a local network: for the first time, from somewhere else, or
    /// after a while; or asks for a link through a router, and `paths` has that one. Nothing proves that it has these keys, and nothing was sent to it;
    /// [`Mesh::link`](crate::Mesh::link) takes the keys and paths, and finds out.
    Discovered {
        /// Who it is: what the keys add up to.
        hashname: Hashname,
        /// Its keys: all of them, or as far as a handshake has them.
        keys: KeySet,
        /// Where its announcements came from, the latest first.
        paths: Vec<Path>,
    },
    /// Other ports are mapped at the gateway than before, or none are for another reason.
    PortMapping(PortMapping),
    /// A transport stopped working; links over it go down unless they have other pipes.
    TransportFailed {
        /// Name of the transport.
        transport: &'static str,
        /// What it said.
        error: String,
    },
    /// The known links could not be written to the state directory. They are tried again with the
    /// next change.
    StateNotSaved {
        /// What went wrong.
        error: String,
    },
    /// This subscriber was too slow: so many events before this one are lost to it.
    Lagged {
        /// How many.
        missed: u64,
    },
}

/// A subscription to the events of a mesh, from the moment it was made.
///
/// Holds at most [`EVENT_CAPACITY`] events that
/// were not taken; then the oldest are dropped, and [`MeshEvent::Lagged`] says how many, in their
/// place. Nobody waits for a subscriber. Ends when the mesh is closed.
#[derive(Debug)]
pub struct Events {
    subscriber: Arc<Subscriber>,
}

#[derive(Debug, Default)]
struct Subscriber {
    inbox: Mutex<Inbox>,
}

#[derive(Debug, Default)]
struct Inbox {
    queue: VecDeque<MeshEvent>,
    missed: u64,
    closed: bool,
    waker: Option<Waker>,
}

/// Hands every event to every subscriber.
#[derive(Debug, Default)]
pub(crate) struct EventHub {
    subscribers: Mutex<Vec<Weak<Subscriber>>>,
}

impl Events {
    /// The next event; `None` once the mesh is closed and everything was taken.
    ///
    /// Cancel-safe: an event is taken only by the call that returns it.
    pub async fn next(&mut self) -> Option<MeshEvent> {
        poll_fn(|cx| self.poll_event(cx)).await
    }

    fn poll_event(&mut self, cx: &mut Context<'_>) -> Poll<Option<MeshEvent>> {
        let mut inbox = self.subscriber.inbox();
        if inbox.missed > 0 {
            let missed = std::mem::take(&mut inbox.missed);
            return Poll::Ready(Some(MeshEvent::Lagged { missed }));
        }
        match inbox.queue.pop_front() {
            Some(event) => Poll::Ready(Some(event)),
            None if inbox.closed => Poll::Ready(None),
            None => {
                inbox.waker = Some(cx.waker().clone());
                Poll::Pending
            }
        }
    }
}

impl Stream for Events {
    type Item = MeshEvent;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<MeshEvent>> {
        self.get_mut().poll_event(cx)
    }
}

impl Subscriber {
    fn inbox(&self) -> MutexGuard<'_, Inbox> {
        self.inbox.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn push(&self, event: MeshEvent) {
        let mut inbox = self.inbox();
        if inbox.queue.len() >= EVENT_CAPACITY {
            inbox.queue.pop_front();
            inbox.missed += 1;
        }
        inbox.queue.push_back(event);
        let waker = inbox.waker.take();
        drop(inbox);
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    fn close(&self) {
        let mut inbox = self.inbox();
        inbox.closed = true;
        let waker = inbox.waker.take();
        drop(inbox);
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

impl EventHub {
    pub(crate) fn subscribe(&self) -> Events {
        let subscriber = Arc::new(Subscriber::default());
        self.subscribers().push(Arc::downgrade(&subscriber));
        Events { subscriber }
    }

    pub(crate) fn publish(&self, event: MeshEvent) {
        let mut subscribers = self.subscribers();
        subscribers.retain(|subscriber| subscriber.strong_count() > 0);
        let live: Vec<_> = subscribers.iter().filter_map(Weak::upgrade).collect();
        drop(subscribers);
        let Some((last, others)) = live.split_last() else {
            return;
        };
        for subscriber in others {
            subscriber.push(event.clone());
        }
        last.push(event);
    }

    /// No more events; subscribers take what they have and see the end.
    pub(crate) fn close(&self) {
        for subscriber in self
            .subscribers()
            .drain(..)
            .filter_map(|weak| weak.upgrade())
        {
            subscriber.close();
        }
    }

    fn subscribers(&self) -> MutexGuard<'_, Vec<Weak<Subscriber>>> {
        self.subscribers
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(number: u64) -> MeshEvent {
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&number.to_be_bytes());
        MeshEvent::LinkRemoved {
            hashname: Hashname::from_bytes(bytes),
        }
    }

    #[tokio::test]
    async fn every_subscriber_sees_what_happens_after_it_subscribed() {
        let hub = EventHub::default();
        let mut early = hub.subscribe();
        hub.publish(event(1));
        let mut late = hub.subscribe();
        hub.publish(event(2));
        hub.close();
        assert_eq!(early.next().await, Some(event(1)));
        assert_eq!(early.next().await, Some(event(2)));
        assert_eq!(early.next().await, None);
        assert_eq!(late.next().await, Some(event(2)));
        assert_eq!(late.next().await, None);
    }

    #[tokio::test]
    async fn a_lagging_subscriber_loses_the_oldest_events_and_is_told_how_many() {
        let hub = EventHub::default();
        let mut events = hub.subscribe();
        for number in 0..EVENT_CAPACITY as u64 + 3 {
            hub.publish(event(number));
        }
        assert_eq!(events.next().await, Some(MeshEvent::Lagged { missed: 3 }));
        assert_eq!(events.next().await, Some(event(3)));
    }

    #[tokio::test]
    async fn an_event_is_not_lost_with_a_dropped_call() {
        let hub = EventHub::default();
        let mut events = hub.subscribe();
        {
            let mut next = Box::pin(events.next());
            assert!(futures::poll!(&mut next).is_pending());
        }
        hub.publish(event(1));
        assert_eq!(events.next().await, Some(event(1)));
    }
}
