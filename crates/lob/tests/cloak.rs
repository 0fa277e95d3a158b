//! Cloaking (packets.md, Cloaking).

use proptest::{collection::vec, prelude::*};
use sha2::{Digest, Sha256};
use telehash_lob::cloak::{
    CloakError, DEFAULT_WORK, HEAD_LEN, KEY, MIN_CLOAKED, NONCE_LEN, WorkBudget,
    cloak_head_in_place, cloak_in_place, decloak_in_place, finish, make_nonce, peek,
};

const ENDLESS: WorkBudget = WorkBudget::new(usize::MAX);

fn cloaked(packet: &[u8], rounds: usize) -> Vec<u8> {
    let mut wire = packet.to_vec();
    for round in 0..rounds {
        wire.splice(0..0, make_nonce([round as u8; NONCE_LEN]));
        cloak_in_place(&mut wire);
    }
    wire
}

fn packet(len: usize) -> Vec<u8> {
    (0..len).map(|i| (i * 7) as u8).collect()
}

#[test]
fn the_key_is_the_hash_of_telehash() {
    assert_eq!(KEY[..], Sha256::digest(b"telehash")[..]);
}

#[test]
fn a_nonce_never_begins_with_zero() {
    for last in 0..=u8::MAX {
        let nonce = make_nonce([0, 1, 2, 3, 4, 5, 6, last]);
        assert_ne!(nonce[0], 0);
        assert_eq!(nonce[1..], [1, 2, 3, 4, 5, 6, last]);
    }
    assert_eq!(make_nonce([9; NONCE_LEN]), [9; NONCE_LEN]);
}

#[test]
fn a_plain_packet_is_not_touched() {
    let plain = packet(100);
    let mut budget = WorkBudget::new(0);
    let seen = peek(&plain, &mut budget).unwrap();
    assert_eq!(
        (seen.rounds(), seen.offset(), seen.head()),
        (0, 0, &plain[..HEAD_LEN])
    );
    let mut received = plain.clone();
    assert_eq!(decloak_in_place(&mut received, &mut budget), Ok(0));
    assert_eq!(finish(&mut received, &seen, false), plain);
}

#[test]
fn less_than_a_nonce_and_an_empty_packet_is_too_short() {
    let mut shortest = cloaked(&[0, 0], 1);
    assert_eq!(shortest.len(), MIN_CLOAKED);
    assert_eq!(
        decloak_in_place(&mut shortest.clone(), &mut ENDLESS.clone()),
        Ok(NONCE_LEN)
    );
    shortest.pop();
    let too_short = CloakError::TooShort {
        len: MIN_CLOAKED - 1,
    };
    assert_eq!(
        peek(&shortest, &mut ENDLESS.clone()).unwrap_err(),
        too_short
    );
    assert_eq!(
        decloak_in_place(&mut shortest, &mut ENDLESS.clone()),
        Err(too_short)
    );
    assert_eq!(
        peek(&[], &mut ENDLESS.clone()).unwrap_err(),
        CloakError::TooShort { len: 0 }
    );
}

#[test]
fn noise_runs_out_of_bytes_rather_than_of_patience() {
    // No round of this ends in a packet.
    let mut noise = vec![0xa5; 300];
    let seen = peek(&noise, &mut ENDLESS.clone());
    let peeled = decloak_in_place(&mut noise, &mut ENDLESS.clone());
    assert_eq!(seen.map(|peek| peek.offset()), peeled);
}

#[test]
fn one_block_shows_the_head_of_a_packet_under_one_round() {
    let plain = packet(1392);
    let mut budget = WorkBudget::new(HEAD_LEN);
    let seen = peek(&cloaked(&plain, 1), &mut budget).unwrap();
    assert_eq!(seen.head(), &plain[..HEAD_LEN]);
    assert_eq!(budget.remaining(), 0);
}

#[test]
fn length_and_token_show_under_any_number_of_rounds() {
    let plain = packet(200);
    for rounds in 0..20 {
        let mut wire = cloaked(&plain, rounds);
        let seen = peek(&wire, &mut ENDLESS.clone()).unwrap();
        assert_eq!((seen.rounds(), seen.offset()), (rounds, rounds * NONCE_LEN));
        assert!(seen.head().len() >= 18 && plain.starts_with(seen.head()));
        assert_eq!(finish(&mut wire, &seen, false), plain);
    }
}

