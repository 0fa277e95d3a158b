//! Nobody learns from a router's silence why it is silent.

use std::net::SocketAddr;
use std::time::Duration;

use crate::world::{Id, World};

const SOON: Duration = Duration::from_secs(5);

/// Longer than a link lives in silence, and than a handshake is repeated.
const MINUTES: Duration = Duration::from_secs(120);

/// One who asks, a router that serves nobody, and whom it may be asked for.
struct Scene {
    world: World,
    asking: Id,
    router: Id,
    /// Linked to the router.
    refused: Id,
    /// Was linked to the router.
    down: Id,
    /// Was never linked to the router.
    unknown: Id,
}

/// What a router did: all that it sent, to whomever, and in how many steps.
type Doings = (Vec<(SocketAddr, Vec<u8>)>, usize);

impl Scene {
    fn new() -> Self {
        let mut world = World::new(1);
        let [asking, router, refused, down, unknown] = [(); 5].map(|()| world.add());
        for leaf in [asking, refused, down] {
            world.dial(leaf, router);
            assert!(world.drive(SOON, |world| world.is_up(leaf, router)));
        }
        let [from, to] = [router, down].map(|id| world.nodes[id].address);
        world.network.block(from, to);
        world.network.block(to, from);
        world.run(MINUTES);
        assert!(world.is_up(asking, router) && world.is_up(refused, router));
        assert!(!world.is_up(down, router));
        Self {
            world,
            asking,
            router,
            refused,
            down,
            unknown,
        }
    }

    /// What the router does after `ask`.
    fn doings(mut self, ask: impl FnOnce(&mut Self)) -> Doings {
        self.world.recorded = Some(Vec::new());
        let before = self.world.nodes[self.router].steps;
        ask(&mut self);
        self.world.run(MINUTES);
        let recorded = self.world.recorded.take().unwrap().into_iter();
        let by_router = recorded.filter(|(id, ..)| *id == self.router);
        let sent = by_router.map(|(_, to, bytes)| (to, bytes)).collect();
        (sent, self.world.nodes[self.router].steps - before)
    }
}

/// Each scene is the same to the last bit, but for the name that is asked for.
fn is_the_same_for_each(ask: impl Fn(&mut World, [Id; 3]) + Copy) {
    let doings = |whom: fn(&Scene) -> Id, is_served: bool| {
        Scene::new().doings(|scene| {
            let target = whom(scene);
            let policy = scene.world.nodes[scene.router].endpoint.router_policy();
            policy.everyone = is_served;
            ask(&mut scene.world, [scene.asking, target, scene.router]);
        })
    };
    let unknown = doings(|scene| scene.unknown, false);
    assert!(!unknown.0.is_empty(), "links are kept alive");
    assert!(doings(|scene| scene.refused, false) == unknown, "refused");
    assert!(
        doings(|scene| scene.down, false) == unknown,
        "down and refused"
    );
    assert!(doings(|scene| scene.down, true) == unknown, "down");
    assert!(
        doings(|scene| scene.unknown, true) == unknown,
        "unknown where everybody is served"
    );
    assert!(
        doings(|scene| scene.refused, true) != unknown,
        "one that is helped"
    );
}

#[test]
fn a_router_does_the_same_byte_by_byte_and_step_by_step_whoever_it_is_not_asked_for_well() {
    is_the_same_for_each(|world, [from, to, router]| {
        let name = world.name(to);
        world.look_for(from, name, router);
    });
}

#[test]
fn handshakes_for_who_cannot_be_reached_are_all_met_with_the_same_silence() {
    is_the_same_for_each(|world, [from, to, router]| world.dial_through(from, to, router));
}
