use std::time::{Duration, Instant};

use bytes::Bytes;
use proptest::{collection::vec, prelude::*};
use telehash_hashname::Hashname;

use super::quota::{OVERHEAD, SMALL};
use super::{Kept, Quota, Store};
use crate::id::{BoxId, MessageId};

fn peer(number: u8) -> Hashname {
    Hashname::from_bytes([number; 32])
}

const ANN: u8 = 1;
const BOB: u8 = 2;
const CAT: u8 = 3;

/// A store and its clock.
struct Cache {
    store: Store,
    now: Instant,
}

impl Cache {
    fn new(quota: Quota) -> Self {
        let (store, now) = (Store::new(quota), Instant::now());
        Self { store, now }
    }

    /// A message of `len` bytes, each of which is `fill`.
    fn put(&mut self, from: u8, to: u8, fill: u8, len: usize) -> Kept {
        let bytes = Bytes::from(vec![fill; len]);
        let kept = self
            .store
            .put(self.now, (peer(from), peer(to)), bytes, None);
        self.store.check();
        kept
    }

    /// The first bytes of the messages in a box, in order.
    fn content(&self, from: u8, to: u8) -> Vec<u8> {
        let key = (peer(to), BoxId::new(&peer(from), &peer(to)));
        let mut turn = 0;
        let mut found = Vec::new();
        while let Some((next, bytes)) = self.store.next_after(&key, turn) {
            turn = next;
            found.push(bytes[0]);
        }
        found
    }
}

/// Room for so many messages of so many bytes.
fn room(messages: usize, len: usize) -> usize {
    messages * (len + OVERHEAD)
}

#[test]
fn messages_are_kept_in_order_each_once() {
    let mut cache = Cache::new(Quota::new());
    assert_eq!(cache.put(ANN, BOB, 1, 10), Kept::First);
    assert_eq!(cache.put(ANN, BOB, 2, 10), Kept::More);
    assert_eq!(cache.put(ANN, BOB, 1, 10), Kept::Again);
    assert_eq!(cache.put(CAT, BOB, 1, 10), Kept::First);
    assert_eq!(cache.content(ANN, BOB), [1, 2]);
    let mut boxes = [ANN, CAT].map(|from| BoxId::new(&peer(from), &peer(BOB)));
    boxes.sort_unstable();
    assert_eq!(cache.store.boxes_of(&peer(BOB)), boxes);
    assert_eq!(cache.store.boxes_of(&peer(ANN)), []);
}

#[test]
fn what_was_removed_leaves_nothing_behind() {
    let mut cache = Cache::new(Quota::new());
    let full = cache.store.room(&peer(BOB));
    let name = BoxId::new(&peer(ANN), &peer(BOB));
    for fill in 1..=4 {
        cache.put(ANN, BOB, fill, 10);
    }
    assert_eq!(cache.store.room(&peer(BOB)), full - room(4, 10) as u64);
    let id = |fill| MessageId::new(&name, &[fill; 10]);
    cache.store.remove_from(&(peer(BOB), name), &id(2));
    cache.store.take_back(&peer(ANN), &peer(BOB), &id(3));
    // Not hers.
    cache.store.take_back(&peer(CAT), &peer(BOB), &id(1));
    cache.store.take_all_back(&peer(CAT), &peer(BOB));
    cache.store.check();
    assert_eq!(cache.content(ANN, BOB), [1, 4]);
    cache.store.empty(&(peer(BOB), name));
    cache.store.check();
    assert_eq!(cache.store.figures(), (0, 0));
    assert_eq!(cache.store.room(&peer(BOB)), full);
    assert_eq!(cache.put(ANN, BOB, 5, 10), Kept::First);
    cache.store.take_all_back(&peer(ANN), &peer(BOB));
    assert_eq!(cache.store.figures(), (0, 0));
}

