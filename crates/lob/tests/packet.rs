//! LOB packets (packets.md, LOB).

mod common;

use common::object;
use proptest::{collection::vec, prelude::*};
use serde_json::{Map, json};
use telehash_lob::{
    HeadKind, JsonError, Lob, LobError, MAX_HEAD, encode, encode_into, encode_json,
};

#[test]
fn fewer_than_two_bytes_are_no_packet() {
    assert_eq!(Lob::parse(b""), Err(LobError::TooShort { len: 0 }));
    assert_eq!(Lob::parse(b"\0"), Err(LobError::TooShort { len: 1 }));
    assert!(Lob::parse(b"\0\0").is_ok());
}

#[test]
fn a_head_longer_than_the_rest_is_malformed() {
    assert_eq!(
        Lob::parse(b"\0\x03ab"),
        Err(LobError::HeadBeyondEnd {
            head: 3,
            available: 2
        })
    );
    assert!(Lob::parse(b"\0\x03abc").is_ok());
}

#[test]
fn the_length_of_a_head_tells_its_kind() {
    let kind = |len: usize| {
        Lob::parse(&encode(&vec![b'x'; len], b"y").unwrap())
            .unwrap()
            .kind()
    };
    assert_eq!(kind(0), HeadKind::None);
    assert_eq!((kind(1), kind(6)), (HeadKind::Binary, HeadKind::Binary));
    assert_eq!((kind(7), kind(MAX_HEAD)), (HeadKind::Json, HeadKind::Json));
}

#[test]
fn a_head_that_is_not_json_is_still_handed_out_as_bytes() {
    let packet = encode(b"not json at all", b"body").unwrap();
    let packet = Lob::parse(&packet).unwrap();
    assert!(matches!(packet.json(), Err(JsonError::Malformed(_))));
    assert_eq!(
        (packet.head(), packet.body()),
        (&b"not json at all"[..], &b"body"[..])
    );
}

#[test]
fn a_binary_head_has_no_json_and_no_head_is_the_empty_object() {
    assert!(matches!(
        Lob::parse(b"\0\x02{}").unwrap().json(),
        Err(JsonError::BinaryHead { len: 2 })
    ));
    assert_eq!(Lob::parse(b"\0\0{}").unwrap().json().unwrap(), Map::new());
}

#[test]
fn a_head_of_the_longest_length_is_sent_and_a_longer_one_refused() {
    assert!(
        encode(&vec![b'x'; MAX_HEAD], &[])
            .unwrap()
            .starts_with(b"\x7f\xff")
    );
    let mut out = b"before".to_vec();
    let refused = encode_into(&mut out, &vec![b'x'; MAX_HEAD + 1], b"body");
    assert_eq!(refused, Err(LobError::HeadTooLong { len: MAX_HEAD + 1 }));
    assert_eq!(out, b"before");
}

#[test]
fn a_received_head_may_be_as_long_as_its_length_field_can_say() {
    let packet = [&b"\xff\xff"[..], &[b'x'; 65_535], b"body"].concat();
    assert_eq!(Lob::parse(&packet).unwrap().body(), b"body");
}

#[test]
fn the_empty_object_becomes_an_empty_head() {
    assert_eq!(encode_json(&Map::new(), b"x").unwrap(), b"\0\0x");
}

#[test]
fn an_object_shorter_than_a_json_head_is_padded_rather_than_read_as_binary() {
    let tiny = object(json!({ "": 1 }));
    let packet = encode_json(&tiny, &[]).unwrap();
    assert_eq!(packet, b"\0\x07{\"\":1} ");
    assert_eq!(Lob::parse(&packet).unwrap().json().unwrap(), tiny);
}

#[test]
fn the_payload_of_a_jwe_survives_three_nested_packets() {
    let unprotected = encode(br#"{"x": 1.0}"#, &[0, 0xff, 0]).unwrap();
    let middle = encode(br#"{"iv":"a","tag":"b"}"#, &unprotected).unwrap();
    let jwe = encode(br#"{"enc":"A256GCM"}"#, &middle).unwrap();
    let middle = Lob::parse(Lob::parse(&jwe).unwrap().body()).unwrap();
    let inner = Lob::parse(middle.body()).unwrap();
    assert_eq!(
        (inner.head(), inner.body()),
        (&br#"{"x": 1.0}"#[..], &[0, 0xff, 0][..])
    );
}

proptest! {
    #[test]
    fn head_and_body_come_back(head in vec(any::<u8>(), 0..300), body in vec(any::<u8>(), 0..300)) {
        let packet = encode(&head, &body).unwrap();
        let packet = Lob::parse(&packet).unwrap();
        prop_assert_eq!((packet.head(), packet.body()), (&head[..], &body[..]));
    }

    #[test]
    fn json_comes_back(name in ".{0,9}", text in ".*", number: u64, negative in i64::MIN..0, flag: bool) {
        let head = object(json!({
            name: [text, { "n": number, "m": negative }, flag, null, [], 0.25],
        }));
        let packet = encode_json(&head, b"body").unwrap();
        prop_assert_eq!(Lob::parse(&packet).unwrap().json().unwrap(), head);
    }
}
