//! Against what the C implementation made.

use alloc::sync::Arc;
use std::string::String;
use std::vec::Vec;

use serde_json::Value;
use telehash_hashname::Csid;

use super::*;
use crate::{OpenError, Order, Outer, Token};

/// One of its cases, and in which direction something was sent in it.
struct Case(Value);

impl Case {
    fn all() -> Vec<Self> {
        let path = concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/../../interop/vectors/c/cs3a.json"
        );
        let text = std::fs::read_to_string(path).expect("the vectors are in the repository");
        let mut vectors: Value = serde_json::from_str(&text).expect("JSON");
        let Value::Array(cases) = vectors["cases"].take() else {
            panic!("an array")
        };
        assert_eq!(cases.len(), 3);
        cases.into_iter().map(Self).collect()
    }

    fn handshake(&self, from: &str) -> &Value {
        &self.0[std::format!("handshake_{from}_to_{}", other(from))]
    }

    fn channel(&self, from: &str) -> &Value {
        let suffix = if from == "B" {
            "_with_300_byte_body"
        } else {
            ""
        };
        &self.0[std::format!("channel_{from}_to_{}{suffix}", other(from))]
    }

    fn exchange(&self, name: &str) -> Cs3aExchange {
        let identity = Arc::new(pair(&self.0[name]["secret"]));
        let ephemeral = pair(&self.handshake(name)["ephemeral_secret"]);
        Cs3aExchange::new(identity, &hex(&self.0[other(name)]["public"]), ephemeral)
            .expect("the other's key")
    }

    fn session(&self, name: &str) -> Cs3aSession {
        let mut exchange = self.exchange(name);
        let message = hex(&self.handshake(other(name))["message_body"]);
        let opened = exchange.open(&message).expect("a message to it");
        exchange
            .session_with(&opened.remote, NonceSource::random(&mut rng(1)))
            .expect("a session")
    }
}

fn other(name: &str) -> &'static str {
    if name == "A" { "B" } else { "A" }
}

fn token(value: &Value) -> Token {
    Token::from_bytes(hex_array(value))
}

#[test]
fn their_public_keys_belong_to_their_secrets() {
    for case in Case::all() {
        for name in ["A", "B"] {
            let identity = &case.0[name];
            assert_eq!(
                pair(&identity["secret"]).public[..],
                hex(&identity["public"])
            );
            let handshake = case.handshake(name);
            let ephemeral = pair(&handshake["ephemeral_secret"]).public;
            assert_eq!(ephemeral[..], hex(&handshake["ephemeral_public"]));
        }
    }
}

#[test]
fn their_messages_open_and_prove_their_sender() {
    for case in Case::all() {
        for name in ["A", "B"] {
            let message = case.handshake(name);
            let packet = hex(&message["message_packet"]);
            let body = hex(&message["message_body"]);
            assert_eq!(
                Outer::parse(&packet),
                Some(Outer::Message {
                    csid: Csid::CS3A,
                    body: &body
                })
            );

            let mut recipient = case.exchange(other(name));
            let opened = recipient.open(&body).expect("a message to it");
            assert_eq!(opened.inner, hex(&message["inner"]["packet"]));
            assert_eq!(opened.token(), token(&message["routing_token"]));
            assert_eq!(recipient.verify(&body, &opened), Ok(()));
        }
    }
}

#[test]
fn our_messages_with_their_randomness_are_theirs() {
    for case in Case::all() {
        for name in ["A", "B"] {
            let message = case.handshake(name);
            let inner = hex(&message["inner"]["packet"]);
            let packet = case
                .exchange(name)
                .seal_with(&inner, &hex_array(&message["nonce"]));
            assert_eq!(packet, Ok(hex(&message["message_packet"])));
        }
    }
}

#[test]
fn tokens_and_order_are_theirs() {
    for case in Case::all() {
        for name in ["A", "B"] {
            let exchange = case.exchange(name);
            assert_eq!(
                exchange.token(),
                token(&case.handshake(name)["routing_token"])
            );
            let odd = case.0[std::format!("{name}_order")] == 1;
            assert_eq!(exchange.order(), if odd { Order::Odd } else { Order::Even });

            let session = case.session(name);
            assert_eq!(session.local_token(), token_to(&case, name));
            assert_eq!(session.remote_token(), token_to(&case, other(name)));
        }
    }
}

fn token_to(case: &Case, name: &str) -> Token {
    let field: String = std::format!("token_of_{name}_in_packets_to_{name}");
    token(&case.0["channel_keys"][field])
}

#[test]
fn channel_keys_are_theirs() {
    for case in Case::all() {
        let keys = &case.0["channel_keys"];
        let (encrypt, decrypt) = (hex(&keys["A_encrypt_key"]), hex(&keys["A_decrypt_key"]));
        let at_a = case.session("A").agreed;
        assert_eq!(
            (
                at_a.outgoing.as_bytes()[..].to_vec(),
                at_a.incoming.as_bytes()[..].to_vec()
            ),
            (encrypt.clone(), decrypt.clone())
        );
        let at_b = case.session("B").agreed;
        assert_eq!(
            (
                at_b.incoming.as_bytes()[..].to_vec(),
                at_b.outgoing.as_bytes()[..].to_vec()
            ),
            (encrypt, decrypt)
        );
    }
}

#[test]
fn their_channel_packets_open_once() {
    for case in Case::all() {
        for name in ["A", "B"] {
            let packet = case.channel(name);
            let mut bytes = hex(&packet["channel_packet"]);
            let mut session = case.session(other(name));
            assert_eq!(open(&mut session, &bytes), hex(&packet["inner"]["packet"]));
            assert_eq!(session.open(NOW, &mut bytes), Err(OpenError::Replayed));
        }
    }
}

#[test]
fn our_channel_packets_with_their_randomness_are_theirs() {
    for case in Case::all() {
        for name in ["A", "B"] {
            let packet = case.channel(name);
            let inner = hex(&packet["inner"]["packet"]);
            let bytes = sealed_with(&case.session(name), hex_array(&packet["nonce"]), &inner);
            assert_eq!(bytes, hex(&packet["channel_packet"]));
        }
    }
}
