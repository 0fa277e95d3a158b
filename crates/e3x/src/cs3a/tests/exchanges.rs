//! Ephemerals and sessions of an exchange.

use telehash_hashname::{Csid, Hashname};

use super::*;
use crate::ephemerals::SESSIONS_PER_EPHEMERAL;
use crate::{ExchangeError, RemoteEphemeral, Rounds, SessionContext};

/// The ephemeral of somebody else, as if from a message.
fn stranger(seed: u64) -> RemoteEphemeral {
    let key = Pair::random(&mut rng(seed)).public;
    ephemeral(key)
}

fn ephemeral(key: [u8; 32]) -> RemoteEphemeral {
    RemoteEphemeral::new(Csid::CS3A, &key, Zeroizing::new([7; 32].to_vec())).expect("long enough")
}

fn session(exchange: &mut Cs3aExchange, remote: &RemoteEphemeral) -> Result<(), ExchangeError> {
    let hashname = Hashname::from_bytes([1; 32]);
    let context = SessionContext {
        local: hashname,
        remote: hashname,
        resume: None,
    };
    exchange.session(remote, &context, &mut rng(9)).map(|_| ())
}

#[test]
fn both_sides_name_their_session_alike_and_no_other_so() {
    let mut world = World::new(1);
    let (at_a, at_b) = world.sessions();
    assert_eq!(at_a.session_id(), at_b.session_id());
    assert_eq!(at_a.local_token(), at_b.remote_token());
    assert_eq!(at_a.remote_token(), at_b.local_token());

    world.a.fresh(&mut world.rng).expect("an ephemeral");
    let (next, _) = world.sessions();
    assert_ne!(at_a.session_id(), next.session_id());
}

#[test]
fn the_same_pair_of_ephemerals_makes_one_session_only() {
    let mut world = World::new(1);
    let remote = world.opened().remote;
    assert_eq!(session(&mut world.b, &remote), Ok(()));
    // A later round: the same ephemeral in another message.
    let remote = world.opened().remote;
    assert_eq!(
        session(&mut world.b, &remote),
        Err(ExchangeError::NeedsFresh)
    );
    assert_eq!(session(&mut world.b, &stranger(1)), Ok(()));
    assert_eq!(
        session(&mut world.b, &remote),
        Err(ExchangeError::NeedsFresh)
    );

    world.b.fresh(&mut world.rng).expect("an ephemeral");
    assert_eq!(session(&mut world.b, &remote), Ok(()));
}

#[test]
fn an_ephemeral_makes_eight_sessions_at_most() {
    let mut world = World::new(1);
    for seed in 0..SESSIONS_PER_EPHEMERAL as u64 {
        assert_eq!(session(&mut world.b, &stranger(seed)), Ok(()));
    }
    assert_eq!(
        session(&mut world.b, &stranger(100)),
        Err(ExchangeError::NeedsFresh)
    );
    world.b.fresh(&mut world.rng).expect("an ephemeral");
    assert_eq!(session(&mut world.b, &stranger(100)), Ok(()));
}

#[test]
fn a_fresh_ephemeral_changes_tokens_and_messages() {
    let mut world = World::new(1);
    let (token, head_only) = (world.a.token(), world.a.head_only_token());
    let before = world.opened();
    world.a.fresh(&mut world.rng).expect("an ephemeral");
    let after = world.opened();
    assert_ne!(world.a.token(), token);
    assert_ne!(world.a.head_only_token(), head_only);
    assert_eq!(
        (before.token(), before.remote.head_only_token()),
        (token, head_only)
    );
    assert_eq!(after.token(), world.a.token());
    assert_eq!(after.remote.head_only_token(), world.a.head_only_token());
}

#[test]
fn messages_still_open_after_a_fresh_ephemeral_of_ours() {
    let mut world = World::new(1);
    let remote = world.opened().remote;
    world.b.adopt(&remote).expect("a's ephemeral");
    world.b.fresh(&mut world.rng).expect("an ephemeral");
    let message = world.message(b"hello");
    let opened = world.b.open(&message).expect("a message to b");
    assert_eq!(world.b.verify(&message, &opened), Ok(()));
}

#[test]
fn our_own_ephemeral_is_refused() {
    let mut world = World::new(1);
    let ours = world.opened().remote;
    assert_eq!(world.a.adopt(&ours), Err(ExchangeError::OwnEphemeral));
    assert_eq!(
        session(&mut world.a, &ours),
        Err(ExchangeError::OwnEphemeral)
    );
}

#[test]
fn a_weak_ephemeral_makes_no_session() {
    let mut world = World::new(1);
    assert_eq!(
        session(&mut world.a, &ephemeral([0; 32])),
        Err(ExchangeError::WeakAgreement)
    );
}

#[test]
fn ephemerals_of_other_sets_are_refused() {
    let mut world = World::new(1);
    let secret = || Zeroizing::new([7; 32].to_vec());
    let others = [
        RemoteEphemeral::new(Csid::CS42, &[9; 32], secret()),
        RemoteEphemeral::new(Csid::CS3A, &[9; 21], secret()),
    ];
    for other in others.map(|other| other.expect("long enough")) {
        assert_eq!(world.a.adopt(&other), Err(ExchangeError::OtherSet));
        assert_eq!(session(&mut world.a, &other), Err(ExchangeError::OtherSet));
    }
    let short = RemoteEphemeral::new(Csid::CS3A, &[9; 32], Zeroizing::new([7; 31].to_vec()));
    assert_eq!(
        world.a.adopt(&short.expect("long enough")),
        Err(ExchangeError::OtherSet)
    );
}

#[test]
fn a_key_too_short_for_a_token_is_malformed() {
    assert!(RemoteEphemeral::new(Csid::CS3A, &[9; 15], Zeroizing::default()).is_err());
}

#[test]
fn an_exchange_says_what_it_is() {
    let world = World::new(1);
    assert_eq!(world.a.csid(), Csid::CS3A);
    assert_eq!(world.a.rounds(), Rounds::KeptEphemeral);
    assert_eq!(world.a.order(), world.b.order().opposite());
    assert_ne!(world.a.remote_public(), world.b.remote_public());
}
