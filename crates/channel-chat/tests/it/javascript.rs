//! What JavaScript makes, read and made again: ids, and conversations that were captured.

use bytes::Bytes;
use serde_json::Value;
use telehash_channel_chat::{
    Chain, Id, MemoryStore, Message, NewSeat, Outgoing, Profile, Received, Room,
};
use telehash_hashname::Hashname;

const VECTORS: &str = include_str!("../../../../interop/vectors/js/chat-box-siphash.json");
const LED: [&str; 2] = [
    include_str!("../../../../interop/vectors/traces/chat.dialer.jsonl"),
    include_str!("../../../../interop/vectors/traces/chat.listener.jsonl"),
];
const JOINED: [&str; 2] = [
    include_str!("../../../../interop/vectors/traces/chatjoin.dialer.jsonl"),
    include_str!("../../../../interop/vectors/traces/chatjoin.listener.jsonl"),
];

fn hex(text: &str) -> Vec<u8> {
    let pairs = text.as_bytes().chunks(2);
    let byte = |pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
    pairs.map(byte).collect()
}

fn vectors() -> Value {
    let mut file: Value = serde_json::from_str(VECTORS).unwrap();
    file["chat_chain"].take()
}

#[test]
fn ids_are_those_of_javascript() {
    let vectors = vectors();
    let hashname: Hashname = vectors["hashname"].as_str().unwrap().parse().unwrap();
    let secret = hex(vectors["secret_hex"].as_str().unwrap())
        .try_into()
        .unwrap();
    let depth = vectors["depth"].as_u64().unwrap().try_into().unwrap();
    let mut chain = Chain::new(hashname, &secret, depth, 0);
    let mut expected: Vec<Id> = { vectors["chain_base32"].as_array().unwrap().iter() }
        .map(|id| id.as_str().unwrap().parse().unwrap())
        .collect();
    let leader: Id = vectors["leader_chat_id"].as_str().unwrap().parse().unwrap();
    assert_eq!(chain.profile(), leader);
    let mut ids = vec![chain.profile()];
    ids.extend(std::iter::from_fn(|| chain.take()));
    // JavaScript never uses the first digest.
    expected.remove(0);
    expected.reverse();
    assert_eq!(ids, expected);
}

#[test]
fn a_leader_says_what_one_in_javascript_says() {
    let vectors = vectors();
    let hashname: Hashname = vectors["hashname"].as_str().unwrap().parse().unwrap();
    let secret = hex(vectors["secret_hex"].as_str().unwrap())
        .try_into()
        .unwrap();
    let at = 1_394_162_554;
    let seat = NewSeat {
        depth: 5,
        ..NewSeat::new(hashname, secret, "Leader")
    };
    let mut room = Room::lead(&seat, at, Box::new(MemoryStore::new())).unwrap();
    room.send("first", at).unwrap();
    room.send("second", at).unwrap();
    let mut cursor = room.cursor(room.id()).unwrap();
    let packets = room.unsent(&mut cursor).unwrap();
    let log = vectors["leader_log"].as_array().unwrap();
    assert_eq!(packets.len(), log.len());
    for (packet, expected) in packets.iter().zip(log) {
        let mut head = expected["json"].as_object().unwrap().clone();
        // What JavaScript adds for itself when it has a join.
        head.shift_remove("join");
        let body = hex(expected["body_hex"].as_str().unwrap());
        assert_eq!(*packet, telehash_lob::encode_json(&head, &body).unwrap());
    }
}

