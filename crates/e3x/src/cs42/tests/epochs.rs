//! Epochs: when they change on either side, and what of them is kept.

use core::time::Duration;

use super::work::{self, NOTHING, Work};
use super::*;
use crate::cs42::{receiver::*, sender::*};
use crate::{OpenError, ReplayWindow, SealError};

fn seconds(seconds: u64) -> Instant {
    NOW + Duration::from_secs(seconds)
}

/// A packet of this session that is sealed at `now`.
fn sealed_by(session: &mut Cs42Session, now: Instant) -> Vec<u8> {
    let mut packet = unsealed(b"hello");
    session.seal(now, &mut packet).expect("room and counters");
    packet
}

/// The first packet of an epoch.
fn first_of(session: &mut Cs42Session, epoch: u64) -> Vec<u8> {
    sealed_at(session, epoch * EPOCH_LEN, b"hello")
}

fn refused(session: &mut Cs42Session, now: Instant, packet: &[u8]) -> Option<OpenError> {
    session.open(now, &mut packet.to_vec()).err()
}

/// A packet with this counter that nobody sealed.
fn forged(packet: &[u8], counter: u64) -> Vec<u8> {
    let mut forged = packet.to_vec();
    forged[18..26].copy_from_slice(&counter.to_be_bytes());
    forged
}

#[test]
fn an_epoch_has_two_to_the_20th_packets() {
    assert_eq!(EPOCH_LEN, 1 << 20);
    let (mut a, mut b) = World::new(1).sessions();
    let last = sealed_at(&mut a, EPOCH_LEN - 1, b"the last");
    let (next, work) = work::of(|| sealed(&mut a, b"the next"));
    assert_eq!(work, Work { keys: 1, ..NOTHING });
    assert_eq!(counter_of(&next), EPOCH_LEN);
    assert_eq!(open(&mut b, &next), b"the next");
    assert_eq!(open(&mut b, &last), b"the last");
}

#[test]
fn each_epoch_has_keys_of_its_own() {
    let (mut a, mut b) = World::new(1).sessions();
    let packet = sealed(&mut a, b"hello");
    for epoch in 1..=MAX_AHEAD {
        // The counter is in the nonce and covered too, so this shows the keys only along with the
        // vectors.
        let moved = forged(&packet, epoch * EPOCH_LEN);
        assert_eq!(refused(&mut b, NOW, &moved), Some(OpenError::Forged));
    }
    assert_eq!(open(&mut b, &packet), b"hello");
}

#[test]
fn a_sender_leaves_its_epoch_two_minutes_after_the_first_packet_of_it() {
    assert_eq!(EPOCH_AGE, Duration::from_secs(120));
    let (mut a, mut b) = World::new(1).sessions();
    let start = seconds(1_000);
    let just_before = start + (EPOCH_AGE - Duration::from_micros(1));
    let expected = [
        (start, 0),
        (just_before, 1),
        (start + EPOCH_AGE, EPOCH_LEN),
        (start + EPOCH_AGE, EPOCH_LEN + 1),
        (just_before + EPOCH_AGE, EPOCH_LEN + 2),
        (start + 2 * EPOCH_AGE, 2 * EPOCH_LEN),
        (start + 100 * EPOCH_AGE, 3 * EPOCH_LEN),
    ];
    for (now, counter) in expected {
        let packet = sealed_by(&mut a, now);
        assert_eq!(counter_of(&packet), counter);
        assert_eq!(open_at(&mut b, now, &packet), b"hello");
    }
}

#[test]
fn a_full_epoch_is_followed_by_the_next_one_however_late() {
    let (mut a, mut b) = World::new(1).sessions();
    sealed(&mut a, b"the first");
    sealed_at(&mut a, EPOCH_LEN - 1, b"the last");
    let packet = sealed_by(&mut a, NOW + EPOCH_AGE);
    assert_eq!(counter_of(&packet), EPOCH_LEN);
    assert_eq!(open(&mut b, &packet), b"hello");
}

#[test]
fn the_epoch_that_was_left_is_received_for_ten_seconds() {
    assert_eq!(LEFT_LINGER, Duration::from_secs(10));
    let (mut a, mut b) = World::new(1).sessions();
    let overtaken: Vec<_> = (0..4).map(|_| sealed(&mut a, b"overtaken")).collect();
    let next = first_of(&mut a, 1);
    let start = seconds(50);
    open_at(&mut b, start, &overtaken[0]);
    assert_eq!(b.poll_timeout(), None);
    open_at(&mut b, start, &next);
    let until = start + LEFT_LINGER;
    assert_eq!(b.poll_timeout(), Some(until));

    let just_before = start + (LEFT_LINGER - Duration::from_micros(1));
    b.handle_timeout(just_before);
    open_at(&mut b, just_before, &overtaken[1]);
    let replayed = refused(&mut b, just_before, &overtaken[1]);
    assert_eq!(replayed, Some(OpenError::Replayed));
    assert_eq!(b.poll_timeout(), Some(until));

    assert_eq!(
        refused(&mut b, until, &overtaken[2]),
        Some(OpenError::Forged)
    );
    assert_eq!(b.poll_timeout(), None);
    // It does not come back for a clock that does.
    assert_eq!(
        refused(&mut b, start, &overtaken[3]),
        Some(OpenError::Forged)
    );
}

