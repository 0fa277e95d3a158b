//! What the tests of CS3a share.

mod c_vectors;
mod channels;
mod costs;
mod exchanges;
mod js_vectors;
mod keys;
mod messages;
mod oracle;

use alloc::sync::Arc;
use std::vec::Vec;

use data_encoding::HEXLOWER;
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use serde_json::Value;
use zeroize::Zeroizing;

use super::exchange::Cs3aExchange;
use super::key::Pair;
use super::nonce::NonceSource;
use super::session::{ChannelPacket, Cs3aSession, HEAD_LEN};
use crate::{Exchange, Instant, MESSAGE_HEAD_LEN, Opened, Session};

/// No session of CS3a looks at the time.
const NOW: Instant = Instant::from_micros(0);

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
fn pair(secret: &Value) -> Pair {
    Pair::from_secret(Zeroizing::new(hex_array(secret)))
}

/// The BODY of a message packet.
fn body(packet: &[u8]) -> &[u8] {
    &packet[MESSAGE_HEAD_LEN..]
}

/// Two endpoints that know each other's identity key.
struct World {
    rng: ChaCha20Rng,
    a: Cs3aExchange,
    b: Cs3aExchange,
}

impl World {
    fn new(seed: u64) -> Self {
        let mut rng = rng(seed);
        let [a, b] = [(); 2].map(|()| Arc::new(Pair::random(&mut rng)));
        Self {
            a: Cs3aExchange::new(Arc::clone(&a), &b.public, Pair::random(&mut rng))
                .expect("b's key"),
            b: Cs3aExchange::new(b, &a.public, Pair::random(&mut rng)).expect("a's key"),
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
    fn sessions(&mut self) -> (Cs3aSession, Cs3aSession) {
        let from_a = self.opened().remote;
        let message = self.answer(b"hello");
        let from_b = self.a.open(&message).expect("a message to a").remote;
        let at_a = self
            .a
            .session_with(&from_b, NonceSource::random(&mut self.rng));
        let at_b = self
            .b
            .session_with(&from_a, NonceSource::random(&mut self.rng));
        (at_a.expect("a session"), at_b.expect("a session"))
    }
}

/// A channel packet with this text, not yet sealed.
fn unsealed(text: &[u8]) -> Vec<u8> {
    [&[0xee; HEAD_LEN], text].concat()
}

/// A channel packet with this text.
fn sealed(session: &mut Cs3aSession, text: &[u8]) -> Vec<u8> {
    let mut packet = unsealed(text);
    session.seal(NOW, &mut packet).expect("room and nonces");
    packet
}

/// A channel packet with this text and a nonce of our choice.
fn sealed_with(session: &Cs3aSession, nonce: [u8; 24], text: &[u8]) -> Vec<u8> {
    let mut packet = unsealed(text);
    session.seal_with(
        &nonce,
        &mut ChannelPacket::split(&mut packet).expect("room"),
    );
    packet
}

/// The plaintext of a packet that must open.
fn open(session: &mut Cs3aSession, packet: &[u8]) -> Vec<u8> {
    let mut packet = packet.to_vec();
    let plaintext = session
        .open(NOW, &mut packet)
        .expect("a packet of this session");
    packet[plaintext].to_vec()
}
