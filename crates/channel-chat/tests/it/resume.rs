//! Going on after a restart.

use bytes::Bytes;
use telehash_channel_chat::{
    Activity, Chain, Chat, Entry, Id, MemoryStore, Message, ReceiveError, Received, Record, Room,
    RoomError, Seat, Store, StoreError,
};
use telehash_hashname::Hashname;

use crate::common::{NOW, admitted, catch_up, hashname, seat, texts};

#[test]
fn a_chat_goes_on_where_it_was_left() {
    let (anns, bobs) = (MemoryStore::new(), MemoryStore::new());
    let mut ann = Room::lead(&seat(1), NOW, Box::new(anns.clone())).unwrap();
    let chat = ann.id();
    let mut bob = Room::join(&seat(2), chat, hashname(1), Box::new(bobs.clone())).unwrap();
    ann.admit(hashname(2), bob.profile().clone(), NOW).unwrap();
    catch_up(&mut bob, &mut ann);
    for number in 0..200 {
        let (one, other) = if number % 3 == 0 {
            (&mut ann, &mut bob)
        } else {
            (&mut bob, &mut ann)
        };
        let said = one.send(format!("{number}"), NOW + number).unwrap();
        other.receive(one.me(), &said.packet).unwrap();
    }
    let edited = bob.send("at lsat", NOW + 300).unwrap();
    bob.edit(edited.id, "at last").unwrap();
    let last = bob.last_from(&hashname(1));
    drop(bob);
    let ids = |room: &mut Room| room.history().map(Entry::id).collect::<Vec<_>>();

    let mut again = Room::restore(chat, Box::new(bobs)).unwrap();
    assert!(again.is_joined() && !again.is_leader());
    assert_eq!(again.last_from(&hashname(1)), last);
    assert_eq!(texts(&mut again).last().unwrap(), "at last");
    catch_up(&mut ann, &mut again);
    assert_eq!(ids(&mut again), ids(&mut ann));
    assert_eq!(again.participants().len(), 2);

    // No id is used twice.
    let next = again.send("back", NOW + 301).unwrap();
    assert!(matches!(
        ann.receive(hashname(2), &next.packet).unwrap(),
        Received::Message(_)
    ));

    let mut ann = Room::restore(chat, Box::new(anns)).unwrap();
    assert!(ann.is_leader());
    assert_eq!(ids(&mut again), ids(&mut ann));
    let said = ann.send("me too", NOW + 302).unwrap();
    assert!(matches!(
        again.receive(hashname(1), &said.packet).unwrap(),
        Received::Message(_)
    ));
}

#[test]
fn what_was_answered_before_it_changed_is_still_known_after_a_restart() {
    let store = MemoryStore::new();
    let mut ann = Room::lead(&seat(1), NOW, Box::new(store.clone())).unwrap();
    let mut bob = Room::join(
        &seat(2),
        ann.id(),
        hashname(1),
        Box::new(MemoryStore::new()),
    )
    .unwrap();
    ann.admit(hashname(2), bob.profile().clone(), NOW).unwrap();
    catch_up(&mut bob, &mut ann);
    let offer = bob.send("it costs 1", NOW).unwrap();
    ann.receive(hashname(2), &offer.packet).unwrap();
    ann.send("bought", NOW).unwrap();
    let raised = bob.edit(offer.id, "it costs 1000").unwrap();
    ann.receive(hashname(2), &raised.packet).unwrap();
    let weight = ann.weight();

    let ann = Room::restore(ann.id(), Box::new(store)).unwrap();
    let entry = ann.message(offer.id).unwrap();
    assert_eq!(
        (entry.text(), entry.answered_text()),
        (Some("it costs 1000"), Some("it costs 1"))
    );
    assert!(entry.is_edited());
    assert_eq!(ann.weight(), weight);
}

