//! Where an endpoint keeps its chats, and which of them are open.

use std::collections::{BTreeMap, HashSet};
use std::mem;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use mesh::Hashname;
use mesh::chat::{Conversation, DiskStore, Id, MemoryStore, Profile, Store};
use tokio::runtime::Handle;
use tokio::task::JoinSet;

use crate::failure::{Failure, Outcome};

/// Under which of the leader's references the chat's name is.
pub(super) const TITLE: &str = "chat";

/// The chats of an endpoint.
#[derive(Debug, Default)]
pub(crate) struct Shelf {
    /// Without one they are kept in memory.
    file: Option<PathBuf>,
    inner: Mutex<Inner>,
    led: Led,
}

/// The chats that this endpoint leads now; a clone is the same.
#[derive(Clone, Debug, Default)]
pub(super) struct Led(Arc<Mutex<BTreeMap<Id, Conversation>>>);

#[derive(Debug, Default)]
struct Inner {
    kept: Option<Kept>,
    open: HashSet<Id>,
    /// Chats that are being left: their others are told.
    leaving: JoinSet<()>,
}

/// Where they are kept; a clone is the same.
#[derive(Clone, Debug)]
pub(super) enum Kept {
    Memory(MemoryStore),
    Disk(DiskStore),
}

/// A chat that is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct KeptChat {
    pub(super) id: Id,
    pub(super) leader: Hashname,
    /// Our profile in it.
    pub(super) profile: Profile,
    /// We were let in once.
    pub(super) joined: bool,
}

/// Nobody else takes part in the chat through this endpoint as long as this is there.
#[derive(Debug)]
pub(super) struct Open<'a> {
    shelf: &'a Shelf,
    chat: Id,
}

impl Shelf {
    /// In this state directory, or in memory.
    pub(crate) fn new(state: Option<&Path>) -> Self {
        Self {
            file: state.map(|state| state.join("chats.redb")),
            ..Self::default()
        }
    }

    /// Where the chats are kept.
    pub(super) fn kept(&self) -> Outcome<Kept> {
        let mut inner = self.inner();
        if let Some(kept) = &inner.kept {
            return Ok(kept.clone());
        }
        let kept = match &self.file {
            None => Kept::Memory(MemoryStore::new()),
            Some(file) => Kept::Disk(DiskStore::open(file).map_err(|error| {
                Failure::failed(format_args!("{}: {error}", file.display()))
                    .hint("if it is damaged, move it away: the chats in it are lost, everything else is not")
            })?),
        };
        inner.kept = Some(kept.clone());
        Ok(kept)
    }

    /// Takes the chat for one who takes part.
    pub(super) fn open(&self, chat: Id) -> Outcome<Open<'_>> {
        match self.inner().open.insert(chat) {
            true => Ok(Open { shelf: self, chat }),
            false => Err(Failure::failed(format_args!(
                "this endpoint takes part in the chat {chat} already"
            ))
            .hint("go on in that window, or end that `mesh chat` first")),
        }
    }

    /// Leaves a chat, however it came to its end. Nobody waits for that but [`left`](Self::left).
    pub(super) fn leave(&self, chat: Conversation) {
        // Where nothing runs any more nobody can be told.
        let Ok(runtime) = Handle::try_current() else {
            return;
        };
        let leaving = &mut self.inner().leaving;
        while leaving.try_join_next().is_some() {}
        leaving.spawn_on(chat.leave(), &runtime);
    }

    /// Waits until the others in the chats that came to an end have been told, a second at most.
    pub(crate) async fn left(&self) {
        let mut leaving = mem::take(&mut self.inner().leaving);
        while leaving.join_next().await.is_some() {}
    }

    /// The chats that are led now.
    pub(super) fn led(&self) -> Led {
        self.led.clone()
    }

    /// This is one of them from now on.
    pub(super) fn leads(&self, chat: Conversation) {
        self.led.chats().insert(chat.id(), chat);
    }

    /// This is none of them any more.
    pub(super) fn leads_no_more(&self, chat: Id) {
        self.led.chats().remove(&chat);
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Led {
    /// Whether these two take part in one of them: then they are led to each other.
    pub(super) fn has_both(&self, one: &Hashname, other: &Hashname) -> bool {
        self.chats().values().any(|chat| {
            let room = chat.room();
            room.participant(one).is_some() && room.participant(other).is_some()
        })
    }

    fn chats(&self) -> MutexGuard<'_, BTreeMap<Id, Conversation>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Open<'_> {
    fn drop(&mut self) {
        self.shelf.inner().open.remove(&self.chat);
    }
}

impl Kept {
    /// For one chat.
    pub(super) fn store(&self) -> Box<dyn Store> {
        match self {
            Self::Memory(store) => Box::new(store.clone()),
            Self::Disk(store) => Box::new(store.clone()),
        }
    }

    /// Whether it is there after the end of the program.
    pub(super) fn lasts(&self) -> bool {
        matches!(self, Self::Disk(_))
    }

    /// The chats in which `me` takes part.
    pub(super) fn chats(&self, me: Hashname) -> Outcome<Vec<KeptChat>> {
        let mut store = self.store();
        let mut chats = Vec::new();
        for id in store.chats().map_err(Failure::failed)? {
            let seat = store.seat(id).map_err(Failure::failed)?;
            let Some(seat) = seat.filter(|seat| seat.me == me) else {
                continue;
            };
            let profile = Profile::parse(&seat.profile).map_err(Failure::failed)?;
            let senders = store.senders(id).map_err(Failure::failed)?;
            chats.push(KeptChat {
                id,
                leader: seat.leader,
                profile,
                joined: senders.contains(&seat.leader),
            });
        }
        Ok(chats)
    }
}

#[cfg(test)]
mod tests {
    use mesh::chat::{NewSeat, Room};

    use super::*;

    fn hashname(number: u8) -> Hashname {
        Hashname::from_bytes([number; 32])
    }

    #[test]
    fn chats_of_another_identity_are_not_ours() {
        let folder = tempfile::tempdir().unwrap();
        let shelf = Shelf::new(Some(folder.path()));
        let kept = shelf.kept().unwrap();
        let seat = NewSeat::new(hashname(1), [7; 8], "Ann");
        let room = Room::lead(&seat, 1, kept.store()).unwrap();
        let chats = kept.chats(hashname(1)).unwrap();
        assert_eq!((chats[0].id, chats[0].leader), (room.id(), hashname(1)));
        assert_eq!(chats[0].profile.text, "Ann");
        assert!(kept.chats(hashname(2)).unwrap().is_empty());
    }

    #[test]
    fn a_chat_is_open_once() {
        let shelf = Shelf::new(None);
        let chat = Id::from_bytes([1; 8]);
        let open = shelf.open(chat).unwrap();
        assert!(
            shelf
                .open(chat)
                .unwrap_err()
                .to_string()
                .contains("already")
        );
        shelf.open(Id::from_bytes([2; 8])).unwrap();
        drop(open);
        shelf.open(chat).unwrap();
    }

    #[test]
    fn a_file_that_is_no_store_is_named() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("chats.redb"), "something else entirely").unwrap();
        let error = Shelf::new(Some(folder.path()))
            .kept()
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("chats.redb") && error.contains("move it away"),
            "{error}"
        );
    }
}