#[test]
fn a_timeout_erases_the_epoch_that_was_left() {
    let (mut a, mut b) = World::new(1).sessions();
    let overtaken = sealed(&mut a, b"overtaken");
    open(&mut b, &first_of(&mut a, 1));
    b.handle_timeout(NOW + LEFT_LINGER);
    assert_eq!(b.poll_timeout(), None);
    assert_eq!(refused(&mut b, NOW, &overtaken), Some(OpenError::Forged));
}

#[test]
fn of_the_epochs_before_the_present_one_only_the_last_is_received() {
    let (mut a, mut b) = World::new(1).sessions();
    let packets = [0, 1, 2, 3, 5].map(|n| {
        let first = if n == 0 {
            sealed(&mut a, b"hello")
        } else {
            first_of(&mut a, n)
        };
        (first, sealed(&mut a, b"overtaken"))
    });
    let [zero, one, _, three, five] = packets;
    open(&mut b, &zero.0);
    open(&mut b, &one.0);
    open(&mut b, &three.0);
    // From 1 to 3: 1 was left, 0 is gone, and 2 was skipped.
    assert_eq!(open(&mut b, &one.1), b"overtaken");
    assert_eq!(refused(&mut b, NOW, &zero.1), Some(OpenError::Forged));
    open(&mut b, &five.0);
    assert_eq!(open(&mut b, &three.1), b"overtaken");
    assert_eq!(refused(&mut b, NOW, &one.1), Some(OpenError::Forged));
}

#[test]
fn a_packet_eight_epochs_ahead_opens_and_one_nine_ahead_does_not() {
    let (mut a, mut b) = World::new(1).sessions();
    let farthest = first_of(&mut a, MAX_AHEAD);
    let too_far = first_of(&mut a, MAX_AHEAD + 1);
    assert_eq!(refused(&mut b, NOW, &too_far), Some(OpenError::Forged));
    assert_eq!(open(&mut b, &farthest), b"hello");
    // Eight ahead of where it is now.
    assert_eq!(open(&mut b, &too_far), b"hello");
    let farthest = first_of(&mut a, 2 * MAX_AHEAD + 1);
    assert_eq!(open(&mut b, &farthest), b"hello");
    assert_eq!(MAX_AHEAD, 8);
}

#[test]
fn forged_packets_from_far_ahead_derive_eight_keys_and_move_nothing() {
    let (mut a, mut b) = World::new(1).sessions();
    let packet = sealed(&mut a, b"hello");
    let far = [MAX_AHEAD + 1, 1 << 30, (1 << 44) - 1].map(|epoch| epoch * EPOCH_LEN);
    let refuse = |b: &mut Cs42Session, counters: &[u64]| {
        work::of(|| {
            for counter in counters {
                let forged = forged(&packet, *counter);
                assert_eq!(refused(b, NOW, &forged), Some(OpenError::Forged));
            }
        })
        .1
    };
    assert_eq!(refuse(&mut b, &far), NOTHING);
    assert_eq!(refuse(&mut b, &[u64::MAX]), NOTHING);
    let near: Vec<_> = (1..=MAX_AHEAD).map(|epoch| epoch * EPOCH_LEN).collect();
    let eight = Work { keys: 8, ..NOTHING };
    assert_eq!(refuse(&mut b, &near), eight);
    assert_eq!(refuse(&mut b, &near), NOTHING);

    assert_eq!(b.poll_timeout(), None);
    assert_eq!(open(&mut b, &packet), b"hello");
    // The keys that were derived for nothing are the right ones when their time comes.
    let third = first_of(&mut a, 3);
    assert_eq!(
        work::of(|| open(&mut b, &third)),
        (b"hello".to_vec(), NOTHING)
    );
}

#[test]
fn each_epoch_has_a_window_of_its_own() {
    let (mut a, mut b) = World::new(1).sessions();
    let too_late = sealed(&mut a, b"too late");
    let late = sealed(&mut a, b"late");
    let last = sealed_at(&mut a, ReplayWindow::SIZE, b"the last");
    open(&mut b, &last);
    let first = first_of(&mut a, 1);
    open(
        &mut b,
        &sealed_at(&mut a, EPOCH_LEN + ReplayWindow::SIZE - 1, b"far"),
    );
    assert_eq!(open(&mut b, &late), b"late");
    assert_eq!(open(&mut b, &first), b"hello");
    for packet in [&too_late, &late, &last, &first] {
        assert_eq!(refused(&mut b, NOW, packet), Some(OpenError::Replayed));
    }
}

#[test]
fn a_session_without_counters_seals_no_more() {
    let (mut a, _) = World::new(1).sessions();
    a.sender().pretend(MAX_COUNTER);
    assert!(!a.exhausted());
    assert_eq!(counter_of(&sealed(&mut a, b"the last")), MAX_COUNTER);
    assert!(a.exhausted());
    for _ in 0..2 {
        let mut packet = unsealed(b"one more");
        assert_eq!(a.seal(NOW, &mut packet), Err(SealError::Exhausted));
        assert_eq!(packet, unsealed(b"one more"));
    }
}

#[test]
fn the_last_epoch_is_not_left_for_another() {
    let (mut a, _) = World::new(1).sessions();
    sealed(&mut a, b"the first");
    a.sender().pretend(MAX_COUNTER - 10);
    let mut packet = unsealed(b"late");
    let late = NOW + EPOCH_AGE;
    assert_eq!(a.seal(late, &mut packet), Err(SealError::Exhausted));
    assert!(a.exhausted());
}
