use proptest::prelude::*;

use super::entry::RECEIPT;
use super::*;
use crate::message::Activity;
use crate::shares::OVERHEAD;

fn sender(number: u8) -> Hashname {
    Hashname::from_bytes([number; 32])
}

/// An id that says whose it is and where; these chains are not checked here.
fn id(from: u8, place: u8) -> Id {
    Id::from_bytes([from, 0, 0, 0, 0, 0, 0, place])
}

fn said(from: u8, place: u8, at: u64, after: Option<Id>) -> Entry {
    let chat = Chat {
        at: Some(at),
        after,
        ..Chat::new(id(from, place), "said")
    };
    let previous = Some(id(from, place - 1));
    Entry::new(sender(from), previous, Content::Chat(chat), 100)
}

fn order(history: &mut History) -> Vec<Id> {
    history.in_order().map(Entry::id).collect()
}

#[test]
fn time_decides_between_what_nothing_else_orders() {
    let mut history = History::default();
    history.push(said(2, 1, 30, None));
    history.push(said(1, 1, 20, None));
    history.push(said(3, 1, 10, None));
    assert_eq!(order(&mut history), [id(3, 1), id(1, 1), id(2, 1)]);
}

#[test]
fn what_is_named_in_after_comes_first_whatever_the_clocks_say() {
    let mut history = History::default();
    history.push(said(1, 1, 500, None));
    history.push(said(2, 1, 10, Some(id(1, 1))));
    history.push(said(1, 2, 5, Some(id(2, 1))));
    assert_eq!(order(&mut history), [id(1, 1), id(2, 1), id(1, 2)]);
    assert_eq!(history.newest().unwrap().id(), id(1, 2));
}

#[test]
fn what_comes_late_goes_where_it_belongs() {
    let mut history = History::default();
    history.push(said(1, 1, 10, Some(id(2, 1))));
    history.push(said(1, 2, 11, None));
    assert!(!history.get(id(1, 1), sender(1)).unwrap().is_followed());
    history.push(said(2, 1, 900, None));
    assert_eq!(order(&mut history), [id(2, 1), id(1, 1), id(1, 2)]);
    assert!(history.get(id(2, 1), sender(2)).unwrap().is_followed());
    assert!(history.awaited.is_empty());
}

#[test]
fn what_comes_after_a_gap_comes_after_what_its_sender_said_before() {
    let mut history = History::default();
    for place in [9, 20, 21] {
        let mut entry = said(1, place, 10, None);
        // Its name is no help, and nor is its time.
        entry.content = Content::Chat(Chat::new(id(1, 100 - place), "said"));
        history.push(entry);
    }
    let ids = [id(1, 91), id(1, 80), id(1, 79)];
    assert_eq!(order(&mut history), ids);
    history.stale = true;
    assert_eq!(order(&mut history), ids);
}

#[test]
fn messages_that_say_to_come_after_each_other_do_no_harm() {
    let mut history = History::default();
    history.push(said(1, 1, 10, Some(id(2, 1))));
    history.push(said(2, 1, 10, Some(id(1, 1))));
    history.push(said(3, 1, 1, Some(id(3, 1))));
    history.push(said(3, 2, 1, Some(id(3, 3))));
    history.push(said(3, 3, 1, None));
    let ids = [id(3, 1), id(3, 2), id(3, 3), id(1, 1), id(2, 1)];
    assert_eq!(order(&mut history), ids);
}

#[test]
fn two_messages_with_one_id_are_both_kept() {
    let mut history = History::default();
    history.push(said(1, 1, 10, None));
    let mut same = said(1, 1, 5, None);
    same.from = sender(9);
    history.push(same);
    history.push(said(2, 1, 1, Some(id(1, 1))));
    assert_eq!(order(&mut history), [id(1, 1), id(1, 1), id(2, 1)]);
    assert_eq!(history.with_id(id(1, 1)).count(), 2);
    assert!(history.with_id(id(1, 1)).all(Entry::is_followed));
}

#[test]
fn typing_is_not_something_that_others_say_after_a_message() {
    let mut history = History::default();
    history.push(said(1, 1, 10, None));
    let mut typing = said(2, 1, 11, Some(id(1, 1)));
    typing.content = Content::Chat(Chat {
        after: Some(id(1, 1)),
        ..Chat::new(id(2, 1), "")
    });
    history.push(typing);
    assert!(!history.get(id(1, 1), sender(1)).unwrap().is_followed());
    assert_eq!(history.newest().unwrap().id(), id(1, 1));

    // The order holds when either of them changes.
    let later = Chat {
        at: Some(99),
        ..Chat::new(id(1, 1), "edited")
    };
    history.replace(later, sender(1), 100);
    assert_eq!(order(&mut history), [id(1, 1), id(2, 1)]);
    assert!(history.get(id(1, 1), sender(1)).unwrap().is_edited());
    let text = Chat {
        after: Some(id(1, 1)),
        ..Chat::new(id(2, 1), "typed")
    };
    history.replace(text, sender(2), 100);
    assert!(!history.get(id(2, 1), sender(2)).unwrap().is_edited());
    assert!(history.get(id(1, 1), sender(1)).unwrap().is_followed());
}

