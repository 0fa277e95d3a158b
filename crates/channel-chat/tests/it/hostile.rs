//! What is refused, and changes nothing.

use bytes::Bytes;
use proptest::prelude::*;
use telehash_channel_chat::limits::{MAX_CHAIN, MAX_PARTICIPANTS, MAX_WALK};
use telehash_channel_chat::{
    Ack, Chain, Chat, Gap, Id, Join, Message, Profile, Receipt, ReceiveError, Received, Refusal,
    Room, RoomError,
};

use crate::common::{NOW, admitted, catch_up, hashname, leader, newcomer, pair, refusal, texts};

fn said(id: Id, text: &str) -> Bytes {
    Message::Chat(Chat::new(id, text)).encode().unwrap()
}

/// The chain that the room of this number has.
fn chain(number: u8) -> Chain {
    Chain::new(hashname(number), &[number; 8], 2000, 0)
}

#[test]
fn a_forged_id_is_refused() {
    let (mut leader, member) = pair();
    let profile = member.profile().id;
    let of_leader = leader.id();
    for id in [
        Id::from_bytes([7; 8]),
        of_leader,
        profile,
        profile.previous(&hashname(2)),
    ] {
        let refusal = refusal(&mut leader, 2, &said(id, "forged"));
        assert!(
            matches!(refusal, Refusal::Forged(of) if of == id),
            "{refusal}"
        );
    }
    // The right id from somebody else is not right.
    let next = chain(2).take().unwrap();
    let third = admitted(3, &mut leader);
    let refused = refusal(&mut leader, 3, &said(next, "forged"));
    assert!(matches!(refused, Refusal::Forged(_)));
    drop(third);
    assert!(texts(&mut leader).is_empty());
    leader.receive(hashname(2), &said(next, "genuine")).unwrap();
    assert_eq!(texts(&mut leader), ["genuine"]);
}

#[test]
fn a_skipped_chain_is_refused_until_what_is_missing_comes() {
    let (mut leader, mut member) = pair();
    let [one, two, three] = ["one", "two", "three"].map(|text| member.send(text, NOW).unwrap());
    let refused = refusal(&mut leader, 2, &three.packet);
    assert!(matches!(refused, Refusal::Skipped { id, missing: 2 } if id == three.id));
    leader.receive(hashname(2), &one.packet).unwrap();
    let refused = refusal(&mut leader, 2, &three.packet);
    assert!(matches!(refused, Refusal::Skipped { missing: 1, .. }));
    leader.receive(hashname(2), &two.packet).unwrap();
    leader.receive(hashname(2), &three.packet).unwrap();
    assert_eq!(texts(&mut leader), ["one", "two", "three"]);
}

#[test]
fn beyond_the_limit_a_skipped_chain_is_taken_for_a_forgery() {
    let (mut leader, _) = pair();
    let mut chain = chain(2);
    let ids: Vec<Id> = std::iter::from_fn(|| chain.take()).collect();
    let at = |missing: u32| said(ids[missing as usize], "far");
    let refused = refusal(&mut leader, 2, &at(MAX_WALK));
    assert!(matches!(
        refused,
        Refusal::Skipped {
            missing: MAX_WALK,
            ..
        }
    ));
    let refused = refusal(&mut leader, 2, &at(MAX_WALK + 1));
    assert!(matches!(refused, Refusal::Forged(_)));
}

#[test]
fn only_the_leader_lets_anybody_in() {
    let (mut leader, mut member) = pair();
    let mut third = newcomer(3, &leader);
    let refused = member.admit(hashname(3), third.profile().clone(), NOW);
    assert!(matches!(refused, Err(RoomError::NotLeader)));
    let join = Message::Join(Join {
        id: chain(2).take().unwrap(),
        who: hashname(3),
        after: None,
        at: None,
        profile: third.profile().clone(),
    });
    let join = join.encode().unwrap();
    assert!(matches!(refusal(&mut leader, 2, &join), Refusal::NotLeader));
    // Not even to somebody who knows nobody else.
    assert!(matches!(refusal(&mut third, 2, &join), Refusal::NotJoined));
    assert_eq!(leader.participants().len(), 2);
}

