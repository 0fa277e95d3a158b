//! Against what an independent prototype made from the page.

use alloc::sync::Arc;
use std::{collections::BTreeMap, string::String, vec::Vec};

use serde_json::Value;
use telehash_hashname::{Csid, Hashname};

use super::*;
use crate::{CipherSet, Cs42, KeyError, MessageError, OpenError, Order, Outer, Token};

/// The vectors of the page, and ours, which a checker of its own makes sure of.
const FILES: [&str; 2] = ["cs42/cs42.json", "ours/cs42.json"];

struct Vectors(Value);

impl Vectors {
    fn load() -> [Self; 2] {
        FILES.map(|file| {
            let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../interop/vectors/");
            let text = std::fs::read_to_string([folder, file].concat());
            let text = text.expect("the vectors are in the repository");
            Self(serde_json::from_str(&text).expect("JSON"))
        })
    }

    fn identity(&self, name: &str) -> Arc<Ephemeral> {
        Arc::new(pair(&self.0["identities"][name]["secret"]))
    }

    /// The exchange of one endpoint with the other; `round` is what their ephemerals' names end
    /// with.
    fn exchange(&self, name: &str, round: &str) -> Cs42Exchange {
        let ephemeral = pair(&self.0["ephemerals"][[name, round].concat()]["secret"]);
        let remote = hex(&self.0["identities"][other(name)]["public"]);
        Cs42Exchange::new(self.identity(name), &remote, ephemeral).expect("the other's key")
    }

    fn list(&self, name: &str) -> &[Value] {
        self.0[name].as_array().expect("an array")
    }

    /// The two messages of a round with who sent them.
    fn messages(&self, list: &str) -> [(&'static str, &Value); 2] {
        let [from_a, from_b] = self.list(list) else {
            panic!("two messages");
        };
        [("A", from_a), ("B", from_b)]
    }

    /// The session of one endpoint with the other after the messages of `list`.
    fn session(&self, name: &str, round: Round, resume: Option<&[u8; 32]>) -> Cs42Session {
        let sent = self.messages(round.messages).map(|(_, message)| message);
        let message = if name == "A" { sent[1] } else { sent[0] };
        let mut exchange = self.exchange(name, round.suffix);
        let opened = exchange
            .open(&hex(&message["body"]))
            .expect("a message to it");
        let context = SessionContext {
            local: self.hashname(name),
            remote: self.hashname(other(name)),
            resume,
        };
        exchange
            .derive(&opened.remote, &context)
            .expect("a session")
    }

    fn hashname(&self, name: &str) -> Hashname {
        Hashname::from_bytes(hex_array(&self.0["identities"][name]["hashname_raw"]))
    }
}

/// A round of the vectors: what names of its ephemerals end with, and the names of its parts.
#[derive(Clone, Copy)]
struct Round {
    suffix: &'static str,
    messages: &'static str,
    session: &'static str,
    channel: &'static str,
}

const FIRST: Round = Round {
    suffix: "",
    messages: "messages",
    session: "session",
    channel: "channel",
};

const RENEWAL: Round = Round {
    suffix: "2",
    messages: "renewal_messages",
    session: "renewal_session",
    channel: "renewal_channel",
};

fn other(name: &str) -> &'static str {
    if name == "A" { "B" } else { "A" }
}

#[test]
fn their_public_keys_tokens_and_order_are_ours() {
    for vectors in Vectors::load() {
        for kind in ["identities", "ephemerals"] {
            for (name, keys) in vectors.0[kind].as_object().expect("an object") {
                let public = pair(&keys["secret"]).public();
                assert_eq!(public[..], hex(&keys["public"]), "{kind} {name}");
            }
        }
        for (name, round) in [("A", ""), ("B", ""), ("A", "2"), ("B", "2")] {
            let exchange = vectors.exchange(name, round);
            let token = &vectors.0["ephemerals"][[name, round].concat()]["token"];
            assert_eq!(exchange.token(), Token::from_bytes(hex_array(token)));
            let odd = vectors.0["identities"][name]["order"] == "odd";
            assert_eq!(exchange.order(), if odd { Order::Odd } else { Order::Even });
        }
    }
}

#[test]
fn their_messages_open_and_prove_their_sender() {
    for vectors in Vectors::load() {
        for round in [FIRST, RENEWAL] {
            for (sender, message) in vectors.messages(round.messages) {
                let packet = hex(&message["packet"]);
                let body = hex(&message["body"]);
                assert_eq!(
                    Outer::parse(&packet),
                    Some(Outer::Message {
                        csid: Csid::CS42,
                        body: &body
                    })
                );
                let mut recipient = vectors.exchange(other(sender), round.suffix);
                let opened = recipient.open(&body).expect("a message to it");
                assert_eq!(opened.inner, hex(&message["inner"]));
                assert_eq!(recipient.verify(&body, &opened), Ok(()));
            }
        }
    }
}

