//! What we say.

use std::collections::BTreeMap;

use bytes::Bytes;
use telehash_hashname::Hashname;

use super::{MAX_PARTICIPANTS, Room};
use crate::chain::Tail;
use crate::error::{Refusal, RoomError};
use crate::history::{Content, Entry};
use crate::id::Id;
use crate::message::{Ack, Activity, Alternate, Chat, Join, Message, Profile, Receipt};
use crate::store::Record;

/// What is to be said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Draft {
    /// See [`Chat::text`].
    pub text: String,
    /// See [`Chat::state`].
    pub state: Option<Activity>,
    /// See [`Chat::refs`].
    pub refs: BTreeMap<String, String>,
    /// See [`Chat::alts`].
    pub alts: BTreeMap<String, Alternate>,
    /// See [`Chat::body`].
    pub body: Bytes,
}

/// What is to be sent to everybody.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outgoing {
    /// The id of the message.
    pub id: Id,
    /// Its packet.
    pub packet: Bytes,
    /// It takes the place of what was sent before under the same id; [`Room::unsent`] has it too.
    pub edit: bool,
}

impl<T: Into<String>> From<T> for Draft {
    fn from(text: T) -> Self {
        Self {
            text: text.into(),
            ..Self::default()
        }
    }
}

impl Draft {
    fn into_chat(self, id: Id) -> Chat {
        Chat {
            state: self.state,
            refs: self.refs,
            alts: self.alts,
            body: self.body,
            ..Chat::new(id, self.text)
        }
    }
}

impl Room {
    /// Says something. `at` is the time, in seconds since 1970.
    ///
    /// If nothing but our [activity](Self::set_activity) was said before, this takes its place.
    ///
    /// # Errors
    /// The leader has not let us in, all ids are used up, the message exceeds a limit, or the store failed.
    pub fn send(&mut self, draft: impl Into<Draft>, at: u64) -> Result<Outgoing, RoomError> {
        if !self.is_joined() {
            return Err(RoomError::NotJoined);
        }
        let after = self.history.newest().map(Entry::id);
        let silent = self
            .own_newest()
            .filter(|newest| newest.is_silent() && !newest.is_followed());
        let silent = silent.map(Entry::id);
        let id = silent
            .or_else(|| self.chain.peek())
            .ok_or(RoomError::Exhausted)?;
        let chat = Chat {
            after,
            at: Some(at),
            ..draft.into().into_chat(id)
        };
        match silent {
            Some(_) => self.say_again(chat),
            None => self.say(Content::Chat(chat)),
        }
    }

    /// Says what we are doing, and nothing else. If we said the newest of the chat, that goes out again with
    /// it, and can still be [edited](Self::edit).
    ///
    /// # Errors
    /// As [`send`](Self::send).
    pub fn set_activity(&mut self, activity: Activity, at: u64) -> Result<Outgoing, RoomError> {
        let said = self.unanswered().cloned();
        if let Some(said) = said {
            return self.say_again(Chat {
                state: Some(activity),
                ..said
            });
        }
        let draft = Draft {
            state: Some(activity),
            ..Draft::default()
        };
        self.send(draft, at)
    }

    /// Puts another text in place of that of our newest message. Whoever has answered meanwhile keeps what
    /// they answered: see [`Entry::answered_text`].
    ///
    /// # Errors
    /// It is not the newest message of the chat as far as we know, or as [`send`](Self::send).
    pub fn edit(&mut self, id: Id, draft: impl Into<Draft>) -> Result<Outgoing, RoomError> {
        let before = self.unanswered().filter(|before| before.id == id);
        let before = before.ok_or(RoomError::NotNewest(id))?;
        let (after, at) = (before.after, before.at);
        self.say_again(Chat {
            after,
            at,
            ..draft.into().into_chat(id)
        })
    }

