//! Against what the JavaScript implementation made, which has CS1a only.

use std::vec::Vec;

use telehash_hashname::Csid;
use telehash_lob::Lob;

use super::*;
use crate::cs1::cs1a::Secp160r1;
use crate::{Cs1a, MessageError, OpenError, Order, Outer, Token};

struct Vectors(Value);

impl Vectors {
    fn load() -> Self {
        Self(vectors("js/cs1a.json"))
    }

    fn identity(&self, name: &str) -> Pair<Secp160r1> {
        pair(&hex(&self.0["identities"][name]["secret_hex"]))
    }

    fn ephemeral(&self, name: &str) -> Pair<Secp160r1> {
        pair(&hex(&self.0["ephemerals"][name]["secret_hex"]))
    }

    /// The exchange of one endpoint with the other, with its ephemeral.
    fn exchange(&self, name: &str) -> Cs1Exchange<Secp160r1> {
        let remote = hex(&self.0["identities"][other(name)]["public_hex"]);
        exchange(self.identity(name), &remote, self.ephemeral(name))
    }

    fn messages(&self) -> &[Value] {
        self.0["messages"].as_array().expect("an array")
    }

    /// The channel packets from one endpoint.
    fn channel_packets(&self, sender: &str) -> Vec<&Value> {
        let packets = self.0["channel_packets"].as_array().expect("an array");
        packets
            .iter()
            .filter(|packet| from(packet) == sender)
            .collect()
    }

    /// The session of one endpoint with the other.
    fn session(&self, name: &str, ivs: IvSource) -> Cs1Session<Secp160r1> {
        let mut messages = self.messages().iter();
        let message = messages.find(|message| message["from"] == other(name));
        let body = hex(&message.expect("each sends one")["body_hex"]);
        let mut exchange = self.exchange(name);
        let opened = exchange.open(&body).expect("a message to it");
        exchange
            .session_with(&opened.remote, ivs)
            .expect("a session")
    }
}

fn other(name: &str) -> &'static str {
    if name == "A" { "B" } else { "A" }
}

fn from(value: &Value) -> &str {
    value["from"].as_str().expect("a name")
}

/// The IV of a message or channel packet, as a number.
fn counter(value: &Value) -> u32 {
    u32::from_le_bytes(hex_array(&value["fields"]["iv_hex"]))
}

#[test]
fn their_public_keys_belong_to_their_secrets() {
    let vectors = Vectors::load();
    for kind in ["identities", "ephemerals"] {
        for name in ["A", "B"] {
            let keys = &vectors.0[kind][name];
            let (public, secret) = (hex(&keys["public_hex"]), hex(&keys["secret_hex"]));
            assert!(Cs1a.load(&public, &secret).is_ok(), "{kind} {name}");
        }
    }
}

#[test]
fn their_identities_load() {
    let identities = vectors("js/identities.json");
    for name in ["A", "B"] {
        let identity = &identities["identities"][name];
        let public = hex(&identity["keys_hex"]["1a"]);
        let secret = hex(&identity["secrets_hex"]["1a"]);
        assert!(Cs1a.load(&public, &secret).is_ok(), "{name}");
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
                csid: Csid::CS1A,
                body: &body
            })
        );

        let mut recipient = vectors.exchange(other(from(message)));
        let opened = recipient.open(&body).expect("a message to it");
        assert_eq!(opened.inner, hex(&message["inner_hex"]));
        let token = hex_array(&message["token_hex"]);
        assert_eq!(opened.token(), Token::from_bytes(token));
        assert_eq!(recipient.verify(&body, &opened), Ok(()));
    }
    assert_eq!(vectors.messages().len(), 3);
}

#[test]
fn their_messages_do_not_prove_another_sender() {
    let vectors = Vectors::load();
    let stranger = random_pair::<Secp160r1>(2);
    for message in vectors.messages() {
        let body = hex(&message["body_hex"]);
        let recipient = vectors.identity(other(from(message)));
        let mut exchange = exchange(recipient, &stranger.public, random_pair(3));
        let opened = exchange.open(&body).expect("whoever sent it");
        assert_eq!(exchange.verify(&body, &opened), Err(MessageError::Forged));
    }
}

