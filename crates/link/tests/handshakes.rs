//! Handshakes between two whole endpoints on a hostile network.

mod common;

use std::time::Duration;

use common::Peer;
use telehash_hashname::Csid;
use telehash_netsim::{Conditions, Loss, NodeId, World};

fn hostile() -> Conditions {
    Conditions::perfect()
        .with_loss(Loss::Random(0.2))
        .with_duplication(0.1)
        .with_reordering(0.2, Duration::from_millis(80))
        .with_delay(Duration::from_millis(30))
        .with_jitter(Duration::from_millis(10))
}

/// One set that keeps its ephemerals, and one whose every round has a fresh one.
const SETS: [Csid; 2] = [Csid::CS3A, Csid::CS42];

fn pair(seed: u64, csid: Csid) -> (World, NodeId, NodeId) {
    let mut world = World::new(seed).with_sets(&[csid]);
    let (a, b) = (world.add(Peer::default()), world.add(Peer::default()));
    (world, a, b)
}

#[test]
fn a_link_comes_up_within_30_seconds_at_20_percent_loss() {
    for csid in SETS {
        for seed in 0..200 {
            let (mut world, a, b) = pair(seed, csid);
            world.network().set_conditions(&hostile());
            world.connect(a, b).unwrap();
            let up = world.drive_bounded(Duration::from_secs(30), 2_000, |world| world.is_up(a, b));
            assert!(up, "seed {seed}");
        }
    }
}

#[test]
fn glare_ends_in_one_session() {
    for csid in SETS {
        for seed in 0..200 {
            let (mut world, a, b) = pair(seed, csid);
            world.network().set_conditions(&hostile());
            world.connect(a, b).unwrap();
            world.connect(b, a).unwrap();
            let up = world.drive_bounded(Duration::from_secs(30), 2_000, |world| world.is_up(a, b));
            assert!(up, "seed {seed}");
        }
    }
}

#[test]
fn an_idle_link_stays_up_for_an_hour_with_few_packets() {
    for csid in SETS {
        let (mut world, a, b) = pair(1, csid);
        world.connect(a, b).unwrap();
        assert!(world.drive(Duration::from_secs(30), |world| world.is_up(a, b)));
        let before = world.sent(a) + world.sent(b);
        world.run(Duration::from_secs(3600));
        assert!(world.is_up(a, b));
        // A round and its echo every 30 s at the most, from each side.
        let sent = world.sent(a) + world.sent(b) - before;
        assert!((100..=600).contains(&sent), "{sent} packets");
    }
}

#[test]
fn a_link_whose_network_dies_goes_down_and_comes_back_with_it() {
    for csid in SETS {
        let (mut world, a, b) = pair(2, csid);
        world.connect(a, b).unwrap();
        assert!(world.drive(Duration::from_secs(30), |world| world.is_up(a, b)));
        world
            .network()
            .set_conditions(&Conditions::perfect().with_loss(Loss::Random(1.0)));
        assert!(world.drive(Duration::from_secs(180), |world| !world.is_up(a, b)));
        world.run(Duration::from_secs(120));
        world.network().set_conditions(&Conditions::perfect());
        assert!(world.drive(Duration::from_secs(180), |world| world.is_up(a, b)));
    }
}

#[test]
fn a_restarted_endpoint_is_linked_again_with_and_without_its_state() {
    for csid in SETS {
        for (seed, keep_state) in [(3, true), (4, false)] {
            let (mut world, a, b) = pair(seed, csid);
            world.connect(a, b).unwrap();
            assert!(world.drive(Duration::from_secs(30), |world| world.is_up(a, b)));
            for (gone, other) in [(a, b), (b, a)] {
                world.run(Duration::from_secs(7));
                world.restart(gone, keep_state);
                world.connect(gone, other).unwrap();
                let up = world.drive(Duration::from_secs(60), |world| world.is_up(a, b));
                assert!(up, "state kept: {keep_state}");
            }
        }
    }
}

#[test]
fn a_restarted_endpoint_with_its_clock_behind_is_linked_again() {
    for csid in SETS {
        for seed in 5..25 {
            let (mut world, a, b) = pair(seed, csid);
            world.connect(a, b).unwrap();
            assert!(world.drive(Duration::from_secs(30), |world| world.is_up(a, b)));
            world.restart(a, false);
            world.set_skew(a, -100_000);
            world.connect(a, b).unwrap();
            assert!(
                world.drive(Duration::from_secs(60), |world| world.is_up(a, b)),
                "seed {seed}"
            );
        }
    }
}
