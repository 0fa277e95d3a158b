//! The vectors that this code publishes, `interop/vectors/ours/cs42.json`, in the schema of those
//! that the page came with. `cargo xtask vectors` writes them and has a checker in another language
//! look at them.
//!
//! What goes over the wire and what sessions are made of comes from the code itself. The values in
//! between, which it does not keep, are recomputed here for readers; the checker sees whether they
//! fit.

use std::{
    path::PathBuf,
    string::{String, ToString},
};

use serde_json::json;
use sha2::{Digest, Sha256};
use telehash_hashname::{Csid, Intermediate, KeySet, base32};

use super::*;
use crate::cs42::{kdf, message::Salt};
use crate::{Order, Token};

/// Set to write the file instead of comparing it.
const WRITE: &str = "TELEHASH_WRITE_VECTORS";

/// Every key and salt of the file follows from it.
const SEED: u64 = 0x42;

#[test]
fn the_published_vectors_are_what_this_code_makes() {
    let mut made = serde_json::to_string_pretty(&Maker::new().file()).expect("JSON");
    made.push('\n');
    let path =
        PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../interop/vectors/ours/cs42.json");
    if std::env::var_os(WRITE).is_some() {
        std::fs::write(&path, &made).expect("the folder is in the repository");
    }
    let published = std::fs::read_to_string(&path).expect("the vectors are in the repository");
    assert!(
        published == made,
        "they differ: `cargo xtask vectors` publishes what the code makes now"
    );
}

/// One endpoint with its ephemerals of the first round and of the renewal.
struct Endpoint {
    name: &'static str,
    identity: Arc<Ephemeral>,
    secret: [u8; 32],
    ephemerals: [[u8; 32]; 2],
    keys: KeySet,
}

struct Maker {
    rng: ChaCha20Rng,
    a: Endpoint,
    b: Endpoint,
}

/// What a round leaves.
struct Done {
    messages: [Value; 2],
    session: Value,
    at_a: Cs42Session,
    at_b: Cs42Session,
}

impl Endpoint {
    fn new(name: &'static str, with_3a: bool, rng: &mut ChaCha20Rng) -> Self {
        let secret = random(rng);
        let ephemerals = [random(rng), random(rng)];
        let identity = Arc::new(of_secret(&secret));
        let mut keys = KeySet::new();
        keys.insert_key(Csid::CS42, identity.public().to_vec())
            .expect("a key");
        if with_3a {
            keys.insert_intermediate(Csid::CS3A, Intermediate::of(&random::<32>(rng)))
                .expect("an intermediate");
        }
        Self {
            name,
            identity,
            secret,
            ephemerals,
            keys,
        }
    }

    fn hashname(&self) -> Hashname {
        self.keys.hashname().expect("it has keys")
    }

    fn ephemeral(&self, round: usize) -> Ephemeral {
        of_secret(&self.ephemerals[round])
    }

    fn exchange(&self, with: &Self, round: usize) -> Cs42Exchange {
        let identity = Arc::clone(&self.identity);
        Cs42Exchange::new(identity, &with.identity.public(), self.ephemeral(round))
            .expect("another's key")
    }

    fn identity_json(&self, order: Order) -> Value {
        let intermediates: serde_json::Map<String, Value> = self
            .keys
            .iter()
            .map(|(csid, part)| {
                let intermediate = part.intermediate();
                (csid.to_string(), text(intermediate.as_bytes()).into())
            })
            .collect();
        let odd = order == Order::Odd;
        json!({
            "secret": text(&self.secret),
            "public": text(&self.identity.public()),
            "intermediates": intermediates,
            "hashname": self.hashname().to_string(),
            "hashname_raw": text(self.hashname().as_bytes()),
            "order": if odd { "odd" } else { "even" },
        })
    }

    fn ephemeral_json(&self, round: usize) -> Value {
        let public = self.ephemeral(round).public();
        json!({
            "secret": text(&self.ephemerals[round]),
            "public": text(&public),
            "token": text(Token::of_body(&public).expect("long enough").as_bytes()),
        })
    }

