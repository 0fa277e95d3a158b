//! What others say, and whether it is to be believed.

use bytes::Bytes;
use telehash_hashname::Hashname;

use super::{MAX_PARTICIPANTS, Room};
use crate::chain::{Standing, Tail, place};
use crate::error::{ReceiveError, Refusal};
use crate::history::{Content, Entry};
use crate::id::Id;
use crate::message::{Ack, Activity, Chat, Gap, Join, Message, Receipt};
use crate::store::Record;

/// What something that came has changed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Received {
    /// A new message.
    Message(Id),
    /// The text of a message took the place of another one.
    Edited(Id),
    /// The leader has let somebody in, perhaps us.
    Joined(Hashname),
    /// Its sender is doing something else; what they said last came again with that.
    Activity(Activity),
    /// What became of a message of ours at who sent this.
    Receipt(Receipt),
    /// Messages that their sender does not have any more.
    Missing {
        /// How many they are.
        count: u32,
    },
    /// It was here already.
    Duplicate,
}

impl Room {
    /// Takes in what came from somebody, over a link with them.
    ///
    /// # Errors
    /// It is refused and has changed nothing, or could not be kept.
    pub fn receive(&mut self, from: Hashname, packet: &Bytes) -> Result<Received, ReceiveError> {
        let message = Message::parse(packet).map_err(Refusal::from)?;
        let tail = self.tail(&from).filter(|_| from != self.me);
        let tail = tail.ok_or(Refusal::NotJoined)?;
        match message {
            Message::Chat(chat) => self.receive_chat(from, tail, chat, packet),
            Message::Join(join) => self.receive_join(from, tail, join, packet),
            Message::Gap(gap) => self.receive_gap(from, tail, gap),
            Message::Receipt(receipt) => self.receive_receipt(from, receipt),
            Message::Profile(_) => Err(Refusal::Misplaced.into()),
        }
    }

    fn receive_chat(
        &mut self,
        from: Hashname,
        tail: Tail,
        chat: Chat,
        packet: &Bytes,
    ) -> Result<Received, ReceiveError> {
        if self.participant(&from).is_none() {
            return Err(Refusal::NotJoined.into());
        }
        if let Some(other) = chat.chat.filter(|chat| *chat != self.id) {
            return Err(Refusal::OtherChat(other).into());
        }
        let (id, state) = (chat.id, chat.state);
        let content = Content::Chat(chat);
        if self.is_new(&from, tail, id, &content)? {
            self.keep(from, tail.advanced(id), content, packet, false)?;
            self.note_activity(&from, state);
            return Ok(Received::Message(id));
        }
        let (known, Content::Chat(chat)) = (self.history.get(id, from), content) else {
            return Ok(Received::Duplicate);
        };
        // Of what is not here any more nobody can tell whether it is the same.
        if known.is_none_or(|known| matches!(known.content(), Content::Chat(same) if *same == chat))
        {
            return Ok(Received::Duplicate);
        }
        let answered = known.and_then(|known| known.answered_before(&chat));
        let answered = answered.map(str::to_owned);
        let same = known.is_some_and(|known| known.says_the_same(&chat));
        let record = Record {
            answered,
            ..record(from, tail, packet)
        };
        self.store.put(self.id, record)?;
        self.note_activity(&from, state);
        self.history.replace(chat, from, packet.len());
        Ok(match state.filter(|_| same) {
            Some(activity) => Received::Activity(activity),
            None => Received::Edited(id),
        })
    }

    fn receive_join(
        &mut self,
        from: Hashname,
        tail: Tail,
        join: Join,
        packet: &Bytes,
    ) -> Result<Received, ReceiveError> {
        if from != self.leader {
            return Err(Refusal::NotLeader.into());
        }
        let (id, who, profile) = (join.id, join.who, join.profile.clone());
        let content = Content::Join(join);
        if !self.is_new(&from, tail, id, &content)? {
            return Ok(Received::Duplicate);
        }
        let of_leader = who == self.leader && profile.id == self.id;
        match self.participant(&who) {
            None if self.roster.is_empty() && !of_leader => return Err(Refusal::LeaderFirst.into()),
            Some(known) if known.profile.id != profile.id => {
                return Err(Refusal::OtherChain(who).into());
            }
            None if who == self.me && profile.id != self.profile.id => {
                return Err(Refusal::OtherChain(who).into());
            }
            None if self.roster.len() >= MAX_PARTICIPANTS => {
                // What the leader says after that can be followed all the same.
                self.set_tail(&from, tail.advanced(id));
                return Err(Refusal::Full.into());
            }
            _ => {}
        }
        let lasting = self.participant(&who).is_none();
        self.keep(from, tail.advanced(id), content, packet, lasting)?;
        self.enter(who, profile);
        Ok(Received::Joined(who))
    }

