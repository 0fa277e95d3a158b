//! What everything that goes on in one chat shares.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use telehash_hashname::Hashname;
use tokio::sync::{broadcast, mpsc, watch};

use super::doors::{Doors, Knock};
use super::event::{ChatEvent, MAX_EVENTS};
use super::lines::Lines;
use crate::error::{ReceiveError, Refusal, RoomError, StoreError};
use crate::id::Id;
use crate::message::Profile;
use crate::room::{Received, Room};

#[derive(Debug)]
pub(super) struct Core {
    id: Id,
    pub(super) me: Hashname,
    pub(super) leader: Hashname,
    room: Mutex<Room>,
    /// We said something new, or something else.
    said: watch::Sender<u64>,
    /// The store has kept what we said, if it does so later.
    kept: Option<watch::Receiver<u64>>,
    /// Somebody joined, came or went.
    changed: watch::Sender<u64>,
    lines: Mutex<Lines>,
    doors: Mutex<Doors>,
    events: broadcast::Sender<ChatEvent>,
    closed: watch::Sender<bool>,
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

/// Somebody is being told that they are invited.
pub(super) struct Inviting<'a> {
    core: &'a Core,
    who: Hashname,
}

impl Drop for Inviting<'_> {
    fn drop(&mut self) {
        self.core.doors().told(&self.who);
    }
}

/// Seconds since 1970.
pub(super) fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| since.as_secs())
}