/// Packets with a LOB message that one of the two received, each with the type of its channel.
fn received(trace: &str) -> Vec<(String, Bytes)> {
    let lines: Vec<Value> = { trace.lines() }
        .filter_map(|line| serde_json::from_str(line).ok())
        .collect();
    let kind = |channel: &Value| {
        let opens =
            |line: &&Value| line["json"]["c"] == *channel && line["json"]["type"].is_string();
        lines.iter().find(opens).unwrap()["json"]["type"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    let messages =
        { lines.iter() }.filter(|line| line["trace"] == "chan-in" && line["json"]["enc"] == "lob");
    let body = |line: &Value| hex(line["body"].as_str().unwrap()).into();
    messages
        .map(|line| (kind(&line["json"]["c"]), body(line)))
        .collect()
}

/// Who a trace is of.
fn hashname(trace: &str, event: &str, field: &str) -> Hashname {
    let lines = trace
        .lines()
        .filter_map(|line| serde_json::from_str(line).ok());
    let found = { lines }
        .find(|line: &Value| line["event"] == event)
        .unwrap();
    found[field].as_str().unwrap().parse().unwrap()
}

/// A room of our own that stands where `me` stood, with what `me` sent and what it received.
#[derive(Debug)]
struct Watched {
    leader: Hashname,
    other: Hashname,
    /// From the leader, and from the other one.
    said: [Vec<Bytes>; 2],
}

fn watched([dialer, listener]: [&str; 2], dialer_leads: bool) -> (Watched, [Profile; 2]) {
    let dials = hashname(dialer, "dialing", "self");
    let listens = hashname(listener, "listening", "hashname");
    // Each has what the other one said.
    let (by_listener, by_dialer) = (received(dialer), received(listener));
    let (leader, other, by_leader, by_other) = if dialer_leads {
        (dials, listens, by_dialer, by_listener)
    } else {
        (listens, dials, by_listener, by_dialer)
    };
    let profiles = [&by_leader, &by_other].map(|all| {
        let profile = &all.iter().find(|(kind, _)| kind == "profile").unwrap().1;
        Profile::parse(profile).unwrap()
    });
    let said = [by_leader, by_other].map(|all| {
        let chats = all.into_iter().filter(|(kind, _)| kind == "chat");
        chats.map(|(_, packet)| packet).collect()
    });
    (
        Watched {
            leader,
            other,
            said,
        },
        profiles,
    )
}

/// Somebody in a third place who is told everything that the two said.
fn replay(traces: [&str; 2], dialer_leads: bool) {
    let (watched, [leader, other]) = watched(traces, dialer_leads);
    let me = Hashname::from_bytes([7; 32]);
    let seat = NewSeat::new(me, [7; 8], "watching");
    let store = Box::new(MemoryStore::new());
    let mut room = Room::join(&seat, leader.id, watched.leader, store).unwrap();
    assert_eq!(room.last_from(&watched.leader), Some(leader.id));

    let mut results = Vec::new();
    for packet in &watched.said[0] {
        // They are written as we write them.
        assert_eq!(Message::parse(packet).unwrap().encode().unwrap(), packet);
        results.push(room.receive(watched.leader, packet).unwrap());
    }
    assert_eq!(
        results[..2],
        [Received::Joined(watched.leader), Received::Duplicate]
    );
    // It says everything on two or three channels at once.
    assert!(results.contains(&Received::Joined(watched.other)));
    assert_eq!(room.last_from(&watched.other), Some(other.id));
    for packet in &watched.said[1] {
        let received = room.receive(watched.other, packet).unwrap();
        assert!(matches!(received, Received::Message(_)));
    }
    let texts: Vec<&str> = room.history().filter_map(|entry| entry.text()).collect();
    assert_eq!(texts[..2], ["hello-chat", "echo:hello-chat"]);
    assert_eq!(room.participants().len(), 2);
    let name = if dialer_leads {
        "JS dialer"
    } else {
        "JS leader"
    };
    assert_eq!(room.name(&watched.leader).unwrap(), name);
    assert_eq!(room.participants()[1].profile(), &other);
}

#[test]
fn a_chat_that_the_dialer_led_is_understood() {
    replay(LED, true);
}

#[test]
fn a_chat_that_the_dialer_joined_is_understood() {
    replay(JOINED, false);
}

/// What JavaScript sends comes by two or three channels at once, and what it was sent is answered on any.
#[test]
fn the_same_message_on_several_channels_is_taken_once() {
    let (watched, [leader, _]) = watched(JOINED, false);
    let seat = NewSeat::new(Hashname::from_bytes([7; 32]), [7; 8], "watching");
    let store = Box::new(MemoryStore::new());
    let mut room = Room::join(&seat, leader.id, watched.leader, store).unwrap();
    for _ in 0..3 {
        for packet in &watched.said[0] {
            room.receive(watched.leader, packet).unwrap();
        }
    }
    let ids: std::collections::BTreeSet<Bytes> = watched.said[0].iter().cloned().collect();
    assert_eq!(room.history().count(), ids.len());
}

#[test]
fn what_we_say_has_the_form_that_javascript_expects() {
    let me = Hashname::from_bytes([7; 32]);
    let mut room = Room::lead(
        &NewSeat::new(me, [7; 8], "us"),
        5,
        Box::new(MemoryStore::new()),
    )
    .unwrap();
    let Outgoing { id, packet, .. } = room.send("hi \u{1f600}", 6).unwrap();
    let join = room.history().next().unwrap().id();
    let head = format!(r#"{{"text":"hi 😀","type":"chat","id":"{id}","at":6,"after":"{join}"}}"#);
    assert_eq!(packet[2..], *head.as_bytes());
}