    /// Lets somebody in, of whom we have the profile; none if that was done before.
    ///
    /// # Errors
    /// We are not the leader, the newcomer has joined with another profile id, there are as many
    /// participants as are allowed, or as [`send`](Self::send).
    pub fn admit(
        &mut self,
        who: Hashname,
        profile: Profile,
        at: u64,
    ) -> Result<Option<Outgoing>, RoomError> {
        if !self.is_leader() {
            return Err(RoomError::NotLeader);
        }
        match self.participant(&who) {
            Some(known) if known.profile.id == profile.id => return Ok(None),
            Some(_) => return Err(Refusal::OtherChain(who).into()),
            None if self.roster.len() >= MAX_PARTICIPANTS => return Err(Refusal::Full.into()),
            None => {}
        }
        let join = Join {
            id: self.chain.peek().ok_or(RoomError::Exhausted)?,
            who,
            after: self.history.newest().map(Entry::id),
            at: Some(at),
            profile,
        };
        self.say_join(join).map(Some)
    }

    /// What to tell the sender of a message about it: whom, and the packet. It is not to be sent again.
    ///
    /// # Errors
    /// The message is ours, or not there any more.
    pub fn receipt(&self, id: Id, ack: Ack) -> Result<(Hashname, Bytes), RoomError> {
        let entry = self
            .history
            .with_id(id)
            .find(|entry| entry.from() != self.me);
        let sender = entry.ok_or(RoomError::UnknownMessage(id))?.from();
        Ok((sender, Message::Receipt(Receipt { id, ack }).encode()?))
    }

    pub(super) fn say_join(&mut self, join: Join) -> Result<Outgoing, RoomError> {
        let (who, profile) = (join.who, join.profile.clone());
        let outgoing = self.say(Content::Join(join))?;
        self.enter(who, profile);
        Ok(outgoing)
    }

    /// Says something new. Only what is kept is ever sent: after a crash its id must not be used again.
    fn say(&mut self, content: Content) -> Result<Outgoing, RoomError> {
        let tail = self.tail(&self.me).unwrap_or(Tail::of(self.profile.id));
        let (message, lasting) = match content.clone() {
            Content::Chat(chat) => (Message::Chat(chat), false),
            Content::Join(join) => (Message::Join(join), true),
        };
        let (id, packet) = (message.id(), message.encode()?);
        let tail_then = tail.advanced(id);
        let record = self.record(id, tail_then.place, lasting, packet.clone());
        self.store.put(self.id, record)?;
        self.chain.take();
        if let Content::Chat(chat) = &content {
            self.note_activity(&self.me.clone(), chat.state);
        }
        self.set_tail(&self.me.clone(), tail_then);
        let entry = Entry::new(self.me, Some(tail.id), content, packet.len());
        self.history.push(entry);
        let edit = false;
        Ok(Outgoing { id, packet, edit })
    }

    /// Says something in place of the newest that we said.
    fn say_again(&mut self, chat: Chat) -> Result<Outgoing, RoomError> {
        let id = chat.id;
        // In any other place it would break our chain.
        let tail = self.tail(&self.me).filter(|tail| tail.id == id);
        let place = tail.ok_or(RoomError::NotNewest(id))?.place;
        let packet = Message::Chat(chat.clone()).encode()?;
        let record = self.record(id, place, false, packet.clone());
        self.store.put(self.id, record)?;
        self.note_activity(&self.me.clone(), chat.state);
        self.history.replace(chat, self.me, packet.len());
        let edit = true;
        Ok(Outgoing { id, packet, edit })
    }

    fn record(&self, id: Id, place: u32, lasting: bool, packet: Bytes) -> Record {
        Record {
            from: self.me,
            place,
            id,
            lasting,
            answered: None,
            packet,
        }
    }

    /// What we said last, if it says something and nothing came after it as far as we know.
    fn unanswered(&mut self) -> Option<&Chat> {
        let newest = self.history.newest().map(|one| (one.id(), one.from()))?;
        let ours = self.own_newest()?;
        match ours.content() {
            Content::Chat(chat) if newest == (chat.id, self.me) && !ours.is_followed() => {
                Some(chat)
            }
            _ => None,
        }
    }

    fn own_newest(&self) -> Option<&Entry> {
        self.history.get(self.tail(&self.me)?.id, self.me)
    }
}
