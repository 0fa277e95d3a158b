//! A chat, as one of its participants sees it.

mod receive;
mod restore;
mod send;

use std::fmt;

use bytes::Bytes;
use telehash_hashname::Hashname;
use tokio::sync::watch;

use crate::chain::{Chain, Tail, place};
use crate::error::StoreError;
use crate::history::{Entry, History};
use crate::id::Id;
use crate::message::{Activity, Gap, Message, Profile};
use crate::store::{Record, Seat, Store};

pub use self::receive::Received;
pub use self::restore::NewSeat;
pub use self::send::{Draft, Outgoing};

/// Limit: participants of one chat, the leader among them. At the limit nobody else can be let in, and a
/// join of the leader that lets in one more is refused.
pub const MAX_PARTICIPANTS: usize = 128;

/// Messages that are read from the store at once.
const BATCH: usize = 64;

/// A chat, as one of its participants sees it: who takes part, what was said, and what to send to whom.
///
/// It does no I/O but for its [`Store`]. What others sent goes to [`receive`](Self::receive), which checks
/// it; [`send`](Self::send) and its like return what is to be sent to everybody.
pub struct Room {
    id: Id,
    me: Hashname,
    leader: Hashname,
    profile: Profile,
    chain: Chain,
    roster: Vec<Participant>,
    /// Of the leader, which is known before it has joined.
    leader_tail: Tail,
    history: History,
    store: Box<dyn Store>,
}

/// Somebody who takes part.
#[derive(Clone, Debug)]
pub struct Participant {
    who: Hashname,
    profile: Profile,
    activity: Option<Activity>,
    tail: Tail,
}

/// Up to where somebody has our messages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cursor {
    place: u32,
    /// What was sent last, which may change.
    sent: Option<Bytes>,
}

impl Room {
    /// The id of the chat.
    #[must_use]
    pub fn id(&self) -> Id {
        self.id
    }

    /// Us.
    #[must_use]
    pub fn me(&self) -> Hashname {
        self.me
    }

    /// The leader.
    #[must_use]
    pub fn leader(&self) -> Hashname {
        self.leader
    }

    /// Whether we lead it.
    #[must_use]
    pub fn is_leader(&self) -> bool {
        self.me == self.leader
    }

    /// Whether the leader has let us in.
    #[must_use]
    pub fn is_joined(&self) -> bool {
        self.participant(&self.me).is_some()
    }

    /// Our profile in this chat.
    #[must_use]
    pub fn profile(&self) -> &Profile {
        &self.profile
    }

    /// Who takes part, in the order in which the leader let them in; also those who are not there now.
    #[must_use]
    pub fn participants(&self) -> &[Participant] {
        &self.roster
    }

    /// A participant.
    #[must_use]
    pub fn participant(&self, who: &Hashname) -> Option<&Participant> {
        self.roster
            .iter()
            .find(|participant| participant.who == *who)
    }

    /// The other hashnames of the same person: those which its profile names, and which name it in theirs.
    pub fn aka(&self, who: &Hashname) -> impl Iterator<Item = Hashname> {
        let named = { self.participant(who).into_iter() }.flat_map(|one| &one.profile.aka);
        let both = |other: &&Hashname| {
            let other = self.participant(other);
            other.is_some_and(|other| other.who != *who && other.profile.aka.contains(who))
        };
        named.filter(both).copied()
    }

    /// A name to show: that of the profile, with a number if others who are somebody else had it before.
    /// None for who does not take part.
    #[must_use]
    pub fn name(&self, who: &Hashname) -> Option<String> {
        let at = self.roster.iter().position(|one| one.who == *who)?;
        let (earlier, name) = (&self.roster[..at], &self.roster[at].profile.text);
        let same: Vec<Hashname> = self.aka(who).collect();
        let others = { earlier.iter() }
            .filter(|other| other.profile.text == *name && !same.contains(&other.who));
        Some(match others.count() {
            0 => name.clone(),
            number => format!("{name} ({})", number + 1),
        })
    }

    /// What was said, in an order that is the same for everybody who has the same messages: each after
    /// the one before it of the same sender and after the one that it names, otherwise by time.
    pub fn history(&mut self) -> impl DoubleEndedIterator<Item = &Entry> {
        self.history.in_order()
    }

