//! The rules of links.md, "`at`", each by its name, for both sides.
//!
//! Side 0 is odd, side 1 is even; most tests run with either in either role.

use super::world::{
    ATTACKER, CLOCK, DIRECT, Ephemeral, Packet, SECOND, World, first_of, linked, millis,
};
use crate::{
    DownReason,
    handshake::{Duplicate, rounds::Rounds},
};

#[test]
fn the_first_round_starts_from_the_clock_with_our_parity() {
    for (dialer, at) in [(0, 1_001), (1, 1_000)] {
        let mut world = World::new();
        world.dial(dialer);
        assert_eq!(world.handshakes(dialer), [(at, 0)]);
    }
}

#[test]
fn the_first_round_is_above_what_was_stored() {
    for (dialer, at) in [(0, 5_003), (1, 5_002)] {
        let mut world = World::new();
        world.ends[dialer].stored = 5_001;
        world.restart(dialer, true, CLOCK, true);
        assert_eq!(world.handshakes(dialer), [(at, 0)]);
    }
}

#[test]
fn a_higher_value_is_adopted_and_echoed_and_both_agree() {
    for dialer in [0, 1] {
        let mut world = World::new();
        world.dial(dialer);
        let at = world.handshakes(dialer)[0].0;
        world.deliver(0);
        assert_eq!(world.handshakes(1 - dialer), [(at, 0)]);
        world.deliver(0);
        assert!(world.agrees());
        assert_eq!(world.flights, [], "an echo gets no answer");
    }
}

#[test]
fn both_ends_that_dial_at_once_agree() {
    for first in [0, 1] {
        let mut world = World::new();
        world.dial(first);
        world.dial(1 - first);
        assert!(world.deliver_all() <= 6);
        assert!(world.agrees());
    }
}

#[test]
fn a_byte_identical_duplicate_gets_the_stored_answer_four_times() {
    for dialer in [0, 1] {
        let mut world = World::new();
        world.dial(dialer);
        let first = world.flights[0];
        world.deliver(0);
        let echo = world.flights[0];
        let mut answers = 0;
        for _ in 0..40 {
            world.flights.clear();
            world.now += millis(300);
            world.inject(first, DIRECT);
            assert!(world.flights.iter().all(|packet| *packet == echo));
            answers += world.flights.len();
        }
        assert_eq!(answers, 4);
    }
}

#[test]
fn a_duplicate_gets_no_second_answer_within_900_ms() {
    let mut world = World::new();
    world.dial(0);
    let first = world.flights[0];
    world.deliver(0);
    world.flights.clear();
    world.now += millis(899);
    world.inject(first, DIRECT);
    assert_eq!(world.flights, []);
    world.now += millis(1);
    world.inject(first, DIRECT);
    assert_eq!(world.flights.len(), 1);
}

#[test]
fn a_duplicate_gets_no_answer_once_a_channel_packet_authenticated() {
    for dialer in [0, 1] {
        let mut world = linked(dialer);
        let first = first_of(&world, dialer);
        for _ in 0..10 {
            world.now += SECOND;
            world.inject(first, DIRECT);
            world.inject(first, ATTACKER);
        }
        assert_eq!(world.flights, []);
    }
}

#[test]
fn a_packet_that_was_never_answered_is_no_duplicate() {
    let mut world = linked(0);
    assert!(
        world.ends[0]
            .rounds
            .on_duplicate(world.now, Some(DIRECT), [9; 16])
            == Duplicate::No
    );
    assert_eq!(world.ends[0].rounds.poll_action(), None);
}

#[test]
fn a_lost_echo_is_sent_again_but_not_in_a_loop() {
    for dialer in [0, 1] {
        let mut world = World::new();
        world.dial(dialer);
        let Packet::Handshake { from, at, .. } = world.flights[0] else {
            unreachable!()
        };
        world.deliver(0);
        let mut echoes = 0;
        // The peer repeats its value, each time in other bytes.
        for seal in 10..50 {
            world.flights.clear();
            world.now += millis(450);
            world.inject(Packet::Handshake { from, at, seal }, DIRECT);
            assert!(
                world
                    .handshakes(1 - dialer)
                    .iter()
                    .all(|(echo, _)| *echo == at)
            );
            echoes += world.flights.len();
        }
        assert_eq!(echoes, 4);
    }
}

#[test]
fn a_lost_echo_does_not_keep_the_two_apart() {
    for dialer in [0, 1] {
        let mut world = World::new();
        world.dial(dialer);
        world.deliver(0);
        world.flights.clear();
        world.run(SECOND);
        assert!(world.agrees());
    }
}