#[test]
fn nobody_is_heard_before_the_leader_has_let_them_in() {
    let (mut leader, _) = pair();
    let mut third = newcomer(3, &leader);
    let mut chain = chain(3);
    let refused = refusal(&mut leader, 3, &said(chain.take().unwrap(), "let me in"));
    assert!(matches!(refused, Refusal::NotJoined));
    assert!(matches!(
        third.send("let me in", NOW),
        Err(RoomError::NotJoined)
    ));
    assert!(leader.last_from(&hashname(3)).is_none());
    // Nor is who speaks in our own name.
    let own = leader.send("mine", NOW).unwrap();
    assert!(matches!(
        refusal(&mut leader, 1, &own.packet),
        Refusal::NotJoined
    ));
}

#[test]
fn the_leader_comes_first_and_with_the_profile_that_is_the_chat() {
    let leader = leader();
    let mut member = newcomer(2, &leader);
    let first = chain(1).take().unwrap();
    let join = |who, profile| {
        let (after, at) = (None, None);
        let id = first;
        Message::Join(Join {
            id,
            who,
            after,
            at,
            profile,
        })
        .encode()
        .unwrap()
    };
    let before = refusal(&mut member, 1, &said(first, "hello"));
    assert!(matches!(before, Refusal::NotJoined));
    let own = member.profile().clone();
    let other = refusal(&mut member, 1, &join(hashname(2), own));
    assert!(matches!(other, Refusal::LeaderFirst));
    let changed = Profile::new(Id::from_bytes([1; 8]), "leader");
    let changed = refusal(&mut member, 1, &join(hashname(1), changed));
    assert!(matches!(changed, Refusal::LeaderFirst));
    let genuine = join(hashname(1), leader.profile().clone());
    let joined = member.receive(hashname(1), &genuine).unwrap();
    assert_eq!(joined, Received::Joined(hashname(1)));
}

#[test]
fn nobody_joins_with_two_chains() {
    let (mut leader, mut member) = pair();
    let other = Profile::new(Id::from_bytes([1; 8]), "number 2");
    let refused = leader.admit(hashname(2), other.clone(), NOW);
    assert!(
        matches!(refused, Err(RoomError::Refused(Refusal::OtherChain(who))) if who == hashname(2))
    );

    let mut ids = chain(1);
    let id = std::iter::from_fn(|| ids.take()).nth(2).unwrap();
    let (after, at, who) = (None, None, hashname(2));
    let join = Message::Join(Join {
        id,
        who,
        after,
        at,
        profile: other,
    });
    let refused = refusal(&mut member, 1, &join.encode().unwrap());
    assert!(matches!(refused, Refusal::OtherChain(_)));
}

#[test]
fn the_leader_cannot_give_us_a_chain_that_is_not_ours() {
    let mut leader = leader();
    let mut member = newcomer(2, &leader);
    let foreign = Profile::new(Id::from_bytes([1; 8]), "number 2");
    leader.admit(hashname(2), foreign, NOW).unwrap();
    let mut cursor = leader.cursor(leader.id()).unwrap();
    let packets = leader.unsent(&mut cursor).unwrap();
    member.receive(hashname(1), &packets[0]).unwrap();
    let refused = refusal(&mut member, 1, &packets[1]);
    assert!(matches!(refused, Refusal::OtherChain(_)));
    assert!(!member.is_joined());
}

#[test]
fn a_message_changes_only_while_it_is_the_newest_of_its_sender() {
    let (mut leader, mut member) = pair();
    let first = member.send("frist", NOW).unwrap();
    leader.receive(hashname(2), &first.packet).unwrap();
    let edit = member.edit(first.id, "first").unwrap();
    assert!(edit.edit);
    let received = leader.receive(hashname(2), &edit.packet).unwrap();
    assert_eq!(received, Received::Edited(first.id));
    let again = leader.receive(hashname(2), &edit.packet).unwrap();
    assert_eq!(again, Received::Duplicate);
    assert!(leader.message(first.id).unwrap().is_edited());

    let second = member.send("second", NOW).unwrap();
    leader.receive(hashname(2), &second.packet).unwrap();
    assert!(matches!(
        member.edit(first.id, "1st"),
        Err(RoomError::NotNewest(_))
    ));
    let refused = refusal(&mut leader, 2, &said(first.id, "1st"));
    assert!(matches!(refused, Refusal::LateEdit(id) if id == first.id));
    assert_eq!(texts(&mut leader), ["first", "second"]);
    assert_eq!(texts(&mut leader), texts(&mut member));
}