    /// How much the history takes in memory, as [`MAX_HISTORY`](crate::limits::MAX_HISTORY) counts.
    #[must_use]
    pub fn weight(&self) -> usize {
        self.history.weight()
    }

    /// The message with this id; of two that are kept, one.
    #[must_use]
    pub fn message(&self, id: Id) -> Option<&Entry> {
        self.history.with_id(id).next()
    }

    /// The newest id that came from somebody, or that of the profile if nothing did: what to tell them as
    /// `last`. None for who has not joined.
    #[must_use]
    pub fn last_from(&self, who: &Hashname) -> Option<Id> {
        Some(self.tail(who)?.id)
    }

    /// Where somebody is who has our messages up to `last`; none if it is no id of ours. `last` itself
    /// comes again, because it may have changed.
    #[must_use]
    pub fn cursor(&self, last: Id) -> Option<Cursor> {
        let ours = self.tail(&self.me).map_or(0, |tail| tail.place);
        let place = place(&self.me, self.profile.id, last)?;
        let before = place.saturating_sub(1);
        (place <= ours).then_some(Cursor {
            place: before,
            sent: None,
        })
    }

    /// Some of our messages that come after the cursor, which moves on; nothing if these were all. What
    /// was sent last comes once more if it has changed, before everything else. What the store does not
    /// have any more is named as missing.
    ///
    /// # Errors
    /// The store failed.
    pub fn unsent(&mut self, cursor: &mut Cursor) -> Result<Vec<Bytes>, StoreError> {
        let from = match cursor.sent {
            Some(_) => cursor.place,
            None => cursor.place.saturating_add(1),
        };
        let records = self.store.records(self.id, self.me, from, BATCH)?;
        let mut packets = Vec::with_capacity(records.len());
        for Record {
            place, id, packet, ..
        } in records
        {
            if place == cursor.place && cursor.sent.as_ref() == Some(&packet) {
                continue;
            }
            let missing = place.saturating_sub(cursor.place).saturating_sub(1);
            if missing > 0 {
                let id = id.previous(&self.me);
                let gap = Message::Gap(Gap { id, count: missing });
                packets.extend(gap.encode());
            }
            packets.push(packet.clone());
            (cursor.place, cursor.sent) = (place, Some(packet));
        }
        Ok(packets)
    }

    /// Lets the store keep things in the background, if it can; see [`Store::write_behind`].
    pub(crate) fn write_behind(&mut self) -> Option<watch::Receiver<u64>> {
        self.store.write_behind()
    }

    fn tail(&self, who: &Hashname) -> Option<Tail> {
        match self.participant(who) {
            Some(participant) => Some(participant.tail),
            None if *who == self.leader => Some(self.leader_tail),
            None => None,
        }
    }

    fn set_tail(&mut self, who: &Hashname, tail: Tail) {
        match { self.roster.iter_mut() }.find(|participant| participant.who == *who) {
            Some(participant) => participant.tail = tail,
            None if *who == self.leader => self.leader_tail = tail,
            None => {}
        }
    }

    /// Adds to the roster who has just been let in.
    fn enter(&mut self, who: Hashname, profile: Profile) {
        if let Some(known) = { self.roster.iter_mut() }.find(|known| known.who == who) {
            known.profile = profile;
            return;
        }
        let tail = self.tail(&who).unwrap_or(Tail::of(profile.id));
        self.roster.push(Participant {
            who,
            profile,
            activity: None,
            tail,
        });
    }

    /// Notes what a message says that its sender is doing.
    fn note_activity(&mut self, who: &Hashname, activity: Option<Activity>) {
        let Some(activity) = activity else { return };
        if let Some(participant) = { self.roster.iter_mut() }.find(|one| one.who == *who) {
            participant.activity = Some(activity);
        }
    }
}

impl Participant {
    /// Its hashname.
    #[must_use]
    pub fn who(&self) -> Hashname {
        self.who
    }

    /// Its profile.
    #[must_use]
    pub fn profile(&self) -> &Profile {
        &self.profile
    }

    /// What it does, as it said last.
    #[must_use]
    pub fn activity(&self) -> Option<Activity> {
        self.activity
    }
}

impl fmt::Debug for Room {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Room")
            .field("id", &self.id)
            .field("me", &self.me)
            .field("leader", &self.leader)
            .field("participants", &self.roster.len())
            .finish_non_exhaustive()
    }
}