impl Core {
    pub(super) fn new(mut room: Room) -> Self {
        Self {
            kept: room.write_behind(),
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

    pub(super) fn kept(&self) -> Option<watch::Receiver<u64>> {
        self.kept.clone()
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

    /// Ends it, because the store failed. Whoever else finds out has nothing to add.
    pub(super) fn fail(&self, error: StoreError) {
        if !self.closed.send_replace(true) {
            self.publish(ChatEvent::StoreFailed(Arc::new(error)));
        }
    }

    pub(super) async fn closed(&self) {
        // The sender is here, so that it cannot be gone.
        let _ = self.closed.subscribe().wait_for(|closed| *closed).await;
    }

    /// Passes on what was said: it is taken from the room by whoever has come to it.
    pub(super) fn spread(&self) {
        self.said.send_modify(|count| *count += 1);
    }

    /// Sends a receipt to one participant, if they are there.
    pub(super) fn tell(&self, whom: Hashname, receipt: Bytes) {
        self.lines().tell(&whom, receipt);
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
                self.fail(error);
                return Taken::Again;
            }
        };
        let event = match received {
            Received::Duplicate => return Taken::In,
            Received::Message(id) => ChatEvent::Message { from, id },
            Received::Edited(id) => ChatEvent::Edited { from, id },
            Received::Activity(activity) => ChatEvent::Activity { from, activity },
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
        let knock = self.doors().knock(who, &profile);
        match knock {
            // What fails here is tried again when they ask again.
            Knock::Open => drop(self.admit(who, profile)),
            Knock::Wait(profile) => self.publish(ChatEvent::Knock { who, profile }),
            Knock::Passed => {}
        }
    }

    /// Has somebody let in who is to be told so, which lasts until what is returned is dropped; none if they are
    /// being told already.
    pub(super) fn invite(&self, who: Hashname) -> Option<Inviting<'_>> {
        let begun = self.doors().invite(who);
        begun.then_some(Inviting { core: self, who })
    }

    /// The profile of somebody who asks to be let in.
    pub(super) fn knocking(&self, who: &Hashname) -> Option<Profile> {
        self.doors().knocking(who)
    }

    pub(super) fn admit(&self, who: Hashname, profile: Profile) -> Result<(), RoomError> {
        let outgoing = self.room().admit(who, profile, now())?;
        self.doors().admitted(&who);
        if outgoing.is_some() {
            self.spread();
            self.publish(ChatEvent::Joined(who));
            self.stir();
        }
        Ok(())
    }

    pub(super) fn has_line(&self, who: &Hashname) -> bool {
        self.lines().has(who)
    }

    /// Adds a channel with somebody, on which we send from now on; none if there are too many.
    pub(super) fn add_line(&self, who: Hashname, receipts: mpsc::Sender<Bytes>) -> Option<u64> {
        let added = self.lines().add(who, receipts)?;
        if added.first {
            self.publish(ChatEvent::Present(who));
        }
        self.stir();
        Some(added.number)
    }

    pub(super) fn remove_line(&self, who: Hashname, number: u64) {
        if self.lines().remove(&who, number) {
            self.publish(ChatEvent::Absent(who));
        }
        self.stir();
    }

    /// Who is there.
    pub(super) fn present(&self) -> Vec<Hashname> {
        self.lines().present()
    }

    fn stir(&self) {
        self.changed.send_modify(|count| *count += 1);
    }

    fn lines(&self) -> MutexGuard<'_, Lines> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn doors(&self) -> MutexGuard<'_, Doors> {
        self.doors.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::broadcast::error::TryRecvError;

    use super::super::doors::{MAX_INVITED, MAX_KNOCKING};
    use super::super::lines::{MAX_LINES, MAX_RECEIPTS};
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
    fn beyond_the_limit_the_oldest_invitation_is_forgotten() {
        let core = core();
        let mut events = core.subscribe();
        for number in 1..=MAX_INVITED + 1 {
            assert!(core.invite(hashname(number)).is_some());
        }
        core.knock(hashname(1), profile(1));
        assert!(matches!(events.try_recv(), Ok(ChatEvent::Knock { .. })));
        core.knock(hashname(2), profile(2));
        assert!(matches!(events.try_recv(), Ok(ChatEvent::Joined(who)) if who == hashname(2)));
        // Whoever has come makes room.
        drop(core.invite(hashname(1)));
        core.knock(hashname(3), profile(3));
        assert!(matches!(events.try_recv(), Ok(ChatEvent::Joined(who)) if who == hashname(3)));
    }

    #[test]
    fn one_who_is_being_invited_is_not_invited_twice_at_once() {
        let core = core();
        let first = core.invite(hashname(1));
        assert!(first.is_some() && core.invite(hashname(1)).is_none());
        drop(first);
        assert!(core.invite(hashname(1)).is_some());
    }

    #[test]
    fn one_who_knocks_again_is_still_called_what_the_application_heard_first() {
        let core = core();
        let mut events = core.subscribe();
        core.knock(hashname(1), profile(1));
        core.knock(hashname(1), Profile::new(profile(2).id, "somebody trusted"));
        let names = std::iter::from_fn(|| match events.try_recv().ok()? {
            ChatEvent::Knock { profile, .. } => Some(profile.text),
            _ => None,
        });
        assert_eq!(names.collect::<Vec<_>>(), ["somebody", "somebody"]);
        // Who has begun anew has another chain, and is let in with it.
        let knocking = core.knocking(&hashname(1)).unwrap();
        assert_eq!(knocking, profile(2));
    }

    #[test]
    fn a_store_that_failed_ends_the_chat_and_is_told_of_once() {
        let core = core();
        let mut events = core.subscribe();
        for _ in 0..2 {
            core.fail(StoreError::new("no space left"));
        }
        assert!(core.is_closed());
        assert!(matches!(events.try_recv(), Ok(ChatEvent::StoreFailed(_))));
        assert!(events.try_recv().is_err());
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
    fn receipts_beyond_the_limit_are_dropped() {
        let core = core();
        let who = hashname(1);
        let (receipts, mut waiting) = mpsc::channel(MAX_RECEIPTS);
        core.add_line(who, receipts).unwrap();
        let receipt = |number: usize| Bytes::copy_from_slice(&number.to_be_bytes());
        for number in 0..=MAX_RECEIPTS {
            core.tell(who, receipt(number));
        }
        for number in 0..MAX_RECEIPTS {
            assert_eq!(waiting.try_recv().unwrap(), receipt(number));
        }
        assert!(waiting.try_recv().is_err());
        // The channel is as good as before.
        core.tell(who, receipt(7));
        assert_eq!(waiting.try_recv().unwrap(), receipt(7));
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
