//! Keys, good and bad.

use core::convert::Infallible;

use rand_core::{TryCryptoRng, TryRng};

use super::*;
use crate::{ExchangeError, KeyError, LocalKey, MessageError, OwnKey};

on_every_curve! {
    a_generated_pair_loads,
    a_secret_of_another_pair_is_refused,
    keys_of_other_lengths_are_refused,
    secrets_that_are_no_scalars_are_refused,
    points_off_the_curve_are_refused_everywhere,
    other_encodings_of_points_are_refused,
    a_generator_that_gives_nothing_but_zeros_is_an_error,
    an_exchange_with_our_own_key_is_refused,
    debug_output_shows_no_secret,
    secrets_are_erased_when_dropped,
}

/// One of our keys, and its public half.
fn local<C: Curve>(seed: u64) -> (Arc<dyn LocalKey>, Vec<u8>) {
    let pair = set::<C>().generate(&mut rng(seed)).expect("a key pair");
    let key = set::<C>()
        .load(&pair.public, &pair.secret)
        .expect("both halves of one pair");
    (key, pair.public)
}

/// A public key whose x is that of no point, or not below the prime.
fn unsound<C: Curve>() -> Vec<Vec<u8>> {
    let mut keys = Vec::new();
    // About every second x is that of a point.
    let candidates = (0..20_u8).map(|last| {
        let mut key = std::vec![0; C::PUBLIC_LEN];
        key[0] = 2 | last & 1;
        *key.last_mut().expect("some bytes") = last;
        key
    });
    let off_curve = candidates.filter(|key| {
        let key = key.as_slice().try_into().ok().expect("its length");
        C::decode(&key).is_none()
    });
    keys.extend(off_curve);
    assert!((3..18).contains(&keys.len()), "{} are off", keys.len());
    for sign in [2, 3] {
        let mut key = std::vec![0xff; C::PUBLIC_LEN];
        key[0] = sign;
        keys.push(key);
    }
    keys
}

fn a_generated_pair_loads<C: Curve>() {
    let (key, public) = local::<C>(1);
    assert_eq!(key.public(), public);
    assert_eq!(key.csid(), C::CSID);
    assert_eq!(set::<C>().check_key(&public), Ok(()));
    assert_eq!(public.len(), C::PUBLIC_LEN);
    let pair = set::<C>().generate(&mut rng(2)).expect("a key pair");
    assert_eq!(pair.secret.len(), C::SECRET_LEN);
}

fn a_secret_of_another_pair_is_refused<C: Curve>() {
    let first = set::<C>().generate(&mut rng(1)).expect("a key pair");
    let second = set::<C>().generate(&mut rng(2)).expect("a key pair");
    let error = set::<C>().load(&first.public, &second.secret).err();
    assert_eq!(error, Some(KeyError::Mismatch));
    // Nor does that of the point with the other sign.
    let mut negated = first.public.clone();
    negated[0] ^= 1;
    let error = set::<C>().load(&negated, &first.secret).err();
    assert_eq!(error, Some(KeyError::Mismatch));
}

fn keys_of_other_lengths_are_refused<C: Curve>() {
    let pair = set::<C>().generate(&mut rng(1)).expect("a key pair");
    let long = [1; 70];
    for actual in [0, 1, C::PUBLIC_LEN - 1, C::PUBLIC_LEN + 1, 65] {
        let expected = C::PUBLIC_LEN;
        let expected = KeyError::Length { expected, actual };
        assert_eq!(set::<C>().check_key(&long[..actual]), Err(expected));
        let error = set::<C>().load(&long[..actual], &pair.secret).err();
        assert_eq!(error, Some(expected));
    }
    for actual in [0, 1, C::SECRET_LEN - 1, C::SECRET_LEN + 2] {
        let expected = C::SECRET_LEN;
        let expected = KeyError::Length { expected, actual };
        let error = set::<C>().load(&pair.public, &long[..actual]).err();
        assert_eq!(error, Some(expected));
    }
}

fn secrets_that_are_no_scalars_are_refused<C: Curve>() {
    let zero = std::vec![0; C::SECRET_LEN];
    assert_eq!(C::read_secret(&zero).err(), Some(KeyError::Mismatch));
    let one = [&zero[1..], &[1]].concat();
    assert!(C::read_secret(&one).is_ok());
}