#[test]
fn a_lower_value_of_the_sessions_own_ephemeral_is_met_with_silence() {
    for dialer in [0, 1] {
        let mut world = linked(dialer);
        // A round later, so that the first one is no duplicate of what was answered last.
        world.run(millis(40_000));
        let first = first_of(&world, dialer);
        world.inject(first, DIRECT);
        assert_eq!(world.flights, []);
    }
}

#[test]
fn a_peer_that_restarts_with_its_state_is_linked_again() {
    for dialer in [0, 1] {
        for restarted in [0, 1] {
            let mut world = linked(dialer);
            world.restart(restarted, true, CLOCK, true);
            world.deliver_all();
            assert!(world.agrees());
        }
    }
}

#[test]
fn a_peer_that_restarts_with_a_clock_behind_is_linked_again_at_once() {
    for dialer in [0, 1] {
        for restarted in [0, 1] {
            for clock in [CLOCK, CLOCK - 60, CLOCK - 500, 0] {
                let mut world = linked(dialer);
                world.restart(restarted, false, clock, true);
                world.deliver_all();
                assert!(world.agrees(), "{dialer} {restarted} {clock}");
            }
        }
    }
}

#[test]
fn a_restarted_listener_answers_the_keepalive_of_the_dialer() {
    for dialer in [0, 1] {
        let mut world = linked(dialer);
        world.restart(1 - dialer, false, CLOCK - 60, false);
        world.run(millis(31_000));
        assert!(world.agrees());
    }
}

#[test]
fn rounds_against_a_clock_behind_come_at_most_once_a_second() {
    for dialer in [0, 1] {
        let mut world = linked(dialer);
        world.restart(1 - dialer, false, CLOCK - 500, true);
        let stranger = world.flights[0];
        world.flights.clear();
        let before = world.sent;
        for _ in 0..100 {
            world.now += millis(99);
            world.inject(stranger, DIRECT);
            world.act(dialer, Rounds::handle_timeout);
            world.flights.clear();
        }
        // Ten seconds: ten rounds, and the repetitions of the round itself.
        assert!(world.sent - before <= 16, "{}", world.sent - before);
    }
}

#[test]
fn the_round_against_a_replay_goes_only_to_validated_pipes() {
    for dialer in [0, 1] {
        let mut world = linked(dialer);
        world.restart(dialer, true, CLOCK, true);
        world.run(SECOND);
        world.talk(dialer);
        world.deliver_all();
        let old = first_of(&world, dialer);
        let recorded = world.recorded.len();
        world.inject(old, ATTACKER);
        assert_eq!(
            world.flights.len(),
            1,
            "the live peer is asked, nobody else"
        );
        assert_eq!(world.recorded.len(), recorded + 1);
        assert!(world.agrees());
        world.deliver_all();
        assert!(world.agrees());
    }
}

#[test]
fn without_a_session_a_lower_value_is_answered_at_its_source() {
    for side in [0, 1] {
        let mut world = linked(1 - side);
        let old = first_of(&world, 1 - side);
        world.restart(side, true, CLOCK, false);
        let recorded = world.recorded.len();
        world.inject(old, ATTACKER);
        assert_eq!(world.flights, []);
        assert_eq!(
            world.recorded.len(),
            recorded + 1,
            "one answer, to where it came from"
        );
        let own = world.ends[side].rounds.highest();
        assert!(
            own > world.ends[1 - side].rounds.highest(),
            "above every value seen"
        );
    }
}

#[test]
fn a_value_of_our_own_parity_above_ours_raises_our_next_by_two() {
    for side in [0, 1] {
        let mut world = World::new();
        world.dial(1 - side);
        let Packet::Handshake { from, .. } = world.flights[0] else {
            unreachable!()
        };
        world.flights.clear();
        world.restart(side, false, CLOCK, true);
        let lost = 5_000 + u64::from(side == 0);
        world.flights.clear();
        world.run_without_network(SECOND);
        world.inject(
            Packet::Handshake {
                from,
                at: lost,
                seal: 0,
            },
            DIRECT,
        );
        assert_eq!(world.ends[side].session(), None);
        assert_eq!(world.handshakes(side), [(lost + 2, 0)]);
    }
}