/// What was corrected goes out before what was said after it, or it would be refused.
#[test]
fn a_correction_is_sent_before_what_follows_it() {
    let mut ann = Room::lead(&seat(1), NOW, Box::new(MemoryStore::new())).unwrap();
    let mut bob = Room::join(
        &seat(2),
        ann.id(),
        hashname(1),
        Box::new(MemoryStore::new()),
    )
    .unwrap();
    ann.admit(hashname(2), bob.profile().clone(), NOW).unwrap();
    let mut cursor = ann.cursor(bob.last_from(&hashname(1)).unwrap()).unwrap();
    let mut tell = |ann: &mut Room, bob: &mut Room| {
        let packets = ann.unsent(&mut cursor).unwrap();
        let receive = |packet| bob.receive(hashname(1), packet).unwrap();
        packets.iter().map(receive).collect::<Vec<_>>()
    };
    let said = ann.send("helo", NOW).unwrap();
    assert_eq!(tell(&mut ann, &mut bob).len(), 3);
    assert_eq!(tell(&mut ann, &mut bob), []);
    ann.edit(said.id, "hallo").unwrap();
    ann.edit(said.id, "hello").unwrap();
    let next = ann.send("how are you?", NOW).unwrap();
    let received = [Received::Edited(said.id), Received::Message(next.id)];
    assert_eq!(tell(&mut ann, &mut bob), received);
    assert_eq!(tell(&mut ann, &mut bob), []);
    assert_eq!(texts(&mut bob), ["hello", "how are you?"]);
}

#[test]
fn a_text_that_is_edited_after_typing_keeps_its_place() {
    let store = MemoryStore::new();
    let mut ann = Room::lead(&seat(1), NOW, Box::new(store.clone())).unwrap();
    let said = ann.send("helo", NOW).unwrap();
    ann.set_activity(Activity::Composing, NOW + 1).unwrap();
    ann.edit(said.id, "hello").unwrap();
    let next = ann.send("how are you?", NOW + 2).unwrap();

    let mut ann = Room::restore(ann.id(), Box::new(store)).unwrap();
    let mut bob = admitted(2, &mut ann);
    assert_eq!(texts(&mut bob), ["hello", "how are you?"]);
    assert_eq!(bob.message(said.id).unwrap().text(), Some("hello"));
    assert_eq!(bob.message(next.id).unwrap().text(), Some("how are you?"));
}

/// It went to the place of the activity, and nobody who came later could follow.
#[test]
fn a_text_with_an_activity_of_its_own_id_after_it_cannot_be_edited() {
    let mut store = MemoryStore::new();
    let mut ann = Room::lead(&seat(1), NOW, Box::new(store.clone())).unwrap();
    let said = ann.send("helo", NOW).unwrap();
    let next = Chain::new(hashname(1), &[1; 8], 2000, 2).take().unwrap();
    let silent = Chat {
        state: Some(Activity::Composing),
        after: Some(said.id),
        ..Chat::new(next, "")
    };
    let record = Record {
        from: hashname(1),
        place: 3,
        id: next,
        lasting: false,
        answered: None,
        packet: Message::Chat(silent).encode().unwrap(),
    };
    store.put(ann.id(), record).unwrap();

    let mut ann = Room::restore(ann.id(), Box::new(store)).unwrap();
    let refused = ann.edit(said.id, "hello");
    assert!(matches!(refused, Err(RoomError::NotNewest(id)) if id == said.id));
    let mut bob = admitted(2, &mut ann);
    assert_eq!(texts(&mut bob), ["helo"]);
}

#[test]
fn a_chat_that_was_never_joined_can_still_be_joined_after_a_restart() {
    let store = MemoryStore::new();
    let mut ann = Room::lead(&seat(1), NOW, Box::new(MemoryStore::new())).unwrap();
    let bob = Room::join(&seat(2), ann.id(), hashname(1), Box::new(store.clone())).unwrap();
    ann.admit(hashname(2), bob.profile().clone(), NOW).unwrap();
    let mut bob = Room::restore(ann.id(), Box::new(store)).unwrap();
    assert!(!bob.is_joined());
    catch_up(&mut bob, &mut ann);
    assert!(bob.is_joined());
}

#[test]
fn a_chat_that_is_not_in_the_store_is_not_made_up() {
    let unknown = Id::from_bytes([3; 8]);
    let error = Room::restore(unknown, Box::new(MemoryStore::new())).unwrap_err();
    assert!(matches!(error, RoomError::UnknownChat(id) if id == unknown));
}

