//! Ephemerals and sessions of an exchange.

use telehash_hashname::{Csid, Hashname};

use super::*;
use crate::cs2a::exchange::SESSIONS_PER_EPHEMERAL;
use crate::cs2a::keys::CONTENTS_LEN;
use crate::cs2a::p256::Pair;
use crate::{ExchangeError, RemoteEphemeral, Rounds, SessionContext};

/// The ephemeral of somebody else, as if from a message.
fn stranger(seed: u8) -> RemoteEphemeral {
    let pair = Pair::random(&mut rng(1_000 + u64::from(seed))).expect("a key pair");
    ephemeral(seed, &[&pair.public[..], &[seed; 32]].concat())
}

fn ephemeral(keys: u8, contents: &[u8]) -> RemoteEphemeral {
    let secret = Zeroizing::new(contents.to_vec());
    RemoteEphemeral::new(Csid::CS2A, &[keys; 256], secret).expect("long enough")
}

fn session(exchange: &mut Cs2aExchange, remote: &RemoteEphemeral) -> Result<(), ExchangeError> {
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
    let again = Err(ExchangeError::NeedsFresh);
    assert_eq!(session(&mut world.b, &remote), again);
    assert_eq!(session(&mut world.b, &stranger(1)), Ok(()));
    assert_eq!(session(&mut world.b, &remote), again);

    world.b.fresh(&mut world.rng).expect("an ephemeral");
    assert_eq!(session(&mut world.b, &remote), Ok(()));
}

#[test]
fn an_ephemeral_encrypted_anew_or_negated_is_the_same() {
    let mut world = World::new(1);
    let first = stranger(1);
    assert_eq!(session(&mut world.b, &first), Ok(()));
    let again = Err(ExchangeError::NeedsFresh);
    assert_eq!(session(&mut world.b, &ephemeral(2, first.secret())), again);

    let negated = ephemeral(3, &negated(first.secret()));
    assert_eq!(session(&mut world.b, &negated), again);
}

/// The same contents of KEYS but for the point, whose y turns into p - y.
fn negated(contents: &[u8]) -> Vec<u8> {
    let mut contents = contents.to_vec();
    let prime = "ffffffff00000001000000000000000000000000ffffffffffffffffffffffff";
    let prime: [u8; 32] = hex_array(&Value::from(prime));
    let mut borrow = 0;
    for (y, p) in contents[33..65].iter_mut().zip(prime).rev() {
        let difference = i16::from(p) - i16::from(*y) - borrow;
        borrow = i16::from(difference < 0);
        *y = difference.rem_euclid(256) as u8;
    }
    let point = contents.first_chunk().expect("a point");
    assert!(crate::cs2a::p256::is_point(point));
    contents
}

#[test]
fn an_ephemeral_makes_eight_sessions_at_most() {
    let mut world = World::new(1);
    for seed in 0..SESSIONS_PER_EPHEMERAL as u8 {
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
    let (before, after) = (before.remote.secret(), after.remote.secret());
    assert_ne!(before[..65], after[..65]);
    assert_ne!(before[65..], after[65..]);
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
fn our_own_ephemeral_is_refused_however_it_is_encrypted() {
    let mut world = World::new(1);
    let ours = world.opened().remote;
    let theirs = stranger(1);
    let mut own_key = theirs.secret().to_vec();
    own_key[65..].copy_from_slice(&ours.secret()[65..]);
    let mut own_point = theirs.secret().to_vec();
    own_point[..65].copy_from_slice(&ours.secret()[..65]);
    let own = Err(ExchangeError::OwnEphemeral);
    for reflected in [
        ours.clone(),
        ephemeral(1, ours.secret()),
        ephemeral(1, &own_key),
        ephemeral(1, &own_point),
        ephemeral(1, &negated(&own_point)),
    ] {
        assert_eq!(world.a.adopt(&reflected), own);
        assert_eq!(session(&mut world.a, &reflected), own);
    }
}

#[test]
fn an_ephemeral_off_the_curve_makes_no_session() {
    let mut world = World::new(1);
    let weak = ephemeral(1, &[0; CONTENTS_LEN]);
    let refused = Err(ExchangeError::WeakAgreement);
    assert_eq!(session(&mut world.a, &weak), refused);
}

#[test]
fn ephemerals_of_other_sets_are_refused() {
    let mut world = World::new(1);
    let secret = |len| Zeroizing::new(std::vec![7; len]);
    let others = [
        RemoteEphemeral::new(Csid::CS3A, &[9; 256], secret(CONTENTS_LEN)),
        RemoteEphemeral::new(Csid::CS2A, &[9; 256], secret(CONTENTS_LEN - 1)),
        RemoteEphemeral::new(Csid::CS2A, &[9; 256], secret(CONTENTS_LEN + 1)),
        RemoteEphemeral::new(Csid::CS2A, &[9; 256], secret(0)),
    ];
    for other in others.map(|other| other.expect("long enough")) {
        assert_eq!(world.a.adopt(&other), Err(ExchangeError::OtherSet));
        assert_eq!(session(&mut world.a, &other), Err(ExchangeError::OtherSet));
    }
}

#[test]
fn an_exchange_says_what_it_is() {
    let world = World::new(1);
    assert_eq!(world.a.csid(), Csid::CS2A);
    assert_eq!(world.a.rounds(), Rounds::KeptEphemeral);
    assert_eq!(world.a.order(), world.b.order().opposite());
    assert_eq!(world.a.remote_public(), B.public);
    assert_eq!(world.b.remote_public(), A.public);
}

#[test]
fn agreements_keep_their_leading_zeros() {
    let ours = Pair::random(&mut rng(1)).expect("a key pair");
    let zero = (0..5_000).find_map(|seed| {
        let theirs = Pair::random(&mut rng(seed)).expect("a key pair");
        let agreed = ours.agree(&theirs.public).expect("a point");
        (agreed[0] == 0).then_some((theirs, agreed))
    });
    let (theirs, agreed) = zero.expect("one in 256");
    assert_eq!(theirs.agree(&ours.public).expect("a point"), agreed);
}
