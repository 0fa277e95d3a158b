//! SipHash digests against those that JavaScript makes.

use serde_json::Value;
use telehash_hashname::{Hashname, base32};

const JS: &str = include_str!("../../../interop/vectors/js/chat-box-siphash.json");

fn bytes(hex: &str) -> Vec<u8> {
    let pairs = hex.as_bytes().chunks(2);
    let byte = |pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
    pairs.map(byte).collect()
}

#[test]
fn digests_are_those_of_javascript() {
    let file: Value = serde_json::from_str(JS).unwrap();
    let cases = file["siphash"].as_array().unwrap();
    assert!(cases.len() >= 5);
    for case in cases {
        let text = |field: &str| case[field].as_str().expect(field);
        let hashname: Hashname = text("hashname").parse().unwrap();
        let digest = hashname.siphash(&bytes(text("value_hex")));
        assert_eq!(digest.as_slice(), bytes(text("js_digest_hex")), "{case}");
    }
}

#[test]
fn a_chain_of_digests_is_that_of_javascript() {
    let file: Value = serde_json::from_str(JS).unwrap();
    let chat = &file["chat_chain"];
    let hashname: Hashname = chat["hashname"].as_str().unwrap().parse().unwrap();
    let mut last = bytes(chat["secret_hex"].as_str().unwrap());
    let chain = chat["chain_base32"].as_array().unwrap();
    for (step, expected) in chain.iter().enumerate() {
        let digest = hashname.siphash(&last);
        assert_eq!(
            base32::encode(&digest),
            expected.as_str().unwrap(),
            "{step}"
        );
        last = digest.to_vec();
    }
}
