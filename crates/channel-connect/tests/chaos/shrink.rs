//! Running plans, and making those that fail smaller.

use std::{
    any::Any,
    ops::Range,
    panic::{AssertUnwindSafe, catch_unwind},
};

use crate::{plan::Plan, world::World};

/// Runs of one search for a smaller plan; it ends with the best that it has by then.
const MAX_RUNS: usize = 400;

/// Runs a plan; what went wrong, if something did.
pub(crate) fn fails(plan: &Plan) -> Option<String> {
    let run = AssertUnwindSafe(|| World::run(plan));
    catch_unwind(run).err().map(|payload| message(&*payload))
}

/// Runs many seeds. Panics, with the smallest plan that still fails, for the first that does, and names
/// the others.
pub(crate) fn check_all(seeds: Range<u64>) {
    let failing = seeds.filter_map(|seed| Some((seed, fails(&Plan::of(seed))?)));
    let failing: Vec<_> = failing.collect();
    let Some((first, _)) = failing.first() else {
        return;
    };
    println!("{} seeds fail: {failing:#?}", failing.len());
    check(&Plan::of(*first));
}

/// Panics, with the smallest plan that still fails, if this one does.
pub(crate) fn check(plan: &Plan) {
    let Some(first) = fails(plan) else { return };
    let same = |plan: &Plan| fails(plan).is_some_and(|other| kind(&other) == kind(&first));
    let kept = smaller(plan.operations.len(), |kept| same(&plan.keeping(kept)));
    let small = plan.keeping(&kept);
    let left = fails(&small).unwrap_or_else(|| first.clone());
    let list: Vec<String> = kept.iter().map(ToString::to_string).collect();
    panic!(
        "seed {seed} breaks a promise: {first}\n\
         Run it again (CHAOS_TRACE=1 tells what happens):\n    \
         CHAOS_SEED={seed} cargo test --workspace --test chaos the_seed_that_is_asked_for\n\
         {count} of {all} operations are enough (CHAOS_KEEP={list}) to see: {left}\n{small:?}",
        seed = plan.seed,
        count = kept.len(),
        all = plan.operations.len(),
        list = list.join(","),
    );
}

/// The operations, of so many, that it takes to fail: drops large parts first, then one by one.
fn smaller(count: usize, still_fails: impl Fn(&[usize]) -> bool) -> Vec<usize> {
    let mut best: Vec<usize> = (0..count).collect();
    let mut part = count.div_ceil(2);
    let mut runs = 0;
    while part > 0 {
        let mut at = 0;
        let mut dropped = false;
        while at < best.len() && runs < MAX_RUNS {
            let mut candidate = best.clone();
            candidate.drain(at..(at + part).min(best.len()));
            runs += 1;
            if still_fails(&candidate) {
                (best, dropped) = (candidate, true);
            } else {
                at += part;
            }
        }
        if part > 1 || !dropped || runs >= MAX_RUNS {
            part /= 2;
        }
    }
    best
}

/// What went wrong, whatever the numbers of those that it went wrong for.
fn kind(message: &str) -> String {
    let letters = message.chars().filter(|c| !c.is_ascii_digit());
    letters.take(24).collect()
}

fn message(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<String>().cloned();
    let text = text.or_else(|| payload.downcast_ref::<&str>().map(ToString::to_string));
    text.unwrap_or_else(|| "a panic without words".into())
}

#[test]
fn a_failing_plan_shrinks_to_what_it_takes_to_fail() {
    let culprits = [11, 47];
    let fails = |kept: &[usize]| culprits.iter().all(|culprit| kept.contains(culprit));
    assert_eq!(smaller(70, fails), culprits);
}
