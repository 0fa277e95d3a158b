//! The rules of cipher-sets.md, CS42, one by one.

use core::time::Duration;

use super::world::World;
use crate::handshake::{fresh::FreshRounds, tests::model::search::Model};

const SECOND: Duration = Duration::from_secs(1);

/// A link that `dialer` dialed.
fn linked(dialer: usize) -> World {
    let mut world = World::new();
    world.dial(dialer);
    world.deliver_all();
    assert!(world.is_confirmed());
    world
}

#[test]
fn one_round_trip_of_handshakes_and_one_of_pings_bring_a_link_up() {
    for dialer in 0..2 {
        linked(dialer);
    }
}

#[test]
fn a_session_is_renewed_on_a_network_change_but_not_within_30_seconds_and_keeps_its_channels() {
    let mut world = linked(0);
    let first = world.session();
    world.act(0, FreshRounds::network_changed);
    world.run(SECOND * 28);
    assert_eq!(world.session(), first);
    world.run(SECOND * 3);
    assert!(world.session().is_some());
    assert_ne!(world.session(), first);
    assert_eq!(world.ends[0].resets + world.ends[1].resets, 0);
}
