//! Key pairs.

use super::*;
use crate::{CipherSet, Cs42, ExchangeError, KeyError, MessageError};

#[test]
fn a_key_pair_that_was_made_can_be_loaded() {
    let pair = Cs42.generate(&mut rng(1)).expect("a key pair");
    assert_eq!((pair.public.len(), pair.secret.len()), (32, 32));
    assert_eq!(Cs42.check_key(&pair.public), Ok(()));
    let local = Cs42.load(&pair.public, &pair.secret).expect("one pair");
    assert_eq!(local.public(), pair.public);
    assert_eq!(local.csid(), Cs42.csid());
}

#[test]
fn halves_of_two_pairs_do_not_load() {
    let [a, b] = [1, 2].map(|seed| Cs42.generate(&mut rng(seed)).expect("a key pair"));
    assert_ne!(a.public, b.public);
    let error = Cs42.load(&a.public, &b.secret).err();
    assert_eq!(error, Some(KeyError::Mismatch));
}

#[test]
fn keys_of_other_lengths_are_refused() {
    let pair = Cs42.generate(&mut rng(1)).expect("a key pair");
    for actual in [0, 31, 33] {
        let error = KeyError::Length {
            expected: 32,
            actual,
        };
        let key = std::vec![9; actual];
        assert_eq!(Cs42.check_key(&key), Err(error));
        assert_eq!(Cs42.load(&key, &pair.secret).err(), Some(error));
        assert_eq!(Cs42.load(&pair.public, &key).err(), Some(error));
    }
}

#[test]
fn an_identity_has_no_exchange_with_itself_and_none_with_a_weak_one() {
    let pair = Cs42.generate(&mut rng(1)).expect("a key pair");
    let local = Cs42.load(&pair.public, &pair.secret).expect("one pair");
    let refused = |remote: &[u8]| local.exchange(remote, &mut rng(2)).err();
    assert!(matches!(
        refused(&pair.public),
        Some(ExchangeError::OwnKey(_))
    ));
    assert_eq!(
        refused(&[0; 32]),
        Some(ExchangeError::RemoteKey(KeyError::Invalid))
    );
    assert!(refused(&[9; 32]).is_none());
}

#[test]
fn a_message_with_our_identity_key_as_ephemeral_is_refused() {
    let pair = Cs42.generate(&mut rng(1)).expect("a key pair");
    let local = Cs42.load(&pair.public, &pair.secret).expect("one pair");
    let body = [&pair.public[..], &[7; 50]].concat();
    assert_eq!(local.open(&body).err(), Some(MessageError::OwnEphemeral));
}
