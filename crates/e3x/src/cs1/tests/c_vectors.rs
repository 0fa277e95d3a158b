//! Against what the C implementation made: CS1a of telehash-c as of 2015, CS1c as of 2017. Among
//! its cases are secrets, public keys and agreements that begin with zeros.

use std::string::String;
use std::vec::Vec;

use super::*;
use crate::cs1::message::MessageBody;
use crate::{OpenError, Order, Outer, Token};

on_every_curve! {
    their_public_keys_belong_to_their_secrets,
    their_agreements_are_ours,
    their_messages_open_and_prove_their_sender,
    our_messages_with_their_randomness_are_theirs,
    tokens_and_order_are_theirs,
    channel_keys_are_theirs,
    their_channel_packets_open_once,
    our_channel_packets_with_their_randomness_are_theirs,
}

/// One of its cases, and in which direction something was sent in it.
struct Case(Value);

impl Case {
    fn all<C: Curve>() -> Vec<Self> {
        let (mut vectors, count) = file::<C>();
        let Value::Array(cases) = vectors["cases"].take() else {
            panic!("an array")
        };
        assert_eq!(cases.len(), count);
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

    fn identity<C: Curve>(&self, name: &str) -> Pair<C> {
        pair(&hex(&self.0[name]["secret"]))
    }

    fn exchange<C: Curve>(&self, name: &str) -> Cs1Exchange<C> {
        let ephemeral = pair(&hex(&self.handshake(name)["ephemeral_secret"]));
        let remote = hex(&self.0[other(name)]["public_compressed"]);
        exchange(self.identity(name), &remote, ephemeral)
    }

    fn session<C: Curve>(&self, name: &str) -> Cs1Session<C> {
        let mut exchange = self.exchange(name);
        let message = hex(&self.handshake(other(name))["message_body"]);
        let opened = exchange.open(&message).expect("a message to it");
        exchange
            .session_with(&opened.remote, IvSource::random(&mut rng(1)))
            .expect("a session")
    }
}

/// The vectors of this curve, and how many cases they have.
fn file<C: Curve>() -> (Value, usize) {
    let name = std::format!("c/cs{}.json", C::CSID);
    (vectors(&name), if C::SECRET_LEN == 20 { 6 } else { 3 })
}

fn other(name: &str) -> &'static str {
    if name == "A" { "B" } else { "A" }
}

fn token(value: &Value) -> Token {
    Token::from_bytes(hex_array(value))
}

fn their_public_keys_belong_to_their_secrets<C: Curve>() {
    for case in Case::all::<C>() {
        for name in ["A", "B"] {
            let public = hex(&case.0[name]["public_compressed"]);
            assert_eq!(case.identity::<C>(name).public.as_ref(), public);
            assert!(
                set::<C>()
                    .load(&public, &hex(&case.0[name]["secret"]))
                    .is_ok()
            );
            let handshake = case.handshake(name);
            let ephemeral = pair::<C>(&hex(&handshake["ephemeral_secret"]));
            assert_eq!(
                ephemeral.public.as_ref(),
                hex(&handshake["ephemeral_public"])
            );
        }
    }
    let compressed = file::<C>().0["compress"].take();
    let compressed = compressed.as_array().expect("an array");
    assert!(compressed.len() > 4);
    // Their code cannot multiply with one: it left the former key where the new one belonged.
    for multiple in compressed.iter().skip(1) {
        let expected = hex(&multiple["compressed"]);
        assert_eq!(
            pair::<C>(&hex(&multiple["secret"])).public.as_ref(),
            expected
        );
    }
}

fn their_agreements_are_ours<C: Curve>() {
    for case in Case::all::<C>() {
        for name in ["A", "B"] {
            let handshake = case.handshake(name);
            let point = |public: &Value| {
                let public = hex(public).as_slice().try_into().ok();
                C::decode(&public.expect("its length")).expect("on the curve")
            };
            let ours = case.identity::<C>(name);
            let theirs = point(&case.0[other(name)]["public_compressed"]);
            let expected = hex(&handshake["ecdh_identity_identity"]);
            assert_eq!((*ours.agree(&theirs)).as_ref(), expected);

            let ephemeral = pair::<C>(&hex(&handshake["ephemeral_secret"]));
            let expected = hex(&handshake["ecdh_ephemeral_with_recipient_identity"]);
            assert_eq!((*ephemeral.agree(&theirs)).as_ref(), expected);
            let expected = hex(&handshake["aes128_key_fold1"]);
            assert_eq!(ephemeral.message_key(&theirs).as_bytes()[..], expected);
        }
    }
}

