//! Taking a seat in a chat, and taking it again.

use std::collections::BTreeMap;

use bytes::Bytes;
use telehash_hashname::Hashname;
use zeroize::Zeroizing;

use super::{BATCH, Room, Seat};
use crate::chain::{Chain, MAX_CHAIN, Tail};
use crate::error::{RoomError, StoreError};
use crate::history::{Content, Entry, History};
use crate::id::Id;
use crate::message::{Join, Message, Profile};
use crate::store::{Record, Store};

/// A seat that is to be taken.
#[derive(Clone, Debug)]
pub struct NewSeat {
    /// Us.
    pub me: Hashname,
    /// Eight random bytes, which are to be used for this seat only.
    pub secret: Zeroizing<[u8; 8]>,
    /// How many messages we may send at most, and one more: [`MAX_CHAIN`], unless it has to be less.
    pub depth: u32,
    /// Our name.
    pub name: String,
    /// See [`Profile::refs`].
    pub refs: BTreeMap<String, String>,
    /// See [`Profile::aka`].
    pub aka: Vec<Hashname>,
}

impl NewSeat {
    /// A seat for `me`, under a name.
    #[must_use]
    pub fn new(me: Hashname, secret: [u8; 8], name: impl Into<String>) -> Self {
        Self {
            me,
            secret: Zeroizing::new(secret),
            depth: MAX_CHAIN,
            name: name.into(),
            refs: BTreeMap::new(),
            aka: Vec::new(),
        }
    }

    fn profile(&self, chain: &Chain) -> Profile {
        Profile {
            refs: self.refs.clone(),
            aka: self.aka.clone(),
            ..Profile::new(chain.profile(), self.name.as_str())
        }
    }
}

impl Room {
    /// Begins a chat, which we lead. `at` is the time, in seconds since 1970.
    ///
    /// # Errors
    /// The profile exceeds a limit, or the store failed.
    pub fn lead(seat: &NewSeat, at: u64, store: Box<dyn Store>) -> Result<Self, RoomError> {
        let leader = seat.me;
        let mut room = Self::take_seat(seat, leader, None, store)?;
        let join = Join {
            id: room.chain.peek().ok_or(RoomError::Exhausted)?,
            who: leader,
            after: None,
            at: Some(at),
            profile: room.profile.clone(),
        };
        room.say_join(join)?;
        Ok(room)
    }

    /// Takes part in a chat that somebody else leads. Nothing can be said before the leader lets us in.
    ///
    /// # Errors
    /// The profile exceeds a limit, or the store failed.
    pub fn join(
        seat: &NewSeat,
        chat: Id,
        leader: Hashname,
        store: Box<dyn Store>,
    ) -> Result<Self, RoomError> {
        Self::take_seat(seat, leader, Some(chat), store)
    }

    /// Takes the seat again that we have in a chat, with everything that the store knows.
    ///
    /// # Errors
    /// The store does not know the chat, or failed.
    pub fn restore(chat: Id, mut store: Box<dyn Store>) -> Result<Self, RoomError> {
        let seat = store.seat(chat)?.ok_or(RoomError::UnknownChat(chat))?;
        let used = newest_place(store.as_mut(), chat, seat.me)?;
        let chain = Chain::new(seat.me, &seat.secret, seat.depth, used);
        let mut room = Self::empty(chat, &seat, Profile::parse(&seat.profile)?, chain, store);
        // Nobody else is there before the leader has let them in.
        let leader = room.leader;
        room.replay(leader)?;
        let others = room.store.senders(chat)?;
        for sender in others.into_iter().filter(|sender| *sender != leader) {
            room.replay(sender)?;
        }
        Ok(room)
    }

    fn take_seat(
        new: &NewSeat,
        leader: Hashname,
        chat: Option<Id>,
        mut store: Box<dyn Store>,
    ) -> Result<Self, RoomError> {
        let chain = Chain::new(new.me, &new.secret, new.depth, 0);
        let profile = new.profile(&chain);
        let chat = chat.unwrap_or(profile.id);
        let seat = Seat {
            me: new.me,
            leader,
            secret: new.secret.clone(),
            depth: new.depth,
            profile: profile.encode()?,
        };
        store.put_seat(chat, &seat)?;
        Ok(Self::empty(chat, &seat, profile, chain, store))
    }

    fn empty(chat: Id, seat: &Seat, profile: Profile, chain: Chain, store: Box<dyn Store>) -> Self {
        Self {
            id: chat,
            me: seat.me,
            leader: seat.leader,
            profile,
            chain,
            roster: Vec::new(),
            leader_tail: Tail::of(chat),
            history: History::default(),
            store,
        }
    }

    /// Takes in what the store has of a sender. It was checked when it came.
    fn replay(&mut self, sender: Hashname) -> Result<(), RoomError> {
        let mut from = 0;
        loop {
            let records = self.store.records(self.id, sender, from, BATCH)?;
            let Some(last) = records.last() else {
                return Ok(());
            };
            from = last.place.saturating_add(1);
            for record in records {
                self.take_in(&record)?;
            }
        }
    }

    fn take_in(&mut self, record: &Record) -> Result<(), RoomError> {
        let Record {
            from, place, id, ..
        } = *record;
        let (content, bytes) = (parsed(&record.packet)?, record.packet.len());
        if from != self.leader && self.participant(&from).is_none() {
            return Ok(());
        }
        match &content {
            Content::Chat(chat) => self.note_activity(&from, chat.state),
            Content::Join(join) => self.enter(join.who, join.profile.clone()),
        }
        self.set_tail(&from, Tail { id, place });
        let previous = Some(id.previous(&from));
        let entry = Entry::new(from, previous, content, bytes);
        self.history
            .push(entry.with_answered(record.answered.clone()));
        Ok(())
    }
}

fn parsed(packet: &Bytes) -> Result<Content, StoreError> {
    match Message::parse(packet) {
        Ok(Message::Chat(chat)) => Ok(Content::Chat(chat)),
        Ok(Message::Join(join)) => Ok(Content::Join(join)),
        Ok(_) => Err(StoreError::new("what is kept there is no message")),
        Err(error) => Err(StoreError::new(error)),
    }
}

/// How many ids of ours are used up, so that none is used again.
fn newest_place(store: &mut dyn Store, chat: Id, me: Hashname) -> Result<u32, StoreError> {
    let mut newest = 0;
    loop {
        let records = store.records(chat, me, newest + 1, BATCH)?;
        match records.last() {
            Some(last) => newest = last.place,
            None => return Ok(newest),
        }
    }
}
