//! Base32 as packets.md wants it: what JS and C encode, and stricter than either in decoding.

use data_encoding::HEXLOWER;
use proptest::prelude::*;
use serde_json::Value;
use telehash_hashname::base32::{Base32Error, decode, encode};

const JS: &str = include_str!("../../../interop/vectors/js/base32.json");
const C: &str = include_str!("../../../interop/vectors/c/base32.json");

fn vectors<'a>(file: &'a Value, list: &str) -> &'a Vec<Value> {
    let vectors = file[list].as_array().expect("a list of vectors");
    assert!(!vectors.is_empty());
    vectors
}

fn bytes(vector: &Value, field: &str) -> Vec<u8> {
    let hex = vector[field].as_str().expect("hex");
    HEXLOWER.decode(hex.as_bytes()).expect("hex")
}

#[test]
fn what_js_and_c_encode_is_what_we_encode_and_decode() {
    for (file, hex) in [(JS, "hex"), (C, "in")] {
        let file: Value = serde_json::from_str(file).unwrap();
        for vector in vectors(&file, "encode") {
            let (raw, text) = (bytes(vector, hex), vector["base32"].as_str().unwrap());
            assert_eq!(encode(&raw), text);
            assert_eq!(decode(text).as_ref(), Ok(&raw));
            assert_eq!(decode(&text.to_uppercase()).as_ref(), Ok(&raw));
        }
    }
}

/// Both lists hold odd input with what the lenient decoders make of it.
#[test]
fn of_the_odd_input_that_js_and_c_decode_only_the_unambiguous_is_accepted() {
    let accepted = ["MZXW6YTB", "", "mzxw6ytboi", "MZXW6YTBOI", "aa"];
    for (file, list, input, hex) in [
        (JS, "decode_quirks", "input", "hex"),
        (C, "decode_lenient", "in", "out"),
    ] {
        let file: Value = serde_json::from_str(file).unwrap();
        for vector in vectors(&file, list) {
            let text = vector[input].as_str().unwrap();
            match decode(text) {
                Ok(raw) => {
                    assert!(accepted.contains(&text), "{text:?} is accepted");
                    assert_eq!(raw, bytes(vector, hex), "{text:?}");
                }
                Err(_) => assert!(!accepted.contains(&text), "{text:?} is refused"),
            }
        }
    }
}

#[test]
fn the_error_says_what_is_wrong() {
    let alphabet = |position| Err(Base32Error::Alphabet { position });
    assert_eq!(decode("m0"), alphabet(1));
    assert_eq!(decode("my my"), alphabet(2));
    assert_eq!(decode("mzxw6y=="), alphabet(6));
    assert_eq!(decode("mz"), Err(Base32Error::TrailingBits));
    assert_eq!(decode("mzx"), Err(Base32Error::Length { len: 3 }));
    assert_eq!(decode("m"), Err(Base32Error::Length { len: 1 }));
}

proptest! {
    #[test]
    fn every_byte_string_has_one_spelling(raw: Vec<u8>) {
        prop_assert_eq!(decode(&encode(&raw)), Ok(raw));
    }

    #[test]
    fn what_is_decoded_encodes_to_the_same_text(text in "[a-z2-7]{0,40}") {
        if let Ok(raw) = decode(&text) {
            prop_assert_eq!(encode(&raw), text);
        }
    }
}
