//! Against what the JavaScript implementation made.
//!
//! The library takes no seed for OAEP, so KEYS themselves are theirs here; everything after them is
//! compared byte for byte, the signature included.

use telehash_hashname::Csid;

use super::*;
use crate::cs2a::exchange::channel_key;
use crate::cs2a::keys::{CONTENTS_LEN, Contents, Ephemeral};
use crate::cs2a::p256::Pair;
use crate::{CipherSet, Cs2a, MessageError, OpenError, Order, Outer, Token};

pub(super) struct Vectors(Value);

impl Vectors {
    pub(super) fn load() -> Self {
        Self(json("cs2a.json"))
    }

    pub(super) fn identity(&self, name: &str) -> KeyPair {
        let keys = &self.0["identities"][name];
        KeyPair {
            public: hex(&keys["public_hex"]),
            secret: Zeroizing::new(hex(&keys["secret_hex"])),
        }
    }

    fn pair(&self, name: &str) -> Pair {
        let secret = hex_array(&self.0["ephemerals"][name]["p256_secret_hex"]);
        Pair::from_secret(&secret).expect("a scalar")
    }

    fn contents(&self, name: &str) -> Contents {
        let ephemeral = &self.0["ephemerals"][name];
        Contents {
            point: hex_array(&ephemeral["p256_public_uncompressed_hex"]),
            message_key: Zeroizing::new(hex_array(&ephemeral["aes_key_hex"])),
        }
    }

    /// The exchange of one endpoint with the other, with its ephemeral.
    fn exchange(&self, name: &str) -> Cs2aExchange {
        let keys = hex_array(&self.0["ephemerals"][name]["keys_ciphertext_hex"]);
        let ivs = IvSource::random(&mut rng(1));
        let ephemeral = Ephemeral::new(self.pair(name), self.contents(name), keys, ivs);
        let (ours, theirs) = (self.identity(name), self.identity(other(name)));
        let mut exchange = exchange(&ours, &theirs, &mut rng(1));
        exchange.replace(ephemeral.expect("a cipher"));
        exchange
    }

    fn messages(&self) -> &[Value] {
        self.0["messages"].as_array().expect("an array")
    }

    fn channel_packets(&self) -> &[Value] {
        self.0["channel_packets"].as_array().expect("an array")
    }

    /// The session of one endpoint with the other.
    fn session(&self, name: &str) -> Cs2aSession {
        let message = self
            .messages()
            .iter()
            .find(|message| message["from"] == other(name));
        let body = hex(&message.expect("each sends one")["body_hex"]);
        let mut exchange = self.exchange(name);
        let opened = exchange.open(&body).expect("a message to it");
        let ivs = IvSource::random(&mut rng(1));
        exchange
            .session_with(&opened.remote, ivs)
            .expect("a session")
    }
}

fn json(file: &str) -> Value {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../interop/vectors/js/");
    let text = std::fs::read_to_string(std::format!("{path}{file}"));
    serde_json::from_str(&text.expect("the vectors are in the repository")).expect("JSON")
}

fn other(name: &str) -> &'static str {
    if name == "A" { "B" } else { "A" }
}

fn from(value: &Value) -> &str {
    value["from"].as_str().expect("a name")
}

#[test]
fn their_identities_load_from_pkcs8_and_pkcs1() {
    let identities = json("identities.json");
    for name in ["A", "B"] {
        let keys = &identities["identities"][name];
        let (public, secret) = (&keys["keys_hex"]["2a"], &keys["secrets_hex"]["2a"]);
        let (public, secret) = (hex(public), hex(secret));
        for secret in [&secret[..], &secret[26..]] {
            let key = Cs2a.load(&public, secret).expect("both halves of one pair");
            assert_eq!(key.public(), public);
        }
    }
}