    /// The inner packet of its `link` message.
    fn link(&self, head: &Value) -> Vec<u8> {
        let mut attached = Value::Object(self.keys.attached_head(Csid::CS42)).to_string();
        attached.retain(|letter| !letter.is_whitespace());
        let attached = lob(attached.as_bytes(), &self.identity.public());
        lob(head.to_string().as_bytes(), &attached)
    }
}

impl Maker {
    fn new() -> Self {
        let mut rng = rng(SEED);
        Self {
            a: Endpoint::new("A", false, &mut rng),
            b: Endpoint::new("B", true, &mut rng),
            rng,
        }
    }

    fn file(&mut self) -> Value {
        let mut first = self.round(0, &json!({"type": "link", "at": 1_800_000_001}), None);
        let channel = self.channel(&mut first);
        let resume = *first.at_a.resume().expect("a secret");
        let cont = base32::encode(first.at_a.session_id().as_bytes());
        let head = json!({"type": "link", "at": 1_800_003_601, "cont": cont});
        let mut renewed = self.round(1, &head, Some(&resume));
        let renewal_channel = [self.packet(&mut renewed, "A", 0, &[0])];
        let order = self.a.exchange(&self.b, 0).order();
        json!({
            "about": "CS42. Made by this repository's implementation (cargo xtask vectors), checked \
                by interop/cs42/check.py. All hex unless said.",
            "identities": {
                "A": self.a.identity_json(order),
                "B": self.b.identity_json(order.opposite()),
            },
            "ephemerals": {
                "A": self.a.ephemeral_json(0),
                "B": self.b.ephemeral_json(0),
                "A2": self.a.ephemeral_json(1),
                "B2": self.b.ephemeral_json(1),
            },
            "messages": first.messages,
            "session": first.session,
            "channel": channel,
            "renewal_messages": renewed.messages,
            "renewal_session": renewed.session,
            "renewal_channel": renewal_channel,
            "must_fail": self.must_fail(&first.messages),
            "must_fail_low_order_identity": LOW_ORDER,
        })
    }

    /// Both messages of a round and the session that comes of it.
    fn round(&mut self, round: usize, head: &Value, resume: Option<&[u8; 32]>) -> Done {
        let (salt_a, salt_b) = (random(&mut self.rng), random(&mut self.rng));
        let (a, b) = (&self.a, &self.b);
        let (mut at_a, mut at_b) = (a.exchange(b, round), b.exchange(a, round));
        let messages = [
            message_json(a, b, &mut at_a, round, &salt_a, head),
            message_json(b, a, &mut at_b, round, &salt_b, head),
        ];
        let from = |exchange: &Cs42Exchange, message: &Value| {
            let opened = exchange.open(&hex(&message["body"]));
            opened.expect("a message to it").remote
        };
        let (from_a, from_b) = (from(&at_b, &messages[0]), from(&at_a, &messages[1]));
        let context = |local: &Endpoint, remote: &Endpoint| SessionContext {
            local: local.hashname(),
            remote: remote.hashname(),
            resume,
        };
        let at_a = at_a.derive(&from_b, &context(a, b)).expect("a session");
        let at_b = at_b.derive(&from_a, &context(b, a)).expect("a session");
        Done {
            session: self.session_json(round, resume, &at_a),
            messages,
            at_a,
            at_b,
        }
    }