#[test]
fn a_last_that_is_no_id_of_ours_is_not_known() {
    let mut ann = Room::lead(&seat(1), NOW, Box::new(MemoryStore::new())).unwrap();
    let said = ann.send("hello", NOW).unwrap();
    assert!(ann.cursor(ann.id()).is_some() && ann.cursor(said.id).is_some());
    for unknown in [Id::from_bytes([3; 8]), said.id.previous(&hashname(2))] {
        assert_eq!(ann.cursor(unknown), None);
    }
    // One that we have not used yet is not, either, whoever has found it out.
    let mut chain = Chain::new(hashname(1), &[1; 8], 2000, 0);
    let future = std::iter::from_fn(|| chain.take()).nth(2).unwrap();
    assert_eq!(future.previous(&hashname(1)), said.id);
    assert_eq!(ann.cursor(future), None);
}

/// A store that takes nothing while its disk is full.
struct Disk {
    memory: MemoryStore,
    full: std::sync::Arc<std::sync::atomic::AtomicBool>,
}

impl Store for Disk {
    fn put_seat(&mut self, chat: Id, seat: &Seat) -> Result<(), StoreError> {
        self.memory.put_seat(chat, seat)
    }
    fn seat(&mut self, chat: Id) -> Result<Option<Seat>, StoreError> {
        self.memory.seat(chat)
    }
    fn put(&mut self, chat: Id, record: Record) -> Result<(), StoreError> {
        if self.full.load(std::sync::atomic::Ordering::SeqCst) {
            return Err(StoreError::new("no space left"));
        }
        self.memory.put(chat, record)
    }
    fn records(
        &mut self,
        chat: Id,
        sender: Hashname,
        from: u32,
        limit: usize,
    ) -> Result<Vec<Record>, StoreError> {
        self.memory.records(chat, sender, from, limit)
    }
    fn senders(&mut self, chat: Id) -> Result<Vec<Hashname>, StoreError> {
        self.memory.senders(chat)
    }
    fn chats(&mut self) -> Result<Vec<Id>, StoreError> {
        self.memory.chats()
    }
    fn remove(&mut self, chat: Id) -> Result<(), StoreError> {
        self.memory.remove(chat)
    }
}

#[test]
fn what_cannot_be_kept_is_neither_said_nor_taken_in() {
    let full = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let disk = Disk {
        memory: MemoryStore::new(),
        full: full.clone(),
    };
    let mut ann = Room::lead(&seat(1), NOW, Box::new(disk)).unwrap();
    let mut bob = Room::join(
        &seat(2),
        ann.id(),
        hashname(1),
        Box::new(MemoryStore::new()),
    )
    .unwrap();
    ann.admit(hashname(2), bob.profile().clone(), NOW).unwrap();
    catch_up(&mut bob, &mut ann);

    let said = bob.send("hello", NOW).unwrap();
    full.store(true, std::sync::atomic::Ordering::SeqCst);
    let error = ann.receive(hashname(2), &said.packet).unwrap_err();
    assert!(matches!(error, ReceiveError::Store(_)));
    assert!(matches!(ann.send("lost", NOW), Err(RoomError::Store(_))));
    assert!(texts(&mut ann).is_empty());

    full.store(false, std::sync::atomic::Ordering::SeqCst);
    catch_up(&mut ann, &mut bob);
    let heard = ann.send("heard", NOW).unwrap();
    assert!(matches!(
        bob.receive(hashname(1), &heard.packet).unwrap(),
        Received::Message(_)
    ));
    assert_eq!(texts(&mut ann), ["hello", "heard"]);
}

#[test]
fn a_store_that_has_something_else_in_it_is_an_error_and_no_panic() {
    let mut store = MemoryStore::new();
    let ann = Room::lead(&seat(1), NOW, Box::new(store.clone())).unwrap();
    let record = Record {
        from: hashname(1),
        place: 2,
        id: Id::from_bytes([1; 8]),
        lasting: false,
        answered: None,
        packet: Bytes::from_static(b"rubbish"),
    };
    store.put(ann.id(), record).unwrap();
    let error = Room::restore(ann.id(), Box::new(store)).unwrap_err();
    assert!(matches!(error, RoomError::Store(_)));
}