#[test]
fn our_messages_with_their_randomness_are_theirs() {
    for vectors in Vectors::load() {
        for round in [FIRST, RENEWAL] {
            for (sender, message) in vectors.messages(round.messages) {
                let mut exchange = vectors.exchange(sender, round.suffix);
                let salt = hex_array(&message["salt"]);
                let packet = exchange.seal_with(&hex(&message["inner"]), &salt);
                assert_eq!(packet, Ok(hex(&message["packet"])));
            }
        }
    }
}

#[test]
fn sessions_and_the_renewed_ones_are_theirs() {
    for vectors in Vectors::load() {
        for name in ["A", "B"] {
            let first = vectors.session(name, FIRST, None);
            let renewed = vectors.session(name, RENEWAL, first.resume());
            for (session, round) in [(first, FIRST), (renewed, RENEWAL)] {
                let theirs = &vectors.0[round.session];
                assert_eq!(session.session_id().as_bytes()[..], hex(&theirs["id"]));
                assert_eq!(session.resume(), Some(&hex_array(&theirs["resume"])));
            }
        }
    }
}

#[test]
fn their_channel_packets_open_once() {
    for vectors in Vectors::load() {
        for round in [FIRST, RENEWAL] {
            for sender in ["A", "B"] {
                let previous = vectors.session(other(sender), FIRST, None);
                let resume = (round.suffix == "2").then(|| previous.resume().expect("a secret"));
                let mut session = vectors.session(other(sender), round, resume);
                for packet in vectors.sent_by(sender, round) {
                    let bytes = channel_packet(packet);
                    let token = session.local_token();
                    assert_eq!(Outer::parse(&bytes), Some(Outer::Channel { token }));
                    assert_eq!(open(&mut session, &bytes), hex(&packet["plaintext"]));
                    assert_eq!(
                        session.open(NOW, &mut bytes.clone()),
                        Err(OpenError::Replayed)
                    );
                }
            }
        }
    }
}

#[test]
fn our_channel_packets_with_their_counters_are_theirs() {
    for vectors in Vectors::load() {
        for round in [FIRST, RENEWAL] {
            for sender in ["A", "B"] {
                let previous = vectors.session(sender, FIRST, None);
                let resume = (round.suffix == "2").then(|| previous.resume().expect("a secret"));
                let mut session = vectors.session(sender, round, resume);
                for packet in vectors.sent_by(sender, round) {
                    let counter = packet["counter"].as_u64().expect("a number");
                    let plaintext = hex(&packet["plaintext"]);
                    assert_eq!(
                        sealed_at(&mut session, counter, &plaintext),
                        channel_packet(packet)
                    );
                }
            }
        }
    }
}

impl Vectors {
    fn sent_by(&self, sender: &str, round: Round) -> Vec<&Value> {
        let packets = self.list(round.channel).iter();
        packets
            .filter(|packet| packet["sender"] == sender)
            .collect()
    }
}

fn channel_packet(packet: &Value) -> Vec<u8> {
    [&[0, 0], &hex(&packet["body"])[..]].concat()
}

#[test]
fn what_must_fail_fails_as_it_must() {
    for vectors in Vectors::load() {
        let mut failures: BTreeMap<String, u32> = BTreeMap::new();
        for case in vectors.list("must_fail") {
            let what = case["what"].as_str().expect("a text");
            let fails = case["fails"].as_str().expect("a text");
            let body = hex(&case["body"]);
            let mut exchange = vectors.exchange("B", "");
            let found = match (exchange.open(&body), fails) {
                (Ok(opened), "auth") => exchange.verify(&body, &opened).err(),
                (opened, _) => opened.err(),
            };
            let expected = match fails {
                "tag" if what.starts_with("reflected") => MessageError::OwnEphemeral,
                "tag" | "auth" => MessageError::Forged,
                _ => MessageError::Malformed,
            };
            assert_eq!(found, Some(expected), "{what}");
            *failures.entry(fails.into()).or_default() += 1;
        }
        let expected = [("all-zero dh", 7), ("auth", 2), ("short", 1), ("tag", 7)];
        assert_eq!(failures, expected.map(|(what, n)| (what.into(), n)).into());
    }
}

#[test]
fn their_identities_of_low_order_are_refused() {
    for vectors in Vectors::load() {
        let weak = vectors.list("must_fail_low_order_identity");
        assert_eq!(weak.len(), 7);
        for key in weak {
            let mut key: [u8; 32] = hex_array(key);
            // X25519 ignores the highest bit.
            for top in [0, 0x80] {
                key[31] ^= top;
                assert_eq!(Cs42.check_key(&key), Err(KeyError::Invalid), "{key:02x?}");
                let exchange =
                    Cs42Exchange::new(vectors.identity("A"), &key, Ephemeral::random(&mut rng(1)));
                assert!(exchange.is_err(), "{key:02x?}");
                assert!(vectors.identity("A").agree(&key).is_none(), "{key:02x?}");
            }
        }
    }
}
