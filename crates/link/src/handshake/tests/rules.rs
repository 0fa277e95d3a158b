//! The rules of links.md, "`at`", each by its name, for both sides.
//!
//! Side 0 is odd, side 1 is even; most tests run with either in either role.

use core::time::Duration;

use super::world::{ATTACKER, CLOCK, DIRECT, Packet, World};
use crate::{DownReason, handshake::Rounds};

const SECOND: Duration = Duration::from_secs(1);

fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// A link that `dialer` dialed and in which channel packets went both ways.
fn linked(dialer: usize) -> World {
    let mut world = World::new().keep_reports();
    world.dial(dialer);
    world.deliver_all();
    world.talk(0);
    world.talk(1);
    world.deliver_all();
    assert!(world.is_confirmed());
    world
}

/// The first handshake that `side` ever sent.
fn first_of(world: &World, side: usize) -> Packet {
    let is_of =
        |packet: &&Packet| matches!(packet, Packet::Handshake { .. }) && packet.sender() == side;
    *world.recorded.iter().find(is_of).expect("it sent one")
}

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
        !world.ends[0]
            .rounds
            .on_duplicate(world.now, Some(DIRECT), [9; 16])
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
fn a_keepalive_is_the_same_session() {
    for dialer in [0, 1] {
        let mut world = linked(dialer);
        let sessions = [world.ends[0].session(), world.ends[1].session()];
        let at = world.ends[0].rounds.highest();
        world.run(millis(100_000));
        assert!(world.ends[0].rounds.highest() > at);
        assert_eq!([world.ends[0].session(), world.ends[1].session()], sessions);
        assert_eq!(world.ends[0].reports, [None], "up once, never down");
    }
}

#[test]
fn a_pipe_on_which_something_was_sent_needs_no_keepalive() {
    let mut world = linked(0);
    let sent = world.sent;
    for _ in 0..20 {
        world.run(millis(20_000));
        world.talk(0);
        world.talk(1);
    }
    assert_eq!(world.sent, sent);
}

#[test]
fn a_peer_that_answers_no_keepalive_for_30_s_is_gone() {
    for dialer in [0, 1] {
        let mut world = linked(dialer);
        let ephemeral = world.ends[dialer].ephemeral;
        world.run_without_network(millis(59_900));
        assert!(world.ends[dialer].session().is_some());
        world.run_without_network(millis(200));
        assert_eq!(world.ends[dialer].session(), None);
        assert_eq!(world.ends[dialer].reports, [None, Some(DownReason::Silent)]);
        assert_ne!(
            world.ends[dialer].ephemeral, ephemeral,
            "who erases a session erases its key"
        );
    }
}

#[test]
fn an_attacker_cannot_keep_a_dead_link_up() {
    let mut world = linked(0);
    world.restart(1, true, CLOCK, true);
    let dead = first_of(&world, 1);
    world.deliver_all();
    world.talk(1);
    world.deliver_all();
    world.flights.clear();
    for _ in 0..120 {
        world.inject(dead, ATTACKER);
        world.run_without_network(millis(500));
    }
    assert_eq!(world.ends[0].session(), None);
}

#[test]
fn a_round_that_nobody_answers_ends_after_30_s_and_is_tried_again() {
    for dialer in [0, 1] {
        let mut world = World::new().keep_reports();
        world.dial(dialer);
        world.run_without_network(millis(29_900));
        assert_eq!(world.ends[dialer].reports, []);
        world.run_without_network(millis(200));
        assert_eq!(world.ends[dialer].reports, [Some(DownReason::Unreachable)]);
        world.run(millis(5_000));
        assert!(world.agrees());
    }
}

#[test]
fn an_authenticated_packet_ends_the_waiting() {
    let mut world = World::new();
    world.dial(0);
    world.run_without_network(millis(300_000));
    world.dial(1);
    world.deliver_all();
    assert!(world.agrees());
}

#[test]
fn a_network_change_ends_the_waiting() {
    let mut world = World::new();
    world.dial(0);
    world.run_without_network(millis(300_000));
    world.act(0, Rounds::network_changed);
    world.deliver_all();
    assert!(world.agrees());
}

#[test]
fn a_quiet_session_is_reported_after_one_second_and_a_busy_one_at_once() {
    let mut world = World::new().keep_reports();
    world.dial(0);
    world.deliver_all();
    world.run(millis(999));
    assert_eq!(world.ends[0].reports, []);
    world.run(millis(1));
    assert_eq!(world.ends[0].reports, [None]);

    let mut world = World::new().keep_reports();
    world.dial(0);
    world.deliver_all();
    world.talk(1);
    world.deliver_all();
    assert_eq!(world.ends[0].reports, [None]);
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
fn a_closed_link_says_and_answers_nothing() {
    for closer in [0, 1] {
        let mut world = linked(0);
        world.act(closer, |rounds, now, _| rounds.close(now));
        world.dial(1 - closer);
        world.run(millis(200_000));
        let of_closer = world.ends[closer].ephemeral;
        let spoke = |packet: &Packet| matches!(packet, Packet::Handshake { from, .. } if *from == of_closer);
        assert!(!world.recorded.iter().any(spoke));
        assert_eq!(
            world.ends[closer].reports.last(),
            Some(&Some(DownReason::Closed))
        );
        world.dial(closer);
        world.run(millis(1_000));
        assert!(world.agrees());
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
fn replays_do_not_keep_a_link_from_being_tried_again() {
    for dialer in [0, 1] {
        let mut world = linked(1 - dialer);
        let old = first_of(&world, 1 - dialer);
        world.restart(dialer, true, CLOCK, true);
        let mut tried = 0;
        for _ in 0..300 {
            world.inject(old, ATTACKER);
            world.flights.clear();
            let end = world.now + SECOND;
            while world.next_timeout().is_some_and(|due| due <= end) {
                world.pass();
                tried += world.handshakes(dialer).len();
                world.flights.clear();
            }
            world.now = end;
        }
        // Attempts of five messages each, with pauses that double.
        assert!(tried >= 20, "{tried} handshakes in five minutes");
    }
}