    fn session_json(&self, round: usize, resume: Option<&[u8; 32]>, made: &Cs42Session) -> Value {
        let a_is_odd = self.a.exchange(&self.b, round).order() == Order::Odd;
        let (odd, even) = if a_is_odd {
            (&self.a, &self.b)
        } else {
            (&self.b, &self.a)
        };
        let (e_odd, e_even) = (odd.ephemeral(round), even.ephemeral(round));
        let (s_odd, s_even) = (odd.identity.public(), even.identity.public());
        let prev = resume.copied().unwrap_or_default();
        let agreed = [
            e_odd.agree(&e_even.public()),
            e_odd.agree(&s_even),
            odd.identity.agree(&e_even.public()),
            odd.identity.agree(&s_even),
        ];
        let agreed = agreed.map(|agreed| *agreed.expect("honest keys").as_bytes());
        let salt = Sha256::new()
            .chain_update(b"telehash/cs42/session")
            .chain_update(e_odd.public())
            .chain_update(e_even.public())
            .chain_update(s_odd)
            .chain_update(s_even)
            .chain_update(odd.hashname().as_bytes())
            .chain_update(even.hashname().as_bytes())
            .finalize();
        let ikm = [&prev[..], &agreed.concat()].concat();
        let secrets = kdf::hkdf::<112>(&salt, &[&ikm], &[b"telehash/cs42/channel"]);
        let mut session = json!({
            "prev": text(&prev),
            "ikm": text(&ikm),
            "salt": text(&salt),
            "secret_oe": text(&secrets[..32]),
            "secret_eo": text(&secrets[32..64]),
            "resume": text(made.resume().expect("a secret")),
            "id": text(made.session_id().as_bytes()),
            "cont": base32::encode(made.session_id().as_bytes()),
        });
        for (way, secret) in [("oe", &secrets[..32]), ("eo", &secrets[32..64])] {
            let mut secret: [u8; 32] = secret.try_into().expect("32 bytes");
            for epoch in 0..3 {
                let keys = kdf::expand::<44>(&secret, b"telehash/cs42/key");
                session[std::format!("key_{way}_{epoch}")] = text(&keys[..32]).into();
                session[std::format!("iv_{way}_{epoch}")] = text(&keys[32..]).into();
                secret = *kdf::expand(&secret, b"telehash/cs42/next");
                if epoch == 0 {
                    session[std::format!("secret_{way}_1")] = text(&secret).into();
                }
            }
        }
        session
    }