#[test]
fn our_messages_with_their_randomness_are_theirs() {
    let vectors = Vectors::load();
    for sender in ["A", "B"] {
        let messages = vectors.messages().iter();
        let messages: Vec<_> = messages.filter(|message| from(message) == sender).collect();
        // One counter goes through all of them.
        let mut exchange = vectors.exchange(sender);
        let ivs = IvSource::starting(counter(messages[0]), 10);
        exchange.fresh_with(vectors.ephemeral(sender), ivs);
        for message in messages {
            let packet = exchange.seal(&hex(&message["inner_hex"]), &mut rng(1));
            assert_eq!(packet, Ok(hex(&message["outer_packet_hex"])));
        }
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
    let agreed = |name| vectors.session(name, IvSource::starting(0, 1)).agreed;
    let at_a = agreed("A");
    assert_eq!(at_a.outgoing.as_bytes()[..], hex(&keys["A_to_B_hex"]));
    assert_eq!(at_a.incoming.as_bytes()[..], hex(&keys["B_to_A_hex"]));
    let at_b = agreed("B");
    assert_eq!(at_b.outgoing.as_bytes()[..], hex(&keys["B_to_A_hex"]));
    assert_eq!(at_b.incoming.as_bytes()[..], hex(&keys["A_to_B_hex"]));
}

#[test]
fn their_channel_packets_open_once() {
    let vectors = Vectors::load();
    for sender in ["A", "B"] {
        let mut session = vectors.session(other(sender), IvSource::starting(0, 1));
        let packets = vectors.channel_packets(sender);
        assert_eq!(packets.len(), 4);
        for packet in &packets {
            let bytes = hex(&packet["outer_packet_hex"]);
            let token = session.local_token();
            assert_eq!(Outer::parse(&bytes), Some(Outer::Channel { token }));
            assert_eq!(open(&mut session, &bytes), hex(&packet["inner_hex"]));
        }
        for packet in &packets {
            let mut bytes = hex(&packet["outer_packet_hex"]);
            assert_eq!(session.open(NOW, &mut bytes), Err(OpenError::Replayed));
        }
    }
}

#[test]
fn our_channel_packets_with_their_randomness_are_theirs() {
    let vectors = Vectors::load();
    for sender in ["A", "B"] {
        let packets = vectors.channel_packets(sender);
        let ivs = IvSource::starting(counter(packets[0]), 10);
        let mut session = vectors.session(sender, ivs);
        for packet in packets {
            let bytes = sealed(&mut session, &hex(&packet["inner_hex"]));
            assert_eq!(bytes, hex(&packet["outer_packet_hex"]));
        }
    }
}

#[test]
fn their_link_handshake_survives_our_messages() {
    let handshakes = vectors("js/link-handshake.json");
    let mut cases = handshakes["cases"].as_array().expect("an array").iter();
    let case = cases.find(|case| case["csid_used"] == "1a").expect("one");
    let vectors = Vectors::load();
    let sender = case["sender"].as_str().expect("a name");

    let mut exchange = vectors.exchange(sender);
    let packet = exchange.seal(&hex(&case["inner_hex"]), &mut rng(4));
    let packet = packet.expect("a message");
    let mut recipient = vectors.exchange(other(sender));
    let opened = recipient.open(body(&packet)).expect("a message to it");
    assert_eq!(recipient.verify(body(&packet), &opened), Ok(()));
    let inner = Lob::parse(&opened.inner).expect("a LOB");
    let head = case["inner_head"].as_str().expect("JSON");
    assert_eq!(inner.head(), head.as_bytes());
    let attached = Lob::parse(inner.body()).expect("a LOB");
    assert_eq!(attached.body(), vectors.identity(sender).public);
}