#[cfg(feature = "cs1a")]
#[test]
fn a_secret_of_21_bytes_loads_into_cs1a() {
    let pair = crate::Cs1a.generate(&mut rng(1)).expect("a key pair");
    let long = [&[0], &pair.secret[..]].concat();
    assert!(crate::Cs1a.load(&pair.public, &long).is_ok());
    for first in [1, 2, 0xff] {
        let long = [&[first], &pair.secret[..]].concat();
        let error = crate::Cs1a.load(&pair.public, &long).err();
        assert_eq!(error, Some(KeyError::Mismatch));
    }
}

#[cfg(feature = "cs1c")]
#[test]
fn a_secret_of_cs1c_is_below_the_order() {
    let order =
        serde_json::json!("ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551");
    let mut secret = hex(&order);
    for last in [0x51, 0x52, 0xff] {
        secret[31] = last;
        let error = super::super::cs1c::P256::read_secret(&secret).err();
        assert_eq!(error, Some(KeyError::Mismatch));
    }
    secret[31] = 0x50;
    assert!(super::super::cs1c::P256::read_secret(&secret).is_ok());
}

fn points_off_the_curve_are_refused_everywhere<C: Curve>() {
    let (key, _) = local::<C>(1);
    let mut world = World::<C>::new(1);
    let message = world.message(b"hello");
    for unsound in unsound::<C>() {
        let error = set::<C>().check_key(&unsound);
        assert_eq!(error, Err(KeyError::Invalid), "{unsound:02x?}");
        let error = key.exchange(&unsound, &mut rng(2)).err();
        assert_eq!(error, Some(ExchangeError::RemoteKey(KeyError::Invalid)));

        let mut forged = message.clone();
        forged[..C::PUBLIC_LEN].copy_from_slice(&unsound);
        assert_eq!(world.b.open(&forged).err(), Some(MessageError::Malformed));
    }
}

fn other_encodings_of_points_are_refused<C: Curve>() {
    let (_, mut public) = local::<C>(1);
    let honest = public[0];
    for tag in 0..=255 {
        public[0] = tag;
        // The other sign is another key.
        let expected = matches!(tag, 2 | 3);
        assert_eq!(set::<C>().check_key(&public).is_ok(), expected, "{tag}");
    }
    assert!(matches!(honest, 2 | 3));
    // All zeros: how a fixed length would spell the identity.
    let identity = std::vec![0; C::PUBLIC_LEN];
    assert_eq!(set::<C>().check_key(&identity), Err(KeyError::Invalid));
}

/// A broken generator.
struct Zeros;

impl TryRng for Zeros {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        Ok(0)
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        Ok(0)
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        bytes.fill(0);
        Ok(())
    }
}

impl TryCryptoRng for Zeros {}

fn a_generator_that_gives_nothing_but_zeros_is_an_error<C: Curve>() {
    let error = set::<C>().generate(&mut Zeros).err();
    assert_eq!(error, Some(KeyError::Generation));
    let mut world = World::<C>::new(1);
    let token = world.a.token();
    let error = world.a.fresh(&mut Zeros);
    assert_eq!(error, Err(KeyError::Generation.into()));
    assert_eq!(world.a.token(), token);
}

fn an_exchange_with_our_own_key_is_refused<C: Curve>() {
    let (key, public) = local::<C>(1);
    let error = key.exchange(&public, &mut rng(2)).err();
    assert_eq!(error, Some(ExchangeError::OwnKey(OwnKey)));
}

fn debug_output_shows_no_secret<C: Curve>() {
    let pair = set::<C>().generate(&mut rng(1)).expect("a key pair");
    let key = set::<C>()
        .load(&pair.public, &pair.secret)
        .expect("both halves of one pair");
    let mut world = World::<C>::new(1);
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

fn secrets_are_erased_when_dropped<C: Curve>() {
    fn erased<T: zeroize::ZeroizeOnDrop>(_: &T) {}
    let pair = set::<C>().generate(&mut rng(1)).expect("a key pair");
    let mut world = World::<C>::new(1);
    let (session, _) = world.sessions();
    erased(&pair.secret);
    erased(&session.agreed.outgoing);
    erased(&session.agreed.incoming);
    erased(&random_pair::<C>(1));
    erased(&C::read_secret(&pair.secret).expect("a secret key"));
}
