//! The table of costs on the crate's first page.

use ring::aead::LessSafeKey;

use super::work::{self, NOTHING, Work};
use super::*;
use crate::cs42::exchange::ADOPTED_EPHEMERALS;
use crate::{CipherSet, Cs42, LocalKey};

const AGREEMENT: Work = Work {
    agreements: 1,
    ..NOTHING
};
const BASE: Work = Work {
    bases: 1,
    ..NOTHING
};

fn local(seed: u64) -> Arc<dyn LocalKey> {
    let pair = Cs42.generate(&mut rng(seed)).expect("a key pair");
    let local = Cs42.load(&pair.public, &pair.secret);
    local.expect("both halves of one pair")
}

#[test]
fn keys_cost_one_base_multiplication_and_checking_them_nothing() {
    let (pair, work) = work::of(|| Cs42.generate(&mut rng(1)).expect("a key pair"));
    assert_eq!(work, BASE);
    let load = work::of(|| Cs42.load(&pair.public, &pair.secret).is_ok());
    assert_eq!(load, (true, BASE));
    let check = work::of(|| Cs42.check_key(&pair.public).is_ok());
    assert_eq!(check, (true, NOTHING));
}

#[test]
fn a_session_costs_each_side_four_multiplications_and_one_with_the_base_point() {
    let (dialer, listener) = (local(1), local(2));
    let mut rng = rng(3);

    let ((mut to_listener, hello), opening) = work::of(|| {
        let exchange = dialer.exchange(listener.public(), &mut rng);
        let mut exchange = exchange.expect("its key");
        let hello = exchange.seal(b"hello", &mut rng).expect("a message");
        (exchange, hello)
    });
    let ((answer, at_listener), at_the_listener) = work::of(|| {
        let opened = listener.open(body(&hello)).expect("a message to it");
        let exchange = listener.exchange(dialer.public(), &mut rng);
        let mut exchange = exchange.expect("its key");
        exchange.verify(body(&hello), &opened).expect("its message");
        exchange.adopt(&opened.remote).expect("its ephemeral");
        let answer = exchange.seal(b"hello", &mut rng).expect("a message");
        let session = exchange.session(&opened.remote, &context(2, 1, None), &mut rng);
        (answer, session.expect("a session"))
    });
    let (at_dialer, closing) = work::of(|| {
        let opened = to_listener.open(body(&answer)).expect("a message to it");
        let verified = to_listener.verify(body(&answer), &opened);
        verified.expect("its message");
        to_listener.adopt(&opened.remote).expect("its ephemeral");
        let session = to_listener.session(&opened.remote, &context(1, 2, None), &mut rng);
        session.expect("a session")
    });

    assert_eq!(at_dialer.session_id(), at_listener.session_id());
    let whole = |work: Work| (work.agreements, work.bases, work.keys);
    assert_eq!(whole(at_the_listener), (4, 1, 2));
    let at_the_dialer = (
        opening.agreements + closing.agreements,
        opening.bases + closing.bases,
        opening.keys + closing.keys,
    );
    assert_eq!(at_the_dialer, (4, 1, 2));
}

#[test]
fn messages_and_packets_cost_nothing_once_all_is_agreed() {
    let mut world = World::new(1);
    let first = world.opened();
    world.b.adopt(&first.remote).expect("a's ephemeral");
    let (message, work) = work::of(|| world.message(b"another"));
    assert_eq!(work, NOTHING);
    let (opened, work) = work::of(|| world.b.open(&message).expect("a message to b"));
    assert_eq!(work, NOTHING);
    assert_eq!(
        work::of(|| world.b.verify(&message, &opened)),
        (Ok(()), AGREEMENT)
    );
    assert_eq!(
        work::of(|| world.b.verify(&message, &opened)),
        (Ok(()), NOTHING)
    );

    let (mut a, mut b) = world.sessions();
    let (packet, work) = work::of(|| sealed(&mut a, b"hello"));
    assert_eq!(work, NOTHING);
    assert_eq!(work::of(|| open(&mut b, &packet)).1, NOTHING);
}

#[test]
fn a_message_from_an_unknown_ephemeral_costs_one_multiplication() {
    let mut world = World::new(1);
    let message = world.message(b"hello");
    let opens = |message: &[u8]| work::of(|| world.b.open(message).is_ok());
    assert_eq!(opens(&message), (true, AGREEMENT));
    let mut forged = message.clone();
    forged[50] ^= 1;
    assert_eq!(opens(&forged), (false, AGREEMENT));
    assert_eq!(opens(&message[..81]), (false, NOTHING));
    forged[..32].fill(0);
    assert_eq!(opens(&forged), (false, NOTHING));
}

#[test]
fn a_fresh_ephemeral_costs_one_base_multiplication_and_one_at_the_next_message() {
    let mut world = World::new(1);
    world.message(b"hello");
    let fresh = work::of(|| world.a.fresh(&mut world.rng));
    assert_eq!(fresh, (Ok(()), BASE));
    assert_eq!(work::of(|| world.message(b"hello")).1, AGREEMENT);
}

#[test]
fn the_third_adopted_ephemeral_makes_an_exchange_forget_the_first() {
    let mut world = World::new(1);
    let adopt_next = |world: &mut World| {
        let message = world.message(b"hello");
        let remote = world.b.open(&message).expect("a message to b").remote;
        world.b.adopt(&remote).expect("a's ephemeral");
        world.b.adopt(&remote).expect("the same again");
        world.a.fresh(&mut world.rng).expect("an ephemeral");
        message
    };
    let messages: Vec<_> = (0..=ADOPTED_EPHEMERALS)
        .map(|_| adopt_next(&mut world))
        .collect();
    for (i, message) in messages.iter().enumerate() {
        let cost = if i == 0 { AGREEMENT } else { NOTHING };
        let opens = work::of(|| world.b.open(message).is_ok());
        assert_eq!(opens, (true, cost));
    }
}

#[test]
fn a_session_takes_little_more_room_than_its_two_keys() {
    let keys = 2 * size_of::<LessSafeKey>();
    assert!(size_of::<Cs42Session>() <= keys + 320);
}
