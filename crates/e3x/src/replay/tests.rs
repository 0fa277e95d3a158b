use std::collections::BTreeSet;
use std::vec::Vec;

use rand_chacha::ChaCha8Rng;
use rand_core::{Rng, SeedableRng};

use super::*;

#[test]
fn a_counter_is_accepted_once() {
    let mut window = ReplayWindow::new();
    for counter in [0, 1, 2, 70, 63, 64] {
        assert!(window.accept(counter), "{counter}");
        assert!(!window.accept(counter), "{counter} again");
    }
}

#[test]
fn the_first_counter_may_be_any_and_earlier_ones_may_follow() {
    for first in [0, 5, 2047, 1 << 40, u64::MAX] {
        let mut window = ReplayWindow::new();
        assert!(window.accept(first));
        assert!(!window.accept(first));
        if let Some(before) = first.checked_sub(1) {
            assert!(window.accept(before), "{before}");
        }
    }
}

#[test]
fn the_window_reaches_back_exactly_2048_counters() {
    for highest in [5_000, 5_056, 5_119, 5_120, u64::MAX] {
        let mut window = ReplayWindow::new();
        assert!(window.accept(highest));
        assert!(!window.accept(highest - ReplayWindow::SIZE), "at the limit");
        assert!(
            window.accept(highest - (ReplayWindow::SIZE - 1)),
            "just inside"
        );
    }
}

#[test]
fn a_jump_beyond_the_window_forgets_all_of_it_at_once() {
    let mut window = ReplayWindow::new();
    for counter in 0..ReplayWindow::SIZE {
        assert!(window.accept(counter));
    }
    assert!(window.accept(1_000_000));
    for counter in 1_000_000 - ReplayWindow::SIZE + 1..1_000_000 {
        assert!(window.accept(counter), "{counter}");
    }
    assert!(!window.accept(2_047));
}

#[test]
fn the_window_agrees_with_a_plain_set_of_counters() {
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    for _ in 0..50 {
        let mut window = ReplayWindow::new();
        let mut seen = BTreeSet::new();
        let mut highest = 0;
        let mut base = rng.next_u64() >> (rng.next_u32() % 64);
        for _ in 0..2_000 {
            base = base.saturating_add(step(&mut rng));
            let counter = base.saturating_sub(u64::from(rng.next_u32() % 3_000));
            let in_window =
                seen.is_empty() || counter > highest || highest - counter < ReplayWindow::SIZE;
            let expected = in_window && seen.insert(counter);
            if in_window {
                highest = highest.max(counter);
            }
            assert_eq!(
                window.accept(counter),
                expected,
                "{counter} with highest {highest}"
            );
        }
    }
}

/// Mostly small steps, now and then one beyond the window.
fn step(rng: &mut ChaCha8Rng) -> u64 {
    match rng.next_u32() % 100 {
        0 => u64::from(rng.next_u32() % 10_000),
        _ => u64::from(rng.next_u32() % 4),
    }
}

#[test]
fn a_nonce_is_accepted_once() {
    let mut nonces = RecentNonces::new();
    assert!(nonces.accept(&[1; 24]));
    assert!(nonces.accept(&[2; 24]));
    assert!(!nonces.accept(&[1; 24]));
    assert!(!nonces.accept(&[2; 24]));
}

#[test]
fn the_oldest_of_4096_nonces_is_forgotten_first() {
    let nonce = |i: usize| (i as u32).to_be_bytes();
    let mut nonces = RecentNonces::new();
    let capacity = RecentNonces::<4>::CAPACITY;
    let all: Vec<_> = (0..capacity).map(nonce).collect();
    assert!(all.iter().all(|nonce| nonces.accept(nonce)));
    assert!(
        !all.iter().any(|nonce| nonces.accept(nonce)),
        "all of them are remembered"
    );

    assert!(nonces.accept(&nonce(capacity)));
    assert!(!nonces.accept(&nonce(1)), "the second is still known");
    assert!(nonces.accept(&nonce(0)), "the first was pushed out");
    assert_eq!(nonces.arrived.len(), capacity);
    assert_eq!(nonces.known.len(), capacity);
}
