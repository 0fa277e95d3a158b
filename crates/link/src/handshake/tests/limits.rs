//! What happens at the limits of the round machine.

use telehash_e3x::{Order, Token};

use super::{
    PRESENT,
    world::{ATTACKER, CLOCK, DIRECT, Packet, SECOND, World},
};
use crate::{
    DownReason, PipeSlot,
    handshake::{
        Action, MAX_AT, Target,
        limits::{CHALLENGE_SPREAD, FORCED_INTERVAL, MAX_DERIVED},
        rounds::Rounds,
    },
};

fn token(byte: u8) -> Token {
    Token::from_bytes([byte; Token::LEN])
}

fn drain(rounds: &mut Rounds) -> alloc::vec::Vec<Action> {
    core::iter::from_fn(|| rounds.poll_action()).collect()
}

#[test]
fn a_value_above_those_of_javascript_is_ignored() {
    let mut rounds = Rounds::new(PRESENT, Order::Odd, token(0), 0);
    rounds.on_message(PRESENT, CLOCK, DIRECT, MAX_AT + 1, token(1), [0; 16]);
    assert_eq!(drain(&mut rounds), []);
}

#[test]
fn when_the_values_are_used_up_the_link_can_not_come_up() {
    let mut rounds = Rounds::new(PRESENT, Order::Even, token(0), MAX_AT - 1);
    rounds.start(PRESENT, CLOCK);
    assert_eq!(drain(&mut rounds), [Action::Down(DownReason::Unreachable)]);
    assert_eq!(rounds.poll_timeout(), None);
}

#[test]
fn the_highest_value_can_still_be_echoed_but_not_challenged() {
    let mut rounds = Rounds::new(PRESENT, Order::Even, token(0), 0);
    rounds.on_message(PRESENT, CLOCK, DIRECT, MAX_AT, token(1), [0; 16]);
    assert!(drain(&mut rounds).contains(&Action::Agreed { remote: token(1) }));
    rounds.on_message(PRESENT, CLOCK, DIRECT, 7, token(2), [1; 16]);
    assert_eq!(drain(&mut rounds), []);
    assert_eq!(rounds.session(), Some(token(1)));
}

#[test]
fn a_peer_that_restarts_again_and_again_gets_a_new_ephemeral_from_us() {
    for dialer in [0, 1] {
        let mut world = World::new().keep_reports();
        world.dial(dialer);
        world.run(SECOND * 2);
        let first = world.ends[dialer].ephemeral;
        for restarts in 1..=3 * MAX_DERIVED {
            world.restart(1 - dialer, true, CLOCK, true);
            world.run(SECOND * 4);
            assert!(world.agrees(), "after {restarts}");
            let changed = world.ends[dialer].ephemeral != first;
            assert_eq!(changed, restarts >= MAX_DERIVED, "after {restarts}");
        }
        assert!(
            world.ends[dialer]
                .reports
                .contains(&Some(DownReason::Silent))
        );
    }
}

#[test]
fn replayed_first_contacts_do_not_use_up_the_places_of_sessions() {
    let mut rounds = Rounds::new(PRESENT, Order::Odd, token(0), 5_000);
    for old in 1..20 {
        let at = 4_000 + 2 * u64::from(old);
        rounds.on_message(PRESENT, CLOCK, ATTACKER, at, token(old), [old; 16]);
    }
    let actions = drain(&mut rounds);
    let candidates = actions
        .iter()
        .filter(|action| matches!(action, Action::Candidate { .. }));
    assert_eq!(candidates.count(), MAX_DERIVED - 1);
    rounds.on_message(PRESENT, CLOCK, DIRECT, 6_000, token(99), [99; 16]);
    assert!(drain(&mut rounds).contains(&Action::Agreed { remote: token(99) }));
}

#[test]
fn replays_without_end_cause_one_round_a_second() {
    for with_session in [false, true] {
        let mut rounds = Rounds::new(PRESENT, Order::Odd, token(0), 5_000);
        if with_session {
            rounds.on_message(PRESENT, CLOCK, DIRECT, 6_000, token(1), [1; 16]);
            rounds.on_channel_packet(PRESENT, DIRECT, token(1));
            drain(&mut rounds);
        }
        let (mut now, mut sends) = (PRESENT, 0);
        for count in 0..10_000_u64 {
            now += FORCED_INTERVAL / 1000;
            let (at, remote) = (4_000 + 2 * (count % 500), token(2 + (count % 200) as u8));
            rounds.on_message(now, CLOCK, ATTACKER, at, remote, [0; 16]);
            rounds.handle_timeout(now, CLOCK);
            let actions = drain(&mut rounds);
            sends += actions
                .iter()
                .filter(|it| matches!(it, Action::Send { .. }))
                .count();
        }
        // The repetitions of a challenge come on top.
        assert!((10..=13).contains(&sends), "{sends} in ten intervals");
    }
}

#[test]
fn a_challenge_is_one_of_the_next_sixty_four_values() {
    let mut values = std::collections::BTreeSet::new();
    for life in 0..100 {
        let mut rounds = Rounds::new(PRESENT, Order::Odd, token(life), 0);
        rounds.on_message(PRESENT, CLOCK, DIRECT, 2_000, token(200), [1; 16]);
        drain(&mut rounds);
        rounds.on_message(PRESENT, CLOCK, ATTACKER, 1_000, token(201), [2; 16]);
        let value = rounds.highest();
        assert!(
            value % 2 == 1 && value > 2_000,
            "ours, and above every value seen"
        );
        assert!(value < 2_001 + 2 * u64::from(CHALLENGE_SPREAD));
        values.insert(value);
    }
    assert!(values.len() > usize::from(CHALLENGE_SPREAD) / 2);
}

#[test]
fn a_pipe_that_is_gone_gets_nothing_more() {
    let mut world = World::new();
    world.dial(1);
    let Packet::Handshake { from, .. } = world.flights[0] else {
        unreachable!()
    };
    let mut rounds = Rounds::new(PRESENT, Order::Odd, token(9), 5_000);
    rounds.on_message(PRESENT, CLOCK, PipeSlot(4), 1_000, from.token(), [1; 16]);
    rounds.on_message(PRESENT, CLOCK, PipeSlot(4), 1_002, from.token(), [2; 16]);
    drain(&mut rounds);
    rounds.pipe_removed(PipeSlot(4));
    rounds.handle_timeout(PRESENT + SECOND * 2, CLOCK);
    let to_gone = |action: &Action| matches!(action, Action::Send { to: Target::PacketSource(pipe), .. } if pipe.0 == 4);
    assert!(!drain(&mut rounds).iter().any(to_gone));
}
