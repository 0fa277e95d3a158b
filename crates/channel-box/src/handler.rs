//! What becomes of the channels that peers open.

use std::sync::{Arc, PoisonError, RwLock, Weak};

use bytes::Bytes;
use telehash_hashname::Hashname;
use telehash_runtime::{
    Channel, ChannelHandler, HandlerError, IncomingChannel, Mesh, Packet, Places,
};

use crate::cache::Cache;
use crate::error::BoxError;
use crate::id::MessageId;
use crate::limits::{MAX_INBOXES_PER_PEER, MAX_OUTBOXES_PER_PEER};
use crate::mailbox::{Fate, Post};
use crate::pieces::Pieces;
use crate::wire::{self, Ask, BOXES, INBOX, OUTBOX};

/// Why an `outbox` is refused if there is nobody to put letters.
const NO_BOXES: &str = "no boxes here";

/// Why an `outbox` fails if a letter was sent when it cannot have been, by our clock.
const CLOCK: &str = "clock";

/// Takes the channels of all three types of one mesh.
#[derive(Clone)]
pub(crate) struct BoxHandler(Arc<Roles>);

/// What this endpoint does for itself and for others.
pub(crate) struct Roles {
    hashname: Hashname,
    post: RwLock<Option<Arc<Post>>>,
    cache: RwLock<Option<Arc<Cache>>>,
    outboxes: Places,
    inboxes: Places,
}

impl BoxHandler {
    /// The one of this mesh.
    pub(crate) fn of(mesh: &Mesh) -> Result<Arc<Self>, BoxError> {
        let new = || {
            Self(Arc::new(Roles {
                hashname: mesh.hashname(),
                post: RwLock::default(),
                cache: RwLock::default(),
                outboxes: Places::default(),
                inboxes: Places::default(),
            }))
        };
        let handler = mesh.handler(OUTBOX, new).ok_or(BoxError::Handled)?;
        for kind in [INBOX, BOXES] {
            let same = mesh.handler(kind, || Self::clone(&handler));
            same.ok_or(BoxError::Handled)?;
        }
        Ok(handler)
    }

    /// From now on letters to us go there, and so do those that our own cache has kept for us.
    pub(crate) fn deliver_to(&self, post: &Arc<Post>) {
        set(&self.0.post, Some(post.clone()));
        if let Some(cache) = get(&self.0.cache) {
            cache.hand_over(self.0.hashname, post);
        }
    }

    /// Letters to us go there no longer.
    pub(crate) fn retire(&self, post: &Weak<Post>) {
        let mut role = self.0.post.write().unwrap_or_else(PoisonError::into_inner);
        if role
            .as_ref()
            .is_some_and(|now| Arc::downgrade(now).ptr_eq(post))
        {
            *role = None;
        }
    }

    pub(crate) fn keep_in(&self, cache: Arc<Cache>) {
        set(&self.0.cache, Some(cache));
    }
}

impl ChannelHandler for BoxHandler {
    async fn open(&self, channel: IncomingChannel) -> Result<(), HandlerError> {
        match channel.kind() {
            OUTBOX => self.0.outbox(channel).await?,
            INBOX => self.0.inbox(channel).await?,
            BOXES => self.0.boxes(channel).await?,
            _ => {}
        }
        Ok(())
    }
}

impl Roles {
    /// A sender has messages, for us or for somebody else.
    async fn outbox(&self, incoming: IncomingChannel) -> Result<(), BoxError> {
        let to = wire::outbox_to(incoming.head()).filter(|_| incoming.is_reliable());
        let Some(to) = to else {
            incoming.refuse("bad request");
            return Ok(());
        };
        let (from, post, cache) = (incoming.peer(), get(&self.post), get(&self.cache));
        let outbox = match (post.filter(|_| to == self.hashname), cache) {
            (Some(post), _) => Outbox::Post { from, post },
            (None, Some(cache)) => Outbox::Cache { from, to, cache },
            (None, None) => {
                incoming.refuse(NO_BOXES);
                return Ok(());
            }
        };
        let Some(_place) = self.outboxes.take(from, MAX_OUTBOXES_PER_PEER) else {
            incoming.refuse("busy");
            return Ok(());
        };
        let mut packet = Packet::new(incoming.body().clone());
        packet.head = incoming.head().cloned().map(Box::new);
        packet.end = incoming.is_ended();
        outbox.take(incoming.accept()?, packet).await
    }

