//! What the crate's first page says about costs.

use telehash_hashname::Hashname;

use super::*;
use crate::cs2a::exchange::ADOPTED_EPHEMERALS;
use crate::cs2a::work::{self, Work};
use crate::{CipherSet, Cs2a, LocalKey, Outer, SessionContext};

const NOTHING: Work = Work::NOTHING;
const RSA_PRIVATE: Work = Work {
    rsa_private: 1,
    ..NOTHING
};
const RSA_PUBLIC: Work = Work {
    rsa_public: 1,
    ..NOTHING
};
const AGREEMENT: Work = Work {
    agreements: 1,
    ..NOTHING
};
/// A new ephemeral: its public half, and its encryption.
const EPHEMERAL: Work = Work {
    bases: 1,
    rsa_public: 1,
    ..NOTHING
};

fn context() -> SessionContext<'static> {
    let hashname = Hashname::from_bytes([1; 32]);
    SessionContext {
        local: hashname,
        remote: hashname,
        resume: None,
    }
}

fn local(pair: &KeyPair) -> Arc<dyn LocalKey> {
    Cs2a.load(&pair.public, &pair.secret)
        .expect("both halves of one pair")
}

#[test]
fn loading_and_checking_keys_costs_no_rsa() {
    let loaded = work::of(|| Cs2a.load(&A.public, &A.secret).is_ok());
    assert_eq!(loaded, (true, NOTHING));
    let checked = work::of(|| Cs2a.check_key(&A.public).is_ok());
    assert_eq!(checked, (true, NOTHING));
}

#[test]
fn a_session_costs_each_side_two_rsa_operations_with_the_secret_key() {
    let (dialer, listener) = (local(&A), local(&B));
    let mut rng = rng(3);

    let ((mut to_listener, hello), hailed) = work::of(|| {
        let mut exchange = dialer
            .exchange(listener.public(), &mut rng)
            .expect("its key");
        let hello = exchange.seal(b"hello", &mut rng).expect("a message");
        (exchange, hello)
    });
    let ((answer, at_listener), answered) = work::of(|| {
        let opened = listener.open(body(&hello)).expect("a message to it");
        let mut exchange = listener
            .exchange(dialer.public(), &mut rng)
            .expect("its key");
        exchange.verify(body(&hello), &opened).expect("its message");
        exchange.adopt(&opened.remote).expect("its ephemeral");
        let answer = exchange.seal(b"hello", &mut rng).expect("a message");
        let session = exchange.session(&opened.remote, &context(), &mut rng);
        (answer, session.expect("a session"))
    });
    let (at_dialer, agreed) = work::of(|| {
        let opened = to_listener.open(body(&answer)).expect("a message to it");
        to_listener
            .verify(body(&answer), &opened)
            .expect("its message");
        to_listener.adopt(&opened.remote).expect("its ephemeral");
        to_listener
            .session(&opened.remote, &context(), &mut rng)
            .expect("a session")
    });

    let whole = Work {
        rsa_private: 2,
        rsa_public: 2,
        agreements: 1,
        bases: 1,
    };
    assert_eq!((sum(hailed, agreed), answered), (whole, whole));
    assert_eq!(at_dialer.session_id(), at_listener.session_id());
}

fn sum(a: Work, b: Work) -> Work {
    Work {
        rsa_private: a.rsa_private + b.rsa_private,
        rsa_public: a.rsa_public + b.rsa_public,
        agreements: a.agreements + b.agreements,
        bases: a.bases + b.bases,
    }
}

#[test]
fn later_rounds_cost_a_signature_each_and_packets_nothing() {
    let mut world = World::new(1);
    let (mut at_a, mut at_b) = world.sessions();
    let remote = world.opened().remote;
    assert_eq!(work::of(|| world.b.adopt(&remote)), (Ok(()), NOTHING));

    let (message, work) = work::of(|| world.message(b"second round"));
    assert_eq!(work, RSA_PRIVATE);
    let (opened, work) = work::of(|| world.b.open(&message).expect("a message to b"));
    assert_eq!(work, NOTHING);
    let verified = work::of(|| world.b.verify(&message, &opened));
    assert_eq!(verified, (Ok(()), RSA_PUBLIC));

    let (packet, work) = work::of(|| sealed(&mut at_a, b"hello"));
    assert_eq!(work, NOTHING);
    assert!(matches!(Outer::parse(&packet), Some(Outer::Channel { .. })));
    assert_eq!(work::of(|| open(&mut at_b, &packet)).1, NOTHING);
}

#[test]
fn a_message_from_an_unknown_ephemeral_costs_one_rsa_operation() {
    let mut world = World::new(1);
    let message = world.message(b"hello");
    let mut forged = message.clone();
    forged[300] ^= 1;
    for (message, opens) in [(&message, true), (&forged, false)] {
        let opened = work::of(|| world.b.open(message).is_ok());
        assert_eq!(opened, (opens, RSA_PRIVATE));
    }
    let too_short = work::of(|| world.b.open(&message[..500]).is_ok());
    assert_eq!(too_short, (false, NOTHING));
    let our_own = work::of(|| world.a.open(&message).is_ok());
    assert_eq!(our_own, (false, NOTHING));
}

#[test]
fn the_fifth_adopted_ephemeral_makes_an_exchange_forget_the_first() {
    let mut world = World::new(1);
    let adopt_next = |world: &mut World| {
        let message = world.message(b"hello");
        let remote = world.b.open(&message).expect("a message to b").remote;
        world.b.adopt(&remote).expect("a's ephemeral");
        world.a.fresh(&mut world.rng).expect("an ephemeral");
        message
    };
    let opened = |world: &World, message: &[u8]| work::of(|| world.b.open(message).is_ok());
    let messages: Vec<_> = (0..ADOPTED_EPHEMERALS)
        .map(|_| adopt_next(&mut world))
        .collect();
    for message in &messages {
        assert_eq!(opened(&world, message), (true, NOTHING));
    }
    let last = adopt_next(&mut world);
    assert_eq!(opened(&world, &last), (true, NOTHING));
    assert_eq!(opened(&world, &messages[0]), (true, RSA_PRIVATE));
    assert_eq!(opened(&world, &messages[1]), (true, NOTHING));
}

#[test]
fn adopting_an_ephemeral_again_makes_it_the_last_to_be_forgotten() {
    let mut world = World::new(1);
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

#[test]
fn an_exchange_and_a_fresh_ephemeral_cost_no_rsa_with_the_secret_key() {
    let (dialer, mut rng) = (local(&A), rng(3));
    let dialed = work::of(|| dialer.exchange(&B.public, &mut rng).is_ok());
    assert_eq!(dialed, (true, EPHEMERAL));
    let mut world = World::new(1);
    let fresh = work::of(|| world.a.fresh(&mut world.rng));
    assert_eq!(fresh, (Ok(()), EPHEMERAL));
}

#[test]
fn a_refused_session_costs_nothing() {
    let mut world = World::new(1);
    let remote = world.opened().remote;
    let mut session = || world.b.session(&remote, &context(), &mut world.rng).is_ok();
    assert_eq!(work::of(&mut session), (true, AGREEMENT));
    assert_eq!(work::of(&mut session), (false, NOTHING));
}