#[test]
fn a_sender_has_its_quota_and_its_oldest_messages_make_room() {
    let mut cache = Cache::new(Quota::new().per_sender(room(3, 2000)));
    for fill in 1..=5 {
        assert_ne!(cache.put(ANN, BOB, fill, 2000), Kept::Not);
    }
    assert_eq!(cache.content(ANN, BOB), [3, 4, 5]);
    // Those to others count as well.
    cache.put(ANN, CAT, 6, 2000);
    assert_eq!(cache.content(ANN, BOB), [4, 5]);
    // And those of others do not.
    cache.put(CAT, BOB, 7, 2000);
    assert_eq!(cache.content(ANN, BOB), [4, 5]);
}

#[test]
fn a_recipient_has_its_quota_and_its_oldest_messages_make_room() {
    let mut cache = Cache::new(Quota::new().per_recipient(room(3, 2000)));
    cache.put(ANN, BOB, 1, 2000);
    cache.put(CAT, BOB, 2, 2000);
    cache.put(ANN, BOB, 3, 2000);
    cache.put(CAT, BOB, 4, 2000);
    assert_eq!(cache.content(ANN, BOB), [3]);
    assert_eq!(cache.content(CAT, BOB), [2, 4]);
    cache.put(ANN, CAT, 5, 2000);
    assert_eq!(cache.content(ANN, BOB), [3]);
}

#[test]
fn everybody_together_has_a_quota() {
    let mut cache = Cache::new(Quota::new().total(room(2, 2000)));
    cache.put(ANN, BOB, 1, 2000);
    cache.put(BOB, CAT, 2, 2000);
    cache.put(CAT, ANN, 3, 2000);
    assert_eq!(cache.content(ANN, BOB), b"");
    assert_eq!(cache.store.figures(), (2, room(2, 2000)));
}

#[test]
fn the_last_small_message_of_each_sender_is_kept() {
    let mut cache = Cache::new(Quota::new().per_recipient(room(2, SMALL)));
    cache.put(ANN, BOB, 1, SMALL - 1);
    for fill in 2..9 {
        cache.put(CAT, BOB, fill, SMALL);
    }
    assert_eq!(cache.content(ANN, BOB), [1]);
    assert_eq!(cache.content(CAT, BOB), [8]);
    // It is the last one no more.
    assert_eq!(cache.put(ANN, BOB, 10, SMALL), Kept::More);
    cache.put(CAT, BOB, 11, SMALL);
    cache.put(CAT, BOB, 12, SMALL);
    assert_eq!(cache.content(ANN, BOB), b"");
}

#[test]
fn without_room_a_message_is_not_kept_and_nothing_is_lost_for_it() {
    let mut cache = Cache::new(Quota::new().per_recipient(room(2, 100)));
    assert_eq!(cache.put(ANN, BOB, 1, 100), Kept::First);
    assert_eq!(cache.put(CAT, BOB, 2, 100), Kept::First);
    assert_eq!(cache.put(BOB, BOB, 3, 100), Kept::Not);
    assert_eq!(cache.put(CAT, BOB, 4, 1000), Kept::Not);
    assert_eq!(cache.content(ANN, BOB), [1]);
    assert_eq!(cache.content(CAT, BOB), [2]);
    // Its own last one may go.
    assert_eq!(cache.put(CAT, BOB, 5, 100), Kept::More);
    assert_eq!(cache.content(CAT, BOB), [5]);
}

#[test]
fn a_message_is_kept_for_as_long_as_its_sender_wants_and_the_quota_allows() {
    let hour = Duration::from_secs(3600);
    let mut cache = Cache::new(Quota::new().max_age(hour));
    let people = (peer(ANN), peer(BOB));
    let minute = Some(Duration::from_secs(60));
    cache.store.put(cache.now, people, "a".into(), minute);
    cache.store.put(cache.now, people, "b".into(), None);
    cache
        .store
        .put(cache.now, people, "c".into(), Some(hour * 9));
    let never = cache
        .store
        .put(cache.now, people, "d".into(), Some(Duration::ZERO));
    assert_eq!(never, Kept::Not);
    let mut kept_after = |age| {
        cache.store.expire(cache.now + age);
        cache.store.check();
        cache.content(ANN, BOB)
    };
    let second = Duration::from_secs(1);
    assert_eq!(kept_after(second * 59), b"abc");
    assert_eq!(kept_after(second * 60), b"bc");
    assert_eq!(kept_after(hour - second), b"bc");
    assert_eq!(kept_after(hour), b"");
    assert_eq!(cache.store.figures(), (0, 0));
}

