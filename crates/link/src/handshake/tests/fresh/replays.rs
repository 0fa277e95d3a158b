//! What whoever recorded handshakes can do with them, and copies that come by several ways.

use alloc::vec::Vec;

use super::{
    rules::{CLOCK, SECOND, actions, passive, round},
    world::{Packet, World},
};
use crate::{
    PipeSlot,
    handshake::{
        Target,
        fresh::{Action, FreshRounds, Heard},
        limits::{MAX_UNCONFIRMED, RENEW_PAUSE, UNCONFIRMED_LIFE},
        machine::Duplicate,
        tests::{
            PRESENT,
            model::search::Model,
            world::{ATTACKER, DIRECT},
        },
    },
};

/// Ephemerals that were answered.
fn answered(rounds: &mut FreshRounds) -> usize {
    let is_answer = |action: &Action| matches!(action, Action::Answer { .. });
    actions(rounds).iter().filter(|it| is_answer(it)).count()
}

#[test]
fn older_rounds_of_the_peer_do_not_push_out_its_newest() {
    let mut rounds = passive();
    rounds.on_message(PRESENT, CLOCK, round(CLOCK + 100, 100));
    // Whoever is pushed out is forgotten, and would be answered again.
    for _ in 0..5 {
        for older in 1..=MAX_UNCONFIRMED as u8 + 1 {
            rounds.on_message(PRESENT, CLOCK, round(CLOCK + 2 * u64::from(older), older));
        }
    }
    let answers = answered(&mut rounds);
    assert!(answers <= 2 + MAX_UNCONFIRMED, "{answers} answers");
    let newest = round(CLOCK + 100, 100).remote;
    rounds.on_channel_packet(PRESENT, DIRECT, newest, Heard::Ping);
    let confirmed = |action: &Action| matches!(action, Action::Confirmed { .. });
    assert!(actions(&mut rounds).iter().any(confirmed));
}

#[test]
fn rounds_of_a_peer_whose_clock_went_back_are_answered_once_the_higher_ones_ran_out() {
    let mut rounds = passive();
    for count in 1..=MAX_UNCONFIRMED as u8 {
        rounds.on_message(
            PRESENT,
            CLOCK,
            round(CLOCK + 100 + 2 * u64::from(count), count),
        );
    }
    assert_eq!(answered(&mut rounds), MAX_UNCONFIRMED);
    rounds.on_message(PRESENT, CLOCK, round(CLOCK + 2, 9));
    assert_eq!(answered(&mut rounds), 0);
    let later = PRESENT + UNCONFIRMED_LIFE;
    rounds.handle_timeout(later, CLOCK);
    rounds.on_message(later, CLOCK, round(CLOCK + 2, 9));
    assert_eq!(answered(&mut rounds), 1);
}

#[test]
fn a_handshake_that_is_replayed_all_the_time_has_a_session_renewed_every_30_seconds_at_most() {
    let mut world = World::linked();
    world.dial(0);
    world.run(RENEW_PAUSE * 2);
    let is_handshake = |packet: &Packet| matches!(packet, Packet::Handshake { .. });
    let old: Vec<Packet> = { world.recorded.iter().copied() }
        .filter(is_handshake)
        .collect();
    let mut sessions = alloc::collections::BTreeSet::new();
    let (tenth, minutes) = (SECOND / 10, 5);
    for _ in 0..minutes * 600 {
        for packet in &old {
            world.inject(*packet, ATTACKER);
        }
        world.run(tenth);
        sessions.extend(world.session());
    }
    assert!(world.is_confirmed());
    assert!(sessions.len() > 1, "the peer may have started anew");
    let most = (SECOND * 60 * minutes).div_duration_f32(RENEW_PAUSE) as usize + 2;
    assert!(sessions.len() <= most, "{} sessions", sessions.len());
    assert_eq!(world.ends.map(|end| (end.resets, end.downs)), [(0, 0); 2]);
}

#[test]
fn an_answer_goes_at_once_to_each_way_that_its_round_came_by() {
    let mut rounds = passive();
    let other = PipeSlot(5);
    rounds.on_message(PRESENT, CLOCK, round(CLOCK, 1));
    actions(&mut rounds);
    let copy = |rounds: &mut FreshRounds, pipe| rounds.on_duplicate(PRESENT, Some(pipe), [1; 16]);
    assert_eq!(copy(&mut rounds, DIRECT), Duplicate::Known);
    assert_eq!(copy(&mut rounds, other), Duplicate::Answered);
    assert_eq!(copy(&mut rounds, other), Duplicate::Known);
    let remote = round(CLOCK, 1).remote;
    let to = Target::PacketSource(other);
    assert_eq!(actions(&mut rounds), [Action::SendAnswer { remote, to }]);
}
