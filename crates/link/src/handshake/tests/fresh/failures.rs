//! What a round, a renewal or a session that comes to nothing leaves behind.

use alloc::vec::Vec;
use core::time::Duration;

use telehash_e3x::Token;

use super::rules::{CLOCK, SECOND, actions, passive, round};
use crate::{
    DownReason, PipeSlot,
    handshake::{
        Target,
        at::MAX_AT,
        fresh::{Action, Channels, FreshRounds, Heard},
        limits::{
            GIVE_UP, MAX_BEHIND_MILLIS, RENEW_INTERVAL, RENEW_PAUSE, RENEWED_LINGER,
            UNCONFIRMED_LIFE,
        },
        machine::Arrived,
        tests::{PRESENT, world::DIRECT},
    },
};

/// The even end in the session of the peer's first ephemeral, which channels use.
fn with_session() -> FreshRounds {
    let mut rounds = passive();
    rounds.pipe_validated(DIRECT);
    rounds.on_message(PRESENT, CLOCK, round(CLOCK, 1));
    hear(&mut rounds, Duration::ZERO, 1, Heard::Data);
    actions(&mut rounds);
    rounds
}

fn hear(rounds: &mut FreshRounds, after: Duration, ephemeral: u8, heard: Heard) {
    let remote = round(0, ephemeral).remote;
    rounds.on_channel_packet(PRESENT + after, DIRECT, remote, heard);
}

/// Time passes; what comes of it.
fn pass(rounds: &mut FreshRounds, after: Duration) -> Vec<Action> {
    rounds.handle_timeout(PRESENT + after, CLOCK);
    actions(rounds)
}

/// The `at` of the round that begins among these.
fn begun(actions: &[Action]) -> Option<u64> {
    actions.iter().find_map(|action| match action {
        Action::Begin { at, .. } => Some(*at),
        _ => None,
    })
}

/// The session that the one which is answered among these continues.
fn continued(actions: &[Action]) -> Option<Token> {
    actions.iter().find_map(|action| match action {
        Action::Answer { continues, .. } => *continues,
        _ => None,
    })
}

#[test]
fn nothing_is_answered_or_begun_after_the_end() {
    let mut rounds = with_session();
    rounds.close(PRESENT);
    actions(&mut rounds);
    rounds.on_message(PRESENT, CLOCK, round(CLOCK + 2, 2));
    rounds.on_message(PRESENT, CLOCK, round(CLOCK - 2, 3));
    hear(&mut rounds, Duration::ZERO, 1, Heard::Ping);
    rounds.network_changed(PRESENT, CLOCK);
    assert_eq!(actions(&mut rounds), []);
    assert_eq!(pass(&mut rounds, RENEW_INTERVAL * 2), []);
}

#[test]
fn a_round_is_above_every_value_that_was_seen() {
    let mut rounds = passive();
    // Of our parity: a former life of ours began it.
    let former = CLOCK + 1_001;
    rounds.on_message(PRESENT, CLOCK, round(former, 1));
    assert_eq!(actions(&mut rounds), []);
    rounds.start(PRESENT, CLOCK);
    assert!(begun(&actions(&mut rounds)).is_some_and(|at| at > former));
}

#[test]
fn a_round_that_is_overtaken_is_begun_anew() {
    let mut rounds = passive();
    rounds.start(PRESENT, CLOCK);
    let first = begun(&actions(&mut rounds)).unwrap();
    rounds.on_message(PRESENT, CLOCK, round(first + 1_000, 1));
    rounds.network_changed(PRESENT + SECOND, CLOCK);
    assert!(begun(&actions(&mut rounds)).is_some_and(|at| at > first + 1_000));
}

#[test]
fn rounds_at_one_time_of_day_have_rising_values() {
    let mut rounds = passive();
    rounds.start(PRESENT, CLOCK);
    let first = begun(&actions(&mut rounds)).unwrap();
    let down = Action::Down(DownReason::Unreachable);
    assert!(pass(&mut rounds, GIVE_UP).contains(&down));
    let again = pass(&mut rounds, GIVE_UP * 2);
    assert!(begun(&again).is_some_and(|at| at > first));
}

