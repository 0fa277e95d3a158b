//! Several who talk at once.

use std::collections::VecDeque;

use bytes::Bytes;
use proptest::prelude::*;
use telehash_channel_chat::limits::MAX_HISTORY;
use telehash_channel_chat::{
    Ack, Activity, Entry, MemoryStore, NewSeat, ReceiveError, Received, Refusal, Room,
};

use crate::common::{NOW, admitted, catch_up, hashname, leader, pair, seat, texts};

/// Everybody, and what is on its way from each to each.
struct Party {
    rooms: Vec<Room>,
    lines: Vec<Vec<VecDeque<Bytes>>>,
    /// Whether each is there.
    present: Vec<bool>,
}

impl Party {
    fn of(count: u8) -> Self {
        let mut leader = leader();
        let mut rooms: Vec<Room> = (2..=count)
            .map(|number| admitted(number, &mut leader))
            .collect();
        for room in &mut rooms {
            catch_up(room, &mut leader);
        }
        rooms.insert(0, leader);
        let size = usize::from(count);
        Self {
            rooms,
            lines: vec![vec![VecDeque::new(); size]; size],
            present: vec![true; size],
        }
    }

    fn say(&mut self, from: usize, text: String, at: u64) {
        let said = self.rooms[from].send(text, at).unwrap();
        for to in (0..self.rooms.len()).filter(|to| *to != from) {
            if self.present[from] && self.present[to] {
                self.lines[from][to].push_back(said.packet.clone());
            }
        }
    }

    /// Somebody says something else in place of what they said last, if nobody has answered as far as they know.
    fn correct(&mut self, from: usize, text: String) {
        let me = self.rooms[from].me();
        let last = self.rooms[from].last_from(&me).unwrap();
        let Ok(edit) = self.rooms[from].edit(last, text) else {
            return;
        };
        for to in (0..self.rooms.len()).filter(|to| *to != from) {
            if self.present[from] && self.present[to] {
                self.lines[from][to].push_back(edit.packet.clone());
            }
        }
    }

    fn deliver(&mut self, from: usize, to: usize) {
        if let Some(packet) = self.lines[from][to].pop_front() {
            let sender = self.rooms[from].me();
            self.rooms[to].receive(sender, &packet).unwrap();
        }
    }

    /// What is on its way from and to somebody is lost.
    fn leave(&mut self, who: usize) {
        self.present[who] = false;
        for other in 0..self.rooms.len() {
            self.lines[who][other].clear();
            self.lines[other][who].clear();
        }
    }

    fn come_back(&mut self, who: usize) {
        self.present[who] = true;
        for other in (0..self.rooms.len()).filter(|other| *other != who) {
            if self.present[other] {
                self.resume(who, other);
                self.resume(other, who);
            }
        }
    }

