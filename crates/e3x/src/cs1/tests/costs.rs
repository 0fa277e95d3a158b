//! The table of costs on the crate's first page.

use super::*;
use crate::ephemerals::ADOPTED_EPHEMERALS;
use crate::work::{self, Work};
use crate::{LocalKey, Outer};

on_every_curve! {
    keys_cost_one_base_multiplication_and_checking_them_nothing,
    a_session_costs_each_side_four_multiplications_and_one_with_the_base_point,
    later_rounds_and_packets_cost_nothing,
    a_message_from_an_unknown_ephemeral_costs_one_multiplication,
    the_fifth_adopted_ephemeral_makes_an_exchange_forget_the_first,
    adopting_an_ephemeral_again_makes_it_the_last_to_be_forgotten,
    a_fresh_ephemeral_costs_one_base_multiplication_and_one_at_the_next_message,
    a_refused_session_costs_nothing,
}

const NOTHING: Work = Work {
    agreements: 0,
    bases: 0,
};
const AGREEMENT: Work = Work {
    agreements: 1,
    bases: 0,
};
const BASE: Work = Work {
    agreements: 0,
    bases: 1,
};

fn local<C: Curve>(seed: u64) -> Arc<dyn LocalKey> {
    let pair = set::<C>().generate(&mut rng(seed)).expect("a key pair");
    set::<C>()
        .load(&pair.public, &pair.secret)
        .expect("both halves of one pair")
}

fn keys_cost_one_base_multiplication_and_checking_them_nothing<C: Curve>() {
    let (pair, work) = work::of(|| set::<C>().generate(&mut rng(1)).expect("a key pair"));
    assert_eq!(work, BASE);
    assert_eq!(
        work::of(|| set::<C>().load(&pair.public, &pair.secret).is_ok()),
        (true, BASE)
    );
    assert_eq!(
        work::of(|| set::<C>().check_key(&pair.public).is_ok()),
        (true, NOTHING)
    );
}

fn a_session_costs_each_side_four_multiplications_and_one_with_the_base_point<C: Curve>() {
    let (dialer, listener) = (local::<C>(1), local::<C>(2));
    let mut rng = rng(3);
    let (mut total_dialer, mut total_listener) = (NOTHING, NOTHING);

    let (mut to_listener, work) = work::of(|| {
        dialer
            .exchange(listener.public(), &mut rng)
            .expect("its key")
    });
    total_dialer = sum(total_dialer, work);
    let (hello, work) = work::of(|| to_listener.seal(b"hello", &mut rng).expect("a message"));
    total_dialer = sum(total_dialer, work);

    let ((answer, at_listener), work) = work::of(|| {
        let opened = listener.open(body(&hello)).expect("a message to it");
        let mut exchange = listener
            .exchange(dialer.public(), &mut rng)
            .expect("its key");
        exchange.verify(body(&hello), &opened).expect("its message");
        exchange.adopt(&opened.remote).expect("its ephemeral");
        let answer = exchange.seal(b"hello", &mut rng).expect("a message");
        (
            answer,
            exchange
                .session(&opened.remote, &context(), &mut rng)
                .expect("a session"),
        )
    });
    total_listener = sum(total_listener, work);

    let (at_dialer, work) = work::of(|| {
        let opened = to_listener.open(body(&answer)).expect("a message to it");
        to_listener
            .verify(body(&answer), &opened)
            .expect("its message");
        to_listener.adopt(&opened.remote).expect("its ephemeral");
        to_listener
            .session(&opened.remote, &context(), &mut rng)
            .expect("a session")
    });
    total_dialer = sum(total_dialer, work);

    let whole = Work {
        agreements: 4,
        bases: 1,
    };
    assert_eq!((total_dialer, total_listener), (whole, whole));
    assert_eq!(at_dialer.session_id(), at_listener.session_id());
}

fn sum(a: Work, b: Work) -> Work {
    Work {
        agreements: a.agreements + b.agreements,
        bases: a.bases + b.bases,
    }
}

