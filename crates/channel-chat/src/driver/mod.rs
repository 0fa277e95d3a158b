//! Chats over links: who is told what, and who is linked with whom.

mod conversation;
mod doors;
mod event;
mod keeper;
mod line;
mod lines;
mod profiles;
mod shared;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use telehash_hashname::Hashname;
use telehash_runtime::{ChannelHandler, HandlerError, IncomingChannel, Mesh};
use tokio::sync::broadcast;

pub use self::conversation::Conversation;
pub use self::doors::{MAX_INVITED, MAX_KNOCKING};
pub use self::event::{ChatEvent, MAX_EVENTS};
pub use self::line::MAX_REFUSALS;
pub use self::lines::{MAX_LINES, MAX_RECEIPTS};
use self::shared::Core;
use crate::error::RoomError;
use crate::id::Id;
use crate::message::Profile;
use crate::room::{NewSeat, Room};
use crate::store::Store;

/// The type of the channels that messages travel on.
pub const CHAT: &str = "chat";

/// The type of the channels that profiles travel on.
pub const PROFILE: &str = "profile";

/// Adds chats to [`Mesh`].
pub trait MeshChatExt {
    /// The chats of this mesh. From the first call on it takes channels of chats.
    fn chats(&self) -> Chats;
}

impl MeshChatExt for Mesh {
    fn chats(&self) -> Chats {
        let registry = Arc::new(Registry::default());
        let chats = self.handler(CHAT, || ChatHandler(registry.clone()));
        let registry = chats.map_or(registry, |handler| handler.0.clone());
        let _ = self.handler(PROFILE, || ProfileHandler(registry.clone()));
        Chats {
            mesh: self.clone(),
            registry,
        }
    }
}

/// The chats of a mesh; made by [`MeshChatExt::chats`].
#[derive(Clone, Debug)]
pub struct Chats {
    mesh: Mesh,
    registry: Arc<Registry>,
}

/// Somebody invites us to a chat. [`Chats::join`] accepts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invite {
    /// Who invites us, and leads the chat.
    pub leader: Hashname,
    /// The chat.
    pub chat: Id,
    /// The leader's profile.
    pub profile: Profile,
}

impl Chats {
    /// Begins a chat, which we lead.
    ///
    /// # Errors
    /// As [`Room::lead`].
    pub fn lead(&self, seat: &NewSeat, store: Box<dyn Store>) -> Result<Conversation, RoomError> {
        Ok(self.converse(Room::lead(seat, shared::now(), store)?))
    }

    /// Asks to take part in a chat that somebody else leads, or accepts an invitation to it.
    ///
    /// # Errors
    /// As [`Room::join`].
    pub fn join(
        &self,
        seat: &NewSeat,
        chat: Id,
        leader: Hashname,
        store: Box<dyn Store>,
    ) -> Result<Conversation, RoomError> {
        Ok(self.converse(Room::join(seat, chat, leader, store)?))
    }

    /// Goes on with a chat that the store knows.
    ///
    /// # Errors
    /// As [`Room::restore`].
    pub fn restore(&self, chat: Id, store: Box<dyn Store>) -> Result<Conversation, RoomError> {
        Ok(self.converse(Room::restore(chat, store)?))
    }

    /// Invitations from now on. Whoever is too slow loses the oldest of [`MAX_EVENTS`].
    #[must_use]
    pub fn invites(&self) -> broadcast::Receiver<Invite> {
        self.registry.invites.subscribe()
    }

    fn converse(&self, room: Room) -> Conversation {
        let core = Arc::new(Core::new(room));
        self.registry.add(&core);
        Conversation::new(self.mesh.clone(), core)
    }
}

/// The chats that are going on.
#[derive(Debug)]
struct Registry {
    chats: Mutex<HashMap<Id, Weak<Core>>>,
    invites: broadcast::Sender<Invite>,
}

impl Default for Registry {
    fn default() -> Self {
        Self {
            chats: Mutex::default(),
            invites: broadcast::Sender::new(MAX_EVENTS),
        }
    }
}

impl Registry {
    fn chats(&self) -> MutexGuard<'_, HashMap<Id, Weak<Core>>> {
        self.chats.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn add(&self, core: &Arc<Core>) {
        let mut chats = self.chats();
        chats.retain(|_, core| core.strong_count() > 0);
        chats.insert(core.id(), Arc::downgrade(core));
    }

    fn get(&self, chat: Id) -> Option<Arc<Core>> {
        let core = self.chats().get(&chat)?.upgrade()?;
        (!core.is_closed()).then_some(core)
    }
}

struct ChatHandler(Arc<Registry>);

impl ChannelHandler for ChatHandler {
    async fn open(&self, channel: IncomingChannel) -> Result<(), HandlerError> {
        line::opened(&self.0, channel).await
    }
}

struct ProfileHandler(Arc<Registry>);

impl ChannelHandler for ProfileHandler {
    async fn open(&self, channel: IncomingChannel) -> Result<(), HandlerError> {
        profiles::opened(&self.0, channel).await
    }
}

/// The id that stands under a name in the head of a packet.
fn id_of(head: Option<&serde_json::Map<String, serde_json::Value>>, name: &str) -> Option<Id> {
    head?.get(name)?.as_str()?.parse().ok()
}
