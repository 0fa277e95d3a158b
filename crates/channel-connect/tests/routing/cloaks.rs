//! Cloaks on pipes of every kind, on both sides of a router.

use std::time::Duration;

use telehash_hashname::Csid;
use telehash_link::{CloakPolicy, Config, PipeCapabilities};

use crate::reach::talk;
use crate::world::World;

const SOON: Duration = Duration::from_secs(5);

#[test]
fn a_router_takes_the_cloak_off_and_puts_it_on_where_its_pipes_need_that() {
    let policies = [
        CloakPolicy::Always,
        CloakPolicy::MatchPeer,
        CloakPolicy::Never,
    ];
    for sets in [&[Csid::CS3A][..], &[Csid::CS42, Csid::CS3A]] {
        for (one, other) in policies
            .into_iter()
            .flat_map(|one| policies.map(|two| (one, two)))
        {
            let mut world = World::new(1);
            let config = |cloak| {
                let mut config = Config::default();
                let datagram = PipeCapabilities::DATAGRAM;
                config.transports = vec![PipeCapabilities { cloak, ..datagram }];
                config
            };
            let a = world.add_with(sets, config(one));
            let b = world.add_with(sets, config(other));
            let r = world.add_with(sets, config(CloakPolicy::MatchPeer));
            world.dial(a, r);
            world.dial(b, r);
            world.nodes[r].endpoint.router_policy().everyone = true;
            assert!(world.drive(SOON, |world| world.is_up(a, r) && world.is_up(b, r)));
            world.dial_through(a, b, r);
            assert!(
                world.drive(SOON, |world| world.is_up(a, b)),
                "{one:?} {other:?}"
            );
            let rejected = |world: &World| {
                [(a, b), (b, a)].map(|(x, y)| world.link(x, y).unwrap().stats().rejected)
            };
            let before = rejected(&world);
            talk(&mut world, a, b, 20_000);
            talk(&mut world, b, a, 20_000);
            assert_eq!(rejected(&world), before, "{one:?} {other:?}");
        }
    }
}
