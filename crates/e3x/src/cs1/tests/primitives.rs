//! The folds, the MAC and the cipher.

use hmac::{Hmac, KeyInit, Mac as _};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::*;
use crate::cs1::cipher::{self, Key};

/// `fold3` from its words.
fn fold3(mut bytes: Vec<u8>) -> Vec<u8> {
    for _ in 0..3 {
        let tail = bytes.split_off(bytes.len() / 2);
        bytes = bytes.iter().zip(tail).map(|(a, b)| a ^ b).collect();
    }
    bytes
}

#[test]
fn hashed_keys_are_folded_once() {
    let folds = &vectors("c/cs1a.json")["fold"];
    let expected = hex(&folds[0]["fold1"]);
    assert_eq!(folds[0]["note"], "sha256('foo')");
    assert_eq!(hex(&folds[0]["in"]), Sha256::digest(b"foo").to_vec());
    assert_eq!(Key::hashed([b"f", b"o", b"o"]).as_bytes()[..], expected);
    assert_eq!(fold3(hex(&folds[0]["in"])), hex(&folds[0]["fold3"]));
}

#[test]
fn macs_are_those_of_keys_of_any_length_up_to_32_bytes() {
    for len in [16, 20, 32] {
        let key: Vec<_> = (0..len).map(|i| i as u8).collect();
        let iv = [7, 8, 9, 10];
        let whole = [&key[..], &iv].concat();
        let full = Hmac::<Sha256>::new_from_slice(&whole).expect("any length");
        let full = full.chain_update(b"text").finalize().into_bytes();
        let mac = cipher::mac(&key, &iv, b"text");
        assert_eq!(mac[..], fold3(full.to_vec()));
        assert!(cipher::mac_fits(&key, &iv, b"text", &mac));
        assert!(!cipher::mac_fits(&key, &iv, b"text.", &mac));
    }
}

#[test]
fn the_whole_block_counts_up_big_endian() {
    // Around 256 blocks a carry leaves the last byte, which a shorter or reversed counter shows.
    let key = [7; 16];
    let mut stream = std::vec![0; 16 * 600];
    Key::new(Zeroizing::new(key)).apply(&[1, 2, 3, 4], &mut stream);
    let aes = <aes::Aes128 as KeyInit>::new(&key.into());
    for (i, block) in (0_u128..).zip(stream.chunks(16)) {
        let counter = 0x0102_0304_u128 << 96 | i;
        let mut expected = counter.to_be_bytes().into();
        aes::cipher::BlockCipherEncrypt::encrypt_block(&aes, &mut expected);
        assert_eq!(block, &expected[..], "block {i}");
    }
}
