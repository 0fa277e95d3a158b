//! How long things last: repetitions, reports, keepalives, giving up, trying again (links.md,
//! "Resend, keepalive, giving up").

use alloc::vec::Vec;

use telehash_e3x::{Order, Token};

use super::{
    PRESENT,
    world::{ATTACKER, CLOCK, DIRECT, Packet, SECOND, World, first_of, linked, millis},
};
use crate::{
    DownReason, PipeSlot,
    handshake::{
        Action, SendKind, Target,
        limits::{GIVE_UP, MAX_REPEATS},
        resend::PROBE_AFTER,
        rounds::Rounds,
    },
};

fn token(byte: u8) -> Token {
    Token::from_bytes([byte; Token::LEN])
}

/// The odd side of a session with ephemeral 1 in which a channel packet came, at 2000.
fn with_session() -> Rounds {
    let mut rounds = Rounds::new(PRESENT, Order::Odd, token(0), 0);
    rounds.on_message(PRESENT, CLOCK, DIRECT, 2_000, token(1), [1; 16]);
    rounds.on_channel_packet(PRESENT, DIRECT, token(1));
    sends(&mut rounds);
    rounds
}

/// What it sends now.
fn sends(rounds: &mut Rounds) -> Vec<(u64, Target, SendKind)> {
    let send = |action| match action {
        Action::Send { at, to, kind } => Some((at, to, kind)),
        _ => None,
    };
    core::iter::from_fn(|| rounds.poll_action())
        .filter_map(send)
        .collect()
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
fn a_link_that_keeps_sending_to_a_dead_peer_is_down_after_a_minute() {
    for dialer in [0, 1] {
        let mut world = linked(dialer);
        world.run(millis(10_000));
        for _ in 0..119 {
            world.talk(dialer);
            world.run_without_network(millis(500));
        }
        assert!(world.ends[dialer].session().is_some());
        world.talk(dialer);
        world.run_without_network(millis(500));
        assert_eq!(world.ends[dialer].reports, [None, Some(DownReason::Silent)]);
    }
}

#[test]
fn a_peer_that_only_listens_is_asked_for_a_sign_of_life_and_stays() {
    for talker in [0, 1] {
        let mut world = linked(talker);
        let sent = world.sent;
        for _ in 0..150 {
            world.talk(talker);
            world.run(SECOND * 2);
        }
        assert!(world.agrees());
        assert_eq!(world.ends[talker].reports, [None], "never down");
        // A round of the talker and its echo every 30 s, and the same of the listener.
        let sent = world.sent - sent;
        assert!((20..=40).contains(&sent), "{sent} handshakes");
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
        world.run_without_network(GIVE_UP - millis(1));
        assert_eq!(world.ends[dialer].reports, []);
        world.run_without_network(millis(1));
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

#[test]
fn a_first_round_is_repeated_once_as_it_was_and_then_with_higher_values() {
    for (dialer, at) in [(0, 1_001), (1, 1_000)] {
        let mut world = World::new();
        world.dial(dialer);
        let ephemeral = world.ends[dialer].ephemeral;
        let mut sent = Vec::new();
        let start = world.now;
        world.flights.clear();
        while world.now < start + GIVE_UP / 2 {
            world.pass();
            let after = world.now.saturating_duration_since(start).as_millis();
            sent.extend(
                world
                    .handshakes(dialer)
                    .iter()
                    .map(|(at, seal)| (after, *at, *seal)),
            );
            world.flights.clear();
        }
        let expected = [
            (1_000, at, 0),
            (3_000, at + 2, 0),
            (7_000, at + 4, 0),
            (15_000, at + 6, 0),
        ];
        assert_eq!(sent, expected);
        assert_eq!(world.ends[dialer].ephemeral, ephemeral);
        assert_eq!(
            world.next_timeout(),
            Some(start + GIVE_UP),
            "nothing more comes"
        );
    }
}

#[test]
fn our_own_kind_gets_the_same_bytes_more_often() {
    for dialer in [0, 1] {
        let mut rounds = Rounds::new(PRESENT, [Order::Odd, Order::Even][dialer], token(0), 0);
        rounds.peer_is_ours();
        rounds.start(PRESENT, CLOCK);
        let mut sent = Vec::new();
        while let Some(due) = rounds.poll_timeout().filter(|due| *due < PRESENT + GIVE_UP) {
            sent.extend(sends(&mut rounds));
            rounds.handle_timeout(due, CLOCK);
        }
        sent.extend(sends(&mut rounds));
        let at = rounds.highest();
        assert_eq!(sent[0], (at, Target::AllPipes, SendKind::Round));
        assert_eq!(sent[1..], [(at, Target::AllPipes, SendKind::Resend); 10]);
    }
}

#[test]
fn an_unanswered_keepalive_is_repeated_on_every_pipe_with_higher_values() {
    let mut rounds = with_session();
    rounds.pipe_added(PRESENT, PipeSlot(3), GIVE_UP);
    rounds.pipe_validated(PipeSlot(3));
    let due = rounds.poll_timeout().expect("a keepalive");
    rounds.handle_timeout(due, CLOCK);
    let first = sends(&mut rounds);
    let at = rounds.highest();
    assert_eq!(
        first,
        [(at, Target::Pipe(PipeSlot(3)), SendKind::Keepalive)]
    );
    rounds.handle_timeout(due + SECOND, CLOCK);
    assert_eq!(
        sends(&mut rounds),
        [(at, Target::AllPipes, SendKind::Resend)]
    );
    rounds.handle_timeout(due + SECOND * 3, CLOCK);
    assert_eq!(
        sends(&mut rounds),
        [(at + 2, Target::AllPipes, SendKind::Round)]
    );
}

#[test]
fn a_channel_packet_stops_the_repetitions() {
    let mut rounds = with_session();
    rounds.network_changed(PRESENT, CLOCK);
    assert_eq!(sends(&mut rounds).len(), 1);
    rounds.on_channel_packet(PRESENT + SECOND / 2, DIRECT, token(1));
    rounds.handle_timeout(PRESENT + SECOND, CLOCK);
    rounds.handle_timeout(PRESENT + GIVE_UP * 2, CLOCK);
    assert_eq!(sends(&mut rounds), []);
    assert!(rounds.session().is_some());
}

#[test]
fn a_peer_that_missed_our_round_is_reminded_of_it() {
    let mut rounds = with_session();
    rounds.network_changed(PRESENT, CLOCK);
    sends(&mut rounds);
    let at = rounds.highest();
    rounds.on_channel_packet(PRESENT, DIRECT, token(1));
    // Its clock is behind, so its own rounds are below ours.
    for (count, lower) in (0..8).map(|count| (count, at - 1)) {
        let now = PRESENT + SECOND * (1 + u32::from(count));
        rounds.on_message(now, CLOCK, DIRECT, lower, token(1), [count; 16]);
        let reminder = (at, Target::PacketSource(DIRECT), SendKind::Round);
        let expected: &[_] = if count < MAX_REPEATS {
            &[reminder]
        } else {
            &[]
        };
        assert_eq!(sends(&mut rounds), expected);
    }
}

#[test]
fn a_session_that_one_handshake_made_is_asked_back_for() {
    let mut rounds = Rounds::new(PRESENT, Order::Odd, token(0), 0);
    rounds.on_message(PRESENT, CLOCK, DIRECT, 2_000, token(1), [1; 16]);
    sends(&mut rounds);
    rounds.handle_timeout(PRESENT + PROBE_AFTER, CLOCK);
    let to = |target| (2_001, target, SendKind::Round);
    let everywhere = [Target::ValidatedPipes, Target::PacketSource(DIRECT)];
    assert_eq!(sends(&mut rounds), everywhere.map(to));
    rounds.on_message(PRESENT + SECOND, CLOCK, DIRECT, 2_001, token(1), [2; 16]);
    rounds.handle_timeout(PRESENT + GIVE_UP * 2, CLOCK);
    assert_eq!(rounds.session(), Some(token(1)));
}

#[test]
fn a_pipe_that_joins_gets_the_round_that_is_under_way() {
    let mut rounds = Rounds::new(PRESENT, Order::Odd, token(0), 0);
    rounds.pipe_added(PRESENT, DIRECT, GIVE_UP);
    rounds.start(PRESENT, CLOCK);
    sends(&mut rounds);
    rounds.start(PRESENT, CLOCK);
    assert_eq!(sends(&mut rounds), [], "no pipe joined");
    rounds.pipe_added(PRESENT, PipeSlot(5), GIVE_UP);
    rounds.start(PRESENT, CLOCK);
    assert_eq!(
        sends(&mut rounds),
        [(1_001, Target::Pipe(PipeSlot(5)), SendKind::Resend)]
    );
    rounds.start(PRESENT, CLOCK);
    assert_eq!(sends(&mut rounds), []);
}

#[test]
fn a_network_change_shows_the_peer_where_we_are_at_most_once_a_second() {
    let mut rounds = with_session();
    for _ in 0..100 {
        rounds.network_changed(PRESENT, CLOCK);
    }
    let sent = sends(&mut rounds);
    assert!(matches!(sent[..], [(_, Target::AllPipes, SendKind::Round)]));
    rounds.on_message(PRESENT, CLOCK, DIRECT, sent[0].0, token(1), [2; 16]);
    rounds.handle_timeout(PRESENT + SECOND, CLOCK);
    assert!(matches!(
        sends(&mut rounds)[..],
        [(_, Target::AllPipes, SendKind::Round)]
    ));
}

#[test]
fn the_highest_at_is_handed_out_once_whoever_sent_it() {
    let mut rounds = Rounds::new(PRESENT, Order::Odd, token(0), 0);
    let remembered = |rounds: &mut Rounds| -> Vec<u64> {
        let actions = core::iter::from_fn(|| rounds.poll_action());
        actions
            .filter_map(|it| {
                if let Action::RememberAt(at) = it {
                    Some(at)
                } else {
                    None
                }
            })
            .collect()
    };
    rounds.start(PRESENT, CLOCK);
    assert_eq!(remembered(&mut rounds), [1_001]);
    rounds.on_message(PRESENT, CLOCK, DIRECT, 2_000, token(1), [1; 16]);
    assert_eq!(remembered(&mut rounds), [2_000]);
    rounds.on_message(PRESENT, CLOCK, DIRECT, 2_000, token(1), [2; 16]);
    rounds.on_message(PRESENT, CLOCK, DIRECT, 1_500, token(1), [3; 16]);
    assert_eq!(remembered(&mut rounds), [0_u64; 0]);
    rounds.on_message(PRESENT, CLOCK, DIRECT, 3_001, token(1), [4; 16]);
    assert_eq!(
        remembered(&mut rounds),
        [3_001],
        "our own parity, from a life we forgot"
    );
}
