//! Everything that can happen to endpoints, happening at random: in virtual time, from seeds.
//!
//! A plan is a list of operations that follows from a seed: a few endpoints, perhaps with a router
//! among them, link, talk, end and fail channels, restart, move, are paused and have their clocks
//! set, while packets get lost, doubled, changed and late, and a stranger knocks. Whatever happens,
//! what is delivered is a prefix of what was sent, nothing follows an end, the stranger gets no
//! answer, no table outgrows its limit, and no key and no nonce is used twice. Left alone, links come
//! up again, everything arrives, and closed links are silent.
//!
//! A seed that fails is tried again with ever fewer operations, and prints what it takes to fail.

mod channels;
mod keys;
mod ledger;
mod node;
mod operate;
mod plan;
mod regressions;
mod rest;
mod shrink;
mod soak;
mod world;

use std::{env, hash::Hasher};

use plan::Plan;
use shrink::{check, check_all};
use world::World;

/// Seeds that are tried each time.
const SEEDS: u64 = 300;

/// Seeds that are tried when there is time.
const MANY_SEEDS: u64 = 10_000;

#[test]
fn whatever_happens_the_promises_hold() {
    check_all(0..SEEDS);
}

#[test]
#[ignore = "long: ten thousand seeds, minutes"]
fn whatever_happens_ten_thousand_times_the_promises_hold() {
    check_all(SEEDS..MANY_SEEDS);
}

/// Runs `CHAOS_SEED`, one or some (`300..2000`), or else the first; of one only the operations of
/// `CHAOS_KEEP`, if that is there.
#[test]
fn the_seed_that_is_asked_for() {
    let number = |text: &str| {
        text.parse::<u64>()
            .expect("seeds and operations are numbers")
    };
    let seed = env::var("CHAOS_SEED").unwrap_or_else(|_| "0".into());
    if let Some((first, end)) = seed.split_once("..") {
        return check_all(number(first)..number(end));
    }
    let plan = Plan::of(number(&seed));
    check(&match env::var("CHAOS_KEEP") {
        Ok(kept) => {
            let kept: Vec<_> = kept.split(',').map(|at| number(at) as usize).collect();
            plan.keeping(&kept)
        }
        Err(_) => plan,
    });
}

#[test]
fn the_same_seed_is_the_same_run_to_the_byte() {
    for seed in 0..5 {
        let [one, other] = [(); 2].map(|()| World::run(&Plan::of(seed)).trace.finish());
        assert_eq!(one, other, "seed {seed}");
    }
}

#[test]
fn a_good_deal_happens() {
    let worlds = (0..20).map(|seed| World::run(&Plan::of(seed)));
    let mut totals = (0, 0, 0);
    for world in worlds {
        let (channels, read) = world.ledger.totals();
        totals = (totals.0 + channels, totals.1 + read, totals.2 + world.sent);
    }
    let (channels, read, sent) = totals;
    assert!(
        channels > 100 && read > 500_000 && sent > 20_000,
        "{channels} channels, {read} bytes, {sent} datagrams"
    );
}
