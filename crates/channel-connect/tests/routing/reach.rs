//! Reaching somebody through a router.

use std::time::Duration;

use telehash_hashname::{Csid, Path};
use telehash_link::{Config, Open, PipeId};

use crate::world::{Id, World};

const SOON: Duration = Duration::from_secs(5);

/// Two endpoints and a router that serves the second one, both linked to it.
pub(crate) fn around_a_router(seed: u64, sets: &[Csid]) -> (World, [Id; 3]) {
    let mut world = World::new(seed);
    let [a, b, r] = [(); 3].map(|()| world.add_with(sets, Config::default()));
    for leaf in [a, b] {
        world.dial(leaf, r);
        assert!(world.drive(SOON, |world| world.is_up(leaf, r)));
    }
    let name = world.name(b);
    world.nodes[r].endpoint.router_policy().serve(name, true);
    (world, [a, b, r])
}

/// Sends some bytes from one to the other, and checks that they arrive.
pub(crate) fn talk(world: &mut World, from: Id, to: Id, bytes: usize) {
    let data: Vec<u8> = (0..bytes).map(|n| (n % 251) as u8).collect();
    world.nodes[to].received.clear();
    world.with_link(from, to, |now, link| {
        let id = link.open(now, Open::reliable("bulk")).unwrap();
        assert_eq!(link.write(now, id, &data).unwrap(), bytes);
        link.end(now, id).unwrap();
    });
    let arrived = world.drive(SOON * 4, |world| world.nodes[to].received.len() >= bytes);
    assert!(arrived, "{} bytes came", world.nodes[to].received.len());
    assert!(world.nodes[to].received == data);
}

#[test]
fn a_link_comes_up_through_a_router_and_carries_data_both_ways() {
    for sets in [&[Csid::CS3A][..], &[Csid::CS42, Csid::CS3A]] {
        let (mut world, [a, b, r]) = around_a_router(1, sets);
        world.dial_through(a, b, r);
        assert!(world.drive(SOON, |world| world.is_up(a, b)), "{sets:?}");
        talk(&mut world, a, b, 100_000);
        talk(&mut world, b, a, 100_000);
        let through = PipeId::router(world.name(r));
        assert_eq!(world.way(a, b), Some((through, true)));
        assert_eq!(world.way(b, a), Some((through, true)));
        let pipes = |from, to| world.link(from, to).unwrap().pipes().count();
        assert_eq!((pipes(a, b), pipes(b, a)), (1, 1), "no pipe is mistaken");
        assert_eq!(world.nodes[r].endpoint.stats().links, 2);
    }
}

#[test]
fn no_packet_overtakes_the_request_with_the_handshake_that_it_needs() {
    for sets in [&[Csid::CS3A][..], &[Csid::CS42, Csid::CS3A]] {
        let (mut world, [a, b, r]) = around_a_router(7, sets);
        world.dial_through(a, b, r);
        assert!(world.drive(SOON, |world| world.is_up(a, b)));
        talk(&mut world, a, b, 10_000);
        for (from, to) in [(a, b), (b, a)] {
            let stats = world.link(from, to).unwrap().stats();
            assert_eq!((stats.rejected, stats.replayed), (0, 0), "{sets:?}");
        }
        for id in [a, b, r] {
            assert!(world.nodes[id].drops.is_empty(), "{sets:?}");
        }
    }
}

#[test]
fn a_hashname_alone_is_enough() {
    for sets in [&[Csid::CS3A][..], &[Csid::CS42, Csid::CS3A]] {
        let (mut world, [a, b, r]) = around_a_router(2, sets);
        let name = world.name(b);
        world.look_for(a, name, r);
        assert!(world.drive(SOON, |world| world.is_up(a, b)), "{sets:?}");
        assert_eq!(world.nodes[b].discovered, [world.name(a)]);
        talk(&mut world, a, b, 10_000);
    }
}

#[test]
fn a_link_through_a_router_lives_on_in_silence() {
    for sets in [&[Csid::CS3A][..], &[Csid::CS42, Csid::CS3A]] {
        let (mut world, [a, b, r]) = around_a_router(3, sets);
        world.dial_through(a, b, r);
        assert!(world.drive(SOON, |world| world.is_up(a, b)));
        world.run(Duration::from_secs(600));
        assert!(world.is_up(a, b), "{sets:?}");
        talk(&mut world, a, b, 1000);
    }
}

#[test]
fn whoever_names_a_router_takes_a_newcomer_there() {
    let mut world = World::new(4);
    let [a, b, r] = [(); 3].map(|()| world.add());
    world.dial(a, r);
    assert!(world.drive(SOON, |world| world.is_up(a, r)));
    let router = world.name(r);
    world.nodes[a].places.told.push(Path::peer(router));
    world.nodes[a].endpoint.router_policy().serve(router, true);
    world.dial(b, a);
    assert!(world.drive(SOON, |world| world.is_up(b, r)));
    let through = PipeId::router(world.name(a));
    assert_eq!(world.way(b, r).map(|(pipe, _)| pipe), Some(through));
    talk(&mut world, b, r, 1000);
}

#[test]
fn who_names_no_router_of_its_own_takes_nobody_there() {
    let mut world = World::new(5);
    let [a, b, r] = [(); 3].map(|()| world.add());
    world.dial(a, r);
    world.dial(b, a);
    assert!(world.drive(SOON, |world| world.is_up(a, r) && world.is_up(b, a)));
    let router = world.name(r);
    world.look_for(b, router, a);
    assert!(!world.drive(SOON * 12, |world| world.is_up(b, r)));
    assert!(world.nodes[r].connects.is_empty());
}

#[test]
fn a_link_outlives_a_router_that_restarts() {
    let (mut world, [a, b, r]) = around_a_router(6, &[Csid::CS3A]);
    world.dial_through(a, b, r);
    assert!(world.drive(SOON, |world| world.is_up(a, b)));
    world.restart(r);
    let name = world.name(b);
    world.nodes[r].endpoint.router_policy().serve(name, true);
    world.run(Duration::from_secs(120));
    for leaf in [a, b] {
        assert!(world.is_up(leaf, r));
    }
    assert!(world.drive(Duration::from_secs(60), |world| world.is_up(a, b)));
    talk(&mut world, a, b, 1000);
}
