//! Ephemerals and sessions of an exchange.

use telehash_hashname::Csid;

use zeroize::Zeroizing;

use super::*;
use crate::ephemerals::SESSIONS_PER_EPHEMERAL;
use crate::{ExchangeError, RemoteEphemeral, Rounds, SealError};

on_every_curve! {
    both_sides_name_their_session_alike_and_no_other_so,
    the_same_pair_of_ephemerals_makes_one_session_only,
    an_ephemeral_makes_eight_sessions_at_most,
    a_fresh_ephemeral_changes_tokens_and_messages,
    messages_still_open_after_a_fresh_ephemeral_of_ours,
    our_own_ephemeral_is_refused,
    ephemerals_of_other_sets_are_refused,
    a_key_too_short_for_a_token_is_malformed,
    an_exchange_says_what_it_is,
    an_ephemeral_that_is_no_point_makes_no_session,
    an_ephemeral_without_ivs_seals_no_more_messages,
    message_ivs_count_from_a_random_start,
}

/// The ephemeral of somebody else, as if from a message.
fn stranger<C: Curve>(seed: u64) -> RemoteEphemeral {
    ephemeral::<C>(random_pair::<C>(seed).public.as_ref())
}

fn ephemeral<C: Curve>(key: &[u8]) -> RemoteEphemeral {
    RemoteEphemeral::new(C::CSID, key, Zeroizing::new([7; 16].to_vec())).expect("long enough")
}

fn session<C: Curve>(
    exchange: &mut Cs1Exchange<C>,
    remote: &RemoteEphemeral,
) -> Result<(), ExchangeError> {
    exchange
        .session(remote, &context(), &mut rng(9))
        .map(|_| ())
}

fn both_sides_name_their_session_alike_and_no_other_so<C: Curve>() {
    let mut world = World::<C>::new(1);
    let (at_a, at_b) = world.sessions();
    assert_eq!(at_a.session_id(), at_b.session_id());
    assert_eq!(at_a.local_token(), at_b.remote_token());
    assert_eq!(at_a.remote_token(), at_b.local_token());

    world.a.fresh(&mut world.rng).expect("an ephemeral");
    let (next, _) = world.sessions();
    assert_ne!(at_a.session_id(), next.session_id());
}

fn the_same_pair_of_ephemerals_makes_one_session_only<C: Curve>() {
    let mut world = World::<C>::new(1);
    let remote = world.opened().remote;
    assert_eq!(session(&mut world.b, &remote), Ok(()));
    // A later round: the same ephemeral in another message.
    let remote = world.opened().remote;
    assert_eq!(
        session(&mut world.b, &remote),
        Err(ExchangeError::NeedsFresh)
    );
    assert_eq!(session(&mut world.b, &stranger::<C>(1)), Ok(()));
    assert_eq!(
        session(&mut world.b, &remote),
        Err(ExchangeError::NeedsFresh)
    );

    world.b.fresh(&mut world.rng).expect("an ephemeral");
    assert_eq!(session(&mut world.b, &remote), Ok(()));
}

fn an_ephemeral_makes_eight_sessions_at_most<C: Curve>() {
    let mut world = World::<C>::new(1);
    for seed in 0..SESSIONS_PER_EPHEMERAL as u64 {
        assert_eq!(session(&mut world.b, &stranger::<C>(seed)), Ok(()));
    }
    assert_eq!(
        session(&mut world.b, &stranger::<C>(100)),
        Err(ExchangeError::NeedsFresh)
    );
    world.b.fresh(&mut world.rng).expect("an ephemeral");
    assert_eq!(session(&mut world.b, &stranger::<C>(100)), Ok(()));
}

fn a_fresh_ephemeral_changes_tokens_and_messages<C: Curve>() {
    let mut world = World::<C>::new(1);
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

fn messages_still_open_after_a_fresh_ephemeral_of_ours<C: Curve>() {
    let mut world = World::<C>::new(1);
    let remote = world.opened().remote;
    world.b.adopt(&remote).expect("a's ephemeral");
    world.b.fresh(&mut world.rng).expect("an ephemeral");
    let message = world.message(b"hello");
    let opened = world.b.open(&message).expect("a message to b");
    assert_eq!(world.b.verify(&message, &opened), Ok(()));
}

fn our_own_ephemeral_is_refused<C: Curve>() {
    let mut world = World::<C>::new(1);
    let ours = world.opened().remote;
    assert_eq!(world.a.adopt(&ours), Err(ExchangeError::OwnEphemeral));
    assert_eq!(
        session(&mut world.a, &ours),
        Err(ExchangeError::OwnEphemeral)
    );
}

fn an_ephemeral_that_is_no_point_makes_no_session<C: Curve>() {
    let mut world = World::<C>::new(1);
    assert_eq!(
        session(&mut world.a, &ephemeral::<C>(&std::vec![0; C::PUBLIC_LEN])),
        Err(ExchangeError::WeakAgreement)
    );
}

fn ephemerals_of_other_sets_are_refused<C: Curve>() {
    let mut world = World::<C>::new(1);
    let secret = || Zeroizing::new([7; 16].to_vec());
    let honest = random_pair::<C>(1).public;
    let honest = honest.as_ref();
    let others = [
        RemoteEphemeral::new(Csid::CS42, honest, secret()),
        RemoteEphemeral::new(C::CSID, &honest[1..], secret()),
    ];
    for other in others.map(|other| other.expect("long enough")) {
        assert_eq!(world.a.adopt(&other), Err(ExchangeError::OtherSet));
        assert_eq!(session(&mut world.a, &other), Err(ExchangeError::OtherSet));
    }
    let short = RemoteEphemeral::new(C::CSID, honest, Zeroizing::new([7; 15].to_vec()));
    assert_eq!(
        world.a.adopt(&short.expect("long enough")),
        Err(ExchangeError::OtherSet)
    );
}

fn a_key_too_short_for_a_token_is_malformed<C: Curve>() {
    assert!(RemoteEphemeral::new(C::CSID, &[9; 15], Zeroizing::default()).is_err());
}

fn an_exchange_says_what_it_is<C: Curve>() {
    let world = World::<C>::new(1);
    assert_eq!(world.a.csid(), C::CSID);
    assert_eq!(world.a.rounds(), Rounds::KeptEphemeral);
    assert!(world.a.weak_mac());
    assert_eq!(world.a.order(), world.b.order().opposite());
    assert_ne!(world.a.remote_public(), world.b.remote_public());
}

fn an_ephemeral_without_ivs_seals_no_more_messages<C: Curve>() {
    let mut world = World::<C>::new(1);
    world.a.fresh_with(random_pair(2), IvSource::starting(7, 1));
    world.message(b"the last");
    let error = world.a.seal(b"one more", &mut world.rng);
    assert_eq!(error, Err(SealError::Exhausted));
    world.a.fresh(&mut world.rng).expect("an ephemeral");
    world.message(b"under a new key");
}

fn message_ivs_count_from_a_random_start<C: Curve>() {
    let mut world = World::<C>::new(1);
    let iv = |message: Vec<u8>| {
        let iv = message[C::PUBLIC_LEN..].first_chunk().expect("an IV");
        u32::from_le_bytes(*iv)
    };
    let (first, second) = (iv(world.message(b"x")), iv(world.message(b"x")));
    assert_eq!(second, first.wrapping_add(1));
    assert_ne!(first, iv(world.answer(b"x")));
    world.a.fresh(&mut world.rng).expect("an ephemeral");
    assert_ne!(iv(world.message(b"x")), second.wrapping_add(1));
}
