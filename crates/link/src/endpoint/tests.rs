//! What strangers can make an endpoint keep, at its limits.

use core::{net::SocketAddr, time::Duration};

use alloc::{boxed::Box, vec, vec::Vec};

use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use telehash_e3x::{CipherSets, Exchange, Identity, Instant};
use telehash_hashname::{Csid, KeySet};

use super::Endpoint;
use crate::{
    AcceptError, Config, Dispatch, DropReason, HandshakeMessage, Incoming, Kind, LinkOptions,
    PipeId, TransportId,
    config::{HALF_OPEN_TIMEOUT, MAX_HALF_OPEN, MAX_HALF_OPEN_MESSAGES, MAX_HANDSHAKE_PACKET},
};

const START: Instant = Instant::from_micros(1);
const UNIX: u64 = 1_800_000_000;
const MICRO: Duration = Duration::from_micros(1);

/// An endpoint, and what a stranger needs to bother it.
struct Scene {
    endpoint: Endpoint,
    stranger: Identity,
    victim: KeySet,
    rng: ChaCha20Rng,
}

impl Scene {
    fn new() -> Self {
        let mut rng = ChaCha20Rng::seed_from_u64(1);
        let mut identity =
            || Identity::generate(&CipherSets::default(), &[Csid::CS3A], &mut rng).unwrap();
        let (ours, stranger) = (identity(), identity());
        let victim = ours.keys().clone();
        let unix = Duration::from_secs(UNIX);
        let endpoint = Endpoint::new(Config::default(), ours, START, unix, [7; 32]);
        Self {
            endpoint,
            stranger,
            victim,
            rng,
        }
    }

    /// The stranger begins anew, with another ephemeral.
    fn exchange(&mut self) -> Box<dyn Exchange> {
        let remote = self.victim.key(Csid::CS3A).unwrap();
        let local = self.stranger.local(Csid::CS3A).unwrap();
        local.exchange(remote, &mut self.rng).unwrap()
    }

    fn link_message(&self) -> HandshakeMessage {
        HandshakeMessage::link(UNIX, self.stranger.keys().clone())
    }

    fn send(
        &mut self,
        now: Instant,
        exchange: &mut dyn Exchange,
        message: &HandshakeMessage,
    ) -> Dispatch {
        let inner = message.to_bytes(Csid::CS3A).unwrap();
        let mut packet = exchange.seal(&inner, &mut self.rng).unwrap();
        self.endpoint.handle(now, pipe(), &mut packet)
    }

    /// A handshake with an ephemeral of its own, which waits for a decision.
    fn knock(&mut self, now: Instant) -> Incoming {
        let mut exchange = self.exchange();
        let message = self.link_message();
        match self.send(now, &mut *exchange, &message) {
            Dispatch::Incoming(incoming) => incoming,
            other => panic!("{other:?}"),
        }
    }

    fn half_open(&self) -> usize {
        self.endpoint.stats().half_open
    }
}

fn pipe() -> PipeId {
    PipeId::socket(TransportId(0), SocketAddr::from(([192, 0, 2, 1], 1)))
}

#[test]
fn one_half_open_handshake_more_than_the_limit_pushes_out_the_oldest() {
    let mut scene = Scene::new();
    let mut now = START;
    let mut tickets = Vec::new();
    for _ in 0..MAX_HALF_OPEN {
        now += MICRO;
        tickets.push(scene.knock(now).ticket);
    }
    assert_eq!(scene.half_open(), MAX_HALF_OPEN);
    now += MICRO;
    let newest = scene.knock(now).ticket;
    assert_eq!(scene.half_open(), MAX_HALF_OPEN);

    let options = LinkOptions::default();
    let oldest = scene.endpoint.accept(now, tickets[0], options);
    assert!(matches!(oldest, Err(AcceptError::Expired)));
    assert_eq!(scene.half_open(), MAX_HALF_OPEN, "nothing was taken out");
    scene.endpoint.refuse(newest);
    scene.endpoint.accept(now, tickets[1], options).unwrap();
    assert_eq!(scene.half_open(), MAX_HALF_OPEN - 2);
}

#[test]
fn who_has_not_said_its_name_makes_room_before_those_who_wait_for_a_decision() {
    let mut scene = Scene::new();
    let mut now = START;
    let oldest = scene.knock(now).ticket;
    for _ in 1..MAX_HALF_OPEN {
        now += MICRO;
        let mut exchange = scene.exchange();
        let nameless = HandshakeMessage::new(Kind::Jwt, UNIX);
        scene.send(now, &mut *exchange, &nameless);
    }
    now += MICRO;
    scene.knock(now);
    assert_eq!(scene.half_open(), MAX_HALF_OPEN);
    let options = LinkOptions::default();
    scene.endpoint.accept(now, oldest, options).unwrap();
}

#[test]
fn a_half_open_handshake_is_forgotten_after_its_time_and_not_before() {
    let mut scene = Scene::new();
    let ticket = scene.knock(START).ticket;
    let end = START + HALF_OPEN_TIMEOUT;
    assert_eq!(scene.endpoint.poll_timeout(), Some(end));
    let before = START + (HALF_OPEN_TIMEOUT - MICRO);
    scene.endpoint.handle_timeout(before);
    assert_eq!(scene.half_open(), 1);
    scene.endpoint.handle_timeout(end);
    assert_eq!(scene.half_open(), 0);
    assert_eq!(scene.endpoint.poll_timeout(), None);
    let late = scene.endpoint.accept(end, ticket, LinkOptions::default());
    assert!(matches!(late, Err(AcceptError::Expired)));
}

#[test]
fn one_message_more_than_the_limit_is_not_among_those_that_wait_for_the_link_message() {
    let mut scene = Scene::new();
    let mut exchange = scene.exchange();
    for number in 0..=MAX_HALF_OPEN_MESSAGES {
        let kind = Kind::Other(alloc::format!("x{number}"));
        let message = HandshakeMessage::new(kind, UNIX);
        let waits = scene.send(START, &mut *exchange, &message);
        assert!(matches!(waits, Dispatch::Drop(DropReason::Pending)));
    }
    assert_eq!(scene.half_open(), 1);
    let message = scene.link_message();
    let Dispatch::Incoming(incoming) = scene.send(START, &mut *exchange, &message) else {
        panic!("the link message always has its place");
    };
    let kinds: Vec<_> = incoming
        .round
        .messages()
        .iter()
        .map(|message| message.kind.clone())
        .collect();
    assert_eq!(kinds.len(), MAX_HALF_OPEN_MESSAGES + 1);
    let beyond = Kind::Other(alloc::format!("x{MAX_HALF_OPEN_MESSAGES}"));
    assert!(!kinds.contains(&beyond), "{kinds:?}");
}

#[test]
fn a_handshake_packet_beyond_the_limit_costs_no_public_key_work() {
    let mut scene = Scene::new();
    for (len, agreements, reason) in [
        (MAX_HANDSHAKE_PACKET, 1, DropReason::Forged),
        (MAX_HANDSHAKE_PACKET + 1, 1, DropReason::Malformed),
    ] {
        let mut packet = vec![9; len];
        packet[..3].copy_from_slice(&[0, 1, 0x3a]);
        let dispatch = scene.endpoint.handle(START, pipe(), &mut packet);
        assert!(
            matches!(dispatch, Dispatch::Drop(why) if why == reason),
            "{len}: {dispatch:?}"
        );
        assert_eq!(scene.endpoint.stats().agreements, agreements, "{len}");
    }
}