#[test]
fn a_hundred_thousand_messages_of_a_thousand_senders_stay_within_the_quota() {
    let quota = Quota::new().total(16 << 20);
    let (mut store, now) = (Store::new(quota), Instant::now());
    let person = |kind: u8, number: u32| {
        let mut bytes = [kind; 32];
        bytes[..4].copy_from_slice(&number.to_be_bytes());
        Hashname::from_bytes(bytes)
    };
    for round in 0..100_u32 {
        for sender in 0..1000_u32 {
            let mut bytes = vec![0; 200];
            bytes[..4].copy_from_slice(&round.to_be_bytes());
            let people = (person(ANN, sender), person(BOB, sender % 10));
            assert_ne!(store.put(now, people, bytes.into(), None), Kept::Not);
        }
    }
    store.check();
    let (messages, cost) = store.figures();
    let each = room(1, 200);
    assert!(cost <= 16 << 20 && cost > (16 << 20) - each, "{cost}");
    assert_eq!(messages, cost / each);
    // The oldest went: everybody has the last ones.
    let (from, to) = (person(ANN, 7), person(BOB, 7));
    let mut turn = 0;
    let mut rounds = Vec::new();
    while let Some((next, bytes)) = store.next_after(&(to, BoxId::new(&from, &to)), turn) {
        turn = next;
        rounds.push(u32::from_be_bytes(*bytes.first_chunk().unwrap()));
    }
    assert!(
        rounds.len() >= 10 && rounds.ends_with(&[97, 98, 99]),
        "{rounds:?}"
    );
    assert!(rounds.is_sorted());
}

#[derive(Clone, Debug)]
enum Step {
    Put(u8, u8, u8, usize),
    Remove(u8, u8, u8, usize),
    Empty(u8, u8),
    Pass(u64),
}

fn step() -> impl Strategy<Value = Step> {
    let peers = || (0_u8..4, 0_u8..3);
    let message = || {
        (
            0_u8..6,
            prop_oneof![Just(10_usize), Just(1023), Just(1024), Just(3000)],
        )
    };
    prop_oneof![
        8 => (peers(), message()).prop_map(|((f, t), (fill, len))| Step::Put(f, t, fill, len)),
        2 => (peers(), message()).prop_map(|((f, t), (fill, len))| Step::Remove(f, t, fill, len)),
        1 => peers().prop_map(|(f, t)| Step::Empty(f, t)),
        1 => (0_u64..40).prop_map(Step::Pass),
    ]
}

proptest! {
    #[test]
    fn whatever_peers_do_the_quotas_hold_and_the_books_balance(steps in vec(step(), 0..120)) {
        let quota = Quota::new().per_sender(8000).per_recipient(12_000).total(20_000);
        let mut cache = Cache::new(quota.max_age(Duration::from_secs(100)));
        for step in steps {
            match step {
                Step::Put(from, to, fill, len) => {
                    let before = cache.store.figures();
                    if cache.put(from, to, fill, len) == Kept::Not {
                        prop_assert_eq!(cache.store.figures(), before);
                    } else {
                        prop_assert!(cache.content(from, to).contains(&fill));
                    }
                }
                Step::Remove(from, to, fill, len) => {
                    let name = BoxId::new(&peer(from), &peer(to));
                    let id = MessageId::new(&name, &vec![fill; len]);
                    cache.store.remove_from(&(peer(to), name), &id);
                }
                Step::Empty(from, to) => cache.store.take_all_back(&peer(from), &peer(to)),
                Step::Pass(seconds) => {
                    cache.now += Duration::from_secs(seconds);
                    cache.store.expire(cache.now);
                }
            }
            cache.store.check();
        }
    }
}