/// Whoever hears of both in another order has the same text in the end; whoever answered knows what they answered.
#[test]
fn an_edit_that_crosses_an_answer_is_taken_and_what_was_answered_stays_known() {
    let (mut leader, mut member) = pair();
    let mut third = admitted(3, &mut leader);
    catch_up(&mut member, &mut leader);
    let offer = member.send("it costs 1", NOW).unwrap();
    leader.receive(hashname(2), &offer.packet).unwrap();
    let deal = leader.send("bought", NOW).unwrap();
    let raised = member.edit(offer.id, "it costs 1000").unwrap();
    let received = leader.receive(hashname(2), &raised.packet).unwrap();
    assert_eq!(received, Received::Edited(offer.id));
    member.receive(hashname(1), &deal.packet).unwrap();
    for packet in [&offer.packet, &raised.packet] {
        third.receive(hashname(2), packet).unwrap();
    }
    third.receive(hashname(1), &deal.packet).unwrap();
    for room in [&mut leader, &mut member, &mut third] {
        assert_eq!(texts(room), ["it costs 1000", "bought"]);
    }
    let answered = |room: &Room| {
        let entry = room.message(offer.id).unwrap();
        entry.answered_text().map(str::to_owned)
    };
    assert_eq!(answered(&leader).as_deref(), Some("it costs 1"));
    assert_eq!([answered(&member), answered(&third)], [None, None]);

    // It stays what it was at first, and nobody who knows of an answer changes anything.
    leader
        .receive(hashname(2), &said(offer.id, "it costs 2000"))
        .unwrap();
    assert_eq!(answered(&leader).as_deref(), Some("it costs 1"));
    let refused = member.edit(offer.id, "it costs 1");
    assert!(matches!(refused, Err(RoomError::NotNewest(_))));
}

#[test]
fn a_join_never_becomes_something_else() {
    let (leader, mut member) = pair();
    let join = member.last_from(&leader.me()).unwrap();
    let refused = refusal(&mut member, 1, &said(join, "not a join"));
    assert!(matches!(refused, Refusal::LateEdit(id) if id == join));
}

#[test]
fn messages_of_other_chats_and_out_of_place_are_refused() {
    let (mut leader, member) = pair();
    let id = chain(2).take().unwrap();
    let chat = Some(Id::from_bytes([9; 8]));
    let other = Message::Chat(Chat {
        chat,
        ..Chat::new(id, "x")
    });
    let refused = refusal(&mut leader, 2, &other.encode().unwrap());
    assert!(matches!(refused, Refusal::OtherChat(_)));
    let profile = member.profile().encode().unwrap();
    assert!(matches!(
        refusal(&mut leader, 2, &profile),
        Refusal::Misplaced
    ));
    let refused = refusal(&mut leader, 2, &Bytes::from_static(b"\0\x02{}"));
    assert!(matches!(refused, Refusal::Malformed(_)));
    let here = Some(leader.id());
    let ours = Message::Chat(Chat {
        chat: here,
        ..Chat::new(id, "x")
    });
    leader
        .receive(hashname(2), &ours.encode().unwrap())
        .unwrap();
}

#[test]
fn receipts_are_for_messages_of_ours_and_from_participants() {
    let (mut leader, mut member) = pair();
    let said = leader.send("hello", NOW).unwrap();
    let (id, ack) = (said.id, Ack::Read);
    let receipt = |id| Message::Receipt(Receipt { id, ack }).encode().unwrap();
    assert!(matches!(
        refusal(&mut leader, 3, &receipt(id)),
        Refusal::NotJoined
    ));
    let unknown = Id::from_bytes([1; 8]);
    let refused = refusal(&mut leader, 2, &receipt(unknown));
    assert!(matches!(refused, Refusal::UnknownMessage(of) if of == unknown));
    assert!(matches!(
        member.receipt(id, ack),
        Err(RoomError::UnknownMessage(_))
    ));
    assert!(matches!(
        leader.receipt(id, ack),
        Err(RoomError::UnknownMessage(_))
    ));

    member.receive(hashname(1), &said.packet).unwrap();
    let (whom, packet) = member.receipt(id, ack).unwrap();
    assert_eq!((whom, &packet), (hashname(1), &receipt(id)));
    let received = leader.receive(hashname(2), &packet).unwrap();
    assert_eq!(received, Received::Receipt(Receipt { id, ack }));
    assert_eq!(leader.message(id).unwrap().receipts(), [(hashname(2), ack)]);
}