#[test]
fn a_renewal_that_a_live_peer_leaves_unanswered_ends_nothing() {
    for alive in [true, false] {
        let mut rounds = with_session();
        rounds.network_changed(PRESENT, CLOCK);
        assert!(begun(&pass(&mut rounds, RENEW_PAUSE)).is_some());
        if alive {
            hear(&mut rounds, RENEW_PAUSE + SECOND, 1, Heard::Pong);
        }
        let actions = pass(&mut rounds, RENEW_PAUSE + GIVE_UP);
        let down = Action::Down(DownReason::Silent);
        assert_eq!(actions.contains(&down), !alive);
        if alive {
            assert!(actions.contains(&Action::EraseRound));
        }
    }
}

#[test]
fn a_challenge_that_stays_unanswered_goes_to_all_pipes_after_3_seconds() {
    let mut rounds = with_session();
    let other = PipeSlot(5);
    rounds.pipe_added(PRESENT, other, SECOND * 30);
    rounds.on_message(PRESENT, CLOCK, round(CLOCK - 2, 2));
    let validated = Action::SendRound {
        to: Target::ValidatedPipes,
    };
    let elsewhere = Action::SendRound {
        to: Target::Pipe(other),
    };
    let mut sent = actions(&mut rounds);
    for after in [300, 700, 1_500] {
        sent.extend(pass(&mut rounds, Duration::from_millis(after)));
    }
    assert_eq!(
        sent.iter().filter(|action| **action == validated).count(),
        4
    );
    assert!(!sent.contains(&elsewhere));
    assert!(pass(&mut rounds, SECOND * 3).contains(&elsewhere));
}

#[test]
fn a_round_that_names_the_session_before_continues_it_while_it_lingers() {
    let mut rounds = with_session();
    let first = Some(round(0, 1).remote);
    let renewal = |at, ephemeral| Arrived {
        names: [first, None],
        ..round(at, ephemeral)
    };
    rounds.on_message(PRESENT, CLOCK, renewal(CLOCK + 2, 2));
    hear(&mut rounds, Duration::ZERO, 2, Heard::Ping);
    actions(&mut rounds);
    // The peer has not heard that the next one is confirmed.
    rounds.on_message(PRESENT, CLOCK, renewal(CLOCK + 4, 3));
    let answered = actions(&mut rounds);
    assert_eq!(continued(&answered), first);
    hear(&mut rounds, Duration::ZERO, 3, Heard::Ping);
    let kept = Action::Confirmed {
        remote: round(0, 3).remote,
        channels: Channels::Kept,
    };
    let confirmed = actions(&mut rounds);
    assert!(confirmed.contains(&kept));
    // The peer never had the one between.
    let remote = round(0, 2).remote;
    assert!(confirmed.contains(&Action::Forget { remote }));
}

#[test]
fn a_renewed_session_can_be_continued_until_the_peer_has_the_next_one() {
    let mut rounds = with_session();
    let first = round(0, 1).remote;
    let renewal = |at, ephemeral| Arrived {
        names: [Some(first), None],
        ..round(at, ephemeral)
    };
    rounds.on_message(PRESENT, CLOCK, renewal(CLOCK + 2, 2));
    // She pings what she has not confirmed, too.
    hear(&mut rounds, Duration::ZERO, 2, Heard::Ping);
    actions(&mut rounds);
    let muted = Action::Mute { remote: first };
    let gone = Action::Forget { remote: first };
    assert!(!pass(&mut rounds, RENEWED_LINGER - SECOND).contains(&muted));
    assert!(pass(&mut rounds, RENEWED_LINGER).contains(&muted));
    // Our own round names both.
    rounds.network_changed(PRESENT + RENEWED_LINGER, CLOCK);
    let both = [Some(round(0, 2).remote), Some(first)];
    let sent = pass(&mut rounds, RENEW_PAUSE);
    let names = |action: &Action| matches!(action, Action::Begin { names, .. } if *names == both);
    assert!(sent.iter().any(names));
    assert!(!sent.contains(&gone));
    let at = begun(&sent).unwrap();
    rounds.on_message(PRESENT + RENEW_PAUSE, CLOCK, renewal(at, 3));
    let derived = Action::Derive {
        remote: round(0, 3).remote,
        continues: Some(first),
    };
    assert!(actions(&mut rounds).contains(&derived));
    // At last she answers one of our pings.
    hear(&mut rounds, RENEW_PAUSE, 2, Heard::Pong);
    assert!(actions(&mut rounds).contains(&gone));
}

