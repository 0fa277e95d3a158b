//! What the tests of CS42 share.

mod channels;
mod costs;
mod epochs;
mod erasure;
mod exchanges;
mod keys;
mod messages;
mod published;
mod vectors;
pub(super) mod work;

use alloc::sync::Arc;
use std::vec::Vec;

use data_encoding::HEXLOWER;
use rand_chacha::ChaCha20Rng;
use rand_core::{Rng, SeedableRng};
use serde_json::Value;
use telehash_hashname::Hashname;
use zeroize::Zeroizing;

use super::agreement::Ephemeral;
use super::epoch::EPOCH_LEN;
use super::exchange::Cs42Exchange;
use super::session::Cs42Session;
use crate::{Exchange, Instant, MESSAGE_HEAD_LEN, Opened, Session, SessionContext};

/// Where a test does not say when.
const NOW: Instant = Instant::from_micros(0);

/// Bytes of a channel packet before its plaintext and after it.
const HEAD_LEN: usize = 26;
const TAG_LEN: usize = 16;

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

/// The key pair with the secret that a vector spells as hex.
fn pair(secret: &Value) -> Ephemeral {
    Ephemeral::from_secret(&Zeroizing::new(hex_array(secret)))
}

/// The BODY of a message packet.
fn body(packet: &[u8]) -> &[u8] {
    &packet[MESSAGE_HEAD_LEN..]
}

/// Two endpoints that know each other's identity key.
struct World {
    rng: ChaCha20Rng,
    a: Cs42Exchange,
    b: Cs42Exchange,
}

impl World {
    fn new(seed: u64) -> Self {
        let mut rng = rng(seed);
        let [a, b] = [(); 2].map(|()| Arc::new(Ephemeral::random(&mut rng)));
        let (public_a, public_b) = (a.public(), b.public());
        Self {
            a: Cs42Exchange::new(a, &public_b, Ephemeral::random(&mut rng)).expect("b's key"),
            b: Cs42Exchange::new(b, &public_a, Ephemeral::random(&mut rng)).expect("a's key"),
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

    /// New ephemerals on both sides.
    fn fresh(&mut self) {
        self.a.fresh(&mut self.rng).expect("an ephemeral");
        self.b.fresh(&mut self.rng).expect("an ephemeral");
    }

    /// Both ends of one session, a's first. Uses the ephemerals up.
    fn sessions(&mut self) -> (Cs42Session, Cs42Session) {
        self.sessions_after([None, None])
    }

    /// The same with what a and b hold as the secret of the session before.
    fn sessions_after(&mut self, resume: [Option<&[u8; 32]>; 2]) -> (Cs42Session, Cs42Session) {
        let from_a = self.opened().remote;
        let message = self.answer(b"hello");
        let from_b = self.a.open(&message).expect("a message to a").remote;
        let at_a = self.a.derive(&from_b, &context(1, 2, resume[0]));
        let at_b = self.b.derive(&from_a, &context(2, 1, resume[1]));
        (at_a.expect("a session"), at_b.expect("a session"))
    }
}

fn context(local: u8, remote: u8, resume: Option<&[u8; 32]>) -> SessionContext<'_> {
    SessionContext {
        local: Hashname::from_bytes([local; 32]),
        remote: Hashname::from_bytes([remote; 32]),
        resume,
    }
}

/// A channel packet with this text, not yet sealed.
fn unsealed(text: &[u8]) -> Vec<u8> {
    [&[0xee; HEAD_LEN], text, &[0xee; TAG_LEN]].concat()
}

/// A channel packet with this text.
fn sealed(session: &mut Cs42Session, text: &[u8]) -> Vec<u8> {
    let mut packet = unsealed(text);
    session.seal(NOW, &mut packet).expect("room and counters");
    packet
}

/// A channel packet with this text and counter. The sender comes by the way it goes in earnest.
fn sealed_at(session: &mut Cs42Session, counter: u64, text: &[u8]) -> Vec<u8> {
    if counter.is_multiple_of(EPOCH_LEN) && counter != 0 {
        session.sender().skip_to(counter - 1);
        sealed(session, b"the last packet of an epoch");
    } else {
        session.sender().skip_to(counter);
    }
    let packet = sealed(session, text);
    assert_eq!(counter_of(&packet), counter);
    packet
}

fn counter_of(packet: &[u8]) -> u64 {
    u64::from_be_bytes(packet[18..26].try_into().expect("eight bytes"))
}

/// The plaintext of a packet that must open.
fn open(session: &mut Cs42Session, packet: &[u8]) -> Vec<u8> {
    open_at(session, NOW, packet)
}

fn open_at(session: &mut Cs42Session, now: Instant, packet: &[u8]) -> Vec<u8> {
    let mut packet = packet.to_vec();
    let plaintext = session
        .open(now, &mut packet)
        .expect("a packet of this session");
    packet[plaintext].to_vec()
}