    /// Puts on the line what the other one does not have yet.
    fn resume(&mut self, from: usize, to: usize) {
        let last = self.rooms[to].last_from(&self.rooms[from].me()).unwrap();
        let mut cursor = self.rooms[from].cursor(last).unwrap();
        self.lines[from][to].clear();
        loop {
            let packets = self.rooms[from].unsent(&mut cursor).unwrap();
            if packets.is_empty() {
                return;
            }
            self.lines[from][to].extend(packets);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    /// Two leave and come back, and everything comes in some order.
    #[test]
    fn five_have_the_same_history_in_the_end(
        steps in proptest::collection::vec((0..5_usize, 0..5_usize, 0..9_u8), 50..300),
    ) {
        let mut party = Party::of(5);
        let mut said = 0;
        for (step, (one, other, what)) in steps.into_iter().enumerate() {
            match what {
                0 => {
                    // Nobody's clock is right.
                    let at = NOW + u64::from(one == 1) * 1000 + step as u64 / 10;
                    party.say(one, format!("{step}"), at);
                    said += 1;
                }
                1 if one >= 3 && party.present[one] => party.leave(one),
                2 if one >= 3 && !party.present[one] => party.come_back(one),
                3 => party.correct(one, format!("{step}, corrected")),
                _ if one != other => party.deliver(one, other),
                _ => {}
            }
        }
        for who in 3..5 {
            if !party.present[who] {
                party.come_back(who);
            }
        }
        for one in 0..5 {
            for other in 0..5 {
                while !party.lines[one][other].is_empty() {
                    party.deliver(one, other);
                }
            }
        }
        let first = texts(&mut party.rooms[0]);
        prop_assert_eq!(first.len(), said);
        let order = |room: &mut Room| {
            let entry = |entry: &Entry| (entry.id(), entry.text().map(str::to_owned));
            room.history().map(entry).collect::<Vec<_>>()
        };
        let expected = order(&mut party.rooms[0]);
        for room in &mut party.rooms {
            prop_assert_eq!(order(room), expected.clone());
        }
    }
}

#[test]
fn ten_thousand_messages_are_bounded_and_a_newcomer_has_the_latest() {
    let kept_by_leader = MemoryStore::new();
    let new = |number| NewSeat {
        depth: 20_000,
        ..seat(number)
    };
    let store = || Box::new(MemoryStore::new());
    let mut leader = Room::lead(&new(1), NOW, Box::new(kept_by_leader.clone())).unwrap();
    // Of two kilobytes each, they are more than what is kept.
    let text = "x".repeat(2000);
    for number in 0..10_000 {
        leader
            .send(format!("{number} {text}"), NOW + number)
            .unwrap();
        assert!(leader.weight() <= MAX_HISTORY);
        assert!(kept_by_leader.weight(leader.id()) <= MAX_HISTORY);
    }
    // It is full, and what is counted is what is there.
    let counted: usize = { leader.history() }
        .map(|entry| entry.text().map_or(0, str::len) + 512)
        .sum();
    let (weight, heads) = (leader.weight(), 200 * leader.history().count());
    assert!(MAX_HISTORY - weight < 4000 && (counted..counted + heads).contains(&weight));
    let kept = texts(&mut leader).len();
    assert!((6000..7000).contains(&kept), "{kept}");

    let mut late = Room::join(&new(6), leader.id(), leader.me(), store()).unwrap();
    leader
        .admit(hashname(6), late.profile().clone(), NOW + 10_000)
        .unwrap();
    let received = catch_up(&mut late, &mut leader);
    // The leader's own join is never forgotten; what came between is named as missing.
    assert_eq!(received[0], Received::Joined(hashname(1)));
    let missing = u32::try_from(10_000 - (received.len() - 3)).unwrap();
    assert_eq!(received[1], Received::Missing { count: missing });
    assert_eq!(*received.last().unwrap(), Received::Joined(hashname(6)));
    let newest = texts(&mut late).pop().unwrap();
    assert!(newest.starts_with("9999 "));
    assert_eq!(
        texts(&mut late),
        texts(&mut leader)[kept - texts(&mut late).len()..]
    );
    late.send("hello", NOW).unwrap();
}

#[test]
fn whoever_floods_pushes_out_nobody_else() {
    let (mut leader, mut member) = pair();
    let quiet = leader.send("quiet", NOW).unwrap();
    for number in 0..1500 {
        let loud = member.send("x".repeat(15_000), NOW + number).unwrap();
        leader.receive(hashname(2), &loud.packet).unwrap();
    }
    assert!(leader.message(quiet.id).is_some());
    assert!(leader.history().count() < 1200);
}

#[test]
fn typing_takes_no_id_of_its_own_and_becomes_what_is_said() {
    let (mut leader, mut member) = pair();
    let composing = member.set_activity(Activity::Composing, NOW).unwrap();
    leader.receive(hashname(2), &composing.packet).unwrap();
    let activity = |room: &Room| room.participant(&hashname(2)).unwrap().activity();
    assert_eq!(activity(&leader), Some(Activity::Composing));
    assert_eq!(activity(&member), Some(Activity::Composing));
    assert!(texts(&mut leader).is_empty());

    // Meanwhile somebody else says something, which comes first.
    let other = leader.send("are you there?", NOW + 1).unwrap();
    member.receive(hashname(1), &other.packet).unwrap();
    let paused = member.set_activity(Activity::Paused, NOW + 2).unwrap();
    let said = member.send("yes", NOW + 3).unwrap();
    assert_eq!((paused.id, said.id), (composing.id, composing.id));
    for packet in [&paused.packet, &said.packet] {
        let received = leader.receive(hashname(2), packet).unwrap();
        assert_eq!(received, Received::Edited(composing.id));
    }
    assert_eq!(texts(&mut leader), ["are you there?", "yes"]);
    assert_eq!(texts(&mut member), ["are you there?", "yes"]);
    assert!(!leader.message(said.id).unwrap().is_edited());
    let next = member.send("and you?", NOW + 4).unwrap();
    assert_ne!(next.id, said.id);
}

#[test]
fn typing_after_a_text_takes_no_id_and_is_no_edit() {
    let (mut leader, mut member) = pair();
    let said = member.send("helo", NOW).unwrap();
    leader.receive(hashname(2), &said.packet).unwrap();
    let (_, read) = leader.receipt(said.id, Ack::Read).unwrap();
    member.receive(hashname(1), &read).unwrap();

    let composing = member.set_activity(Activity::Composing, NOW + 1).unwrap();
    assert_eq!(composing.id, said.id);
    let received = leader.receive(hashname(2), &composing.packet).unwrap();
    assert_eq!(received, Received::Activity(Activity::Composing));
    for room in [&leader, &member] {
        let entry = room.message(said.id).unwrap();
        assert_eq!((entry.text(), entry.is_edited()), (Some("helo"), false));
        let activity = room.participant(&hashname(2)).unwrap().activity();
        assert_eq!(activity, Some(Activity::Composing));
    }
    assert_eq!(member.message(said.id).unwrap().receipts().len(), 1);

    let edit = member.edit(said.id, "hello").unwrap();
    let received = leader.receive(hashname(2), &edit.packet).unwrap();
    assert_eq!(received, Received::Edited(said.id));
    // Nobody has said that they have read this.
    assert_eq!(member.message(said.id).unwrap().receipts(), []);

    // Once somebody has answered, it is over.
    let answer = leader.send("hi", NOW + 2).unwrap();
    member.receive(hashname(1), &answer.packet).unwrap();
    let active = member.set_activity(Activity::Active, NOW + 3).unwrap();
    assert_ne!(active.id, said.id);
    let received = leader.receive(hashname(2), &active.packet).unwrap();
    assert_eq!(received, Received::Message(active.id));
    assert_eq!(leader.message(said.id).unwrap().answered_text(), None);
}

#[test]
fn an_edit_goes_to_those_who_come_later_too() {
    let (mut leader, mut member) = pair();
    let said = leader.send("helo", NOW).unwrap();
    leader.edit(said.id, "hello").unwrap();
    catch_up(&mut member, &mut leader);
    assert_eq!(texts(&mut member), ["hello"]);
}

#[test]
fn an_edit_that_was_lost_comes_with_what_is_resumed() {
    let (mut leader, mut member) = pair();
    let said = leader.send("helo", NOW).unwrap();
    member.receive(hashname(1), &said.packet).unwrap();
    leader.edit(said.id, "hello").unwrap();
    assert_eq!(
        catch_up(&mut member, &mut leader),
        [Received::Edited(said.id)]
    );
    assert_eq!(catch_up(&mut member, &mut leader), [Received::Duplicate]);
    assert_eq!(texts(&mut member), ["hello"]);
}

#[test]
fn all_receipts_have_a_name_of_their_own() {
    let (mut leader, mut member) = pair();
    let said = leader.send("hello", NOW).unwrap();
    member.receive(hashname(1), &said.packet).unwrap();
    for ack in [Ack::Received, Ack::Saved, Ack::Copied] {
        let (_, packet) = member.receipt(said.id, ack).unwrap();
        leader.receive(hashname(2), &packet).unwrap();
        assert_eq!(
            leader.message(said.id).unwrap().receipts(),
            [(hashname(2), ack)]
        );
    }
}

#[test]
fn a_person_with_two_devices_is_one_if_both_say_so() {
    let store = || Box::new(MemoryStore::new());
    let mut leader = leader();
    let named = |number, name: &str, aka: &[u8]| NewSeat {
        name: name.to_owned(),
        aka: aka.iter().copied().map(hashname).collect(),
        ..seat(number)
    };
    // Two and three are one; four claims to be two.
    for (number, aka) in [(2, &[3][..]), (3, &[2]), (4, &[2]), (5, &[])] {
        let room = Room::join(
            &named(number, "Jeff", aka),
            leader.id(),
            leader.me(),
            store(),
        );
        let profile = room.unwrap().profile().clone();
        leader.admit(hashname(number), profile, NOW).unwrap();
    }
    let aka = |number| leader.aka(&hashname(number)).collect::<Vec<_>>();
    assert_eq!(aka(2), [hashname(3)]);
    assert_eq!(aka(3), [hashname(2)]);
    assert!(aka(4).is_empty() && aka(9).is_empty());
    let names: Vec<_> = (2..=5)
        .map(|number| leader.name(&hashname(number)).unwrap())
        .collect();
    assert_eq!(names, ["Jeff", "Jeff", "Jeff (3)", "Jeff (4)"]);
    assert_eq!(leader.name(&hashname(9)), None);
}

#[test]
fn when_all_ids_are_used_up_nothing_more_is_said() {
    let store = Box::new(MemoryStore::new());
    let mut room = Room::lead(
        &NewSeat {
            depth: 4,
            ..seat(1)
        },
        NOW,
        store,
    )
    .unwrap();
    room.send("one", NOW).unwrap();
    let two = room.send("two", NOW).unwrap();
    let error = room.send("three", NOW).unwrap_err();
    assert!(error.to_string().contains("used up"), "{error}");
    room.edit(two.id, "the last").unwrap();
    assert_eq!(texts(&mut room), ["one", "the last"]);
}

#[test]
fn nobody_else_hears_of_what_was_refused() {
    let (mut leader, _) = pair();
    let before = leader.history().count();
    let result = leader.receive(hashname(2), &Bytes::from_static(b""));
    assert!(matches!(
        result,
        Err(ReceiveError::Refused(Refusal::Malformed(_)))
    ));
    assert_eq!(leader.history().count(), before);
}
