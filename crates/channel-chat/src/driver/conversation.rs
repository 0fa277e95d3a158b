//! A chat that is going on, as the application holds it.

use std::sync::{Arc, MutexGuard};

use telehash_hashname::Hashname;
use telehash_runtime::{Link, Mesh};
use tokio::sync::broadcast;
use tokio::time::timeout;

use super::event::ChatEvent;
use super::line::GOODBYE;
use super::shared::{Core, now};
use super::{keeper, profiles};
use crate::error::{Refusal, RoomError};
use crate::id::Id;
use crate::message::{Ack, Activity};
use crate::room::{Draft, Room};

/// A chat that is going on: we are linked with everybody who takes part, and are told what they say.
///
/// A clone is the same chat. When the last one is dropped, we are not there any more; the store has what
/// is needed to [come back](crate::Chats::restore).
#[derive(Clone, Debug)]
pub struct Conversation(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    core: Arc<Core>,
}

impl Conversation {
    pub(super) fn new(mesh: Mesh, core: Arc<Core>) -> Self {
        tokio::spawn(keeper::keep_everybody(mesh, core.clone()));
        Self(Arc::new(Inner { core }))
    }

    /// The id of the chat.
    #[must_use]
    pub fn id(&self) -> Id {
        self.0.core.id()
    }

    /// The chat as it is now. Nothing comes in while this is held.
    pub fn room(&self) -> MutexGuard<'_, Room> {
        self.0.core.room()
    }

    /// What happens from now on. Whoever is too slow loses the oldest of
    /// [`MAX_EVENTS`](crate::limits::MAX_EVENTS).
    #[must_use]
    pub fn events(&self) -> broadcast::Receiver<ChatEvent> {
        self.0.core.subscribe()
    }

    /// Who else is there.
    #[must_use]
    pub fn present(&self) -> Vec<Hashname> {
        self.0.core.present()
    }

    /// Says something to everybody. Whoever is not there gets it when they are.
    ///
    /// # Errors
    /// As [`Room::send`].
    pub fn send(&self, draft: impl Into<Draft>) -> Result<Id, RoomError> {
        let outgoing = self.room().send(draft, now())?;
        self.0.core.spread();
        Ok(outgoing.id)
    }

    /// Puts another text in place of what we said last.
    ///
    /// # Errors
    /// As [`Room::edit`].
    pub fn edit(&self, id: Id, draft: impl Into<Draft>) -> Result<(), RoomError> {
        self.room().edit(id, draft)?;
        self.0.core.spread();
        Ok(())
    }

    /// Says what we are doing.
    ///
    /// # Errors
    /// As [`Room::set_activity`].
    pub fn set_activity(&self, activity: Activity) -> Result<(), RoomError> {
        self.room().set_activity(activity, now())?;
        self.0.core.spread();
        Ok(())
    }

    /// Tells the sender of a message, if they are there, what became of it.
    ///
    /// # Errors
    /// As [`Room::receipt`].
    pub fn acknowledge(&self, id: Id, ack: Ack) -> Result<(), RoomError> {
        let (whom, packet) = self.room().receipt(id, ack)?;
        self.0.core.tell(whom, packet);
        Ok(())
    }

    /// Lets somebody in who has asked.
    ///
    /// # Errors
    /// They have not, or as [`Room::admit`].
    pub fn admit(&self, who: Hashname) -> Result<(), RoomError> {
        let profile = self.0.core.knocking(&who);
        let profile = profile.ok_or(RoomError::Refused(Refusal::NotJoined))?;
        self.0.core.admit(who, profile)
    }

    /// Is not there any more, also for clones, and waits until the others have been told, a second at most.
    /// Dropping the last clone does the same, but for the waiting. The store has what is needed to
    /// [come back](crate::Chats::restore).
    pub async fn leave(self) {
        let core = self.0.core.clone();
        let mut changed = core.changed();
        core.close();
        let gone = async { while !core.present().is_empty() && changed.changed().await.is_ok() {} };
        // Whoever cannot be told finds out.
        let _ = timeout(GOODBYE, gone).await;
    }

    /// Invites somebody: they are let in as soon as they ask. While they are being told, a second invitation
    /// adds nothing. Of those who do not come, the newest [`MAX_INVITED`](crate::limits::MAX_INVITED) are remembered.
    ///
    /// # Errors
    /// We are not the leader, or they could not be told.
    pub async fn invite(&self, link: &Link) -> Result<(), telehash_runtime::HandlerError> {
        if !self.room().is_leader() {
            return Err(RoomError::NotLeader.into());
        }
        let Some(_inviting) = self.0.core.invite(link.hashname()) else {
            return Ok(());
        };
        profiles::send(&self.0.core, link, None).await
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.core.close();
    }
}
