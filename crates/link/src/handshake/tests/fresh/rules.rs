//! The rules of cipher-sets.md, CS42, one by one, and the limits of the machine.

use alloc::vec::Vec;
use core::time::Duration;

use telehash_e3x::{Order, Token};

use super::world::World;
use crate::{
    PipeSlot,
    handshake::{
        fresh::{Action, FreshRounds},
        limits::{
            GIVE_UP, LISTEN_INTERVAL, MAX_ANSWERS, MAX_BEHIND_MILLIS, MAX_UNCONFIRMED,
            PING_PATIENCE, RENEW_INTERVAL, RENEW_PAUSE, RENEWED_LINGER, REPEAT_INTERVAL,
            UNCONFIRMED_LIFE,
        },
        machine::{Arrived, Duplicate},
        tests::{PRESENT, model::search::Model, world::DIRECT},
    },
};

pub(super) const SECOND: Duration = Duration::from_secs(1);
/// The time of day, in milliseconds.
pub(super) const CLOCK: u64 = 1_000_000_001;

/// A link that `dialer` dialed.
fn linked(dialer: usize) -> World {
    let mut world = World::new();
    world.dial(dialer);
    world.deliver_all();
    assert!(world.is_confirmed());
    world
}

/// The machine of the even end, which dials nobody.
pub(super) fn passive() -> FreshRounds {
    let mut rounds = FreshRounds::new(PRESENT, Order::Even, 7, 0);
    rounds.pipe_added(PRESENT, DIRECT, SECOND * 30);
    rounds
}

/// A round of the odd end.
pub(super) fn round(at: u64, ephemeral: u8) -> Arrived {
    Arrived {
        pipe: DIRECT,
        at,
        remote: Token::from_bytes([ephemeral; Token::LEN]),
        digest: [ephemeral; 16],
        names: [None; 2],
    }
}

pub(super) fn actions(rounds: &mut FreshRounds) -> Vec<Action> {
    core::iter::from_fn(|| rounds.poll_action()).collect()
}

#[test]
fn one_round_trip_of_handshakes_and_one_of_pings_bring_a_link_up() {
    for dialer in 0..2 {
        assert_eq!(linked(dialer).ends.map(|end| end.sessions()), [1, 1]);
    }
}

#[test]
fn a_handshake_alone_confirms_nothing_and_is_forgotten() {
    let mut world = World::new();
    world.dial(0);
    let first = world.flights[0];
    world.flights.clear();
    world.inject(first, DIRECT);
    world.run_without_network(UNCONFIRMED_LIFE - SECOND);
    assert_eq!(world.ends[1].sessions(), 1);
    assert!(!world.is_confirmed());
    world.run_without_network(SECOND);
    assert_eq!((world.ends[1].sessions(), world.ends[1].downs), (0, 1));
}

#[test]
fn a_session_is_renewed_on_a_network_change_but_not_within_30_seconds_and_keeps_its_channels() {
    let mut world = linked(0);
    let first = world.session();
    world.act(0, FreshRounds::network_changed);
    world.run(RENEW_PAUSE - SECOND);
    assert_eq!(world.session(), first);
    world.run(SECOND * 2);
    assert!(world.session().is_some());
    assert_ne!(world.session(), first);
    assert_eq!(world.ends.map(|end| end.resets), [0, 0]);
}

#[test]
fn the_keys_of_a_renewed_session_receive_for_10_seconds_more() {
    let mut world = World::linked();
    world.dial(0);
    world.deliver_all();
    assert_eq!(world.ends.clone().map(|end| end.sessions()), [2, 2]);
    world.run(RENEWED_LINGER - SECOND);
    assert_eq!(world.ends.clone().map(|end| end.sessions()), [2, 2]);
    world.run(SECOND);
    assert_eq!(world.ends.map(|end| end.sessions()), [1, 1]);
}

#[test]
fn a_session_that_is_used_is_renewed_after_an_hour_and_another_is_not() {
    for used in [true, false] {
        let mut world = linked(1);
        if used {
            world.talk(0);
            world.talk(1);
            world.deliver_all();
        }
        let first = world.session();
        world.run(RENEW_INTERVAL - SECOND);
        assert_eq!(world.session(), first);
        world.run(SECOND * 30);
        assert_eq!(world.session() != first, used);
        assert!(world.is_confirmed());
        assert_eq!(world.ends.map(|end| end.resets), [0, 0]);
    }
}

