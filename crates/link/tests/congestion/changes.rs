//! Paths that change, and applications that pause.

use telehash_link::ControllerKind;
use telehash_netsim::Loss;

use crate::{
    BOTH,
    sim::{Path, Sim, Source, ms, secs},
};

const BBR: ControllerKind = ControllerKind::Bbr;

/// 8 Mbit/s and 60 ms.
fn path() -> Path {
    Path::new(8_000, 60, 0)
}

#[test]
fn a_trickle_does_not_ruin_the_model() {
    let mut sim = Sim::bulk(path(), BBR, 1);
    sim.run(secs(5));
    // A tenth of the rate for a while, then all of it.
    sim.set_source(0, Source::Every(4_000, ms(40)));
    sim.run(secs(15));
    sim.set_source(0, Source::Bulk);
    let soon = sim.goodput(secs(2));
    println!("trickle {soon}");
    assert!(soon >= 800, "{soon}");
}

#[test]
fn a_pause_costs_no_second_start() {
    for kind in BOTH {
        let mut sim = Sim::bulk(path(), kind, 1);
        sim.run(secs(5));
        sim.set_source(0, Source::Silent);
        sim.run(secs(20));
        sim.set_source(0, Source::Bulk);
        let soon = sim.goodput(secs(2));
        println!("pause {kind} {soon}");
        assert!(soon >= 750, "{kind}: {soon}");
    }
}

#[test]
fn a_rate_that_falls_to_a_tenth_is_followed_down_and_up_again() {
    for kind in BOTH {
        let mut sim = Sim::bulk(path(), kind, 1);
        sim.run(secs(5));
        let slow = Path {
            kbit: 800,
            ..path()
        };
        sim.set_path(slow);
        sim.run(secs(5));
        let down = sim.goodput(secs(10));
        sim.set_path(path());
        sim.run(secs(10));
        let up = sim.goodput(secs(10));
        println!("rate {kind} {down} {up}");
        assert!(down >= 750, "{kind}: {down}");
        assert!(up >= 750, "{kind}: {up}");
        sim.finish();
    }
}

#[test]
fn a_round_trip_that_rises_is_followed() {
    for kind in BOTH {
        let mut sim = Sim::bulk(path(), kind, 1);
        sim.run(secs(5));
        let far = Path::new(8_000, 240, 0);
        sim.set_path(far);
        sim.run(secs(20));
        let goodput = sim.goodput(secs(20));
        println!("rtt {kind} {goodput}");
        assert!(goodput >= 750, "{kind}: {goodput}");
    }
}

#[test]
fn acks_that_come_in_bunches_do_not_starve_the_sender() {
    let mut sim = Sim::bulk(path(), BBR, 1);
    sim.bunch_acks(ms(40));
    sim.run(secs(5));
    let goodput = sim.goodput(secs(15));
    println!("bunches {goodput}");
    assert!(goodput >= 800, "{goodput}");
}

#[test]
fn bursts_of_losses_are_survived() {
    for (kind, least) in [(BOTH[0], 200), (BOTH[1], 700)] {
        let mut sim = Sim::bulk(path(), kind, 1);
        let bursts = Loss::bursts(0.01, 10.0);
        sim.network
            .set_conditions(&path().conditions().with_loss(bursts));
        sim.run(secs(5));
        let goodput = sim.goodput(secs(30));
        println!("bursts {kind} {goodput}");
        assert!(goodput >= least, "{kind}: {goodput}");
        sim.finish();
    }
}

#[test]
fn a_path_that_was_dead_for_a_while_is_used_again() {
    for kind in BOTH {
        let mut sim = Sim::bulk(path(), kind, 1);
        sim.run(secs(5));
        sim.set_blocked(true);
        sim.run(secs(4));
        sim.set_blocked(false);
        sim.run(secs(5));
        let goodput = sim.goodput(secs(10));
        println!("dead {kind} {goodput}");
        assert!(goodput >= 750, "{kind}: {goodput}");
        sim.finish();
    }
}
