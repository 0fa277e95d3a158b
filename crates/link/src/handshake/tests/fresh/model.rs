//! "Prove the machine" (links.md), for cipher sets with fresh ephemerals.
//!
//! What is explored, and how time is treated, is told in `tests/model.rs`, whose search this is;
//! only what two ends *agree* on is another thing here: each has confirmed a session and takes what
//! the other sends, be it by the session that both confirmed, by one that waits for its
//! confirmation, or by one that was renewed.
//!
//! # What must hold
//!
//! - Once the attacker stops and packets arrive, both ends agree within two minutes and stay there.
//! - While both ends agree, no packet parts them, whatever is replayed and whenever: no replay
//!   replaces a session.
//! - **Channels are never reset unless an end started anew or its link went down**: renewals under
//!   loss, reordering, duplication, glare, replays and outages keep them (`World::broken`).
//! - No more than two sessions wait for their confirmation, no session is used that was erased, no
//!   ephemeral seals two messages, `at` never goes back (`End::follow`).
//! - Nothing is sent without end.

use super::world::World;
use crate::handshake::tests::{
    model::search::{Budget, Search, Setup},
    world::{ATTACKER, DIRECT},
};

const ODD_DIALS: Setup = Setup {
    wanted: [true, false],
    kin: false,
    replays_from: ATTACKER,
    fair: false,
};
const EVEN_DIALS: Setup = Setup {
    wanted: [false, true],
    ..ODD_DIALS
};
const BOTH_DIAL: Setup = Setup {
    wanted: [true, true],
    ..ODD_DIALS
};
/// One end renews the session they have.
const ODD_RENEWS: Setup = Setup {
    kin: true,
    ..ODD_DIALS
};
/// Both do, at the same time.
const BOTH_RENEW: Setup = Setup {
    kin: true,
    ..BOTH_DIAL
};
const NOTHING: Budget = Budget {
    restarts: 0,
    replays: 0,
    losses: 0,
    duplicates: 0,
    timeouts: 0,
    talks: 0,
    outages: 0,
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

#[test]
fn fresh_replays_without_restarts() {
    let budget = Budget {
        replays: 3,
        ..NOTHING
    };
    explore("fresh, replays, odd", ODD_DIALS, budget, 400);
    explore("fresh, replays, even", EVEN_DIALS, budget, 400);
    let fewer = Budget {
        replays: 2,
        ..NOTHING
    };
    explore("fresh, replays, both", BOTH_DIAL, fewer, 13_000);
}

#[test]
fn fresh_replays_from_the_address_of_the_peer() {
    let setup = Setup {
        replays_from: DIRECT,
        ..ODD_DIALS
    };
    let budget = Budget {
        replays: 2,
        timeouts: 1,
        ..NOTHING
    };
    explore("fresh, the peer's address", setup, budget, 110_000);
}

#[test]
fn fresh_a_restart_and_replays() {
    let budget = Budget {
        restarts: 1,
        replays: 1,
        ..NOTHING
    };
    explore("fresh, a restart, replay", ODD_DIALS, budget, 24_000);
}

#[test]
fn fresh_two_restarts() {
    let budget = Budget {
        restarts: 2,
        ..NOTHING
    };
    explore("fresh, two restarts", EVEN_DIALS, budget, 110_000);
}

#[test]
fn fresh_a_bad_network() {
    let budget = Budget {
        losses: 1,
        duplicates: 1,
        timeouts: 1,
        ..NOTHING
    };
    explore("fresh, bad network", ODD_DIALS, budget, 50_000);
}

#[test]
fn fresh_both_dial() {
    let restart = Budget {
        restarts: 1,
        ..NOTHING
    };
    explore("fresh, both dial, a restart", BOTH_DIAL, restart, 95_000);
    let losses = Budget {
        losses: 2,
        ..NOTHING
    };
    explore("fresh, both dial, loss", BOTH_DIAL, losses, 1_100);
}

#[test]
fn renewal_under_loss_and_replays_loses_no_channel() {
    let lossy = Budget {
        losses: 2,
        timeouts: 1,
        ..NOTHING
    };
    explore("renewal, loss", ODD_RENEWS, lossy, 160_000);
    let replayed = Budget {
        replays: 2,
        losses: 1,
        talks: 1,
        ..NOTHING
    };
    explore("renewal, replays", ODD_RENEWS, replayed, 38_000);
}

#[test]
fn renewal_with_glare_loses_no_channel() {
    let lossy = Budget {
        losses: 3,
        ..NOTHING
    };
    explore("renewal, glare, loss", BOTH_RENEW, lossy, 15_000);
    let replayed = Budget {
        replays: 1,
        losses: 1,
        ..NOTHING
    };
    explore("renewal, glare, replays", BOTH_RENEW, replayed, 55_000);
}

#[test]
fn renewal_and_outages_lose_no_channel() {
    let outage = Budget {
        outages: 1,
        losses: 1,
        ..NOTHING
    };
    explore("renewal, outage", ODD_RENEWS, outage, 2_400);
    explore("renewal, glare, outage", BOTH_RENEW, outage, 30_000);
    let outages = Budget {
        outages: 2,
        ..NOTHING
    };
    explore("renewal, outages", ODD_RENEWS, outages, 15_000);
    explore("renewal, glare, outages", BOTH_RENEW, outages, 65_000);
    let replayed = Budget {
        outages: 1,
        replays: 1,
        ..NOTHING
    };
    explore("renewal, outage, replay", ODD_RENEWS, replayed, 26_000);
}

#[test]
fn renewal_and_a_restart() {
    let budget = Budget {
        restarts: 1,
        replays: 1,
        ..NOTHING
    };
    explore("renewal, restart", ODD_RENEWS, budget, 62_000);
}

#[test]
#[ignore = "takes minutes: for the long run"]
fn long_renewal_under_loss_and_duplication() {
    let budget = Budget {
        losses: 2,
        duplicates: 1,
        timeouts: 1,
        ..NOTHING
    };
    explore("renewal, loss, long", ODD_RENEWS, budget, 2_000_000);
}

#[test]
#[ignore = "takes minutes: for the long run"]
fn long_renewal_and_an_outage_at_any_time() {
    let budget = Budget {
        outages: 1,
        timeouts: 1,
        talks: 1,
        ..NOTHING
    };
    explore("renewal, outage, long", ODD_RENEWS, budget, 10_000_000);
}
