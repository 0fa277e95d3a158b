//! The store on disk.

use telehash_channel_chat::limits::MAX_ON_DISK;
use telehash_channel_chat::{DiskStore, Entry, Id, MemoryStore, Record, Room, Store as _};

use crate::common::{NOW, catch_up, hashname, seat, texts};

fn record(from: u8, place: u32, text: &'static str) -> Record {
    Record {
        from: hashname(from),
        place,
        id: Id::from_bytes([from; 8]),
        lasting: place == 1,
        answered: None,
        packet: text.into(),
    }
}

#[test]
fn what_is_kept_is_there_again_and_of_each_chat_by_itself() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("chats");
    let [one, other] = [1, 2].map(|byte| Id::from_bytes([byte; 8]));
    let mut store = DiskStore::open(&path).unwrap();
    assert!(DiskStore::open(&path).is_err());
    for (chat, from, place) in [
        (one, 2, 1),
        (one, 2, 2),
        (one, 2, 300),
        (one, 1, 7),
        (other, 3, 1),
    ] {
        store.put(chat, record(from, place, "text")).unwrap();
    }
    store.put(one, record(2, 300, "another text")).unwrap();
    drop(store);

    let mut store = DiskStore::open(&path).unwrap();
    assert_eq!(store.senders(one).unwrap(), [hashname(1), hashname(2)]);
    assert_eq!(store.senders(other).unwrap(), [hashname(3)]);
    let records = store.records(one, hashname(2), 2, 9).unwrap();
    assert_eq!(
        records,
        [record(2, 2, "text"), record(2, 300, "another text")]
    );
    assert_eq!(
        store.records(one, hashname(2), 0, 1).unwrap(),
        [record(2, 1, "text")]
    );
    store.remove(one).unwrap();
    assert_eq!(store.senders(one).unwrap(), []);
    assert_eq!(store.senders(other).unwrap(), [hashname(3)]);
}

#[test]
fn the_oldest_of_a_sender_is_forgotten_beyond_the_limit_but_not_what_is_lasting() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = DiskStore::open(folder.path().join("chats")).unwrap();
    let chat = Id::from_bytes([1; 8]);
    // With its id and a mark each is an eighth of what may be kept.
    let eighth = usize::try_from(MAX_ON_DISK / 8).unwrap() - 9;
    let large = |place, less| Record {
        packet: vec![7; eighth - less].into(),
        ..record(1, place, "")
    };
    store.put(chat, record(2, 1, "somebody else")).unwrap();
    for place in 1..=8 {
        store.put(chat, large(place, 0)).unwrap();
    }
    let places = |store: &mut DiskStore| -> Vec<u32> {
        let records = store.records(chat, hashname(1), 0, 99).unwrap();
        records.iter().map(|record| record.place).collect()
    };
    assert_eq!(places(&mut store), [1, 2, 3, 4, 5, 6, 7, 8]);
    // What changes its size counts for what it is now.
    store.put(chat, large(8, 20)).unwrap();
    store.put(chat, record(1, 9, "11 + 9 = 20")).unwrap();
    assert_eq!(places(&mut store).len(), 9);
    store.put(chat, record(1, 10, "")).unwrap();
    assert_eq!(places(&mut store), [1, 3, 4, 5, 6, 7, 8, 9, 10]);
    assert_eq!(store.senders(chat).unwrap().len(), 2);
}

#[cfg(unix)]
#[test]
fn the_file_is_for_its_owner_only() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("chats");
    let _store = DiskStore::open(&path).unwrap();
    let mode = std::fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn a_file_that_is_something_else_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("chats");
    std::fs::write(&path, "not a database at all").unwrap();
    assert!(DiskStore::open(&path).is_err());
}

#[test]
fn a_chat_on_disk_goes_on_where_it_was_left() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("chats");
    let mut bob;
    let chat;
    {
        let store = DiskStore::open(&path).unwrap();
        let mut ann = Room::lead(&seat(1), NOW, Box::new(store)).unwrap();
        chat = ann.id();
        bob = Room::join(&seat(2), chat, hashname(1), Box::new(MemoryStore::new())).unwrap();
        ann.admit(hashname(2), bob.profile().clone(), NOW).unwrap();
        catch_up(&mut bob, &mut ann);
        for number in 0..100 {
            let said = bob.send(format!("{number}"), NOW + number).unwrap();
            ann.receive(hashname(2), &said.packet).unwrap();
        }
        let said = ann.send("last", NOW + 100).unwrap();
        bob.receive(hashname(1), &said.packet).unwrap();
    }
    let mut store = DiskStore::open(&path).unwrap();
    assert_eq!(store.chats().unwrap(), [chat]);
    let mut ann = Room::restore(chat, Box::new(store)).unwrap();
    let ids = |room: &mut Room| room.history().map(Entry::id).collect::<Vec<_>>();
    assert_eq!(ids(&mut ann), ids(&mut bob));
    let said = ann.send("back", NOW + 101).unwrap();
    bob.receive(hashname(1), &said.packet).unwrap();
    assert_eq!(texts(&mut bob).last().unwrap(), "back");
}

#[test]
fn what_was_answered_before_it_changed_is_kept_with_what_it_says_now() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("chats");
    let chat = Id::from_bytes([1; 8]);
    let answered = |text: &str| Record {
        answered: Some(text.to_owned()),
        ..record(2, 3, "now")
    };
    for text in ["before \u{1f600}", ""] {
        let mut store = DiskStore::open(&path).unwrap();
        store.put(chat, answered(text)).unwrap();
        drop(store);
        let mut store = DiskStore::open(&path).unwrap();
        assert_eq!(
            store.records(chat, hashname(2), 0, 9).unwrap(),
            [answered(text)]
        );
    }
}
