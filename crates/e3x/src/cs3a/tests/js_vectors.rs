//! Against what the JavaScript implementation made.

use alloc::sync::Arc;
use std::vec::Vec;

use serde_json::Value;
use telehash_hashname::Csid;
use telehash_lob::Lob;

use super::*;
use crate::{MessageError, OpenError, Order, Outer, Token};

struct Vectors(Value);

impl Vectors {
    fn load() -> Self {
        let path = concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/../../interop/vectors/js/cs3a.json"
        );
        let text = std::fs::read_to_string(path).expect("the vectors are in the repository");
        Self(serde_json::from_str(&text).expect("JSON"))
    }

    fn identity(&self, name: &str) -> Arc<Pair> {
        Arc::new(pair(&self.0["identities"][name]["secret_hex"]))
    }

    /// The exchange of one endpoint with the other, with its ephemeral.
    fn exchange(&self, name: &str) -> Cs3aExchange {
        let ephemeral = pair(&self.0["ephemerals"][name]["secret_hex"]);
        let remote = hex(&self.0["identities"][other(name)]["public_hex"]);
        Cs3aExchange::new(self.identity(name), &remote, ephemeral).expect("the other's key")
    }

    fn messages(&self) -> &[Value] {
        self.0["messages"].as_array().expect("an array")
    }

    fn channel_packets(&self) -> &[Value] {
        self.0["channel_packets"].as_array().expect("an array")
    }

    /// The session of one endpoint with the other.
    fn session(&self, name: &str) -> Cs3aSession {
        let message = self
            .messages()
            .iter()
            .find(|message| message["from"] == other(name));
        let body = hex(&message.expect("each sends one")["body_hex"]);
        let mut exchange = self.exchange(name);
        let opened = exchange.open(&body).expect("a message to it");
        let nonces = NonceSource::random(&mut rng(1));
        exchange
            .session_with(&opened.remote, nonces)
            .expect("a session")
    }
}

fn other(name: &str) -> &'static str {
    if name == "A" { "B" } else { "A" }
}

fn from(value: &Value) -> &str {
    value["from"].as_str().expect("a name")
}

#[test]
fn their_public_keys_belong_to_their_secrets() {
    let vectors = Vectors::load();
    for kind in ["identities", "ephemerals"] {
        for name in ["A", "B"] {
            let keys = &vectors.0[kind][name];
            assert_eq!(
                pair(&keys["secret_hex"]).public[..],
                hex(&keys["public_hex"]),
                "{kind} {name}"
            );
        }
    }
}

#[test]
fn their_messages_open_and_prove_their_sender() {
    let vectors = Vectors::load();
    for message in vectors.messages() {
        let packet = hex(&message["outer_packet_hex"]);
        let body = hex(&message["body_hex"]);
        assert_eq!(
            Outer::parse(&packet),
            Some(Outer::Message {
                csid: Csid::CS3A,
                body: &body
            })
        );

        let mut recipient = vectors.exchange(other(from(message)));
        let opened = recipient.open(&body).expect("a message to it");
        assert_eq!(opened.inner, hex(&message["inner_hex"]));
        assert_eq!(
            opened.token(),
            Token::from_bytes(hex_array(&message["token_hex"]))
        );
        assert_eq!(recipient.verify(&body, &opened), Ok(()));
    }
    assert_eq!(vectors.messages().len(), 3);
}

#[test]
fn their_messages_do_not_prove_another_sender() {
    let vectors = Vectors::load();
    let stranger = Pair::random(&mut rng(2));
    for message in vectors.messages() {
        let body = hex(&message["body_hex"]);
        let recipient = vectors.identity(other(from(message)));
        let mut exchange =
            Cs3aExchange::new(recipient, &stranger.public, Pair::random(&mut rng(3)))
                .expect("a stranger's key");
        let opened = exchange.open(&body).expect("whoever sent it");
        assert_eq!(exchange.verify(&body, &opened), Err(MessageError::Forged));
    }
}

#[test]
fn our_messages_with_their_randomness_are_theirs() {
    let vectors = Vectors::load();
    for message in vectors.messages() {
        let mut sender = vectors.exchange(from(message));
        let nonce = hex_array(&message["fields"]["nonce_hex"]);
        let packet = sender.seal_with(&hex(&message["inner_hex"]), &nonce);
        assert_eq!(packet, Ok(hex(&message["outer_packet_hex"])));
    }
}

