//! What a router does not do, and what nobody can tell from its silence.

use std::time::Duration;

use telehash_hashname::{Csid, Hashname};

use crate::reach::around_a_router;
use crate::world::{Id, World};

const SOON: Duration = Duration::from_secs(5);

/// What the router sends in the time after somebody was asked for.
fn answers(world: &mut World, [a, r]: [Id; 2], target: Hashname) -> usize {
    // Until probes of what the pipes carry are over.
    world.run(Duration::from_secs(10));
    world.recorded = Some(Vec::new());
    world.look_for(a, target, r);
    world.run(Duration::from_millis(900));
    let recorded = world.recorded.take().unwrap();
    recorded.iter().filter(|(id, ..)| *id == r).count()
}

#[test]
fn unknown_down_and_refused_targets_look_the_same() {
    let (mut world, [a, served, r]) = around_a_router(1, &[Csid::CS3A]);
    let unserved = world.add();
    world.dial(unserved, r);
    assert!(world.drive(SOON, |world| world.is_up(unserved, r)));
    let unknown = Hashname::from_bytes([7; 32]);
    let refused = world.name(unserved);
    assert_eq!(answers(&mut world, [a, r], unknown), 0);
    assert_eq!(answers(&mut world, [a, r], refused), 0);
    let itself = world.name(r);
    assert_eq!(answers(&mut world, [a, r], itself), 0);
    // Down: the target closed its link, and the router gave it up.
    world.with_link(r, served, |now, link| link.close(now));
    let down = world.name(served);
    assert_eq!(answers(&mut world, [a, r], down), 0);
    let stats = world.nodes[r].endpoint.stats();
    assert_eq!((stats.forwarded, stats.bridges), (0, 0));
    assert!(!world.is_up(a, unserved) && !world.is_up(a, served));
}

#[test]
fn who_does_not_accept_the_caller_stays_silent() {
    let (mut world, [a, b, r]) = around_a_router(2, &[Csid::CS3A]);
    world.nodes[b].accepts = Some(std::iter::once(world.name(r)).collect());
    world.recorded = Some(Vec::new());
    world.dial_through(a, b, r);
    let name = world.name(b);
    world.run(Duration::from_secs(1));
    world.look_for(a, name, r);
    world.run(Duration::from_secs(20));
    assert!(!world.is_up(a, b));
    assert!(!world.nodes[b].connects.is_empty(), "it was asked");
    assert!(world.link(b, a).is_none());
    // Whatever it sent belongs to its link with the router, which got no request.
    assert!(world.nodes[a].connects.is_empty());
}

#[test]
fn nobody_is_routed_for_unless_the_router_is_told_to() {
    let mut world = World::new(3);
    let [a, b, r] = [(); 3].map(|()| world.add());
    world.dial(a, r);
    world.dial(b, r);
    assert!(world.drive(SOON, |world| world.is_up(a, r) && world.is_up(b, r)));
    world.dial_through(a, b, r);
    assert!(!world.drive(SOON * 8, |world| world.is_up(a, b)));
    assert!(world.nodes[b].connects.is_empty());
    let stats = world.nodes[r].endpoint.stats();
    assert_eq!((stats.relayed, stats.bridges, stats.pairs), (0, 0, 0));
    assert!(stats.not_relayed > 0);
}
