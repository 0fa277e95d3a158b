//! Keys, good and bad.

use super::*;
use crate::cs3a::nacl;
use crate::{CipherSet, Cs3a, ExchangeError, KeyError, LocalKey, MessageError, OwnKey};

/// The u-coordinates of the points of low order, all of them below 2^255, of which the last two are
/// not canonical.
fn low_order() -> Vec<[u8; 32]> {
    let eight = [
        "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
        "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
    ];
    let mut points = Vec::from(eight.map(|point| hex_array(&Value::from(point))));
    for small in [0, 1] {
        let mut point = [0; 32];
        point[0] = small;
        points.push(point);
    }
    for above_prime in [-1, 0, 1] {
        points.push(prime_plus(above_prime));
    }
    points
}

/// The field prime plus a little.
fn prime_plus(offset: i16) -> [u8; 32] {
    let mut bytes = [0xff; 32];
    bytes[0] = u8::try_from(0xed + offset).expect("a little");
    bytes[31] = 0x7f;
    bytes
}

/// What no honest endpoint uses as a key.
fn unsound() -> Vec<[u8; 32]> {
    let mut keys = low_order();
    keys.extend((0..=18).map(prime_plus));
    let with_high_bit = keys.clone().into_iter().map(|mut key| {
        key[31] |= 0x80;
        key
    });
    keys.extend(with_high_bit);
    let mut honest = Pair::random(&mut rng(1)).public;
    honest[31] |= 0x80;
    keys.push(honest);
    keys
}

/// One of our keys, and its public half.
fn local(seed: u64) -> (Arc<dyn LocalKey>, Vec<u8>) {
    let pair = Cs3a.generate(&mut rng(seed)).expect("a key pair");
    let key = Cs3a
        .load(&pair.public, &pair.secret)
        .expect("both halves of one pair");
    (key, pair.public)
}

#[test]
fn a_generated_pair_loads() {
    let (key, public) = local(1);
    assert_eq!(key.public(), public);
    assert_eq!(Cs3a.check_key(&public), Ok(()));
}

#[test]
fn a_secret_of_another_pair_is_refused() {
    let first = Cs3a.generate(&mut rng(1)).expect("a key pair");
    let second = Cs3a.generate(&mut rng(2)).expect("a key pair");
    assert_eq!(
        Cs3a.load(&first.public, &second.secret).err(),
        Some(KeyError::Mismatch)
    );
}

#[test]
fn keys_of_other_lengths_are_refused() {
    let pair = Cs3a.generate(&mut rng(1)).expect("a key pair");
    let long = [0; 33];
    for actual in [0, 31, 33] {
        let expected = KeyError::Length {
            expected: 32,
            actual,
        };
        assert_eq!(Cs3a.check_key(&long[..actual]), Err(expected));
        assert_eq!(
            Cs3a.load(&long[..actual], &pair.secret).err(),
            Some(expected)
        );
        assert_eq!(
            Cs3a.load(&pair.public, &long[..actual]).err(),
            Some(expected)
        );
    }
}

#[test]
fn low_order_points_agree_on_nothing() {
    let pair = Pair::random(&mut rng(1));
    for mut point in low_order() {
        assert!(pair.agree(&point).is_none(), "{point:02x?}");
        point[31] |= 0x80;
        assert!(pair.agree(&point).is_none(), "{point:02x?}");
    }
}

#[test]
fn low_order_and_non_canonical_keys_are_refused_everywhere() {
    let (key, _) = local(1);
    let mut world = World::new(1);
    let message = world.message(b"hello");
    for unsound in unsound() {
        assert_eq!(
            Cs3a.check_key(&unsound),
            Err(KeyError::Invalid),
            "{unsound:02x?}"
        );
        let error = key.exchange(&unsound, &mut rng(2)).err();
        assert_eq!(error, Some(ExchangeError::RemoteKey(KeyError::Invalid)));

        let mut forged = message.clone();
        forged[..32].copy_from_slice(&unsound);
        assert_eq!(world.b.open(&forged).err(), Some(MessageError::Malformed));
    }
}

#[test]
fn keys_next_to_the_refused_ones_are_sound() {
    for small in [2, 3, 0xff] {
        let mut key = [0; 32];
        key[0] = small;
        assert!(nacl::is_sound(&key));
    }
    assert!(nacl::is_sound(&prime_plus(-2)));
}

#[test]
fn an_exchange_with_our_own_key_is_refused() {
    let (key, public) = local(1);
    let error = key.exchange(&public, &mut rng(2)).err();
    assert_eq!(error, Some(ExchangeError::OwnKey(OwnKey)));
}

#[test]
fn debug_output_shows_no_secret() {
    let pair = Cs3a.generate(&mut rng(1)).expect("a key pair");
    let key = Cs3a
        .load(&pair.public, &pair.secret)
        .expect("both halves of one pair");
    let mut world = World::new(1);
    let (session, _) = world.sessions();
    let opened = world.opened();
    world.b.adopt(&opened.remote).expect("a's ephemeral");

    let shown = std::format!("{pair:?} {key:?} {opened:?} {:?} {session:?}", world.b);
    let agreed = &session.agreed;
    let secrets: [&[u8]; 5] = [
        &pair.secret,
        opened.remote.secret(),
        &opened.inner,
        agreed.outgoing.as_bytes(),
        agreed.incoming.as_bytes(),
    ];
    for secret in secrets {
        let numbers = std::format!("{secret:?}");
        assert!(!shown.contains(numbers.trim_matches(['[', ']'])), "{shown}");
        assert!(!shown.contains(&HEXLOWER.encode(secret)), "{shown}");
    }
}

#[test]
fn secrets_are_erased_when_dropped() {
    fn erased<T: zeroize::ZeroizeOnDrop>(_: &T) {}
    let pair = Cs3a.generate(&mut rng(1)).expect("a key pair");
    let mut world = World::new(1);
    let (session, _) = world.sessions();
    erased(&pair.secret);
    erased(&session.agreed.outgoing);
    erased(&session.agreed.incoming);
    erased(&Pair::random(&mut rng(1)));
}
