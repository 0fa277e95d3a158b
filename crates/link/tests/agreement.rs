//! Two endpoints agree on the highest cipher set that both have, and on no other (links.md).

mod common;

use std::{net::SocketAddr, time::Duration};

use common::sets::{SETS, Who, identity, selections};
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use telehash_e3x::{Identity, Instant};
use telehash_hashname::{Csid, KeySet};
use telehash_link::{
    Config, ConnectError, Dispatch, DropReason, Endpoint, HandshakeMessage, LinkOptions, PipeId,
    TransportId,
};
use telehash_netsim::World;

const START: Instant = Instant::from_micros(1);
const UNIX: u64 = 1_800_000_000;

fn endpoint(identity: Identity) -> Endpoint {
    let unix = Duration::from_secs(UNIX);
    Endpoint::new(Config::default(), identity, START, unix, [7; 32])
}

fn pipe() -> PipeId {
    PipeId::socket(TransportId(0), SocketAddr::from(([192, 0, 2, 1], 1)))
}

fn highest_common(ours: &[Csid], theirs: &[Csid]) -> Option<Csid> {
    let both = |csid: &&Csid| theirs.contains(csid);
    ours.iter().filter(both).max().copied()
}

#[test]
fn any_two_selections_of_sets_agree_on_the_highest_common_one_or_on_none() {
    let bobs: Vec<_> = selections()
        .map(|csids| (identity(Who::Bob, &csids), csids))
        .collect();
    let mut linked = 0;
    for ours in selections() {
        let mut alice = endpoint(identity(Who::Alice, &ours));
        for (bob, theirs) in &bobs {
            let result = alice.connect(START, bob.keys(), LinkOptions::default());
            match highest_common(&ours, theirs) {
                Some(expected) => {
                    let (_, link) = result.unwrap();
                    assert_eq!(link.csid(), expected, "{ours:?} to {theirs:?}");
                    linked += 1;
                }
                None => assert!(
                    matches!(result, Err(ConnectError::NoCommonCipherSet(who)) if who == bob.hashname()),
                    "{ours:?} to {theirs:?}"
                ),
            }
        }
    }
    // Of 1024 pairs of subsets of five 3^5 have nothing in common.
    assert_eq!(linked, 1024 - 243);
}

#[test]
fn links_of_mixed_endpoints_come_up_in_the_agreed_set() {
    let [cs1a, cs1c, cs2a, cs3a, cs42] = SETS;
    for (seed, (ours, theirs)) in [
        (vec![cs1a, cs3a], vec![cs1a, cs2a]),
        (vec![cs1a, cs1c], vec![cs1c, cs3a, cs42]),
        (vec![cs1a, cs2a, cs42], vec![cs1a, cs2a, cs3a]),
        (vec![cs3a, cs42], vec![cs1a, cs3a]),
        (SETS.to_vec(), SETS.to_vec()),
        (SETS.to_vec(), vec![cs1a]),
    ]
    .into_iter()
    .enumerate()
    {
        let expected = highest_common(&ours, &theirs).unwrap();
        let mut world = World::new(seed as u64);
        let alice = world.add_with(identity(Who::Alice, &ours), Config::default(), ());
        let bob = world.add_with(identity(Who::Bob, &theirs), Config::default(), ());
        world.connect(alice, bob).unwrap();
        assert!(world.drive(Duration::from_secs(30), |world| world.is_up(alice, bob)));
        for link in [world.link(alice, bob), world.link(bob, alice)] {
            assert_eq!(link.unwrap().csid(), expected);
        }
    }
}

#[test]
fn an_unknown_key_of_the_agreed_set_is_missed_and_no_lower_one_is_taken() {
    for low in SETS {
        for high in SETS.into_iter().filter(|high| *high > low) {
            let bob = identity(Who::Bob, &[low, high]);
            let mut partial = KeySet::new();
            let intermediate = bob.keys().intermediate(high).unwrap();
            let key = bob.keys().key(low).unwrap().to_vec();
            partial.insert_key(low, key).unwrap();
            partial.insert_intermediate(high, intermediate).unwrap();
            assert_eq!(partial.hashname(), Some(bob.hashname()));

            let mut alice = endpoint(identity(Who::Alice, &[low, high]));
            let result = alice.connect(START, &partial, LinkOptions::default());
            assert!(
                matches!(result, Err(ConnectError::KeyMissing(csid)) if csid == high),
                "{low} and {high}"
            );
            // Who has the lower one only never needs the other key.
            let mut simple = endpoint(identity(Who::Alice, &[low]));
            let result = simple.connect(START, &partial, LinkOptions::default());
            assert_eq!(result.unwrap().1.csid(), low);
        }
    }
}

#[test]
fn a_first_handshake_in_a_lower_set_than_the_agreed_one_is_refused() {
    let mut rng = ChaCha20Rng::seed_from_u64(2);
    for low in SETS {
        for high in SETS.into_iter().filter(|high| *high > low) {
            let (alice, bob) = (
                identity(Who::Alice, &[low, high]),
                identity(Who::Bob, &[low, high]),
            );
            for (csid, refused) in [(low, true), (high, false)] {
                let local = alice.local(csid).unwrap();
                let remote = bob.keys().key(csid).unwrap();
                let mut exchange = local.exchange(remote, &mut rng).unwrap();
                let message = HandshakeMessage::link(UNIX, alice.keys().clone());
                let inner = message.to_bytes(csid).unwrap();
                let mut packet = exchange.seal(&inner, &mut rng).unwrap();
                let dispatch = endpoint(bob.clone()).handle(START, pipe(), &mut packet);
                let fits = match dispatch {
                    Dispatch::Drop(DropReason::Downgrade) => refused,
                    Dispatch::Incoming(_) => !refused,
                    _ => false,
                };
                assert!(fits, "{csid} of {low} and {high}");
            }
        }
    }
}
