//! What everything that goes on in one chat shares.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use telehash_hashname::Hashname;
use tokio::sync::{broadcast, mpsc, watch};

use super::line::MAX_LINES;
use crate::error::{ReceiveError, Refusal, RoomError, StoreError};
use crate::id::Id;
use crate::message::{Profile, Receipt};
use crate::room::{Outgoing, Received, Room};

/// Limit: events of a chat, and invitations, that wait for a subscriber; whoever is too slow loses the
/// oldest, and is told how many.
pub const MAX_EVENTS: usize = 1024;

/// Limit: those who ask to be let in and of whom the leader has not decided yet. At the limit others are
/// passed over; they may ask again.
pub const MAX_KNOCKING: usize = 64;

/// What happens in a chat.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum ChatEvent {
    /// Somebody else said something.
    Message {
        /// Who.
        from: Hashname,
        /// The message.
        id: Id,
    },
    /// Somebody else put another text in place of what was said.
    Edited {
        /// Who.
        from: Hashname,
        /// The message.
        id: Id,
    },
    /// The leader has let somebody in, perhaps us.
    Joined(Hashname),
    /// Somebody asks to be let in: [`Conversation::admit`](crate::Conversation::admit) does so.
    Knock {
        /// Who.
        who: Hashname,
        /// Their profile.
        profile: Profile,
    },
    /// What became of a message of ours.
    Receipt {
        /// Who says so.
        from: Hashname,
        /// What.
        receipt: Receipt,
    },
    /// Messages of somebody are missing for good.
    Missing {
        /// Of whom.
        from: Hashname,
        /// How many.
        count: u32,
    },
    /// What somebody sent was refused.
    Refused {
        /// Who sent it.
        from: Hashname,
        /// Why.
        refusal: Arc<Refusal>,
    },
    /// Somebody is there.
    Present(Hashname),
    /// Somebody is not there any more. They may come back.
    Absent(Hashname),
    /// The store failed.
    StoreFailed(Arc<StoreError>),
}

#[derive(Debug)]
pub(super) struct Core {
    id: Id,
    pub(super) me: Hashname,
    pub(super) leader: Hashname,
    room: Mutex<Room>,
    /// We said something new.
    said: watch::Sender<u64>,
    /// Somebody joined, came or went.
    changed: watch::Sender<u64>,
    lines: Mutex<HashMap<Hashname, Vec<Line>>>,
    doors: Mutex<Doors>,
    events: broadcast::Sender<ChatEvent>,
    closed: watch::Sender<bool>,
}

/// A channel with somebody; the newest is what we send on.
#[derive(Debug)]
struct Line {
    number: u64,
    apart: Option<mpsc::Sender<Bytes>>,
}

/// What became of something that somebody sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Taken {
    /// It is in the room.
    In,
    /// It is not to be had.
    Refused,
    /// It has to come again, with what is missing before it.
    Again,
}

/// Who may come in.
#[derive(Debug, Default)]
struct Doors {
    invited: HashSet<Hashname>,
    knocking: HashMap<Hashname, Profile>,
    lines: u64,
}

/// Seconds since 1970.
pub(super) fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| since.as_secs())
}

impl Core {
    pub(super) fn new(room: Room) -> Self {
        Self {
            id: room.id(),
            me: room.me(),
            leader: room.leader(),
            room: Mutex::new(room),
            said: watch::Sender::new(0),
            changed: watch::Sender::new(0),
            lines: Mutex::default(),
            doors: Mutex::default(),
            events: broadcast::Sender::new(MAX_EVENTS),
            closed: watch::Sender::new(false),
        }
    }

    pub(super) fn id(&self) -> Id {
        self.id
    }

    pub(super) fn room(&self) -> MutexGuard<'_, Room> {
        self.room.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn subscribe(&self) -> broadcast::Receiver<ChatEvent> {
        self.events.subscribe()
    }

    pub(super) fn publish(&self, event: ChatEvent) {
        // Nobody has to listen.
        let _ = self.events.send(event);
    }

    pub(super) fn said(&self) -> watch::Receiver<u64> {
        self.said.subscribe()
    }

    pub(super) fn changed(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }

    pub(super) fn is_closed(&self) -> bool {
        *self.closed.borrow()
    }

    pub(super) fn close(&self) {
        self.closed.send_replace(true);
    }

    pub(super) async fn closed(&self) {
        // The sender is here, so that it cannot be gone.
        let _ = self.closed.subscribe().wait_for(|closed| *closed).await;
    }

