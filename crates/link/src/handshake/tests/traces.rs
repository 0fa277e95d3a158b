//! Recorded conversations of two telehash-js peers: our model of JS decides as they did, and our
//! machine comes to an agreement from what they sent.

use alloc::{string::String, string::ToString, vec::Vec};
use std::collections::BTreeMap;

use serde_json::Value;
use telehash_e3x::Order;

use super::{
    PRESENT,
    old_peers::Js,
    world::{DIRECT, End, Ephemeral, Packet},
};

const TRACES: [&str; 16] = [
    include_str!("../../../../../interop/vectors/traces/chat.dialer.jsonl"),
    include_str!("../../../../../interop/vectors/traces/chat.listener.jsonl"),
    include_str!("../../../../../interop/vectors/traces/path.dialer.jsonl"),
    include_str!("../../../../../interop/vectors/traces/path.listener.jsonl"),
    include_str!("../../../../../interop/vectors/traces/sock.dialer.jsonl"),
    include_str!("../../../../../interop/vectors/traces/sock.listener.jsonl"),
    include_str!("../../../../../interop/vectors/traces/sockbind.dialer.jsonl"),
    include_str!("../../../../../interop/vectors/traces/sockbind.listener.jsonl"),
    include_str!("../../../../../interop/vectors/traces/stream.dialer.jsonl"),
    include_str!("../../../../../interop/vectors/traces/stream.listener.jsonl"),
    include_str!("../../../../../interop/vectors/traces/thtp.dialer.jsonl"),
    include_str!("../../../../../interop/vectors/traces/thtp.listener.jsonl"),
    include_str!("../../../../../interop/vectors/traces/unknown.dialer.jsonl"),
    include_str!("../../../../../interop/vectors/traces/unknown.listener.jsonl"),
    include_str!("../../../../../interop/vectors/traces/peer-known-keys.A.jsonl"),
    include_str!("../../../../../interop/vectors/traces/peer-hashname-only.B.jsonl"),
];

/// A handshake that a peer received, and what it made of it.
struct Heard {
    from: String,
    at: u64,
    in_sync: bool,
    own: u64,
    order: Order,
}

fn heard(trace: &str) -> Vec<Heard> {
    let lines = trace
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok());
    lines.filter_map(|line| heard_in(&line)).collect()
}

/// `{"trace":"hs-in sync=false x.at=1795416622 order=1", "json":{"at":…,"hashname":…}}`
fn heard_in(line: &Value) -> Option<Heard> {
    let words = line["trace"].as_str()?.strip_prefix("hs-in ")?;
    let word = |name: &str| {
        words
            .split(' ')
            .find_map(|word| word.strip_prefix(name)?.strip_prefix('='))
    };
    Some(Heard {
        from: line["json"]["hashname"].as_str()?.to_string(),
        at: line["json"]["at"].as_u64()?,
        in_sync: word("sync")? == "true",
        own: word("x.at")?.parse().ok()?,
        order: if word("order")? == "1" {
            Order::Odd
        } else {
            Order::Even
        },
    })
}

#[test]
fn our_model_of_js_decides_as_js_did() {
    let mut compared = 0;
    for trace in TRACES {
        let mut own = BTreeMap::new();
        for heard in heard(trace) {
            if let Some(before) = own.insert(heard.from.clone(), heard.own) {
                let decided = Js::sync(heard.order, before, heard.at);
                assert_eq!(decided, (heard.in_sync, heard.own), "{before} {}", heard.at);
                compared += 1;
            }
        }
    }
    assert!(compared >= 40, "only {compared} handshakes compared");
}

#[test]
fn we_agree_with_a_js_peer_in_the_place_of_its_partner() {
    let mut agreed = 0;
    for trace in TRACES
        .iter()
        .filter(|trace| trace.contains("\"event\":\"dialing\""))
    {
        let lines = trace
            .lines()
            .filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let first = lines
            .into_iter()
            .find(|line| line["trace"] == "hs-out")
            .expect("it dialed");
        let clock = first["json"]["at"].as_u64().expect("a number");
        let all = heard(trace);
        let (order, peer) = (all[0].order, all[0].from.clone());
        let ephemeral = |side| Ephemeral { side, count: 0 };
        let mut ours = End::new(order, PRESENT, ephemeral(0), clock, 0);
        ours.rounds.start(PRESENT, clock);
        assert_eq!(
            ours.rounds.highest(),
            clock,
            "we begin with the value of the recorded dialer"
        );
        let mut sent = ours.follow(PRESENT).len();
        for (seal, heard) in all.iter().filter(|heard| heard.from == peer).enumerate() {
            let (from, seal) = (ephemeral(1), seal as u8);
            ours.receive(
                PRESENT,
                DIRECT,
                Packet::Handshake {
                    from,
                    at: heard.at,
                    seal,
                },
            );
            sent += ours.follow(PRESENT).len();
        }
        assert_eq!(ours.session(), Some(ephemeral(1).token()));
        assert!(sent <= 3, "{sent} handshakes of ours");
        agreed += 1;
    }
    assert!(agreed >= 7);
}
