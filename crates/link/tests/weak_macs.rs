//! Cipher sets with MACs of four bytes: guesses are limited, and too many cost the session.

mod common;

use std::{net::SocketAddr, time::Duration};

use common::{Peer, pattern};
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use telehash_e3x::{CipherSets, Identity};
use telehash_hashname::Csid;
use telehash_link::HandshakeMessage;
use telehash_lob::cloak;
use telehash_netsim::{NodeId, World};

/// What links.md and cipher-sets.md allow: guesses at once, and forged packets of one session.
const GUESSES: u64 = 32;
const FORGERIES: u32 = 1 << 16;

fn linked() -> (World, NodeId, NodeId) {
    let mut world = World::new(1).with_sets(&[Csid::CS1A]);
    let (sending, _) = Peer::sending(pattern(3_000));
    let (a, b) = (world.add(sending), world.add(Peer::default()));
    world.record(a);
    world.connect(a, b).unwrap();
    assert!(world.drive(Duration::from_secs(30), |world| world.is_up(a, b)));
    world.run(Duration::from_secs(2));
    (world, a, b)
}

#[test]
fn a_guesser_has_32_guesses_of_one_identity_wherever_they_come_from() {
    let mut world = World::new(2).with_sets(&[Csid::CS1A]);
    let victim = world.add(Peer::default());
    let mut rng = ChaCha20Rng::seed_from_u64(3);
    let claimed = Identity::generate(&CipherSets::default(), &[Csid::CS1A], &mut rng).unwrap();
    let local = claimed.local(Csid::CS1A).unwrap();
    let public = world
        .identity(victim)
        .keys()
        .key(Csid::CS1A)
        .unwrap()
        .to_vec();
    let guess = |world: &mut World, rng: &mut ChaCha20Rng, number: u8| {
        let mut exchange = local.exchange(&public, rng).unwrap();
        let message = HandshakeMessage::link(1_800_000_001, claimed.keys().clone());
        let inner = message.to_bytes(Csid::CS1A).unwrap();
        let mut packet = exchange.seal(&inner, rng).unwrap();
        *packet.last_mut().unwrap() ^= 1;
        let mut datagram = cloak::make_nonce([number; 8]).to_vec();
        datagram.extend_from_slice(&packet);
        cloak::cloak_in_place(&mut datagram);
        let from = SocketAddr::from(([172, 16, number, 1], 1));
        world.inject(from, victim, &datagram);
        world.run(Duration::from_millis(2));
    };
    for number in 0..40 {
        guess(&mut world, &mut rng, number);
    }
    let stats = world.endpoint(victim).stats();
    assert_eq!(stats.throttled, 40 - GUESSES, "{stats:?}");
    // One more a second.
    world.run(Duration::from_secs(1));
    guess(&mut world, &mut rng, 41);
    guess(&mut world, &mut rng, 42);
    let stats = world.endpoint(victim).stats();
    assert_eq!(stats.throttled, 40 - GUESSES + 1, "{stats:?}");
}

#[test]
fn a_session_on_which_too_much_was_forged_is_replaced_and_the_link_comes_back() {
    let (mut world, a, b) = linked();
    let sent = world.recorded(a);
    let (_, packet) = sent.last().expect("the end of its stream");
    let mut forged = packet.clone();
    *forged.last_mut().unwrap() ^= 1;
    let from = world.address(a);
    let sessions = |world: &World| world.link(b, a).unwrap().stats().sessions;
    assert_eq!(sessions(&world), 1);
    for _ in 1..FORGERIES {
        world.inject(from, b, &forged);
        world.run(Duration::from_micros(500));
    }
    assert!(world.is_up(a, b));
    assert_eq!(sessions(&world), 1);
    world.inject(from, b, &forged);
    let back = world.drive(Duration::from_secs(60), |world| {
        world.is_up(a, b) && sessions(world) == 2
    });
    assert!(back);
}