#[test]
fn head_only_cloaking_leaves_all_but_one_block_alone() {
    for len in [2, 63, 64, 65, 1392] {
        let plain = packet(len);
        let mut wire = [&make_nonce([3; NONCE_LEN])[..], &plain].concat();
        cloak_head_in_place(&mut wire);
        let head = len.min(HEAD_LEN);
        assert_eq!(wire[NONCE_LEN + head..], plain[head..]);
        assert_eq!(
            wire[..NONCE_LEN + head],
            cloaked_with(&plain, 3)[..NONCE_LEN + head]
        );
        let seen = peek(&wire, &mut ENDLESS.clone()).unwrap();
        assert_eq!(finish(&mut wire, &seen, true), plain);
    }
}

fn cloaked_with(plain: &[u8], nonce: u8) -> Vec<u8> {
    let mut wire = [&[nonce; NONCE_LEN][..], plain].concat();
    cloak_in_place(&mut wire);
    wire
}

#[test]
fn a_round_beyond_the_budget_is_not_peeled() {
    let wire = cloaked(&packet(1000), 2);
    // One block for the first round, the whole rest for the second.
    let price = HEAD_LEN + wire.len() - NONCE_LEN;
    assert!(peek(&wire, &mut WorkBudget::new(price)).is_ok());
    let mut budget = WorkBudget::new(price - 1);
    let (needed, left) = (price - HEAD_LEN, price - HEAD_LEN - 1);
    let refused = CloakError::WorkExhausted { needed, left };
    assert_eq!(peek(&wire, &mut budget).unwrap_err(), refused);
    assert_eq!(budget.remaining(), left);

    let mut budget = WorkBudget::new(2 * wire.len() - 3 * NONCE_LEN);
    assert_eq!(
        decloak_in_place(&mut wire.clone(), &mut budget),
        Ok(2 * NONCE_LEN)
    );
    assert_eq!(budget.remaining(), 0);
}

#[test]
fn the_default_work_covers_any_single_round_and_stops_a_thousand_rounds() {
    let mut largest = cloaked(&packet(65_527), 1);
    assert!(peek(&largest, &mut WorkBudget::default()).is_ok());
    assert!(decloak_in_place(&mut largest, &mut WorkBudget::default()).is_ok());
    let bomb = cloaked(&packet(1000), 1000);
    let mut budget = WorkBudget::default();
    assert!(matches!(
        peek(&bomb, &mut budget),
        Err(CloakError::WorkExhausted { .. })
    ));
    assert_eq!(WorkBudget::default(), WorkBudget::new(DEFAULT_WORK));
}

#[test]
fn a_budget_refills_up_to_its_cap() {
    let mut budget = WorkBudget::new(10);
    budget.refill(5, 100);
    assert_eq!(budget.remaining(), 15);
    budget.refill(usize::MAX, 100);
    assert_eq!(budget.remaining(), 100);
}

#[test]
fn finishing_with_the_peek_of_another_packet_makes_noise_only() {
    let deep = peek(&cloaked(&packet(100), 9), &mut ENDLESS.clone()).unwrap();
    let one = peek(&cloaked(&packet(100), 1), &mut ENDLESS.clone()).unwrap();
    for len in 0..80 {
        for seen in [&deep, &one] {
            let _ = finish(&mut vec![1; len], seen, false).len();
        }
    }
}

#[test]
#[should_panic = "begins with 0"]
fn a_nonce_that_begins_with_zero_is_refused() {
    cloak_in_place(&mut [0; 20]);
}

proptest! {
    #[test]
    fn cloaked_packets_come_back(
        body in vec(any::<u8>(), 1..2000),
        nonces in vec(any::<[u8; NONCE_LEN]>(), 0..5),
    ) {
        let plain = [&[0], &body[..]].concat();
        let mut wire = plain.clone();
        for nonce in nonces {
            wire.splice(0..0, make_nonce(nonce));
            cloak_in_place(&mut wire);
        }
        let seen = peek(&wire, &mut ENDLESS.clone()).unwrap();
        let mut finished = wire.clone();
        prop_assert_eq!(finish(&mut finished, &seen, false), &plain[..]);
        let offset = decloak_in_place(&mut wire, &mut ENDLESS.clone()).unwrap();
        prop_assert_eq!(&wire[offset..], &plain[..]);
    }
}