    /// Passes on what was said: new messages are taken from the room by whoever has come to them.
    pub(super) fn spread(&self, outgoing: &Outgoing) {
        if !outgoing.edit {
            self.said.send_modify(|count| *count += 1);
            return;
        }
        for lines in self.lines().values_mut() {
            let Some(newest) = lines.last_mut() else {
                continue;
            };
            let apart = newest.apart.as_ref();
            if apart.is_some_and(|apart| apart.try_send(outgoing.packet.clone()).is_err()) {
                // Too slow. Ending this makes them resume, and what was said last comes again then.
                newest.apart = None;
            }
        }
    }

    /// Sends something to one participant, if they are there.
    pub(super) fn tell(&self, whom: Hashname, packet: Bytes) {
        let lines = self.lines();
        let newest = lines.get(&whom).and_then(|lines| lines.last());
        if let Some(apart) = newest.and_then(|newest| newest.apart.as_ref()) {
            // A receipt that is lost is no harm.
            let _ = apart.try_send(packet);
        }
    }

    /// Takes in what somebody sent.
    pub(super) fn take(&self, from: Hashname, packet: &Bytes) -> Taken {
        let received = self.room().receive(from, packet);
        let received = match received {
            Ok(received) => received,
            Err(ReceiveError::Refused(refusal)) => {
                let skipped = matches!(refusal, Refusal::Skipped { .. });
                let refusal = Arc::new(refusal);
                self.publish(ChatEvent::Refused { from, refusal });
                return if skipped {
                    Taken::Again
                } else {
                    Taken::Refused
                };
            }
            Err(ReceiveError::Store(error)) => {
                self.publish(ChatEvent::StoreFailed(Arc::new(error)));
                return Taken::Again;
            }
        };
        let event = match received {
            Received::Duplicate => return Taken::In,
            Received::Message(id) => ChatEvent::Message { from, id },
            Received::Edited(id) => ChatEvent::Edited { from, id },
            Received::Receipt(receipt) => ChatEvent::Receipt { from, receipt },
            Received::Missing { count } => ChatEvent::Missing { from, count },
            Received::Joined(who) => {
                self.stir();
                ChatEvent::Joined(who)
            }
        };
        self.publish(event);
        Taken::In
    }

    /// Lets somebody in who was invited, or tells the application that they ask.
    pub(super) fn knock(&self, who: Hashname, profile: Profile) {
        let known = self.room().participant(&who).is_some();
        if known {
            return;
        }
        let mut doors = self.doors();
        let invited = doors.invited.contains(&who);
        if !invited {
            let again = doors.knocking.contains_key(&who);
            if doors.knocking.len() >= MAX_KNOCKING && !again {
                return;
            }
            doors.knocking.insert(who, profile.clone());
            drop(doors);
            return self.publish(ChatEvent::Knock { who, profile });
        }
        drop(doors);
        // What fails here is tried again when they ask again.
        let _ = self.admit(who, profile);
    }

    pub(super) fn invite(&self, who: Hashname) {
        self.doors().invited.insert(who);
    }

    /// The profile of somebody who asks to be let in.
    pub(super) fn knocking(&self, who: &Hashname) -> Option<Profile> {
        self.doors().knocking.get(who).cloned()
    }

    pub(super) fn admit(&self, who: Hashname, profile: Profile) -> Result<(), RoomError> {
        let outgoing = self.room().admit(who, profile, now())?;
        self.doors().knocking.remove(&who);
        if let Some(outgoing) = outgoing {
            self.spread(&outgoing);
            self.publish(ChatEvent::Joined(who));
            self.stir();
        }
        Ok(())
    }

    pub(super) fn has_line(&self, who: &Hashname) -> bool {
        let lines = self.lines();
        let newest = lines.get(who).and_then(|lines| lines.last());
        newest.is_some_and(|newest| newest.apart.is_some())
    }

    /// Whether nothing came after this channel with somebody.
    pub(super) fn is_newest(&self, who: &Hashname, number: u64) -> bool {
        let lines = self.lines();
        let newest = lines.get(who).and_then(|lines| lines.last());
        newest.is_some_and(|newest| newest.number == number)
    }

    /// Adds a channel with somebody, on which we send from now on; none if there are too many.
    pub(super) fn add_line(&self, who: Hashname, apart: mpsc::Sender<Bytes>) -> Option<u64> {
        let number = {
            let mut doors = self.doors();
            doors.lines += 1;
            doors.lines
        };
        let mut all = self.lines();
        let lines = all.entry(who).or_default();
        if lines.len() >= MAX_LINES {
            return None;
        }
        let first = lines.is_empty();
        // Nothing is sent on the others any more.
        for line in lines.iter_mut() {
            line.apart = None;
        }
        let apart = Some(apart);
        lines.push(Line { number, apart });
        drop(all);
        if first {
            self.publish(ChatEvent::Present(who));
        }
        self.stir();
        Some(number)
    }

