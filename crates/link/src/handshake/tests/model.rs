//! "Prove the machine" (links.md): everything that can happen between two endpoints, to a bound.
//!
//! # What is explored
//!
//! A state is both machines, their ephemerals and clocks, the packets on the way, and what an
//! attacker recorded. From each state every one of these steps is taken, as long as its [`Budget`]
//! lasts:
//!
//! - any packet on the way arrives, whatever was sent before it (reordering costs nothing);
//! - any packet on the way is lost, or arrives and stays on the way (duplication);
//! - time passes until the next thing is due, with packets still on the way;
//! - either end starts anew, with its state and clock or without its state and with a clock that is
//!   right, behind, or far behind;
//! - the attacker sends either end any handshake that was ever sent to it, or a channel packet that
//!   never arrived, from an address of its own or from the peer's;
//! - either end sends a channel packet.
//!
//! # Time
//!
//! All times in a machine are times *from which on* something is due or permitted, so a state is
//! what remains until then; what is past counts as now (`World::rebase`). Time passes from one
//! moment at which something is due to the next. In between the machines take packets in the same
//! way whenever these come, but for the throttles of 900 ms and 1 s, which permit nothing at their
//! end that is not also permitted later. The time of day stands still: values rise by nothing but
//! rounds, so that those of different lives lie as close together as they can.
//!
//! # What must hold
//!
//! - Once the attacker stops and packets arrive, both ends come to the same session within
//!   `PATIENCE`, and stay there with every round answered (`Search::settle`).
//! - While both ends hold the same session, no packet takes it from either (`Search::check`).
//! - Where packets arrive before time passes, nothing but a restart parts the two, whatever an
//!   attacker replays, time included (`Setup::fair`).
//! - Nothing is sent without end: while no time passes the two fall silent
//!   (`World::deliver_all`), and no step makes them send more than `MAX_BURST` packets.
//! - No machine asks for more pairs of ephemerals than the link can keep, there is no candidate
//!   beside a session, and `at` never goes back (`End::follow`).

pub(super) mod search;

use self::search::{Budget, Search, Setup, Step};
use super::world::{ATTACKER, DIRECT, World};
use crate::handshake::jitter::draw;

const ODD_DIALS: Setup = Setup {
    wanted: [true, false],
    kin: true,
    replays_from: ATTACKER,
    fair: false,
};
const EVEN_DIALS: Setup = Setup {
    wanted: [false, true],
    kin: false,
    ..ODD_DIALS
};
const BOTH_DIAL: Setup = Setup {
    wanted: [true, true],
    ..ODD_DIALS
};

/// Explores and says how much that was. `floor` is the number of states below which the model has
/// shrunk by mistake.
fn explore(name: &str, setup: Setup, budget: Budget, floor: usize) {
    let search: Search<World> = Search::run(setup, budget);
    let states = search.found.len();
    std::eprintln!(
        "{name}: {states} states, {} steps, {} settled",
        search.steps,
        search.settled.len()
    );
    assert!(
        states >= floor,
        "the model shrank: {states} states, {floor} expected"
    );
}

const NOTHING: Budget = Budget {
    restarts: 0,
    replays: 0,
    losses: 0,
    duplicates: 0,
    timeouts: 0,
    talks: 0,
    outages: 0,
};

#[test]
fn two_restarts_and_two_replays() {
    let budget = Budget {
        restarts: 2,
        replays: 2,
        ..NOTHING
    };
    explore("two restarts, two replays", ODD_DIALS, budget, 300_000);
}

#[test]
fn two_restarts_and_channel_packets() {
    let budget = Budget {
        restarts: 2,
        replays: 1,
        talks: 1,
        ..NOTHING
    };
    explore("two restarts, channel packets", EVEN_DIALS, budget, 500_000);
}

#[test]
fn two_restarts_and_time() {
    let budget = Budget {
        restarts: 2,
        timeouts: 1,
        ..NOTHING
    };
    explore("two restarts, time", EVEN_DIALS, budget, 200_000);
}

#[test]
fn a_restart_and_a_little_of_everything_with_an_odd_dialer() {
    let budget = Budget {
        restarts: 1,
        replays: 1,
        losses: 1,
        duplicates: 1,
        timeouts: 1,
        talks: 0,
        outages: 0,
    };
    explore(
        "odd dialer, a little of everything",
        ODD_DIALS,
        budget,
        300_000,
    );
}

#[test]
fn a_restart_and_a_little_of_everything_with_an_even_dialer() {
    let budget = Budget {
        restarts: 1,
        replays: 1,
        losses: 1,
        duplicates: 0,
        timeouts: 1,
        talks: 1,
        outages: 0,
    };
    explore(
        "even dialer, a little of everything",
        EVEN_DIALS,
        budget,
        380_000,
    );
}

#[test]
fn a_restart_when_both_dial() {
    let budget = Budget {
        restarts: 1,
        replays: 1,
        timeouts: 1,
        ..NOTHING
    };
    explore("both dial", BOTH_DIAL, budget, 300_000);
}

