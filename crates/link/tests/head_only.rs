//! Head-only cloaking (packets.md): only where both ends offered it, marked by a token of its own.

mod common;

use std::time::Duration;

use common::{Peer, pattern};
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use telehash_e3x::{CipherSets, Identity, Outer, Token};
use telehash_hashname::Csid;
use telehash_link::Config;
use telehash_lob::cloak::{self, WorkBudget};
use telehash_netsim::{NodeId, World};

const BYTES: usize = 50_000;

fn node(world: &mut World, seed: u64, head_only: bool, peer: Peer) -> NodeId {
    let mut rng = ChaCha20Rng::seed_from_u64(seed);
    let identity = Identity::generate(&CipherSets::default(), &[Csid::CS3A], &mut rng).unwrap();
    let mut config = Config::default();
    config.head_only_cloak = head_only;
    world.add_with(identity, config, peer)
}

/// Streams from one end to the other; returns the tokens of the sender's channel packets, and the
/// two that its peer's handshakes stand for: of full cloaking and of head-only cloaking.
fn tokens(sender_offers: bool, receiver_offers: bool) -> (Vec<Token>, Token, Token) {
    let mut world = World::new(1);
    let (receiving, seen) = Peer::sending(Vec::new());
    let sender = node(
        &mut world,
        11,
        sender_offers,
        Peer::sending(pattern(BYTES)).0,
    );
    let receiver = node(&mut world, 12, receiver_offers, receiving);
    world.record(sender);
    world.record(receiver);
    world.connect(sender, receiver).unwrap();
    assert!(world.drive(Duration::from_secs(30), |_| seen.lock().unwrap().finished));
    assert!(seen.lock().unwrap().received == pattern(BYTES));

    let handshake = world
        .recorded(receiver)
        .into_iter()
        .find_map(|(_, mut datagram)| {
            let at = cloak::decloak_in_place(&mut datagram, &mut WorkBudget::default()).unwrap();
            match Outer::parse(&datagram[at..]) {
                Some(Outer::Message { body, .. }) => Some(body.to_vec()),
                _ => None,
            }
        });
    let body = handshake.expect("the receiver answered");
    let full = Token::of_body(&body).unwrap();
    let head_only = Token::head_only_of_body(&body).unwrap();
    let heads = world
        .recorded(sender)
        .into_iter()
        .filter_map(|(_, datagram)| {
            let peek = cloak::peek(&datagram, &mut WorkBudget::default()).unwrap();
            match peek.head() {
                [0, 0, token @ ..] => Some(Token::from_bytes(*token.first_chunk().unwrap())),
                _ => None,
            }
        });
    (heads.collect(), full, head_only)
}

#[test]
fn two_ends_that_offer_it_cloak_channel_packets_only_at_their_head() {
    let (tokens, _, head_only) = tokens(true, true);
    assert!(tokens.len() > BYTES / 1400);
    assert!(tokens.iter().all(|token| *token == head_only));
}

#[test]
fn without_both_offers_every_packet_is_cloaked_in_full() {
    for (sender, receiver) in [(true, false), (false, true), (false, false)] {
        let (tokens, full, _) = tokens(sender, receiver);
        assert!(tokens.len() > BYTES / 1400);
        assert!(
            tokens.iter().all(|token| *token == full),
            "offers: {sender}, {receiver}"
        );
    }
}
