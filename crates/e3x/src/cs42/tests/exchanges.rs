//! Ephemerals and sessions of an exchange.

use telehash_hashname::Csid;

use super::*;
use crate::{ExchangeError, RemoteEphemeral, Rounds, SealError};

fn ephemeral(key: [u8; 32]) -> RemoteEphemeral {
    RemoteEphemeral::new(Csid::CS42, &key, Zeroizing::new([7; 32].to_vec())).expect("long enough")
}

fn session(exchange: &mut Cs42Exchange, remote: &RemoteEphemeral) -> Result<(), ExchangeError> {
    let session = exchange.session(remote, &context(1, 2, None), &mut rng(9));
    session.map(|_| ())
}

#[test]
fn both_sides_name_their_session_alike_and_no_other_so() {
    let mut world = World::new(1);
    let (at_a, at_b) = world.sessions();
    assert_eq!(at_a.session_id(), at_b.session_id());
    assert_eq!(at_a.resume(), at_b.resume());
    assert_eq!(at_a.local_token(), at_b.remote_token());
    assert_eq!(at_a.remote_token(), at_b.local_token());

    world.fresh();
    let (next, _) = world.sessions();
    assert_ne!(at_a.session_id(), next.session_id());
    assert_ne!(at_a.resume(), next.resume());
    assert_ne!(at_a.local_token(), next.local_token());
}

#[test]
fn a_session_depends_on_the_one_it_continues() {
    let continued = |resume| {
        let (mut at_a, mut at_b) = World::new(1).sessions_after(resume);
        let packet = sealed(&mut at_a, b"hello");
        let opens = at_b.open(NOW, &mut packet.clone()).is_ok();
        (at_a.session_id(), opens)
    };
    let (before, again) = ([3; 32], [4; 32]);
    let (none, opens) = continued([None, None]);
    assert!(opens);
    let (some, opens) = continued([Some(&before), Some(&before)]);
    assert!(opens);
    assert_ne!(none, some);
    assert!(!continued([Some(&before), None]).1);
    assert!(!continued([Some(&before), Some(&again)]).1);
    assert_eq!(continued([Some(&[0; 32]), None]), (none, true));
}

#[test]
fn a_session_depends_on_both_hashnames() {
    let derive = |local, remote| {
        let mut world = World::new(1);
        let opened = world.opened();
        let context = context(local, remote, None);
        let session = world.b.derive(&opened.remote, &context);
        session.expect("a session").session_id()
    };
    assert_eq!(derive(2, 1), derive(2, 1));
    assert_ne!(derive(2, 1), derive(1, 2));
    assert_ne!(derive(2, 1), derive(2, 3));
    assert_ne!(derive(2, 1), derive(3, 1));
}

#[test]
fn an_ephemeral_makes_one_session_and_then_nothing() {
    let mut world = World::new(1);
    let remote = world.opened().remote;
    assert_eq!(session(&mut world.b, &remote), Ok(()));
    for remote in [&remote, &ephemeral([9; 32])] {
        let found = session(&mut world.b, remote);
        assert_eq!(found, Err(ExchangeError::NeedsFresh));
    }
    let found = world.b.seal(b"hello", &mut world.rng);
    assert_eq!(found, Err(SealError::NeedsFresh));

    world.b.fresh(&mut world.rng).expect("an ephemeral");
    assert_eq!(session(&mut world.b, &remote), Ok(()));
}

#[test]
fn an_erased_ephemeral_makes_no_session() {
    let mut world = World::new(1);
    let remote = world.opened().remote;
    world.b.erase();
    let found = session(&mut world.b, &remote);
    assert_eq!(found, Err(ExchangeError::NeedsFresh));
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
    assert_eq!(before.token(), token);
    assert_eq!(before.remote.head_only_token(), head_only);
    assert_eq!(after.token(), world.a.token());
    assert_eq!(after.remote.head_only_token(), world.a.head_only_token());
}

#[test]
fn our_own_keys_are_refused_as_ephemerals() {
    let mut world = World::new(1);
    let ours = world.opened().remote;
    let identity = ephemeral(world.b.remote_public().try_into().expect("32 bytes"));
    for key in [&ours, &identity] {
        assert_eq!(world.a.adopt(key), Err(ExchangeError::OwnEphemeral));
        let found = session(&mut world.a, key);
        assert_eq!(found, Err(ExchangeError::OwnEphemeral));
    }
    // Nothing was spent on them.
    let remote = ephemeral([9; 32]);
    assert_eq!(session(&mut world.a, &remote), Ok(()));
}

#[test]
fn a_weak_ephemeral_makes_no_session_and_uses_ours_up() {
    let mut world = World::new(1);
    let found = session(&mut world.a, &ephemeral([0; 32]));
    assert_eq!(found, Err(ExchangeError::WeakAgreement));
    let found = session(&mut world.a, &ephemeral([9; 32]));
    assert_eq!(found, Err(ExchangeError::NeedsFresh));
}

#[test]
fn ephemerals_of_other_sets_are_refused() {
    let mut world = World::new(1);
    let secret = |len| Zeroizing::new(std::vec![7; len]);
    let others = [
        RemoteEphemeral::new(Csid::CS3A, &[9; 32], secret(32)),
        RemoteEphemeral::new(Csid::CS42, &[9; 21], secret(32)),
        RemoteEphemeral::new(Csid::CS42, &[9; 32], secret(31)),
    ];
    for other in others.map(|other| other.expect("long enough")) {
        assert_eq!(world.a.adopt(&other), Err(ExchangeError::OtherSet));
        assert_eq!(session(&mut world.a, &other), Err(ExchangeError::OtherSet));
    }
}

#[test]
fn an_exchange_says_what_it_is() {
    let world = World::new(1);
    assert_eq!(world.a.csid(), Csid::CS42);
    assert_eq!(world.a.rounds(), Rounds::FreshEphemeral);
    assert_eq!(world.a.order(), world.b.order().opposite());
    assert_ne!(world.a.remote_public(), world.b.remote_public());
}
