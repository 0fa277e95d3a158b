//! What the tests of CS2a share.

mod channels;
mod costs;
mod exchanges;
mod js_vectors;
mod keys;
mod messages;

use alloc::sync::Arc;
use std::sync::LazyLock;
use std::vec::Vec;

use data_encoding::HEXLOWER;
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use serde_json::Value;
use zeroize::Zeroizing;

use super::exchange::Cs2aExchange;
use super::iv::IvSource;
use super::rsa::PrivateKey;
use super::session::{ChannelPacket, Cs2aSession, HEAD_LEN, OVERHEAD};
use crate::{Exchange, Instant, KeyPair, MESSAGE_HEAD_LEN, Opened, Session};

/// No session of CS2a looks at the time.
const NOW: Instant = Instant::from_micros(0);

/// The identities of the JavaScript implementation, and one that was made here: making more takes
/// longer than all the rest.
static A: LazyLock<KeyPair> = LazyLock::new(|| js_vectors::Vectors::load().identity("A"));
static B: LazyLock<KeyPair> = LazyLock::new(|| js_vectors::Vectors::load().identity("B"));
static STRANGER: LazyLock<KeyPair> =
    LazyLock::new(|| super::rsa::generate().expect("randomness of the system's"));

fn rng(seed: u64) -> ChaCha20Rng {
    ChaCha20Rng::seed_from_u64(seed)
}

/// The bytes that a vector spells as hex.
fn hex(value: &Value) -> Vec<u8> {
    let text = value.as_str().expect("a string");
    HEXLOWER.decode(text.as_bytes()).expect("hex")
}

/// The same for a fixed number of them.
fn hex_array<const LEN: usize>(value: &Value) -> [u8; LEN] {
    hex(value).try_into().expect("that many bytes")
}

/// The BODY of a message packet.
fn body(packet: &[u8]) -> &[u8] {
    &packet[MESSAGE_HEAD_LEN..]
}

fn identity(pair: &KeyPair) -> Arc<PrivateKey> {
    let key = PrivateKey::load(&pair.public, &pair.secret);
    Arc::new(key.expect("both halves of one pair"))
}

/// The exchange of one endpoint with another.
fn exchange(ours: &KeyPair, theirs: &KeyPair, rng: &mut ChaCha20Rng) -> Cs2aExchange {
    Cs2aExchange::new(identity(ours), &theirs.public, rng).expect("an honest key")
}

/// Two endpoints that know each other's identity key.
struct World {
    rng: ChaCha20Rng,
    a: Cs2aExchange,
    b: Cs2aExchange,
}

impl World {
    fn new(seed: u64) -> Self {
        let mut rng = rng(seed);
        Self {
            a: exchange(&A, &B, &mut rng),
            b: exchange(&B, &A, &mut rng),
            rng,
        }
    }

    /// The BODY of a message from a to b.
    fn message(&mut self, inner: &[u8]) -> Vec<u8> {
        let packet = self.a.seal(inner, &mut self.rng).expect("a message");
        body(&packet).to_vec()
    }

    /// The BODY of a message from b to a.
    fn answer(&mut self, inner: &[u8]) -> Vec<u8> {
        let packet = self.b.seal(inner, &mut self.rng).expect("a message");
        body(&packet).to_vec()
    }

    /// A message from a as b decrypts it.
    fn opened(&mut self) -> Opened {
        let message = self.message(b"hello");
        self.b.open(&message).expect("a message to b")
    }

    /// Both ends of one session, a's first.
    fn sessions(&mut self) -> (Cs2aSession, Cs2aSession) {
        let from_a = self.opened().remote;
        let message = self.answer(b"hello");
        let from_b = self.a.open(&message).expect("a message to a").remote;
        let at_a = self
            .a
            .session_with(&from_b, IvSource::random(&mut self.rng));
        let at_b = self
            .b
            .session_with(&from_a, IvSource::random(&mut self.rng));
        (at_a.expect("a session"), at_b.expect("a session"))
    }
}

/// A channel packet with this text, not yet sealed.
fn unsealed(text: &[u8]) -> Vec<u8> {
    [&[0xee; HEAD_LEN], text, &[0xee; OVERHEAD - HEAD_LEN]].concat()
}

/// A channel packet with this text.
fn sealed(session: &mut Cs2aSession, text: &[u8]) -> Vec<u8> {
    let mut packet = unsealed(text);
    session.seal(NOW, &mut packet).expect("room and IVs");
    packet
}

/// A channel packet with this text and an IV of our choice.
fn sealed_with(session: &Cs2aSession, iv: [u8; 12], text: &[u8]) -> Vec<u8> {
    let mut packet = unsealed(text);
    let mut fields = ChannelPacket::split(&mut packet).expect("room");
    session.seal_with(&iv, &mut fields).expect("a short text");
    packet
}

/// The plaintext of a packet that must open.
fn open(session: &mut Cs2aSession, packet: &[u8]) -> Vec<u8> {
    let mut packet = packet.to_vec();
    let plaintext = session
        .open(NOW, &mut packet)
        .expect("a packet of this session");
    packet[plaintext].to_vec()
}