#[test]
fn a_lower_round_of_the_peer_is_late_once_it_answered_ours() {
    let mut rounds = passive();
    rounds.start(PRESENT, CLOCK);
    let own = begun(&actions(&mut rounds)).unwrap();
    rounds.on_message(PRESENT, CLOCK, round(own, 1));
    actions(&mut rounds);
    rounds.on_message(PRESENT, CLOCK, round(own - 1, 2));
    assert_eq!(actions(&mut rounds), []);
}

#[test]
fn a_challenge_that_waits_is_dropped_when_a_session_is_confirmed() {
    let mut rounds = passive();
    for ephemeral in 1..=2 {
        let old = round(CLOCK - MAX_BEHIND_MILLIS - 2, ephemeral);
        rounds.on_message(PRESENT, CLOCK, old);
    }
    rounds.on_message(PRESENT, CLOCK, round(CLOCK + 1_000, 3));
    hear(&mut rounds, Duration::ZERO, 3, Heard::Ping);
    let began = |action: &&Action| matches!(action, Action::Begin { .. });
    assert_eq!(actions(&mut rounds).iter().filter(began).count(), 1);
    assert_eq!(begun(&pass(&mut rounds, SECOND * 2)), None);
}

#[test]
fn the_even_end_leaves_the_hourly_renewal_to_the_odd_one_for_a_minute() {
    let mut rounds = with_session();
    let hour = RENEW_INTERVAL;
    assert_eq!(begun(&pass(&mut rounds, hour + SECOND * 59)), None);
    hear(&mut rounds, hour + SECOND * 60, 1, Heard::Data);
    // With all of the jitter.
    assert!(begun(&pass(&mut rounds, hour + SECOND * 86)).is_some());
}

#[test]
fn a_renewal_that_is_asked_for_beside_an_unconfirmed_session_comes_after_it() {
    let mut rounds = with_session();
    let asked = RENEW_PAUSE + SECOND * 10;
    rounds.on_message(PRESENT + asked, CLOCK, round(CLOCK + 2, 2));
    rounds.network_changed(PRESENT + asked, CLOCK);
    assert_eq!(begun(&pass(&mut rounds, asked)), None);
    let expired = asked + UNCONFIRMED_LIFE;
    hear(&mut rounds, expired - SECOND, 1, Heard::Pong);
    assert!(begun(&pass(&mut rounds, expired)).is_some());
}

/// A host that slept reads what arrived meanwhile.
#[test]
fn a_round_that_the_peer_gave_up_while_we_slept_does_not_hold_up_our_renewal() {
    let mut rounds = with_session();
    let woke = Duration::from_secs(90);
    let clock = CLOCK + 90_000;
    rounds.on_message(PRESENT + woke, clock, round(CLOCK + 50_002, 2));
    let asked = begun(&actions(&mut rounds));
    assert!(asked.is_some_and(|at| at > clock));
}

#[test]
fn a_renewal_that_nobody_confirms_is_not_repeated_at_once() {
    let mut rounds = with_session();
    rounds.network_changed(PRESENT, CLOCK);
    let at = begun(&pass(&mut rounds, RENEW_PAUSE)).unwrap();
    rounds.on_message(PRESENT + RENEW_PAUSE, CLOCK, round(at, 2));
    actions(&mut rounds);
    let expired = RENEW_PAUSE + UNCONFIRMED_LIFE;
    for after in [expired - SECOND, expired, expired + SECOND] {
        hear(&mut rounds, after, 1, Heard::Pong);
        assert_eq!(begun(&pass(&mut rounds, after)), None);
    }
    hear(&mut rounds, expired, 1, Heard::Ping);
    let remote = round(0, 1).remote;
    let pong = Action::Pong { remote, to: DIRECT };
    assert_eq!(actions(&mut rounds), [pong]);
}

#[test]
fn a_silent_peer_that_used_up_all_values_of_at_is_given_up() {
    let mut rounds = passive();
    rounds.pipe_validated(DIRECT);
    rounds.on_message(PRESENT, CLOCK, round(MAX_AT, 1));
    hear(&mut rounds, Duration::ZERO, 1, Heard::Data);
    actions(&mut rounds);
    rounds.network_changed(PRESENT, CLOCK);
    actions(&mut rounds);
    let silent = Action::Down(DownReason::Silent);
    assert!(pass(&mut rounds, RENEW_PAUSE).contains(&silent));
    assert_eq!(begun(&pass(&mut rounds, GIVE_UP)), None);
}