    fn receive_gap(
        &mut self,
        from: Hashname,
        tail: Tail,
        gap: Gap,
    ) -> Result<Received, ReceiveError> {
        if let Some(tail) = tail.beyond(&from, gap.id, gap.count) {
            self.set_tail(&from, tail);
            return Ok(Received::Missing { count: gap.count });
        }
        // It has come before, by another channel.
        match place(&from, self.profile_of(&from), gap.id) {
            Some(place) if place <= tail.place => Ok(Received::Duplicate),
            _ => Err(Refusal::Forged(gap.id).into()),
        }
    }

    fn receive_receipt(
        &mut self,
        from: Hashname,
        receipt: Receipt,
    ) -> Result<Received, ReceiveError> {
        if self.participant(&from).is_none() {
            return Err(Refusal::NotJoined.into());
        }
        let Receipt { id, ack } = receipt;
        if !self.note_receipt(from, id, ack) {
            return Err(Refusal::UnknownMessage(id).into());
        }
        Ok(Received::Receipt(receipt))
    }

    fn note_receipt(&mut self, from: Hashname, id: Id, ack: Ack) -> bool {
        self.history.acknowledge((id, self.me), from, ack)
    }

    /// Whether a message is the next one of its sender. It may be there already, or take the place of
    /// the newest one; everything else is refused.
    fn is_new(
        &self,
        from: &Hashname,
        tail: Tail,
        id: Id,
        content: &Content,
    ) -> Result<bool, Refusal> {
        let known = self.history.get(id, *from);
        let same = known.is_none_or(|known| known.content() == content);
        // What is here was checked when it came: that is not to be done for each copy.
        let standing = match known {
            Some(_) if id != tail.id => Standing::Older,
            _ => tail.standing(from, id),
        };
        match standing {
            Standing::Next => Ok(true),
            // It is no message's.
            _ if id == self.profile_of(from) => Err(Refusal::Forged(id)),
            Standing::Newest if same => Ok(false),
            Standing::Newest if known.is_some_and(|known| is_text(known, content)) => Ok(false),
            Standing::Older if same => Ok(false),
            Standing::Newest | Standing::Older => Err(Refusal::LateEdit(id)),
            Standing::Skipped(missing) => Err(Refusal::Skipped { id, missing }),
            Standing::Foreign => Err(Refusal::Forged(id)),
        }
    }

    /// The id of the profile of somebody who has a chain here: a participant, or the leader.
    fn profile_of(&self, who: &Hashname) -> Id {
        match self.participant(who) {
            Some(participant) => participant.profile.id,
            None => self.id,
        }
    }

    /// Keeps a new message.
    fn keep(
        &mut self,
        from: Hashname,
        tail: Tail,
        content: Content,
        packet: &Bytes,
        lasting: bool,
    ) -> Result<(), ReceiveError> {
        let record = Record {
            lasting,
            ..record(from, tail, packet)
        };
        self.store.put(self.id, record)?;
        self.set_tail(&from, tail);
        let previous = Some(tail.id.previous(&from));
        self.history
            .push(Entry::new(from, previous, content, packet.len()));
        Ok(())
    }
}

/// Whether both are texts: nothing else changes.
///
/// A text changes until its sender says something else, also if somebody has answered: the sender alone tells
/// everybody the same, in the same order, while who answered what is known to each at another time. So
/// everybody has the same in the end.
fn is_text(known: &Entry, content: &Content) -> bool {
    matches!(
        (known.content(), content),
        (Content::Chat(_), Content::Chat(_))
    )
}

fn record(from: Hashname, tail: Tail, packet: &Bytes) -> Record {
    Record {
        from,
        place: tail.place,
        id: tail.id,
        lasting: false,
        answered: None,
        packet: packet.clone(),
    }
}
