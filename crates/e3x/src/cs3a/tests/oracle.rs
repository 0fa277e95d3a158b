//! dryoc against independent implementations of the same primitives.

use dryoc::classic::crypto_core::crypto_scalarmult;
use poly1305::Poly1305;
use poly1305::universal_hash::KeyInit;
use rand_core::Rng;
use salsa20::cipher::consts::U10;
use salsa20::cipher::{KeyIvInit, StreamCipher, StreamCipherSeek};
use salsa20::{XSalsa20, hsalsa};

use super::*;
use crate::cs3a::nacl::{self, SharedKey};

/// Lengths around which vector code changes its ways, then random ones.
fn lengths(rng: &mut ChaCha20Rng) -> Vec<usize> {
    let mut lengths: Vec<_> = (0..=160).collect();
    for boundary in [256, 512, 1_024, 2_048, 4_096] {
        lengths.extend(boundary - 34..=boundary + 34);
    }
    lengths.extend((0..100).map(|_| (rng.next_u32() % 9_000) as usize));
    lengths
}

fn random<const LEN: usize>(rng: &mut ChaCha20Rng) -> [u8; LEN] {
    let mut bytes = [0; LEN];
    rng.fill_bytes(&mut bytes);
    bytes
}

/// `crypto_secretbox` from its definition.
fn secretbox(key: &[u8; 32], nonce: &[u8; 24], data: &mut [u8]) -> [u8; 16] {
    let mut cipher = XSalsa20::new(&(*key).into(), &(*nonce).into());
    let mut mac_key = [0; 32];
    cipher.apply_keystream(&mut mac_key);
    cipher.seek(32_u64);
    cipher.apply_keystream(data);
    Poly1305::new(&mac_key.into()).compute_unpadded(data).into()
}

#[test]
fn secretbox_is_xsalsa20_and_poly1305() {
    let mut rng = rng(1);
    for len in lengths(&mut rng) {
        let (key, nonce) = (random(&mut rng), random(&mut rng));
        let mut text = std::vec![0; len];
        rng.fill_bytes(&mut text);

        let mut expected = text.clone();
        let expected_mac = secretbox(&key, &nonce, &mut expected);
        let mut data = text.clone();
        let key = SharedKey::new(key);
        let mac = nacl::seal(&key, &nonce, &mut data);
        assert_eq!((mac, &data), (expected_mac, &expected), "{len} bytes");
        assert!(nacl::open(&key, &nonce, &mac, &mut data), "{len} bytes");
        assert_eq!(data, text, "{len} bytes");
    }
}

#[test]
fn onetimeauth_is_poly1305() {
    let mut rng = rng(2);
    for len in lengths(&mut rng) {
        let key = random(&mut rng);
        let mut data = std::vec![0; len];
        rng.fill_bytes(&mut data);
        let expected: [u8; 16] = Poly1305::new(&key.into()).compute_unpadded(&data).into();
        let key = SharedKey::new(key);
        assert_eq!(nacl::onetimeauth(&key, &data), expected, "{len} bytes");
        assert!(
            nacl::onetimeauth_fits(&key, &data, &expected),
            "{len} bytes"
        );
    }
}

#[test]
fn agreements_are_x25519_and_hsalsa20() {
    let mut rng = rng(3);
    for _ in 0..20 {
        let secret = random(&mut rng);
        let public = Pair::random(&mut rng).public;
        let mut point = [0; 32];
        crypto_scalarmult(&mut point, &secret, &public).expect("an honest key");
        let expected: [u8; 32] = hsalsa::<U10>(&point.into(), &[0; 16].into()).into();
        let agreement = nacl::agree(&secret, &public).expect("an honest key");
        assert_eq!(agreement.as_bytes(), &expected);
    }
}