    pub(super) fn remove_line(&self, who: Hashname, number: u64) {
        let mut all = self.lines();
        if let Some(lines) = all.get_mut(&who) {
            lines.retain(|line| line.number != number);
            if lines.is_empty() {
                all.remove(&who);
                self.publish(ChatEvent::Absent(who));
            }
        }
        drop(all);
        self.stir();
    }

    /// Who is there.
    pub(super) fn present(&self) -> Vec<Hashname> {
        self.lines().keys().copied().collect()
    }

    fn stir(&self) {
        self.changed.send_modify(|count| *count += 1);
    }

    fn lines(&self) -> MutexGuard<'_, HashMap<Hashname, Vec<Line>>> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn doors(&self) -> MutexGuard<'_, Doors> {
        self.doors.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::broadcast::error::TryRecvError;

    use super::super::line::MAX_APART;
    use super::*;
    use crate::room::NewSeat;
    use crate::store::MemoryStore;

    fn hashname(number: usize) -> Hashname {
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&number.to_be_bytes());
        Hashname::from_bytes(bytes)
    }

    fn core() -> Core {
        let seat = NewSeat {
            depth: 300,
            ..NewSeat::new(hashname(0), [1; 8], "leader")
        };
        Core::new(Room::lead(&seat, 1, Box::new(MemoryStore::new())).unwrap())
    }

    fn profile(number: usize) -> Profile {
        Profile::new(Id::from_bytes(number.to_be_bytes()), "somebody")
    }

    #[test]
    fn one_who_knocks_beyond_the_limit_is_passed_over() {
        let core = core();
        let mut events = core.subscribe();
        for number in 1..=MAX_KNOCKING + 1 {
            core.knock(hashname(number), profile(number));
        }
        assert_eq!(events.len(), MAX_KNOCKING);
        assert!(core.knocking(&hashname(MAX_KNOCKING)).is_some());
        assert!(core.knocking(&hashname(MAX_KNOCKING + 1)).is_none());
        // Whoever was let in makes room.
        core.admit(hashname(1), profile(1)).unwrap();
        core.knock(hashname(MAX_KNOCKING + 1), profile(MAX_KNOCKING + 1));
        assert!(core.knocking(&hashname(MAX_KNOCKING + 1)).is_some());
        assert!(matches!(events.try_recv(), Ok(ChatEvent::Knock { .. })));
    }

    #[test]
    fn a_subscriber_that_is_too_slow_loses_the_oldest_events_and_hears_how_many() {
        let core = core();
        let mut events = core.subscribe();
        for number in 0..=MAX_EVENTS {
            core.publish(ChatEvent::Present(hashname(number)));
        }
        assert!(matches!(events.try_recv(), Err(TryRecvError::Lagged(1))));
        let first = events.try_recv().unwrap();
        assert!(matches!(first, ChatEvent::Present(who) if who == hashname(1)));
    }

    #[test]
    fn edits_beyond_the_limit_make_the_channel_end() {
        let core = core();
        let who = hashname(1);
        let (apart, mut waiting) = mpsc::channel(MAX_APART);
        let number = core.add_line(who, apart).unwrap();
        let edit = Outgoing {
            id: core.id(),
            packet: Bytes::from_static(b"edit"),
            edit: true,
        };
        for _ in 0..MAX_APART {
            core.spread(&edit);
        }
        // A receipt is dropped.
        core.tell(who, Bytes::from_static(b"receipt"));
        assert!(core.has_line(&who));
        core.spread(&edit);
        assert!(!core.has_line(&who) && core.is_newest(&who, number));
        for _ in 0..MAX_APART {
            assert_eq!(waiting.try_recv().unwrap(), edit.packet);
        }
        assert!(waiting.try_recv().is_err() && waiting.is_closed());
    }

    #[test]
    fn one_channel_more_than_the_limit_is_not_added_and_the_newest_is_sent_on() {
        let core = core();
        let who = hashname(1);
        let mut events = core.subscribe();
        let mut channels = Vec::new();
        for _ in 0..MAX_LINES {
            let (apart, waiting) = mpsc::channel(1);
            channels.push((core.add_line(who, apart).unwrap(), waiting));
        }
        assert!(core.add_line(who, mpsc::channel(1).0).is_none());
        core.tell(who, Bytes::from_static(b"receipt"));
        let newest = channels.last_mut().unwrap();
        assert!(newest.1.try_recv().is_ok());
        assert!(channels[0].1.is_closed());

        assert_eq!(core.present(), [who]);
        for (number, _) in &channels {
            core.remove_line(who, *number);
        }
        assert!(core.present().is_empty());
        assert!(matches!(events.try_recv(), Ok(ChatEvent::Present(_))));
        assert!(matches!(events.try_recv(), Ok(ChatEvent::Absent(_))));
        assert!(events.try_recv().is_err());
    }
}
