//! Where a chat is kept.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use telehash_hashname::Hashname;
use tokio::sync::watch;
use zeroize::Zeroizing;

use crate::error::StoreError;
use crate::id::Id;
use crate::shares::{MAX_HISTORY, Shares};

/// Keeps chats. An application may bring its own.
///
/// A store may forget records, the oldest first, but for the newest of each sender and those that are
/// [`lasting`](Record::lasting). What it has forgotten of ours is missing to those who come later, and
/// they are told so.
///
/// It is called while the chat is locked, also from tasks of an asynchronous runtime: nothing in it should
/// take long. A store that has to wait for a disk can do so in the background: see
/// [`write_behind`](Self::write_behind).
pub trait Store: Send {
    /// Keeps our part in a chat, which never changes.
    ///
    /// # Errors
    /// It could not be kept.
    fn put_seat(&mut self, chat: Id, seat: &Seat) -> Result<(), StoreError>;

    /// Our part in a chat, if it is known.
    ///
    /// # Errors
    /// It could not be read.
    fn seat(&mut self, chat: Id) -> Result<Option<Seat>, StoreError>;

    /// Keeps a message, in place of the one that the same sender has at this place. What we say has to be
    /// kept for good when this returns, unless the store [writes behind](Self::write_behind): an id that is
    /// used again is taken for a forgery.
    ///
    /// # Errors
    /// It could not be kept. Then it is as if it had not come. Or what was put before could not.
    fn put(&mut self, chat: Id, record: Record) -> Result<(), StoreError>;

    /// Up to `limit` messages of a sender, in order, the first of which is at the place `from` or after
    /// it.
    ///
    /// # Errors
    /// They could not be read.
    fn records(
        &mut self,
        chat: Id,
        sender: Hashname,
        from: u32,
        limit: usize,
    ) -> Result<Vec<Record>, StoreError>;

    /// Who has said something that is kept.
    ///
    /// # Errors
    /// They could not be read.
    fn senders(&mut self, chat: Id) -> Result<Vec<Hashname>, StoreError>;

    /// The chats that are kept.
    ///
    /// # Errors
    /// They could not be read.
    fn chats(&mut self) -> Result<Vec<Id>, StoreError>;

    /// Asked for by [`Chats`](crate::Chats): from now on [`put`](Self::put) may return at once.
    ///
    /// Then [`records`](Self::records) must not show of ours what is not kept for good yet: it is not sent
    /// before that. The number changes whenever more is kept, or could not be. None if the store keeps things
    /// at once.
    fn write_behind(&mut self) -> Option<watch::Receiver<u64>> {
        None
    }

    /// Forgets a chat.
    ///
    /// # Errors
    /// It could not be forgotten.
    fn remove(&mut self, chat: Id) -> Result<(), StoreError>;
}

/// Our part in a chat.
#[derive(Clone, PartialEq, Eq)]
pub struct Seat {
    /// Us.
    pub me: Hashname,
    /// The leader.
    pub leader: Hashname,
    /// What our chain is made of. Never to be used in two chats, nor for two seats.
    pub secret: Zeroizing<[u8; 8]>,
    /// How many ids our chain has; see [`Chain::new`](crate::Chain::new).
    pub depth: u32,
    /// Our profile, as it travels.
    pub profile: Bytes,
}

impl fmt::Debug for Seat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Seat")
            .field("me", &self.me)
            .field("leader", &self.leader)
            .field("depth", &self.depth)
            .finish_non_exhaustive()
    }
}

/// A message that is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Who sent it.
    pub from: Hashname,
    /// Where it is in the chain of its sender; the first is 1.
    pub place: u32,
    /// Its id.
    pub id: Id,
    /// It must not be forgotten: it lets somebody in who was not there before. These are no more than the
    /// participants that a chat may have.
    pub lasting: bool,
    /// What it said when somebody had answered it, if it changed after that.
    pub answered: Option<String>,
    /// The message, as it travels.
    pub packet: Bytes,
}

impl Record {
    fn bytes(&self) -> usize {
        self.packet.len() + self.answered.as_ref().map_or(0, String::len)
    }
}

/// A store in memory; a clone of it is the same store.
///
/// Of each chat it keeps no more than [`MAX_HISTORY`], besides what is lasting.
#[derive(Clone, Debug, Default)]
pub struct MemoryStore(Arc<Mutex<BTreeMap<Id, Kept>>>);

#[derive(Debug, Default)]
struct Kept {
    seat: Option<Seat>,
    records: BTreeMap<(Hashname, u32), Record>,
    shares: Shares<u32>,
}

impl MemoryStore {
    /// An empty store.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// How much it keeps of a chat, besides what is lasting, as [`MAX_HISTORY`] counts.
    #[must_use]
    pub fn weight(&self, chat: Id) -> usize {
        self.with(|chats| chats.get(&chat).map_or(0, |kept| kept.shares.weight()))
    }

