//! Keys, good and bad.

use super::*;
use crate::cs2a::der::PUBLIC_LEN;
use crate::{CipherSet, Cs2a, ExchangeError, KeyError, LocalKey, OwnKey};

/// Bytes of a PKCS#8 secret before the PKCS#1 one inside.
const PKCS8_OVERHEAD: usize = 26;

fn load(pair: &KeyPair) -> Arc<dyn LocalKey> {
    Cs2a.load(&pair.public, &pair.secret)
        .expect("both halves of one pair")
}

#[test]
fn a_generated_pair_loads() {
    let key = load(&STRANGER);
    assert_eq!(key.public(), STRANGER.public);
    assert_eq!(STRANGER.public.len(), 294);
    assert_eq!(Cs2a.check_key(&STRANGER.public), Ok(()));
}

#[test]
fn no_two_generated_pairs_are_the_same_whatever_the_rng() {
    let another = Cs2a.generate(&mut rng(1)).expect("a key pair");
    assert_ne!(another.public, STRANGER.public);
    load(&another);
}

#[test]
fn a_secret_is_read_as_pkcs1_too() {
    for pair in [&*A, &*B, &*STRANGER] {
        let pkcs1 = &pair.secret[PKCS8_OVERHEAD..];
        let key = Cs2a.load(&pair.public, pkcs1).expect("the same secret");
        assert_eq!(key.public(), pair.public);
    }
}

#[test]
fn a_secret_of_another_pair_is_refused() {
    for secret in [&A.secret[..], &A.secret[PKCS8_OVERHEAD..]] {
        let error = Cs2a.load(&B.public, secret).err();
        assert_eq!(error, Some(KeyError::Mismatch));
    }
}

#[test]
fn a_secret_cut_off_or_extended_anywhere_is_refused() {
    for secret in [&A.secret[..], &A.secret[PKCS8_OVERHEAD..]] {
        let extended = [secret, &[0]].concat();
        let cut_off = (0..secret.len()).map(|len| &secret[..len]);
        for secret in cut_off.chain([&extended[..]]) {
            let error = Cs2a.load(&A.public, secret).err();
            assert_eq!(error, Some(KeyError::Mismatch), "{} bytes", secret.len());
        }
    }
}

#[test]
fn a_damaged_secret_is_refused() {
    // Of everything around the numbers each byte; of the numbers some.
    let around = 0..PKCS8_OVERHEAD + 12;
    for at in around.chain((PKCS8_OVERHEAD + 12..A.secret.len()).step_by(37)) {
        let mut secret = A.secret.clone();
        secret[at] ^= 1;
        let error = Cs2a.load(&A.public, &secret).err();
        assert_eq!(error, Some(KeyError::Mismatch), "byte {at}");
    }
}

#[test]
fn keys_of_other_lengths_are_refused() {
    for actual in [0, 32, 292, 293, 295] {
        let mut public = A.public.clone();
        public.resize(actual, 0);
        let expected = KeyError::Length {
            expected: PUBLIC_LEN,
            actual,
        };
        assert_eq!(Cs2a.check_key(&public), Err(expected));
        assert_eq!(Cs2a.load(&public, &A.secret).err(), Some(expected));
        let error = load(&B).exchange(&public, &mut rng(1)).err();
        assert_eq!(error, Some(ExchangeError::RemoteKey(expected)));
    }
}

#[test]
fn a_key_with_anything_else_around_its_modulus_is_refused() {
    let modulus = 33..33 + 256;
    for at in (0..PUBLIC_LEN).filter(|at| !modulus.contains(at)) {
        for bit in 0..8 {
            let mut public = A.public.clone();
            public[at] ^= 1 << bit;
            let checked = Cs2a.check_key(&public);
            assert_eq!(checked, Err(KeyError::Invalid), "bit {bit} of byte {at}");
        }
    }
}

#[test]
fn a_modulus_that_is_even_or_short_is_refused() {
    let mut even = A.public.clone();
    even[33 + 255] &= !1;
    let mut short = A.public.clone();
    short[33] &= 0x7f;
    for public in [even, short] {
        assert_eq!(Cs2a.check_key(&public), Err(KeyError::Invalid));
        let error = load(&B).exchange(&public, &mut rng(1)).err();
        assert_eq!(error, Some(ExchangeError::RemoteKey(KeyError::Invalid)));
    }
}

#[test]
fn an_exchange_with_our_own_key_is_refused() {
    let error = load(&A).exchange(&A.public, &mut rng(2)).err();
    assert_eq!(error, Some(ExchangeError::OwnKey(OwnKey)));
}

#[test]
fn an_rng_that_gives_no_scalar_makes_no_exchange() {
    /// Gives the largest numbers there are.
    struct Broken;

    impl rand_core::TryRng for Broken {
        type Error = core::convert::Infallible;

        fn try_next_u32(&mut self) -> Result<u32, Self::Error> {
            Ok(u32::MAX)
        }

        fn try_next_u64(&mut self) -> Result<u64, Self::Error> {
            Ok(u64::MAX)
        }

        fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Self::Error> {
            bytes.fill(u8::MAX);
            Ok(())
        }
    }

    impl rand_core::TryCryptoRng for Broken {}

    let error = load(&A).exchange(&B.public, &mut Broken).err();
    assert_eq!(error, Some(ExchangeError::RemoteKey(KeyError::Generation)));
}

#[test]
fn debug_output_shows_no_secret() {
    let key = load(&A);
    let mut world = World::new(1);
    let (session, _) = world.sessions();
    let opened = world.opened();
    world.b.adopt(&opened.remote).expect("a's ephemeral");

    let shown = std::format!("{:?} {key:?} {opened:?} {:?} {session:?}", *A, world.b);
    let ours = world.answer(b"x");
    let ours = world.a.open(&ours).expect("a message to a").remote;
    let prime = &A.secret[A.secret.len() - 700..][..64];
    let secrets: [&[u8]; 5] = [
        prime,
        &ours.secret()[65..],
        opened.remote.secret(),
        &opened.remote.secret()[65..],
        &opened.inner,
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
    let world = World::new(1);
    erased(&A.secret);
    erased(&world.a.ephemeral.contents.message_key);
    erased(&world.a.ephemeral.contents.to_bytes());
}