#[test]
fn their_ephemerals_belong_to_their_secrets_and_are_in_their_keys() {
    let vectors = Vectors::load();
    for name in ["A", "B"] {
        let contents = vectors.contents(name);
        assert_eq!(vectors.pair(name).public, contents.point, "{name}");
        let keys = hex_array(&vectors.0["ephemerals"][name]["keys_ciphertext_hex"]);
        let recipient = identity(&vectors.identity(other(name)));
        let decrypted = recipient.decrypt::<CONTENTS_LEN>(&keys);
        assert_eq!(decrypted, Some(contents.to_bytes()), "{name}");
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
                csid: Csid::CS2A,
                body: &body
            })
        );

        let mut recipient = vectors.exchange(other(from(message)));
        let opened = recipient.open(&body).expect("a message to it");
        assert_eq!(opened.inner, hex(&message["inner_hex"]));
        assert_eq!(opened.proof(), hex(&message["derived"]["sig_hex"]));
        assert_eq!(
            opened.token(),
            Token::from_bytes(hex_array(&message["token_hex"]))
        );
        assert_eq!(recipient.verify(&body, &opened), Ok(()));

        recipient.adopt(&opened.remote).expect("their ephemeral");
        let opened = recipient.open(&body).expect("a message to it");
        assert_eq!(recipient.verify(&body, &opened), Ok(()));
    }
    assert_eq!(vectors.messages().len(), 3);
}

#[test]
fn their_messages_do_not_prove_another_sender() {
    let vectors = Vectors::load();
    for message in vectors.messages() {
        let body = hex(&message["body_hex"]);
        let recipient = vectors.identity(other(from(message)));
        let mut exchange = exchange(&recipient, &STRANGER, &mut rng(3));
        let opened = exchange.open(&body).expect("whoever sent it");
        assert_eq!(exchange.verify(&body, &opened), Err(MessageError::Forged));
    }
}

#[test]
fn our_messages_with_their_keys_and_ivs_are_theirs() {
    let vectors = Vectors::load();
    for message in vectors.messages() {
        let iv = hex_array(&message["fields"]["iv_hex"]);
        let sender = vectors.exchange(from(message));
        let packet = sender.seal_with(&hex(&message["inner_hex"]), &iv);
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
    let (a, b) = (vectors.contents("A"), vectors.contents("B"));
    for (pair, point) in [(vectors.pair("A"), b.point), (vectors.pair("B"), a.point)] {
        let agreement = pair.agree(&point).expect("a point");
        assert_eq!(agreement[..], hex(&keys["ecdh_secret_hex"]));
        let to_b = channel_key(&agreement, &a, &b);
        assert_eq!(to_b[..], hex(&keys["A_to_B_hex"]));
        let to_a = channel_key(&agreement, &b, &a);
        assert_eq!(to_a[..], hex(&keys["B_to_A_hex"]));
    }
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
        for packet in &packets {
            let mut bytes = hex(&packet["outer_packet_hex"]);
            assert_eq!(session.open(NOW, &mut bytes), Err(OpenError::Replayed));
        }
    }
}

#[test]
fn their_ivs_repeated_with_other_content_are_no_replays() {
    let vectors = Vectors::load();
    for packet in vectors.channel_packets() {
        let sender = from(packet);
        let mut session = vectors.session(other(sender));
        let bytes = hex(&packet["outer_packet_hex"]);
        assert_eq!(open(&mut session, &bytes), hex(&packet["inner_hex"]));

        let iv = hex_array(&packet["fields"]["iv_hex"]);
        let repeated = sealed_with(&vectors.session(sender), iv, b"something else");
        assert_eq!(open(&mut session, &repeated), b"something else");
        for mut replayed in [bytes, repeated] {
            assert_eq!(session.open(NOW, &mut replayed), Err(OpenError::Replayed));
        }
    }
}

#[test]
fn our_channel_packets_with_their_randomness_are_theirs() {
    let vectors = Vectors::load();
    for packet in vectors.channel_packets() {
        let session = vectors.session(from(packet));
        let iv = hex_array(&packet["fields"]["iv_hex"]);
        let bytes = sealed_with(&session, iv, &hex(&packet["inner_hex"]));
        assert_eq!(bytes, hex(&packet["outer_packet_hex"]));
    }
}