    fn with<R>(&self, work: impl FnOnce(&mut BTreeMap<Id, Kept>) -> R) -> R {
        // Nothing is left half done in there.
        work(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Store for MemoryStore {
    fn put_seat(&mut self, chat: Id, seat: &Seat) -> Result<(), StoreError> {
        self.with(|chats| chats.entry(chat).or_default().seat = Some(seat.clone()));
        Ok(())
    }

    fn seat(&mut self, chat: Id) -> Result<Option<Seat>, StoreError> {
        Ok(self.with(|chats| chats.get(&chat)?.seat.clone()))
    }

    fn put(&mut self, chat: Id, record: Record) -> Result<(), StoreError> {
        self.with(|chats| chats.entry(chat).or_default().put(record));
        Ok(())
    }

    fn records(
        &mut self,
        chat: Id,
        sender: Hashname,
        from: u32,
        limit: usize,
    ) -> Result<Vec<Record>, StoreError> {
        let range = (sender, from)..=(sender, u32::MAX);
        Ok(self.with(|chats| {
            let kept = chats.get(&chat).into_iter();
            let records = kept.flat_map(|kept| kept.records.range(range.clone()));
            records
                .map(|(_, record)| record.clone())
                .take(limit)
                .collect()
        }))
    }

    fn senders(&mut self, chat: Id) -> Result<Vec<Hashname>, StoreError> {
        Ok(self.with(|chats| {
            let kept = chats.get(&chat).into_iter();
            let senders = kept.flat_map(|kept| kept.records.keys().map(|(sender, _)| *sender));
            let mut senders: Vec<Hashname> = senders.collect();
            senders.dedup();
            senders
        }))
    }

    fn chats(&mut self) -> Result<Vec<Id>, StoreError> {
        Ok(self.with(|chats| chats.keys().copied().collect()))
    }

    fn remove(&mut self, chat: Id) -> Result<(), StoreError> {
        self.with(|chats| chats.remove(&chat));
        Ok(())
    }
}

impl Kept {
    fn put(&mut self, record: Record) {
        let (from, place, bytes) = (record.from, record.place, record.bytes());
        let lasting = record.lasting;
        let before = self.records.insert((from, place), record);
        match before {
            _ if lasting => {}
            Some(_) => self.shares.resize(from, &place, bytes),
            None => self.shares.push(from, place, bytes),
        }
        while let Some(oldest) = self.shares.pop_beyond(MAX_HISTORY) {
            self.records.remove(&oldest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::MAX_MESSAGE;
    use crate::shares::OVERHEAD;

    fn record(from: u8, place: u32, len: usize) -> Record {
        Record {
            from: Hashname::from_bytes([from; 32]),
            place,
            id: Id::from_bytes(u64::from(place).to_be_bytes()),
            lasting: false,
            answered: None,
            packet: vec![from; len].into(),
        }
    }

    #[test]
    fn what_is_beyond_the_limit_is_forgotten_the_oldest_of_who_has_most_first() {
        let (mut store, chat) = (MemoryStore::new(), Id::from_bytes([1; 8]));
        let each = MAX_MESSAGE + OVERHEAD;
        let most = u32::try_from(MAX_HISTORY / each).unwrap();
        store.put(chat, record(1, 1, 1)).unwrap();
        let joins = Record {
            lasting: true,
            ..record(2, 1, MAX_MESSAGE)
        };
        store.put(chat, joins.clone()).unwrap();
        for place in 2..2 + most {
            store.put(chat, record(2, place, MAX_MESSAGE)).unwrap();
        }
        let [ann, bob] = [1, 2].map(|byte| Hashname::from_bytes([byte; 32]));
        let all = |store: &mut MemoryStore, of| store.records(chat, of, 0, usize::MAX).unwrap();
        assert_eq!(all(&mut store, ann).len(), 1);
        assert_eq!(all(&mut store, bob).len() as u32, 1 + most);

        store.put(chat, record(2, 2 + most, MAX_MESSAGE)).unwrap();
        let kept = all(&mut store, bob);
        assert_eq!(kept[0], joins);
        assert_eq!((kept[1].place, kept.len() as u32), (3, 1 + most));
        assert_eq!(all(&mut store, ann).len(), 1);
        assert_eq!(store.senders(chat).unwrap(), [ann, bob]);
        assert_eq!(store.chats().unwrap(), [chat]);
        store.remove(chat).unwrap();
        assert_eq!(all(&mut store, bob), []);
    }

    #[test]
    fn records_come_in_order_from_a_place_on_and_the_last_version_of_each() {
        let (mut store, chat) = (MemoryStore::new(), Id::from_bytes([1; 8]));
        for place in [1, 2, 5, 6] {
            store.put(chat, record(1, place, 10)).unwrap();
        }
        store.put(chat, record(1, 6, 20)).unwrap();
        store.put(chat, record(2, 7, 10)).unwrap();
        let ann = Hashname::from_bytes([1; 32]);
        let places = |store: &mut MemoryStore, from, limit| -> Vec<(u32, usize)> {
            let records = store.clone().records(chat, ann, from, limit).unwrap();
            records
                .iter()
                .map(|record| (record.place, record.packet.len()))
                .collect()
        };
        assert_eq!(places(&mut store, 2, 9), [(2, 10), (5, 10), (6, 20)]);
        assert_eq!(places(&mut store, 3, 1), [(5, 10)]);
        assert_eq!(places(&mut store, 7, 9), []);
    }

    #[test]
    fn a_seat_does_not_print_its_secret() {
        let seat = Seat {
            me: Hashname::from_bytes([1; 32]),
            leader: Hashname::from_bytes([1; 32]),
            secret: Zeroizing::new([0xab; 8]),
            depth: 5,
            profile: Bytes::new(),
        };
        let printed = format!("{seat:?}");
        assert!(
            printed.contains("depth: 5") && !printed.contains("171"),
            "{printed}"
        );
    }
}