#[test]
fn a_peer_that_falls_silent_is_pinged_then_the_session_renewed_then_given_up() {
    let mut world = World::linked();
    // The last packets went 2 s ago, with the keepalives.
    world.run_without_network(LISTEN_INTERVAL + PING_PATIENCE - SECOND * 3);
    assert!(!world.is_waiting());
    world.run_without_network(SECOND * 2);
    assert!(world.is_waiting());
    world.run_without_network(GIVE_UP - SECOND * 2);
    assert_eq!(world.ends.clone().map(|end| end.downs), [0, 0]);
    world.run_without_network(SECOND * 2);
    assert_eq!(world.ends.map(|end| end.downs), [1, 1]);
}

#[test]
fn a_round_thirty_seconds_behind_our_clock_is_answered_and_an_older_one_challenged() {
    let answered = |at| {
        let mut rounds = passive();
        rounds.on_message(PRESENT, CLOCK, round(at, 1));
        let actions = actions(&mut rounds);
        let begun = actions
            .iter()
            .any(|it| matches!(it, Action::Begin { at, .. } if *at > CLOCK));
        let answered = actions.iter().any(|it| matches!(it, Action::Answer { .. }));
        assert_ne!(begun, answered);
        answered
    };
    assert!(answered(CLOCK - MAX_BEHIND_MILLIS));
    assert!(!answered(CLOCK - MAX_BEHIND_MILLIS - 2));
}

#[test]
fn a_third_unconfirmed_session_takes_the_place_of_the_lowest() {
    let mut rounds = passive();
    for count in (1..=MAX_UNCONFIRMED as u8).rev() {
        rounds.on_message(PRESENT, CLOCK, round(CLOCK + 2 * u64::from(count), count));
        let forgets = |action: &Action| matches!(action, Action::Forget { .. });
        assert!(!actions(&mut rounds).iter().any(forgets));
    }
    let one_more = MAX_UNCONFIRMED as u8 + 1;
    rounds.on_message(PRESENT, CLOCK, round(CLOCK + 100, one_more));
    let remote = round(0, 1).remote;
    assert!(actions(&mut rounds).contains(&Action::Forget { remote }));
}

#[test]
fn a_round_that_is_repeated_gets_the_stored_answer_eight_times() {
    let mut rounds = passive();
    rounds.on_message(PRESENT, CLOCK, round(CLOCK, 1));
    let mut answers = 0;
    for repetition in 1..=20 {
        let now = PRESENT + REPEAT_INTERVAL * repetition;
        let early = PRESENT + (REPEAT_INTERVAL * repetition - SECOND / 1_000);
        for now in [early, now] {
            let duplicate = rounds.on_duplicate(now, Some(DIRECT), [1; 16]);
            assert_ne!(duplicate, Duplicate::No);
            answers += u8::from(duplicate == Duplicate::Answered);
        }
        assert!(u32::from(answers) <= repetition);
    }
    assert_eq!(answers, MAX_ANSWERS);
    assert_eq!(
        rounds.on_duplicate(PRESENT, Some(PipeSlot(0)), [2; 16]),
        Duplicate::No
    );
}

#[test]
fn time_that_passes_before_anything_is_due_makes_no_ping() {
    let mut world = linked(0);
    let (before, end) = (*world.sent(), LISTEN_INTERVAL - SECOND);
    for _ in 0..end.as_secs() {
        world.act(0, FreshRounds::handle_timeout);
        world.run(SECOND);
    }
    assert_eq!(*world.sent(), before);
}

#[test]
fn a_link_with_traffic_both_ways_sends_no_pings() {
    let mut world = linked(0);
    world.run(SECOND * 20);
    for side in 0..2 {
        world.talk(side);
    }
    world.deliver_all();
    let before = *world.sent();
    for _ in 0..LISTEN_INTERVAL.as_secs() * 2 {
        world.run(SECOND * 5);
        for side in 0..2 {
            world.talk(side);
        }
        world.deliver_all();
    }
    assert_eq!(*world.sent() - before, 0);
}