#[test]
fn a_gap_is_believed_only_for_what_it_is() {
    let (mut leader, _) = pair();
    let mut chain = chain(2);
    let ids: Vec<Id> = std::iter::from_fn(|| chain.take()).collect();
    let gap = |id, count| Message::Gap(Gap { id, count }).encode().unwrap();
    for wrong in [0, 9, 11, MAX_CHAIN, u32::MAX] {
        let refused = refusal(&mut leader, 2, &gap(ids[9], wrong));
        assert!(matches!(refused, Refusal::Forged(_)), "{wrong}");
    }
    let received = leader.receive(hashname(2), &gap(ids[9], 10)).unwrap();
    assert_eq!(received, Received::Missing { count: 10 });
    let again = leader.receive(hashname(2), &gap(ids[9], 10)).unwrap();
    assert_eq!(again, Received::Duplicate);
    let next = leader
        .receive(hashname(2), &said(ids[10], "after it"))
        .unwrap();
    assert_eq!(next, Received::Message(ids[10]));
}

#[test]
fn one_participant_more_than_the_limit_is_not_let_in() {
    let mut leader = leader();
    let mut member = admitted(2, &mut leader);
    let profile = |number: usize| Profile::new(Id::from_bytes(number.to_be_bytes()), "x");
    let last = MAX_PARTICIPANTS;
    for number in 3..last {
        let who = hashname(u8::try_from(number).unwrap());
        leader.admit(who, profile(number), NOW).unwrap().unwrap();
    }
    assert_eq!(leader.participants().len(), MAX_PARTICIPANTS - 1);
    let who = hashname(200);
    leader.admit(who, profile(200), NOW).unwrap().unwrap();
    let refused = leader.admit(hashname(201), profile(201), NOW);
    assert!(matches!(refused, Err(RoomError::Refused(Refusal::Full))));
    catch_up(&mut member, &mut leader);
    assert_eq!(member.participants().len(), MAX_PARTICIPANTS);

    // A leader that keeps to no limit is followed all the same.
    let mut ids = chain(1);
    let mut next = std::iter::from_fn(|| ids.take()).skip(MAX_PARTICIPANTS);
    let join = Message::Join(Join {
        id: next.next().unwrap(),
        who: hashname(201),
        after: None,
        at: None,
        profile: profile(201),
    });
    let refused = refusal(&mut member, 1, &join.encode().unwrap());
    assert!(matches!(refused, Refusal::Full));
    let received = member
        .receive(hashname(1), &said(next.next().unwrap(), "full"))
        .unwrap();
    assert!(matches!(received, Received::Message(_)));
}

#[test]
fn who_takes_an_id_of_somebody_else_for_a_chain_of_their_own_changes_nothing_for_them() {
    let (mut leader, mut member) = pair();
    let victim = member.send("genuine", NOW).unwrap();
    // Three makes a chain whose first message has the id that the victim's has.
    let profile = Profile::new(victim.id.previous(&hashname(3)), "three");
    leader.admit(hashname(3), profile, NOW).unwrap();
    leader
        .receive(hashname(3), &said(victim.id, "twin"))
        .unwrap();
    leader.receive(hashname(2), &victim.packet).unwrap();
    assert_eq!(texts(&mut leader).len(), 2);
    let edit = member.edit(victim.id, "still mine").unwrap();
    leader.receive(hashname(2), &edit.packet).unwrap();
    let mut texts = texts(&mut leader);
    texts.sort();
    assert_eq!(texts, ["still mine", "twin"]);
}