#[test]
fn a_value_two_minutes_behind_our_clock_is_answered_with_our_own() {
    for dialer in [0, 1] {
        let mut world = World::new();
        world.restart(dialer, false, CLOCK - 200, true);
        world.deliver(0);
        assert_eq!(world.ends[1 - dialer].session(), None);
        let own = world.handshakes(1 - dialer);
        assert!(own.len() == 1 && own[0].0 >= CLOCK);
        world.deliver_all();
        assert!(world.agrees(), "a clockless peer pays one round trip");
    }
}

#[test]
fn a_replay_of_a_higher_value_does_not_take_the_session() {
    for dialer in [0, 1] {
        let listener = 1 - dialer;
        let mut world = World::new();
        // The listener's round with a high value is recorded and never arrives.
        world.restart(listener, false, CLOCK + 100, true);
        let undelivered = world.flights[0];
        world.flights.clear();
        world.restart(listener, false, CLOCK, false);
        world.dial(dialer);
        world.deliver_all();
        world.talk(0);
        world.talk(1);
        world.deliver_all();
        assert!(world.is_confirmed());
        let session = world.ends[dialer].session();
        world.inject(undelivered, ATTACKER);
        assert_eq!(world.ends[dialer].session(), session);
        world.deliver_all();
        world.run(millis(90_000));
        assert_eq!(world.ends[dialer].session(), session);
        assert!(world.agrees());
        assert!(
            !world.ends[dialer]
                .reports
                .contains(&Some(DownReason::Silent))
        );
    }
}

/// Side 0 or 1 has a session with an ephemeral that its peer, without state, no longer has.
fn with_a_dead_session(side: usize) -> World {
    let mut world = World::new().keep_reports();
    world.dial(1 - side);
    let undelivered = world.flights.remove(0);
    world.restart(1 - side, false, CLOCK, false);
    world.inject(undelivered, ATTACKER);
    assert!(world.ends[side].session().is_some());
    world
}

#[test]
fn a_replayed_session_without_its_peer_does_not_last() {
    for side in [0, 1] {
        let mut world = with_a_dead_session(side);
        world.run_without_network(millis(31_000));
        assert_eq!(world.ends[side].session(), None);
    }
}

#[test]
fn a_replayed_session_gives_way_to_the_live_peer() {
    for side in [0, 1] {
        let mut world = with_a_dead_session(side);
        world.run(millis(4_000));
        assert!(world.agrees());
    }
}

#[test]
fn a_channel_packet_before_the_agreement_confirms_the_session() {
    for dialer in [0, 1] {
        let mut world = World::new();
        world.dial(dialer);
        world.dial(1 - dialer);
        // The higher round arrives; its echo is overtaken by what the peer sends at once.
        let highest = world.ends[0]
            .rounds
            .highest()
            .max(world.ends[1].rounds.highest());
        let higher = usize::from(world.ends[1].rounds.highest() == highest);
        let lower = 1 - higher;
        let place = |world: &World, side: usize| {
            world
                .flights
                .iter()
                .position(|packet| packet.sender() == side)
                .expect("it dialed")
        };
        let of_lower = place(&world, lower);
        world.deliver(of_lower);
        let of_higher = place(&world, higher);
        world.deliver(of_higher);
        world.flights.clear();
        world.talk(lower);
        world.deliver_all();
        assert!(world.agrees());
        assert!(world.ends[higher].rounds.is_confirmed());
    }
}

#[test]
fn a_replay_does_not_end_a_quiet_session_by_staying_unanswered() {
    for dialer in [0, 1] {
        let mut world = linked(dialer);
        let old = first_of(&world, dialer);
        world.restart(dialer, true, CLOCK, true);
        world.deliver_all();
        // Nobody talks, so the only proof of the session is the handshake itself.
        for _ in 0..100 {
            world.inject(old, ATTACKER);
            world.run(millis(1_100));
            assert!(world.agrees());
        }
    }
}

#[test]
fn an_echo_of_a_keepalive_from_another_ephemeral_takes_nothing() {
    for dialer in [0, 1] {
        let mut world = linked(dialer);
        while world.handshakes(dialer).is_empty() {
            world.flights.clear();
            assert!(world.pass());
        }
        let (at, _) = world.handshakes(dialer)[0];
        // The peer sent it in a former life, when we had used this value before.
        let from = Ephemeral {
            side: 1 - dialer as u8,
            count: 9,
        };
        let session = world.ends[dialer].session();
        world.inject(Packet::Handshake { from, at, seal: 0 }, ATTACKER);
        assert_eq!(world.ends[dialer].session(), session);
        world.run(SECOND * 60);
        assert_eq!(world.ends[dialer].session(), session);
        assert!(world.agrees());
    }
}
