//! Routers and peers that lie.

use std::collections::BTreeSet;
use std::time::Duration;

use telehash_hashname::Csid;
use telehash_link::DropReason;
use telehash_lob::cloak::{self, WorkBudget};

use crate::reach::{around_a_router, talk};
use crate::world::{Lie, World};

const SOON: Duration = Duration::from_secs(5);

#[test]
fn a_router_that_hands_over_anothers_handshake_makes_no_link_to_the_wrong_endpoint() {
    let (mut world, [a, b, r]) = around_a_router(1, &[Csid::CS3A]);
    let c = world.add();
    world.dial(c, r);
    assert!(world.drive(SOON, |world| world.is_up(c, r)));
    world.nodes[b].accepts = Some(BTreeSet::from([world.name(a)]));
    // The router has a handshake of C for B, which B does not want, and hands it over as A's.
    world.dial_through(c, b, r);
    world.run(Duration::from_secs(1));
    let (_, _, swapped) = world.nodes[b].connects.last().unwrap().clone();
    world.nodes[r].lies = Some(Lie::Body(swapped));
    world.dial_through(a, b, r);
    world.run(Duration::from_secs(20));
    assert!(
        world.link(b, c).is_none(),
        "it is C's, whoever it is said to be from"
    );
    assert!(!world.is_up(a, b) && !world.is_up(c, b));
}

#[test]
fn the_name_that_a_router_gives_decides_nothing() {
    let (mut world, [a, b, r]) = around_a_router(2, &[Csid::CS3A]);
    let c = world.add();
    let name = world.name(c);
    world.nodes[r].lies = Some(Lie::Name(name));
    world.dial_through(a, b, r);
    assert!(world.drive(SOON, |world| world.is_up(a, b)));
    assert!(world.link(b, c).is_none());
    talk(&mut world, a, b, 1000);
    // Nor can a stranger pass for a friend.
    let (mut world, [a, b, r]) = around_a_router(3, &[Csid::CS3A]);
    let friend = world.add();
    let friend = world.name(friend);
    world.nodes[b].accepts = Some(BTreeSet::from([friend]));
    world.nodes[r].lies = Some(Lie::Name(friend));
    world.dial_through(a, b, r);
    world.run(Duration::from_secs(20));
    assert!(world.link(b, a).is_none());
}

#[test]
fn replayed_connects_cause_no_growth_and_no_more_than_a_few_answers() {
    for sets in [&[Csid::CS3A][..], &[Csid::CS42, Csid::CS3A]] {
        let (mut world, [a, b, r]) = around_a_router(4, sets);
        world.dial_through(a, b, r);
        assert!(world.drive(SOON, |world| world.is_up(a, b)));
        world.run(SOON);
        let replayed = world.nodes[b].connects.clone();
        world.nodes[r].lies = Some(Lie::Repeats(50));
        let sessions = world.link(b, a).unwrap().stats().sessions;
        let before = world.nodes[a].connects.len();
        for (_, sender, body) in replayed {
            for _ in 0..100 {
                world.with_link(r, b, |_, link| {
                    telehash_channel_connect::pass_on(link, sender, body.clone()).unwrap();
                });
            }
        }
        world.run(Duration::from_secs(3));
        let answers = world.nodes[a].connects.len() - before;
        // Every one of them may come fifty times.
        assert!(answers <= 50 * 8, "{sets:?}: {answers}");
        assert_eq!(world.link(b, a).unwrap().stats().sessions, sessions);
        assert_eq!(world.nodes[b].endpoint.stats().half_open, 0);
        assert_eq!(world.nodes[b].endpoint.stats().links, 2);
        talk(&mut world, a, b, 1000);
    }
}

#[test]
fn a_token_cannot_be_stolen() {
    let (mut world, [a, b, r]) = around_a_router(5, &[Csid::CS3A]);
    let thief = world.add();
    world.dial(thief, r);
    assert!(world.drive(SOON, |world| world.is_up(thief, r)));
    world.dial_through(a, b, r);
    assert!(world.drive(SOON, |world| world.is_up(a, b)));
    let bridges = world.nodes[r].endpoint.stats().bridges;
    // The thief has seen A's handshake and asks for B with it.
    let (_, _, handshake) = world.nodes[b].connects.last().unwrap().clone();
    let target = world.name(b);
    for _ in 0..10 {
        world.with_link(thief, r, |_, link| {
            telehash_channel_peer::carry(link, target, &handshake).unwrap();
        });
    }
    world.run(SOON);
    assert_eq!(world.nodes[r].endpoint.stats().bridges, bridges);
    let forwarded = world.nodes[thief].drops.len();
    talk(&mut world, a, b, 10_000);
    talk(&mut world, b, a, 10_000);
    assert_eq!(
        world.nodes[thief].drops.len(),
        forwarded,
        "nothing went there"
    );
}

#[test]
fn nobody_but_the_other_end_gets_a_packet_over_a_bridge() {
    let (mut world, [a, b, r]) = around_a_router(6, &[Csid::CS3A]);
    let outsider = world.add();
    world.dial(outsider, r);
    assert!(world.drive(SOON, |world| world.is_up(outsider, r)));
    world.recorded = Some(Vec::new());
    world.dial_through(a, b, r);
    assert!(world.drive(SOON, |world| world.is_up(a, b)));
    talk(&mut world, a, b, 1000);
    // Everything that A sent to the router comes again, from an outsider and from a stranger.
    let recorded = world.recorded.take().unwrap();
    let of_a: Vec<_> = recorded.into_iter().filter(|(id, ..)| *id == a).collect();
    let before = world.nodes[r].endpoint.stats().forwarded;
    let linked = world.nodes[outsider].address;
    for from in [linked, "10.0.99.9:9".parse().unwrap()] {
        for (_, _, bytes) in &of_a {
            world.inject(from, r, bytes.clone());
        }
    }
    world.run(Duration::from_millis(500));
    assert_eq!(world.nodes[r].endpoint.stats().forwarded, before);
    assert!(world.nodes[r].drops.contains(&DropReason::NotRouted));
}

#[test]
fn a_token_of_the_routers_own_link_cannot_be_bridged() {
    let mut world = World::new(7);
    let [a, b, r, thief] = [(); 4].map(|()| world.add());
    world.recorded = Some(Vec::new());
    world.dial(a, r);
    assert!(world.drive(SOON, |world| world.is_up(a, r)));
    let (_, _, mut first) = world.recorded.take().unwrap().remove(0);
    let start = cloak::decloak_in_place(&mut first, &mut WorkBudget::new(10_000)).unwrap();
    let handshake = &first[start..];
    assert!(handshake.starts_with(&[0, 1]));
    world.dial(b, r);
    world.dial(thief, r);
    world.nodes[r].endpoint.router_policy().everyone = true;
    assert!(world.drive(SOON, |world| world.is_up(b, r) && world.is_up(thief, r)));
    let target = world.name(b);
    world.with_link(thief, r, |_, link| {
        telehash_channel_peer::carry(link, target, handshake).unwrap();
    });
    world.run(SOON);
    let stats = world.nodes[r].endpoint.stats();
    assert_eq!((stats.bridges, stats.relayed, stats.not_relayed), (0, 0, 1));
    assert!(world.is_up(a, r));
}