fn later_rounds_and_packets_cost_nothing<C: Curve>() {
    let mut world = World::<C>::new(1);
    let (mut at_a, mut at_b) = world.sessions();
    let message = world.message(b"first round");
    let opened = world.b.open(&message).expect("a message to b");
    assert_eq!(work::of(|| world.b.verify(&message, &opened)).1, NOTHING);
    assert_eq!(work::of(|| world.b.adopt(&opened.remote)).1, NOTHING);

    let (message, work) = work::of(|| world.message(b"second round"));
    assert_eq!(work, NOTHING);
    let (opened, work) = work::of(|| world.b.open(&message).expect("a message to b"));
    assert_eq!(work, NOTHING);
    assert_eq!(
        work::of(|| world.b.verify(&message, &opened)),
        (Ok(()), NOTHING)
    );

    let (packet, work) = work::of(|| sealed(&mut at_a, b"hello"));
    assert_eq!(work, NOTHING);
    assert!(matches!(Outer::parse(&packet), Some(Outer::Channel { .. })));
    assert_eq!(work::of(|| open(&mut at_b, &packet)).1, NOTHING);
}

fn a_message_from_an_unknown_ephemeral_costs_one_multiplication<C: Curve>() {
    let mut world = World::<C>::new(1);
    let message = world.message(b"hello");
    assert_eq!(
        work::of(|| world.b.open(&message).is_ok()),
        (true, AGREEMENT)
    );
    let mut forged = message.clone();
    *forged.last_mut().expect("some bytes") ^= 1;
    // Nothing tells it from an honest one yet.
    assert_eq!(
        work::of(|| world.b.open(&forged).is_ok()),
        (true, AGREEMENT)
    );
    assert_eq!(
        work::of(|| world.b.open(&message[..28]).is_ok()),
        (false, NOTHING)
    );
    forged[..16].fill(0);
    assert_eq!(work::of(|| world.b.open(&forged).is_ok()), (false, NOTHING));
}

fn the_fifth_adopted_ephemeral_makes_an_exchange_forget_the_first<C: Curve>() {
    let mut world = World::<C>::new(1);
    let adopt_next = |world: &mut World<C>| {
        let message = world.message(b"hello");
        let remote = world.b.open(&message).expect("a message to b").remote;
        world.b.adopt(&remote).expect("a's ephemeral");
        world.a.fresh(&mut world.rng).expect("an ephemeral");
        message
    };
    let messages: Vec<_> = (0..ADOPTED_EPHEMERALS)
        .map(|_| adopt_next(&mut world))
        .collect();
    for message in &messages {
        assert_eq!(work::of(|| world.b.open(message).is_ok()), (true, NOTHING));
    }
    let last = adopt_next(&mut world);
    assert_eq!(work::of(|| world.b.open(&last).is_ok()), (true, NOTHING));
    assert_eq!(
        work::of(|| world.b.open(&messages[0]).is_ok()),
        (true, AGREEMENT)
    );
    assert_eq!(
        work::of(|| world.b.open(&messages[1]).is_ok()),
        (true, NOTHING)
    );
}

fn adopting_an_ephemeral_again_makes_it_the_last_to_be_forgotten<C: Curve>() {
    let mut world = World::<C>::new(1);
    let first = world.message(b"hello");
    let remote = world.b.open(&first).expect("a message to b").remote;
    world.b.adopt(&remote).expect("a's ephemeral");
    for _ in 1..ADOPTED_EPHEMERALS {
        world.a.fresh(&mut world.rng).expect("an ephemeral");
        let other = world.opened().remote;
        world.b.adopt(&other).expect("a's ephemeral");
    }
    world.b.adopt(&remote).expect("a's ephemeral");
    world.a.fresh(&mut world.rng).expect("an ephemeral");
    let other = world.opened().remote;
    world.b.adopt(&other).expect("a's ephemeral");
    assert_eq!(work::of(|| world.b.open(&first).is_ok()), (true, NOTHING));
}

fn a_fresh_ephemeral_costs_one_base_multiplication_and_one_at_the_next_message<C: Curve>() {
    let mut world = World::<C>::new(1);
    world.message(b"hello");
    assert_eq!(work::of(|| world.a.fresh(&mut world.rng)), (Ok(()), BASE));
    assert_eq!(work::of(|| world.message(b"hello")).1, AGREEMENT);
}

fn a_refused_session_costs_nothing<C: Curve>() {
    let mut world = World::<C>::new(1);
    let remote = world.opened().remote;
    let mut session = || world.b.session(&remote, &context(), &mut world.rng).is_ok();
    assert_eq!(work::of(&mut session), (true, AGREEMENT));
    assert_eq!(work::of(&mut session), (false, NOTHING));
}
