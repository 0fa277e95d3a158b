//! What the implementations of 2015 send, and what they can bear.

use alloc::{
    collections::{BTreeMap, BTreeSet},
    string::String,
};

use serde_json::{Value, json};

use super::{script::*, *};

const VECTORS: &str = include_str!("../../../../../interop/vectors/js/reliable.json");

/// What JS sends in each step of its vectors, for a sender that sent up to `sent`.
fn vectors() -> Vec<(String, Vec<Value>)> {
    let vectors: Value = serde_json::from_str(VECTORS).expect("vectors");
    let cases = vectors["cases"].as_array().expect("cases").iter();
    let sends = |case: &Value| {
        let steps = case["steps"].as_array().expect("steps").iter();
        steps
            .flat_map(|step| step["sends"].as_array().expect("sends").clone())
            .collect()
    };
    cases
        .map(|case| (case["name"].as_str().expect("a name").into(), sends(case)))
        .collect()
}

#[test]
fn everything_that_js_answers_is_understood() {
    let vectors = vectors();
    assert_eq!(vectors.len(), 7);
    for (name, sends) in vectors {
        let mut script = Script::new();
        let id = script
            .flow
            .open(script.now, Open::reliable("stream"))
            .expect("opens");
        // Fragments, so that up to 50 go at once.
        let packet = |n: u8| Packet {
            frag: true,
            ..Packet::new(alloc::vec![n])
        };
        for n in 0..60 {
            script.flow.send(script.now, id, packet(n)).expect("sends");
        }
        assert_eq!(
            seqs(&script.heads()).into_iter().max(),
            Some(50),
            "{name}: the first window"
        );
        script.gets(&json!({"c": 1, "ack": 1}));
        script.pass(ms(500));
        for head in sends {
            script.now += ms(1);
            let result = script.receive(&head, b"");
            assert!(result.is_ok(), "{name}: {head}: {result:?}");
            let acked = head["ack"].as_u64().expect("an ack");
            let sent = script.heads();
            assert!(
                seqs(&sent)
                    .iter()
                    .all(|seq| *seq > acked && *seq <= acked + 50),
                "{name}"
            );
        }
        assert!(
            script
                .events()
                .iter()
                .all(|event| !matches!(event, ChannelEvent::Failed { .. }))
        );
    }
}

/// A receiver that behaves as JS does: holds 50 past its ack, drops the rest and all duplicates
/// without a word, acks every packet, and never lists the gap right after its ack.
#[derive(Default)]
struct Js {
    delivered: u64,
    held: BTreeSet<u64>,
    content: BTreeMap<u64, Vec<u8>>,
    dropped: u32,
}

impl Js {
    fn receive(&mut self, head: &Value, body: Vec<u8>) -> Vec<Value> {
        let Some(seq) = head["seq"].as_u64() else {
            return Vec::new();
        };
        if seq > self.delivered + 50 {
            self.dropped += 1;
            return Vec::new();
        }
        if seq <= self.delivered || !self.held.insert(seq) {
            return Vec::new();
        }
        self.content.insert(seq, body);
        if seq != self.delivered + 1 {
            return Vec::from([self.ack()]);
        }
        let mut acks = Vec::new();
        while self.held.remove(&(self.delivered + 1)) {
            self.delivered += 1;
            acks.push(self.ack());
        }
        acks
    }

    fn ack(&self) -> Value {
        let Some(last) = self.held.last() else {
            return json!({"c": 1, "ack": self.delivered});
        };
        // The gap right after the ack is not listed, see "several gaps" in the vectors.
        let first = self.held.first().expect("not empty") + 1;
        let (mut misses, mut from) = (Vec::new(), self.delivered);
        for seq in (first..*last).filter(|seq| !self.held.contains(seq)) {
            misses.push(seq - from);
            from = seq;
        }
        misses.push(self.delivered + 50 - from);
        json!({"c": 1, "ack": self.delivered, "miss": misses})
    }
}

/// Sends `bytes` to such a receiver; every `nth` packet and `nth` ack is lost.
fn transfer(bytes: usize, nth: u64) -> Js {
    let mut script = Script::new();
    let id = script
        .flow
        .open(script.now, Open::reliable("stream"))
        .expect("opens");
    let (mut js, mut written, mut count) = (Js::default(), 0, 0);
    let mut loses = || {
        count += 1;
        nth > 0 && count % nth == nth - 1
    };
    for _ in 0..20_000 {
        written += script
            .flow
            .write(script.now, id, &content(written, bytes - written))
            .expect("writes");
        let sent = script.sends();
        script.now += ms(5);
        let unfragmented = sent
            .iter()
            .filter(|(head, _)| head["frag"].is_null())
            .count();
        assert!(unfragmented <= 17, "JS stalls");
        for (head, body) in sent {
            if loses() {
                continue;
            }
            for ack in js.receive(&head, body) {
                if !loses() {
                    script.gets(&ack);
                }
            }
        }
        script.flow.handle_timeout(script.now);
        if js.content.values().map(Vec::len).sum::<usize>() == bytes && js.held.is_empty() {
            break;
        }
    }
    let received: Vec<u8> = js.content.values().flatten().copied().collect();
    assert!(
        received == content(0, bytes),
        "{} of {bytes} bytes",
        received.len()
    );
    js
}