#[test]
fn the_oldest_is_forgotten_beyond_the_limit_and_the_order_stays() {
    let mut history = History::default();
    let each = MAX_HISTORY / 100;
    for place in 1..=100 {
        let mut large = said(1, place, 100 - u64::from(place), None);
        large.bytes = each - OVERHEAD;
        history.push(large);
    }
    assert_eq!(order(&mut history).len(), 100);
    history.push(said(2, 1, 0, Some(id(1, 2))));
    let kept = order(&mut history);
    assert_eq!(kept.len(), 100);
    assert!(!kept.contains(&id(1, 1)));

    // What came after something that is forgotten stays where it was.
    history.push(said(3, 1, 0, Some(id(3, 2))));
    history.push(said(3, 2, 0, None));
    assert!(history.stale);
    let rebuilt: Vec<Id> = order(&mut history);
    let kept: Vec<Id> = kept.into_iter().filter(|id| rebuilt.contains(id)).collect();
    let rebuilt: Vec<Id> = rebuilt.into_iter().filter(|id| kept.contains(id)).collect();
    assert_eq!(kept, rebuilt);
}

#[test]
fn receipts_count_and_the_last_one_of_each_holds() {
    let mut history = History::default();
    history.push(said(1, 1, 1, None));
    let name = (id(1, 1), sender(1));
    assert!(!history.acknowledge((id(1, 2), sender(1)), sender(2), Ack::Read));
    for ack in [Ack::Received, Ack::Read] {
        assert!(history.acknowledge(name, sender(2), ack));
    }
    assert!(history.acknowledge(name, sender(3), Ack::Received));
    let entry = history.get(id(1, 1), sender(1)).unwrap();
    assert_eq!(
        entry.receipts(),
        [(sender(2), Ack::Read), (sender(3), Ack::Received)]
    );
    assert_eq!(entry.bytes, 100 + 2 * RECEIPT);
}

#[test]
fn receipts_go_with_the_text_that_they_were_for() {
    let mut history = History::default();
    history.push(said(1, 1, 1, None));
    let name @ (id, from) = (id(1, 1), sender(1));
    history.acknowledge(name, sender(2), Ack::Read);
    let same = Chat {
        at: Some(1),
        state: Some(Activity::Composing),
        ..Chat::new(id, "said")
    };
    history.replace(same, from, 120);
    assert_eq!(history.get(id, from).unwrap().receipts().len(), 1);
    assert_eq!(history.weight(), 120 + RECEIPT + OVERHEAD);
    history.replace(Chat::new(id, "said otherwise"), from, 130);
    assert_eq!(history.get(id, from).unwrap().receipts(), []);
    assert_eq!(history.weight(), 130 + OVERHEAD);
}

/// The time of a message, and whose it names in `after`, and which.
type Planned = (u64, Option<(u8, u8)>);

/// Messages of four senders, which may name anything.
fn conversations() -> impl Strategy<Value = Vec<Vec<Planned>>> {
    let message = (0..6_u64, proptest::option::of((1..5_u8, 1..7_u8)));
    proptest::collection::vec(proptest::collection::vec(message, 0..6), 4)
}

proptest! {
    #[test]
    fn whoever_has_the_same_messages_has_the_same_order(
        conversations in conversations(),
        arrivals in proptest::collection::vec(proptest::collection::vec(0..4_usize, 60), 2),
        looks in proptest::collection::vec(any::<bool>(), 60),
    ) {
        let mut orders = Vec::new();
        for arrival in arrivals {
            let mut history = History::default();
            let mut came = [0; 4];
            let rest = (0..4).flat_map(|from| [from; 6]);
            for (step, from) in arrival.into_iter().chain(rest).enumerate() {
                let Some(&(at, after)) = conversations[from].get(came[from]) else {
                    continue;
                };
                came[from] += 1;
                let after = after.map(|(from, place)| id(from, place));
                let (from, place) = (u8::try_from(from).unwrap() + 1, came[from]);
                history.push(said(from, place.try_into().unwrap(), at, after));
                // Looking at it in between changes nothing.
                if looks.get(step) == Some(&true) {
                    order(&mut history);
                }
            }
            orders.push(order(&mut history));
        }
        prop_assert_eq!(&orders[0], &orders[1]);
        let all = conversations.iter().map(Vec::len).sum::<usize>();
        prop_assert_eq!(orders[0].len(), all);
        // Nobody's own messages are ever turned round.
        for from in 1..5 {
            let own: Vec<_> = { orders[0].iter() }.filter(|id| id.as_bytes()[0] == from).collect();
            prop_assert!(own.is_sorted());
        }
    }

    #[test]
    fn the_order_is_consistent_with_after_where_that_makes_sense(
        messages in proptest::collection::vec((1..5_u8, 0..6_u64, any::<prop::sample::Index>()), 1..40),
        arrival in any::<u64>(),
    ) {
        // Everybody names something that was said before.
        let mut said_so_far: Vec<Entry> = Vec::new();
        let mut places = [0_u8; 5];
        for (from, at, after) in messages {
            let after = (!said_so_far.is_empty()).then(|| after.get(&said_so_far).id());
            places[usize::from(from)] += 1;
            said_so_far.push(said(from, places[usize::from(from)], at, after));
        }
        // They come in any order, but for those of one sender.
        let mut queues: Vec<Vec<Entry>> = (1..5)
            .map(|from| {
                let of = said_so_far.iter().rev().filter(|entry| entry.from == sender(from));
                of.cloned().collect()
            })
            .collect();
        let mut history = History::default();
        let mut state = arrival;
        while queues.iter().any(|queue| !queue.is_empty()) {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let at = usize::try_from(state >> 33).unwrap() % 4;
            if let Some(entry) = queues[at].pop() {
                history.push(entry);
            }
        }
        let order = order(&mut history);
        let at = |id: Id| order.iter().position(|of| *of == id).unwrap();
        for entry in &said_so_far {
            if let Some(after) = entry.after() {
                prop_assert!(at(after) < at(entry.id()));
            }
        }
    }
}