#[test]
fn nothing_but_a_restart_parts_two_ends_whose_packets_arrive() {
    let odd = Setup {
        fair: true,
        ..ODD_DIALS
    };
    let even = Setup {
        fair: true,
        ..EVEN_DIALS
    };
    let quiet = Budget {
        restarts: 1,
        replays: 3,
        timeouts: 3,
        ..NOTHING
    };
    explore("fair, odd dialer", odd, quiet, 180_000);
    let busy = Budget {
        replays: 4,
        timeouts: 4,
        talks: 1,
        ..NOTHING
    };
    explore("fair, odd dialer, busy", odd, busy, 30_000);
    explore("fair, even dialer, busy", even, busy, 38_000);
}

#[test]
fn replays_from_the_address_of_the_peer() {
    let budget = Budget {
        restarts: 1,
        replays: 2,
        timeouts: 1,
        ..NOTHING
    };
    explore(
        "the peer's address",
        Setup {
            replays_from: DIRECT,
            ..ODD_DIALS
        },
        budget,
        80_000,
    );
}

#[test]
fn a_bad_network_without_restarts() {
    let budget = Budget {
        restarts: 0,
        replays: 3,
        losses: 1,
        duplicates: 1,
        timeouts: 2,
        talks: 1,
        outages: 0,
    };
    explore("bad network", ODD_DIALS, budget, 200_000);
}

#[test]
#[ignore = "takes minutes: for the long run"]
fn long_two_restarts_replays_and_channel_packets() {
    let budget = Budget {
        restarts: 2,
        replays: 2,
        talks: 1,
        ..NOTHING
    };
    explore(
        "two restarts, replays, channel packets",
        ODD_DIALS,
        budget,
        2_500_000,
    );
}

#[test]
#[ignore = "takes minutes: for the long run"]
fn long_two_restarts_a_replay_and_time() {
    let budget = Budget {
        restarts: 2,
        replays: 1,
        timeouts: 1,
        ..NOTHING
    };
    explore(
        "two restarts, a replay, time",
        EVEN_DIALS,
        budget,
        2_000_000,
    );
}

#[test]
#[ignore = "takes minutes: for the long run"]
fn long_two_restarts_and_more_time() {
    let budget = Budget {
        restarts: 2,
        timeouts: 2,
        ..NOTHING
    };
    explore("two restarts, more time", ODD_DIALS, budget, 4_000_000);
}

#[test]
#[ignore = "takes minutes: for the long run"]
fn long_a_restart_on_a_bad_network() {
    let budget = Budget {
        restarts: 1,
        losses: 1,
        duplicates: 1,
        timeouts: 2,
        talks: 1,
        ..NOTHING
    };
    explore("a restart on a bad network", EVEN_DIALS, budget, 5_000_000);
}

#[test]
#[ignore = "takes minutes: for the long run"]
fn long_time_when_both_dial() {
    let budget = Budget {
        timeouts: 5,
        ..NOTHING
    };
    explore("time, both dial", BOTH_DIAL, budget, 1_000_000);
}

#[test]
#[ignore = "takes minutes: for the long run"]
fn long_fair_with_channel_packets() {
    let budget = Budget {
        restarts: 1,
        replays: 2,
        timeouts: 4,
        talks: 1,
        ..NOTHING
    };
    explore(
        "fair, channel packets",
        Setup {
            fair: true,
            ..EVEN_DIALS
        },
        budget,
        1_200_000,
    );
}

#[test]
#[ignore = "takes minutes: for the long run"]
fn long_fair_with_two_restarts() {
    let budget = Budget {
        restarts: 2,
        replays: 2,
        timeouts: 2,
        ..NOTHING
    };
    explore(
        "fair, two restarts",
        Setup {
            fair: true,
            ..EVEN_DIALS
        },
        budget,
        1_600_000,
    );
}

/// Far beyond any bound, but not everything there: random steps, then the same checks.
///
/// Both keep their state when they restart, so that no value comes twice and nothing is left to
/// chance ([`CHALLENGE_SPREAD`](crate::handshake::limits::CHALLENGE_SPREAD)).
#[test]
fn random_conversations() {
    let budget = Budget {
        restarts: 6,
        replays: 30,
        losses: 15,
        duplicates: 10,
        timeouts: 30,
        talks: 10,
        outages: 0,
    };
    for seed in 0..2_000 {
        let setup = [ODD_DIALS, EVEN_DIALS, BOTH_DIAL][seed as usize % 3];
        let mut search = Search::<World>::new(setup);
        let (mut world, mut budget, mut state) = (setup.start::<World>(), budget, 0);
        for count in 0..120 {
            let mut steps = search.steps_from(&world);
            steps.retain(|step| {
                !matches!(
                    step,
                    Step::Restart {
                        keeps_state: false,
                        ..
                    }
                )
            });
            let choice =
                u32::from(draw(seed, 2 * count)) << 8 | u32::from(draw(seed, 2 * count + 1));
            let step = steps[choice as usize % steps.len()];
            let Some(left) = budget.after(step) else {
                continue;
            };
            let next = search.after(&world, step);
            search.check(state, &world, step, &next);
            let from = state;
            (world, budget, state) = (next, left, u64::from(count) + 1);
            search.found.insert(state, (from, step));
        }
        search.settle(state, &world);
    }
}