#[test]
fn js_gets_every_byte() {
    let js = transfer(300_000, 0);
    assert_eq!(js.dropped, 0, "JS drops beyond 50 without a word");
}

#[test]
fn js_gets_every_byte_in_spite_of_losses() {
    for nth in [50, 20, 10, 5] {
        assert_eq!(transfer(200_000, nth).dropped, 0);
    }
}

#[test]
fn no_more_than_sixteen_unfragmented_packets_are_in_flight() {
    let mut script = Script::new();
    let id = script.open();
    for n in 0..30 {
        script
            .flow
            .write(script.now, id, &content(n * 10, 10))
            .expect("writes");
        script.sends();
    }
    let sent = script.flow.channel_stats(id).expect("open").sent;
    assert_eq!(sent, 1 + 16);
    // What is held back leaves in one packet as soon as there is an ack.
    script.gets(&json!({"c": 1, "ack": 2}));
    let sent = script.sends();
    assert_eq!(sent.len(), 1);
    assert_eq!(sent[0].1, content(160, 140));
    assert!(sent[0].0["frag"].is_null());
}

#[test]
fn a_stream_ends_a_message_every_16_kib_and_when_it_drains() {
    let mut script = Script::new();
    let id = script.open();
    let total = 50_000;
    script
        .flow
        .write(script.now, id, &content(0, total))
        .expect("writes");
    script.flow.end(script.now, id).expect("ends");
    let (mut message, mut bytes, mut messages) = (0, 0, Vec::new());
    let mut acked = 1;
    while bytes < total {
        for (head, body) in script.sends() {
            acked = head["seq"].as_u64().expect("content");
            message += body.len();
            bytes += body.len();
            if head["frag"].is_null() && !body.is_empty() {
                messages.push(core::mem::take(&mut message));
            }
        }
        script.now += ms(20);
        script.gets(&json!({"c": 1, "ack": acked}));
    }
    assert_eq!(messages.iter().sum::<usize>(), total);
    let (last, full) = messages.split_last().expect("messages");
    assert!(
        full.iter()
            .all(|len| (16_384..16_384 + MAX_PLAIN).contains(len)),
        "{messages:?}"
    );
    assert!(*last <= 16_384);
}

#[test]
fn the_last_packet_before_the_end_is_not_a_fragment() {
    let mut script = Script::new();
    let id = script.open();
    let fragment = Packet {
        frag: true,
        ..Packet::new(&b"half"[..])
    };
    script
        .flow
        .send(script.now, id, fragment.clone())
        .expect("sends");
    script.flow.end(script.now, id).expect("ends");
    let frags = |heads: Vec<Value>| {
        heads
            .iter()
            .map(|head| head["frag"] == true)
            .collect::<Vec<_>>()
    };
    assert_eq!(frags(script.heads()), [false, false]);
    // One that has left already is completed by an empty one.
    let mut script = Script::new();
    let id = script.open();
    script.flow.send(script.now, id, fragment).expect("sends");
    assert_eq!(frags(script.heads()), [true]);
    script.flow.end(script.now, id).expect("ends");
    let sent = script.heads();
    assert_eq!(sent.len(), 2);
    assert_eq!(
        (&sent[1]["end"], frags(sent.clone())),
        (&json!(true), alloc::vec![false, false])
    );
}

#[test]
fn a_peer_that_writes_eighty_packets_at_once_finds_room() {
    let mut script = Script::new();
    let id = script.accept(2);
    for seq in 2..82 {
        script
            .receive(
                &json!({"c": 2, "seq": seq, "ack": 0, "frag": true}),
                &[7; 1000],
            )
            .expect("room");
    }
    let mut bytes = 0;
    while let Some(packet) = script.flow.read(script.now, id).expect("open") {
        bytes += packet.body.len();
    }
    assert_eq!(bytes, 80_000);
}

#[test]
fn a_peer_that_acks_every_fiftieth_packet_is_served() {
    let mut script = Script::new();
    let id = script.open();
    script.send_messages(id, 16);
    script.sends();
    // Go holds its ack back for up to 10 s; meanwhile we repeat, ever more rarely.
    let sent = script.pass(ms(9_000));
    assert!(sent.len() < 20, "{}", sent.len());
    script.gets(&json!({"c": 1, "ack": 17}));
    assert_eq!(script.events(), []);
    assert_eq!(script.flow.channel_stats(id).expect("open").buffered, 0);
}
