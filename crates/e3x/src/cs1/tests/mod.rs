//! What the tests of the 1x cipher sets share. Most run on both curves.

/// Makes tests of functions that are generic over the curve.
macro_rules! on_every_curve {
    ($($name:ident),+ $(,)?) => {
        #[cfg(feature = "cs1a")]
        mod cs1a {
            $(#[test] fn $name() { super::$name::<crate::cs1::cs1a::Secp160r1>(); })+
        }
        #[cfg(feature = "cs1c")]
        mod cs1c {
            $(#[test] fn $name() { super::$name::<crate::cs1::cs1c::P256>(); })+
        }
    };
}

mod c_vectors;
mod channels;
mod costs;
mod exchanges;
#[cfg(feature = "cs1a")]
mod js_vectors;
mod keys;
mod messages;
mod primitives;

use alloc::sync::Arc;
use std::vec::Vec;

use data_encoding::HEXLOWER;
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use serde_json::Value;
use telehash_hashname::Hashname;

use super::cipher::{Iv, MAC_LEN};
use super::curve::Curve;
use super::exchange::Cs1Exchange;
use super::iv::IvSource;
use super::key::Pair;
use super::session::{ChannelPacket, Cs1Session, HEAD_LEN};
use crate::{CipherSet, CipherSets, Exchange, Instant, MESSAGE_HEAD_LEN, Opened, Session};

/// For what does not depend on the curve.
#[cfg(feature = "cs1a")]
type SomeCurve = super::cs1a::Secp160r1;
#[cfg(not(feature = "cs1a"))]
type SomeCurve = super::cs1c::P256;

/// No session of these sets looks at the time.
const NOW: Instant = Instant::from_micros(0);

pub(super) fn rng(seed: u64) -> ChaCha20Rng {
    ChaCha20Rng::seed_from_u64(seed)
}

/// The cipher set on this curve.
fn set<C: Curve>() -> Arc<dyn CipherSet> {
    let sets = CipherSets::default();
    Arc::clone(sets.get(C::CSID).expect("its feature is on"))
}

/// A file of vectors.
fn vectors(path: &str) -> Value {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../interop/vectors/");
    let text = std::fs::read_to_string([folder, path].concat());
    let text = text.expect("the vectors are in the repository");
    serde_json::from_str(&text).expect("JSON")
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

/// The key pair with this secret.
fn pair<C: Curve>(secret: &[u8]) -> Pair<C> {
    Pair::from_secret(C::read_secret(secret).expect("a secret key"))
}

fn random_pair<C: Curve>(seed: u64) -> Pair<C> {
    Pair::random(&mut rng(seed)).expect("a working generator")
}

/// The exchange of two identities with an ephemeral.
fn exchange<C: Curve>(identity: Pair<C>, remote: &[u8], ephemeral: Pair<C>) -> Cs1Exchange<C> {
    let mut rng = rng(9);
    let mut exchange =
        Cs1Exchange::new(Arc::new(identity), remote, &mut rng).expect("a key of somebody else");
    exchange.fresh_with(ephemeral, IvSource::random(&mut rng));
    exchange
}

/// The BODY of a message packet.
fn body(packet: &[u8]) -> &[u8] {
    &packet[MESSAGE_HEAD_LEN..]
}

/// Of no interest to these sets.
fn context() -> crate::SessionContext<'static> {
    let hashname = Hashname::from_bytes([1; 32]);
    crate::SessionContext {
        local: hashname,
        remote: hashname,
        resume: None,
    }
}

/// Two endpoints that know each other's identity key.
struct World<C: Curve> {
    rng: ChaCha20Rng,
    a: Cs1Exchange<C>,
    b: Cs1Exchange<C>,
}

impl<C: Curve> World<C> {
    fn new(seed: u64) -> Self {
        let mut rng = rng(seed);
        let [a, b] =
            [(); 2].map(|()| Arc::new(Pair::<C>::random(&mut rng).expect("a working generator")));
        Self {
            a: Cs1Exchange::new(Arc::clone(&a), b.public.as_ref(), &mut rng).expect("b's key"),
            b: Cs1Exchange::new(b, a.public.as_ref(), &mut rng).expect("a's key"),
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
    fn sessions(&mut self) -> (Cs1Session<C>, Cs1Session<C>) {
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
    [&[0xee; HEAD_LEN], text, &[0xee; MAC_LEN]].concat()
}

/// A channel packet with this text.
fn sealed<C: Curve>(session: &mut Cs1Session<C>, text: &[u8]) -> Vec<u8> {
    let mut packet = unsealed(text);
    session.seal(NOW, &mut packet).expect("room and IVs");
    packet
}

/// A channel packet with this text and an IV of our choice.
fn sealed_with<C: Curve>(session: &Cs1Session<C>, iv: Iv, text: &[u8]) -> Vec<u8> {
    let mut packet = unsealed(text);
    session.seal_with(&iv, &mut ChannelPacket::split(&mut packet).expect("room"));
    packet
}

/// The plaintext of a packet that must open.
fn open<C: Curve>(session: &mut Cs1Session<C>, packet: &[u8]) -> Vec<u8> {
    let mut packet = packet.to_vec();
    let plaintext = session
        .open(NOW, &mut packet)
        .expect("a packet of this session");
    packet[plaintext].to_vec()
}
