//! A thousand endpoints around one router, and floods.

use std::collections::BTreeSet;
use std::time::Duration;

use telehash_channel_peer::{PeerOpen, ask};
use telehash_hashname::Csid;
use telehash_link::{MAX_BRIDGES, MAX_HALF_OPEN, MAX_PAIRS, MAX_STRANGER_PREFIXES, RouterPolicy};

use crate::reach::{around_a_router, talk};
use crate::world::{Id, World};

const SOON: Duration = Duration::from_secs(5);
const MINUTE: Duration = Duration::from_secs(60);

#[test]
fn a_thousand_endpoints_are_introduced_pairwise_by_one_router() {
    const ENDPOINTS: usize = 1000;
    let mut world = World::new(1);
    let r = world.add();
    let leaves: Vec<Id> = (0..ENDPOINTS).map(|_| world.add()).collect();
    for leaf in &leaves {
        world.dial(*leaf, r);
        world.run(Duration::from_millis(5));
    }
    let all_linked = |world: &World| leaves.iter().all(|leaf| world.is_up(*leaf, r));
    assert!(world.drive(MINUTE, all_linked));
    // Every second one of the first nine hundred is served: each pair has one of them, but for the
    // last fifty pairs.
    let (allowed, refused) = leaves.split_at(900);
    for pair in allowed.chunks(2) {
        let name = world.name(pair[1]);
        world.nodes[r].endpoint.router_policy().serve(name, true);
    }
    for pair in leaves.chunks(2) {
        let name = world.name(pair[1]);
        world.look_for(pair[0], name, r);
        world.run(Duration::from_millis(2));
        let stats = world.nodes[r].endpoint.stats();
        assert!(stats.bridges <= MAX_BRIDGES && stats.pairs <= MAX_PAIRS);
    }
    let up = |world: &World| allowed.chunks(2).all(|pair| world.is_up(pair[0], pair[1]));
    assert!(world.drive(MINUTE, up), "every allowed pair is up");
    assert!(!refused.chunks(2).any(|pair| world.is_up(pair[0], pair[1])));
    let stats = world.nodes[r].endpoint.stats();
    assert_eq!(stats.links, ENDPOINTS);
    // A round of each end, and its echo: few tokens for each of 450 pairs.
    assert!((900..4000).contains(&stats.bridges), "{stats:?}");
    assert!((900..=2 * 1000).contains(&stats.pairs), "{stats:?}");
    assert_eq!(stats.half_open, 0);
    for pair in [&allowed[..2], &allowed[898..]] {
        talk(&mut world, pair[0], pair[1], 10_000);
    }
}

#[test]
fn an_endpoint_that_floods_its_router_starves_nobody() {
    let (mut world, [a, b, r]) = around_a_router(2, &[Csid::CS3A]);
    *world.nodes[r].endpoint.router_policy() = RouterPolicy::everyone();
    let flooder = world.add();
    world.dial(flooder, r);
    assert!(world.drive(SOON, |world| world.is_up(flooder, r)));
    let target = world.name(b);
    let mut seconds = 0.0;
    for round in 0..1000_u32 {
        world.with_link(flooder, r, |_, link| {
            for n in 0..20_u32 {
                let mut body = vec![0, 1, 0x3a];
                body.extend_from_slice(&(round * 100 + n).to_be_bytes().repeat(30));
                ask(link, &PeerOpen::to(target), body.into()).unwrap();
            }
        });
        world.run(Duration::from_millis(10));
        if round == 300 {
            world.dial_through(a, b, r);
            let start = world.now;
            assert!(world.drive(Duration::from_millis(500), |world| world.is_up(a, b)));
            seconds = world.now.saturating_duration_since(start).as_secs_f64();
        }
    }
    assert!(seconds < 0.5);
    let stats = world.nodes[r].endpoint.stats();
    assert!(stats.not_relayed > 15_000, "{stats:?}");
    // Ten seconds and a burst of the rate for a pair.
    assert!(
        world.nodes[b].connects.len() < 100,
        "{}",
        world.nodes[b].connects.len()
    );
    assert!(stats.bridges < 100, "{stats:?}");
    talk(&mut world, a, b, 100_000);
}

#[test]
fn a_friend_that_restarts_during_a_flood_of_strangers_is_up_again_in_five_seconds() {
    let (mut world, [a, b, r]) = around_a_router(3, &[Csid::CS3A]);
    *world.nodes[r].endpoint.router_policy() = RouterPolicy::everyone();
    world.dial_through(a, b, r);
    assert!(world.drive(SOON, |world| world.is_up(a, b)));
    world.nodes[b].accepts = Some(BTreeSet::from([world.name(a), world.name(r)]));
    // Forty strangers behind the router ask for B as often as they may, others send handshakes to
    // its address from all over.
    let strangers: Vec<Id> = (0..40).map(|_| world.add()).collect();
    for stranger in &strangers {
        world.dial(*stranger, r);
    }
    let linked = |world: &World| strangers.iter().all(|stranger| world.is_up(*stranger, r));
    assert!(world.drive(SOON, linked));
    let target = world.name(b);
    let flood = |world: &mut World, round: u32| {
        for stranger in &strangers {
            world.with_link(*stranger, r, |_, link| {
                let mut body = vec![0, 1, 0x3a];
                let salt = round * 1000 + u32::try_from(*stranger).unwrap();
                body.extend_from_slice(&salt.to_be_bytes().repeat(30));
                ask(link, &PeerOpen::to(target), body.into()).unwrap();
            });
        }
        for n in 0..20_u32 {
            let [_, x, y, z] = (round * 20 + n).to_be_bytes();
            let from = std::net::SocketAddr::from(([11, x, y, z], 7));
            let mut body = vec![0, 1, 0x3a];
            body.extend_from_slice(&(round * 77 + n).to_be_bytes().repeat(30));
            world.inject(from, b, body);
        }
        world.run(Duration::from_millis(10));
    };
    (0..300).for_each(|round| flood(&mut world, round));
    world.restart(a);
    world.dial(a, r);
    let start = world.now;
    let mut dialed = false;
    for round in 300.. {
        flood(&mut world, round);
        if !dialed && world.is_up(a, r) {
            world.dial_through(a, b, r);
            dialed = true;
        }
        if dialed && world.is_up(a, b) {
            break;
        }
        assert!(world.now < start + SOON, "still down after five seconds");
    }
    let stats = world.nodes[b].endpoint.stats();
    assert!(stats.throttled > 1000, "that was a flood: {stats:?}");
    assert!(stats.half_open <= MAX_HALF_OPEN);
    assert!(stats.sources <= 3 * MAX_STRANGER_PREFIXES);
    talk(&mut world, a, b, 1000);
}