#[test]
fn tokens_and_order_are_theirs() {
    let vectors = Vectors::load();
    for name in ["A", "B"] {
        let exchange = vectors.exchange(name);
        let token = hex_array(&vectors.0["exchange_tokens"][name]);
        assert_eq!(exchange.token(), Token::from_bytes(token));
        let odd = vectors.0["order"][name] == 1;
        assert_eq!(exchange.order(), if odd { Order::Odd } else { Order::Even });
    }
}

#[test]
fn channel_keys_are_theirs() {
    let vectors = Vectors::load();
    let keys = &vectors.0["channel_keys"];
    let agreed = vectors.session("A").agreed;
    assert_eq!(agreed.outgoing.as_bytes()[..], hex(&keys["A_to_B_hex"]));
    assert_eq!(agreed.incoming.as_bytes()[..], hex(&keys["B_to_A_hex"]));
    let agreed = vectors.session("B").agreed;
    assert_eq!(agreed.outgoing.as_bytes()[..], hex(&keys["B_to_A_hex"]));
    assert_eq!(agreed.incoming.as_bytes()[..], hex(&keys["A_to_B_hex"]));
}

#[test]
fn their_channel_packets_open_once() {
    let vectors = Vectors::load();
    for sender in ["A", "B"] {
        let mut session = vectors.session(other(sender));
        let packets = vectors
            .channel_packets()
            .iter()
            .filter(|packet| from(packet) == sender);
        let packets: Vec<_> = packets.collect();
        assert_eq!(packets.len(), 4);
        for packet in &packets {
            let bytes = hex(&packet["outer_packet_hex"]);
            assert_eq!(
                Outer::parse(&bytes),
                Some(Outer::Channel {
                    token: session.local_token()
                })
            );
            assert_eq!(open(&mut session, &bytes), hex(&packet["inner_hex"]));
        }
        // Their nonces are random, so it is the set that remembers all but the first.
        for packet in &packets {
            let mut bytes = hex(&packet["outer_packet_hex"]);
            assert_eq!(session.open(NOW, &mut bytes), Err(OpenError::Replayed));
        }
    }
}

#[test]
fn our_channel_packets_with_their_randomness_are_theirs() {
    let vectors = Vectors::load();
    for packet in vectors.channel_packets() {
        let session = vectors.session(from(packet));
        let nonce = hex_array(&packet["fields"]["nonce_hex"]);
        let bytes = sealed_with(&session, nonce, &hex(&packet["inner_hex"]));
        assert_eq!(bytes, hex(&packet["outer_packet_hex"]));
    }
}

#[test]
fn their_link_handshakes_survive_our_messages() {
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../interop/vectors/js/link-handshake.json"
    );
    let text = std::fs::read_to_string(path).expect("the vectors are in the repository");
    let handshakes: Value = serde_json::from_str(&text).expect("JSON");
    let cases = handshakes["cases"].as_array().expect("an array").iter();
    let cases: Vec<_> = cases.filter(|case| case["csid_used"] == "3a").collect();
    assert_eq!(cases.len(), 2);

    let vectors = Vectors::load();
    for case in cases {
        let inner = hex(&case["inner_hex"]);
        let sender = from_sender(case);
        let mut exchange = vectors.exchange(sender);
        let packet = exchange.seal(&inner, &mut rng(4)).expect("a message");

        let mut recipient = vectors.exchange(other(sender));
        let opened = recipient.open(body(&packet)).expect("a message to it");
        assert_eq!(recipient.verify(body(&packet), &opened), Ok(()));
        let inner = Lob::parse(&opened.inner).expect("a LOB");
        assert_eq!(
            inner.head(),
            case["inner_head"].as_str().expect("JSON").as_bytes()
        );
        let attached = Lob::parse(inner.body()).expect("a LOB");
        assert_eq!(attached.body(), vectors.identity(sender).public);
    }
}

fn from_sender(case: &Value) -> &str {
    case["sender"].as_str().expect("a name")
}