fn their_messages_open_and_prove_their_sender<C: Curve>() {
    for case in Case::all::<C>() {
        for name in ["A", "B"] {
            let message = case.handshake(name);
            let packet = hex(&message["message_packet"]);
            let body = hex(&message["message_body"]);
            assert_eq!(
                Outer::parse(&packet),
                Some(Outer::Message {
                    csid: C::CSID,
                    body: &body
                })
            );

            let mut recipient = case.exchange::<C>(other(name));
            let opened = recipient.open(&body).expect("a message to it");
            assert_eq!(opened.inner, hex(&message["inner"]["packet"]));
            assert_eq!(opened.token(), token(&message["routing_token"]));
            assert_eq!(recipient.verify(&body, &opened), Ok(()));

            let identities = hex(&message["ecdh_identity_identity"]);
            let parsed = MessageBody::<C>::parse(&body).expect("long enough");
            assert!(parsed.is_from(&identities));
        }
    }
}

fn our_messages_with_their_randomness_are_theirs<C: Curve>() {
    for case in Case::all::<C>() {
        for name in ["A", "B"] {
            let message = case.handshake(name);
            let inner = hex(&message["inner"]["packet"]);
            let counter = message["iv_counter_u32"].as_u64().expect("a number") as u32;
            let mut sender = case.exchange::<C>(name);
            let ephemeral = pair(&hex(&message["ephemeral_secret"]));
            sender.fresh_with(ephemeral, IvSource::starting(counter, 1));
            let packet = sender.seal(&inner, &mut rng(1));
            assert_eq!(packet, Ok(hex(&message["message_packet"])));
        }
    }
}

fn tokens_and_order_are_theirs<C: Curve>() {
    for case in Case::all::<C>() {
        for name in ["A", "B"] {
            let exchange = case.exchange::<C>(name);
            assert_eq!(
                exchange.token(),
                token(&case.handshake(name)["routing_token"])
            );
            let odd = case.0[std::format!("{name}_order")] == 1;
            assert_eq!(exchange.order(), if odd { Order::Odd } else { Order::Even });

            let session = case.session::<C>(name);
            assert_eq!(session.local_token(), token_to(&case, name));
            assert_eq!(session.remote_token(), token_to(&case, other(name)));
        }
    }
}

fn token_to(case: &Case, name: &str) -> Token {
    let field: String = std::format!("token_of_{name}_in_packets_to_{name}");
    token(&case.0["channel_keys"][field])
}

fn channel_keys_are_theirs<C: Curve>() {
    for case in Case::all::<C>() {
        let keys = &case.0["channel_keys"];
        let (encrypt, decrypt) = (hex(&keys["A_encrypt_key"]), hex(&keys["A_decrypt_key"]));
        let at_a = case.session::<C>("A").agreed;
        assert_eq!(at_a.outgoing.as_bytes()[..], encrypt);
        assert_eq!(at_a.incoming.as_bytes()[..], decrypt);
        let at_b = case.session::<C>("B").agreed;
        assert_eq!(at_b.outgoing.as_bytes()[..], decrypt);
        assert_eq!(at_b.incoming.as_bytes()[..], encrypt);
    }
}

fn their_channel_packets_open_once<C: Curve>() {
    for case in Case::all::<C>() {
        for name in ["A", "B"] {
            let packet = case.channel(name);
            let mut bytes = hex(&packet["channel_packet"]);
            let mut session = case.session::<C>(other(name));
            assert_eq!(open(&mut session, &bytes), hex(&packet["inner"]["packet"]));
            assert_eq!(session.open(NOW, &mut bytes), Err(OpenError::Replayed));
        }
    }
}

fn our_channel_packets_with_their_randomness_are_theirs<C: Curve>() {
    for case in Case::all::<C>() {
        for name in ["A", "B"] {
            let packet = case.channel(name);
            let inner = hex(&packet["inner"]["packet"]);
            let iv = hex_array(&packet["iv4_on_wire"]);
            let bytes = sealed_with(&case.session::<C>(name), iv, &inner);
            assert_eq!(bytes, hex(&packet["channel_packet"]));
        }
    }
}