/// What a sender, or somebody else in its place, may send.
#[derive(Clone, Copy, Debug)]
enum Sent {
    /// The id at this place of the sender's chain, in whatever order.
    Genuine(usize),
    /// The same with a bit turned.
    Altered(usize, u32),
    /// Of a chain with another secret.
    OtherSecret(usize, u8),
    /// Of the chain of another participant.
    OtherSender(usize),
    /// Of a chain with the same secret that is longer: before the profile.
    Longer(u32),
    /// So many are missing up to this place.
    Gap(usize, u32),
}

/// Places that are tried.
const PLACES: usize = 12;

fn sendings() -> impl Strategy<Value = Sent> {
    let place = 1..=PLACES;
    prop_oneof![
        6 => place.clone().prop_map(Sent::Genuine),
        1 => (place.clone(), 0..64_u32).prop_map(|(at, bit)| Sent::Altered(at, bit)),
        1 => (place.clone(), any::<u8>()).prop_map(|(at, secret)| Sent::OtherSecret(at, secret)),
        1 => place.clone().prop_map(Sent::OtherSender),
        1 => (0..5_u32).prop_map(Sent::Longer),
        2 => (place, 0..=PLACES as u32 + 1).prop_map(|(at, count)| Sent::Gap(at, count)),
    ]
}

/// The id at a place of a chain; 0 is the profile.
fn id_at(mut chain: Chain, place: usize) -> Id {
    let profile = std::iter::once(chain.profile());
    let ids: Vec<Id> = profile
        .chain(std::iter::from_fn(|| chain.take()).take(PLACES))
        .collect();
    ids[place]
}

fn packet(what: Sent) -> Bytes {
    let text = |id| said(id, "said");
    match what {
        Sent::Genuine(at) => text(id_at(chain(2), at)),
        Sent::Altered(at, bit) => {
            let number = u64::from_be_bytes(*id_at(chain(2), at).as_bytes()) ^ (1 << bit);
            text(Id::from_bytes(number.to_be_bytes()))
        }
        Sent::OtherSecret(at, secret) => {
            let other = [secret, 1, 2, 3, 4, 5, 6, 7];
            text(id_at(Chain::new(hashname(2), &other, 2000, 0), at))
        }
        Sent::OtherSender(at) => text(id_at(chain(3), at)),
        Sent::Longer(before) => {
            let profile = id_at(chain(2), 0);
            text((0..before).fold(profile, |id, _| id.previous(&hashname(2))))
        }
        Sent::Gap(at, count) => {
            let id = id_at(chain(2), at);
            Message::Gap(Gap { id, count }).encode().unwrap()
        }
    }
}

proptest! {
    #[test]
    fn a_room_takes_from_a_sender_nothing_but_its_chain_in_its_order(
        sendings in proptest::collection::vec(sendings(), 1..60),
    ) {
        let (mut leader, _) = pair();
        admitted(3, &mut leader);
        let (mut place, mut here) = (0, Vec::new());
        for what in sendings {
            let received = leader.receive(hashname(2), &packet(what));
            let taken = match what {
                Sent::Genuine(at) if at == place + 1 => {
                    here.push(id_at(chain(2), at));
                    place = at;
                    matches!(received, Ok(Received::Message(_)))
                }
                Sent::Genuine(at) if at <= place => matches!(received, Ok(Received::Duplicate)),
                Sent::Genuine(_) => matches!(received, Err(ReceiveError::Refused(Refusal::Skipped { .. }))),
                Sent::Gap(at, count) if at > place && at - place == count as usize => {
                    place = at;
                    matches!(received, Ok(Received::Missing { .. }))
                }
                Sent::Gap(at, _) if at <= place => matches!(received, Ok(Received::Duplicate)),
                _ => matches!(received, Err(ReceiveError::Refused(Refusal::Forged(_)))),
            };
            prop_assert!(taken, "{:?} at {}", what, place);
            let of_sender: Vec<Id> = { leader.history() }
                .filter(|entry| entry.from() == hashname(2))
                .map(telehash_channel_chat::Entry::id)
                .collect();
            prop_assert_eq!(&of_sender, &here);
        }
    }
}