    /// A recipient wants what is in a box.
    async fn inbox(&self, incoming: IncomingChannel) -> Result<(), BoxError> {
        let name = wire::inbox_of(incoming.head()).filter(|_| incoming.is_reliable());
        let (Some(name), Some(cache)) = (name, get(&self.cache)) else {
            incoming.refuse("bad request");
            return Ok(());
        };
        let peer = incoming.peer();
        let Some(_place) = self.inboxes.take(peer, MAX_INBOXES_PER_PEER) else {
            incoming.refuse("busy");
            return Ok(());
        };
        cache.serve((peer, name), incoming.accept()?).await
    }

    /// A cache has messages for us; or, reliably, a recipient asks what we have for it.
    async fn boxes(&self, incoming: IncomingChannel) -> Result<(), BoxError> {
        if !incoming.is_reliable() {
            return match get(&self.post) {
                Some(post) => post.fetch_told(incoming).await,
                None => {
                    incoming.refuse("bad request");
                    Ok(())
                }
            };
        }
        let Some(cache) = get(&self.cache) else {
            incoming.refuse(NO_BOXES);
            return Ok(());
        };
        let Some(_place) = self.inboxes.take(incoming.peer(), MAX_INBOXES_PER_PEER) else {
            incoming.refuse("busy");
            return Ok(());
        };
        cache.list(incoming).await
    }
}

/// Where messages go.
enum Outbox {
    Post {
        from: Hashname,
        post: Arc<Post>,
    },
    Cache {
        from: Hashname,
        to: Hashname,
        cache: Arc<Cache>,
    },
}

impl Outbox {
    /// Takes what comes until the sender ends. Our own end says that all of it was taken.
    async fn take(self, mut channel: Channel, first: Packet) -> Result<(), BoxError> {
        let mut pieces = Pieces::default();
        let mut next = Some(first);
        while let Some(packet) = next {
            let ask = Ask::read(packet.head.as_deref());
            if ask.clear {
                pieces.clear();
                self.take_all_back();
            }
            if let Some(id) = &ask.remove {
                self.take_back(id);
            }
            let Ok(message) = pieces.push(&packet.body, ask.done) else {
                channel.fail("too large");
                return Ok(());
            };
            if let Some(message) = message.filter(|message| !message.is_empty())
                && let Err(reason) = self.deliver(message, &ask).await
            {
                channel.fail(reason);
                return Ok(());
            }
            if packet.end {
                break;
            }
            next = channel.recv().await?;
        }
        Ok(channel.end()?)
    }

    /// Whether it is somewhere now, or why not. Of a cache nobody learns whether it had room.
    async fn deliver(&self, message: Bytes, ask: &Ask) -> Result<(), &'static str> {
        match self {
            Self::Post { from, post } => match post.take_from(from, &message).await {
                Fate::Taken | Fate::Forged => Ok(()),
                Fate::Refused => Err(CLOCK),
                Fate::Left => Err(NO_BOXES),
            },
            Self::Cache { from, to, cache } => {
                cache.keep((*from, *to), message, ask.keep);
                Ok(())
            }
        }
    }

    fn take_back(&self, id: &MessageId) {
        if let Self::Cache { from, to, cache } = self {
            cache.store().take_back(from, to, id);
        }
    }

    fn take_all_back(&self) {
        if let Self::Cache { from, to, cache } = self {
            cache.store().take_all_back(from, to);
        }
    }
}

fn get<T>(role: &RwLock<Option<Arc<T>>>) -> Option<Arc<T>> {
    role.read().unwrap_or_else(PoisonError::into_inner).clone()
}

fn set<T>(role: &RwLock<Option<Arc<T>>>, to: Option<Arc<T>>) {
    *role.write().unwrap_or_else(PoisonError::into_inner) = to;
}