    /// Packets both ways: the first two, the last of an epoch and the first of the next, and one
    /// after an epoch that was skipped.
    fn channel(&self, done: &mut Done) -> Vec<Value> {
        let packets: [(u64, &[u8]); 5] = [
            (0, &[0]),
            (1, &lob(br#"{"c":1,"type":"path"}"#, b"")),
            (EPOCH_LEN - 1, &lob(br#"{"c":1,"seq":7}"#, b"hello")),
            (EPOCH_LEN, &lob(br#"{"c":1,"seq":8}"#, b"world")),
            (3 * EPOCH_LEN, &[]),
        ];
        let mut made = Vec::new();
        for sender in ["A", "B"] {
            for (counter, plaintext) in packets {
                made.push(self.packet(done, sender, counter, plaintext));
            }
        }
        made
    }

    fn packet(&self, done: &mut Done, sender: &str, counter: u64, plaintext: &[u8]) -> Value {
        let session = if sender == "A" {
            &mut done.at_a
        } else {
            &mut done.at_b
        };
        let packet = sealed_at(session, counter, plaintext);
        let (us, them) = if sender == "A" {
            (&self.a, &self.b)
        } else {
            (&self.b, &self.a)
        };
        let odd = us.exchange(them, 0).order() == Order::Odd;
        json!({
            "sender": sender,
            "direction": if odd { "oe" } else { "eo" },
            "counter": counter,
            "epoch": counter / EPOCH_LEN,
            "plaintext": text(plaintext),
            "body": text(&packet[2..]),
            "packet": text(&packet),
        })
    }

    /// Messages to B that it must refuse, A being who it knows.
    fn must_fail(&mut self, messages: &[Value; 2]) -> Vec<Value> {
        let good = hex(&messages[0]["body"]);
        let flipped = |at: usize, bit: u8| {
            let mut body = good.clone();
            body[at] ^= bit;
            body
        };
        let last = good.len() - 1;
        let mut cases = std::vec![
            ("KEY bit", flipped(0, 1), "tag"),
            ("KEY top bit flipped", flipped(31, 0x80), "tag"),
            ("SALT bit", flipped(40, 1), "tag"),
            ("CT bit", flipped(48, 1), "tag"),
            ("TAG bit", flipped(last - 16, 1), "tag"),
            ("AUTH bit (opens, then fails)", flipped(last, 1), "auth"),
            ("truncated by one", good[..last].to_vec(), "tag"),
            ("81 bytes", good[..81].to_vec(), "short"),
            (
                "reflected: B's own message",
                hex(&messages[1]["body"]),
                "tag"
            ),
        ];
        for key in LOW_ORDER {
            let key = HEXLOWER.decode(key.as_bytes()).expect("hex");
            let body = [&key, &good[32..]].concat();
            cases.push(("low-order KEY", body, "all-zero dh"));
        }
        let another = Endpoint::new("C", false, &mut self.rng);
        let identity = Arc::clone(&another.identity);
        let exchange = Cs42Exchange::new(identity, &self.b.identity.public(), self.a.ephemeral(0));
        let inner = hex(&messages[0]["inner"]);
        let packet = exchange
            .expect("b's key")
            .seal_with(&inner, &random(&mut self.rng));
        cases.push((
            "CT fine, inner names A, AUTH made with C's identity",
            body(&packet.expect("a message")).to_vec(),
            "auth",
        ));
        let cases = cases.into_iter();
        cases
            .map(|(what, body, fails)| json!({"what": what, "body": text(&body), "fails": fails}))
            .collect()
    }
}

/// Public keys with which everybody agrees on zeros.
const LOW_ORDER: [&str; 7] = [
    "0000000000000000000000000000000000000000000000000000000000000000",
    "0100000000000000000000000000000000000000000000000000000000000000",
    "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
    "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
];

fn message_json(
    from: &Endpoint,
    to: &Endpoint,
    exchange: &mut Cs42Exchange,
    round: usize,
    salt: &Salt,
    head: &Value,
) -> Value {
    let inner = from.link(head);
    let packet = exchange.seal_with(&inner, salt).expect("a message");
    let ephemeral = from.ephemeral(round);
    let (key, sender) = (ephemeral.public(), from.identity.public());
    let recipient = to.identity.public();
    let dh_er = ephemeral.agree(&recipient).expect("an honest key");
    let dh_sr = from.identity.agree(&recipient).expect("an honest key");
    let k = kdf::hkdf::<32>(
        salt,
        &[dh_er.as_bytes()],
        &[b"telehash/cs42/message", &key, &recipient],
    );
    let a = kdf::hkdf::<32>(
        salt,
        &[dh_er.as_bytes(), dh_sr.as_bytes()],
        &[b"telehash/cs42/auth", &key, &sender, &recipient],
    );
    json!({
        "what": std::format!("{} to {}, round {}", from.name, to.name, round + 1),
        "salt": text(salt),
        "inner": text(&inner),
        "inner_head": head,
        "dh_ER": text(dh_er.as_bytes()),
        "dh_SR": text(dh_sr.as_bytes()),
        "k": text(&*k),
        "a": text(&*a),
        "body": text(body(&packet)),
        "packet": text(&packet),
    })
}

fn lob(head: &[u8], body: &[u8]) -> Vec<u8> {
    let len = u16::try_from(head.len()).expect("a short head");
    [&len.to_be_bytes(), head, body].concat()
}

fn of_secret(secret: &[u8; 32]) -> Ephemeral {
    Ephemeral::from_secret(&Zeroizing::new(*secret))
}

fn random<const LEN: usize>(rng: &mut ChaCha20Rng) -> [u8; LEN] {
    let mut bytes = [0; LEN];
    rng.fill_bytes(&mut bytes);
    bytes
}

fn text(bytes: &[u8]) -> String {
    HEXLOWER.encode(bytes)
}
