//! The inner packet: what JS and C send is read, what we send is what JS sends.

use alloc::{format, string::ToString, vec, vec::Vec};

use serde_json::{Value, json};
use telehash_hashname::{Csid, KeySet};

use crate::handshake::{
    HandshakeError, HandshakeMessage, Kind, MAX_AT, MAX_EXTRA_FIELDS, MAX_INNER_PACKET,
    MAX_TYPE_LEN,
};

const VECTORS: &str = include_str!("../../../../../interop/vectors/js/link-handshake.json");

struct Vector {
    used: Csid,
    hashname: alloc::string::String,
    at: u64,
    inner: Vec<u8>,
}

fn vectors() -> Vec<Vector> {
    let file: Value = serde_json::from_str(VECTORS).expect("the vectors are JSON");
    let text = |case: &Value, name: &str| case[name].as_str().expect("a text").to_string();
    let vector = |case: &Value| Vector {
        used: text(case, "csid_used").parse().expect("a csid"),
        hashname: text(case, "sender_hashname"),
        at: case["at_requested"].as_u64().expect("a number"),
        inner: data_encoding::HEXLOWER
            .decode(text(case, "inner_hex").as_bytes())
            .expect("hex"),
    };
    file["cases"]
        .as_array()
        .expect("cases")
        .iter()
        .map(vector)
        .collect()
}

fn keys() -> KeySet {
    let mut keys = KeySet::new();
    keys.insert_key(Csid::CS3A, vec![7; 32]).expect("a key");
    keys
}

/// An inner packet with this head and the keys attached.
fn with_head(head: &str) -> Vec<u8> {
    let attached = telehash_lob::encode_json(&keys().attached_head(Csid::CS3A), &[7; 32]);
    telehash_lob::encode(head.as_bytes(), &attached.expect("short")).expect("short")
}

fn parse(head: &str) -> Result<HandshakeMessage, HandshakeError> {
    HandshakeMessage::parse(&with_head(head), Csid::CS3A)
}

#[test]
fn the_link_handshakes_of_js_are_read() {
    assert_eq!(vectors().len(), 3);
    for vector in vectors() {
        let message = HandshakeMessage::parse(&vector.inner, vector.used).expect("JS made it");
        assert_eq!(message.at, vector.at);
        assert_eq!((message.z, message.hc), (None, false));
        let Kind::Link { keys } = message.kind else {
            panic!("a link")
        };
        assert_eq!(keys.hashname().expect("keys").to_string(), vector.hashname);
    }
}

#[test]
fn our_link_handshake_is_byte_for_byte_that_of_js() {
    for vector in vectors() {
        let message = HandshakeMessage::parse(&vector.inner, vector.used).expect("JS made it");
        let Kind::Link { keys } = message.kind else {
            panic!("a link")
        };
        let ours = HandshakeMessage::link(vector.at, keys).to_bytes(vector.used);
        assert_eq!(ours.expect("we have the key"), vector.inner);
    }
}

#[test]
fn the_form_of_c_has_no_type_and_true_for_the_key() {
    let attached = telehash_lob::encode(br#"{"3a":true}"#, &[7; 32]).expect("short");
    let inner = telehash_lob::encode(br#"{"at":1409414400}"#, &attached).expect("short");
    let message = HandshakeMessage::parse(&inner, Csid::CS3A).expect("C made it");
    assert_eq!(message, HandshakeMessage::link(1_409_414_400, keys()));
}

#[test]
fn offers_survive_the_way_and_come_after_at() {
    let mut message = HandshakeMessage::link(5, keys());
    message.z = Some(1);
    message.hc = true;
    let bytes = message.to_bytes(Csid::CS3A).expect("we have the key");
    assert!(bytes[2..].starts_with(br#"{"type":"link","at":5,"z":1,"hc":1}"#));
    assert_eq!(
        HandshakeMessage::parse(&bytes, Csid::CS3A).expect("ours"),
        message
    );
}

#[test]
fn offers_of_another_form_count_as_none() {
    let message = parse(r#"{"type":"link","at":5,"z":"cbor","hc":true}"#).expect("a link");
    assert_eq!((message.z, message.hc), (None, false));
    assert!(message.extra.is_empty());
}

#[test]
fn other_types_keep_their_body_and_all_their_fields() {
    for (name, kind) in [
        ("jwt", Kind::Jwt),
        ("uri", Kind::Uri),
        (
            "org.example.ticket",
            Kind::Other("org.example.ticket".to_string()),
        ),
    ] {
        let mut message = HandshakeMessage::new(kind, 9);
        message
            .extra
            .insert("uri".to_string(), "mesh://example.org".into());
        message
            .extra
            .insert("more".to_string(), json!({ "a": [1, 2.5, null] }));
        message.body = b"eyJhbGciOi...".to_vec();
        assert_eq!(message.kind.name(), name);
        let bytes = message.to_bytes(Csid::CS3A).expect("short");
        assert_eq!(
            HandshakeMessage::parse(&bytes, Csid::CS3A).expect("ours"),
            message
        );
    }
}

#[test]
fn a_handshake_without_at_is_refused() {
    assert!(matches!(
        parse(r#"{"type":"link"}"#),
        Err(HandshakeError::AtMissing)
    ));
}

#[test]
fn at_is_an_integer_from_1_to_the_highest_of_javascript() {
    let at = |at: &str| parse(&format!(r#"{{"type":"link","at":{at}}}"#)).map(|it| it.at);
    assert_eq!(at(&MAX_AT.to_string()).ok(), Some(9_007_199_254_740_991));
    for wrong in [
        "9007199254740992",
        "18446744073709551615",
        "0",
        "-1",
        "1.5",
        "\"7\"",
        "null",
    ] {
        assert!(matches!(at(wrong), Err(HandshakeError::At)), "{wrong}");
    }
    let above = HandshakeMessage::link(MAX_AT + 1, keys()).to_bytes(Csid::CS3A);
    assert!(matches!(above, Err(HandshakeError::At)));
}

#[test]
fn a_type_is_a_text_of_1_to_64_bytes() {
    let parse = |name: &str| parse(&format!(r#"{{"type":{name},"at":7}}"#));
    assert!(parse(&format!("\"{}\"", "x".repeat(MAX_TYPE_LEN))).is_ok());
    let long = format!("\"{}\"", "x".repeat(MAX_TYPE_LEN + 1));
    for wrong in [long.as_str(), "\"\"", "7", "null"] {
        assert!(matches!(parse(wrong), Err(HandshakeError::Type)), "{wrong}");
    }
}

#[test]
fn sixteen_further_fields_are_possible_and_no_more() {
    let with = |fields: usize| {
        let mut message = HandshakeMessage::new(Kind::Jwt, 7);
        message.extra = (0..fields)
            .map(|at| (format!("f{at}"), at.into()))
            .collect();
        message
    };
    let most = with(MAX_EXTRA_FIELDS);
    let bytes = most.to_bytes(Csid::CS3A).expect("within the limit");
    assert_eq!(
        HandshakeMessage::parse(&bytes, Csid::CS3A).expect("within the limit"),
        most
    );
    let more = with(MAX_EXTRA_FIELDS + 1);
    assert!(matches!(
        more.to_bytes(Csid::CS3A),
        Err(HandshakeError::TooManyFields { .. })
    ));
    let fields: Vec<_> = (0..=MAX_EXTRA_FIELDS)
        .map(|at| format!(r#","f{at}":0"#))
        .collect();
    let head = format!(r#"{{"type":"jwt","at":7{}}}"#, fields.concat());
    assert!(matches!(
        parse(&head),
        Err(HandshakeError::TooManyFields { .. })
    ));
}

#[test]
fn a_handshake_of_8000_bytes_is_possible_and_no_longer_one() {
    let mut message = HandshakeMessage::new(Kind::Jwt, 7);
    let overhead = message.to_bytes(Csid::CS3A).expect("short").len();
    message.body = vec![b'x'; MAX_INNER_PACKET - overhead];
    let bytes = message.to_bytes(Csid::CS3A).expect("within the limit");
    assert_eq!(bytes.len(), MAX_INNER_PACKET);
    assert!(HandshakeMessage::parse(&bytes, Csid::CS3A).is_ok());

    message.body.push(b'x');
    let too_long = message.to_bytes(Csid::CS3A);
    assert!(matches!(too_long, Err(HandshakeError::TooLong { .. })));
    let longer = [bytes, vec![b'x']].concat();
    let parsed = HandshakeMessage::parse(&longer, Csid::CS3A);
    assert!(matches!(parsed, Err(HandshakeError::TooLong { len }) if len == MAX_INNER_PACKET + 1));
}

#[test]
fn keys_that_contradict_the_cipher_set_in_use_are_refused() {
    let other = telehash_hashname::Intermediate::of(b"another key");
    let head = format!(r#"{{"3a":"{other}"}}"#);
    let attached = telehash_lob::encode(head.as_bytes(), &[7; 32]).expect("short");
    let inner = telehash_lob::encode(br#"{"type":"link","at":7}"#, &attached).expect("short");
    let parsed = HandshakeMessage::parse(&inner, Csid::CS3A);
    assert!(matches!(parsed, Err(HandshakeError::Keys(_))));
}

#[test]
fn a_link_needs_the_key_of_the_cipher_set_in_use() {
    let built = HandshakeMessage::link(7, keys()).to_bytes(Csid::CS1A);
    assert!(matches!(built, Err(HandshakeError::KeyMissing(Csid::CS1A))));
}

#[test]
fn what_is_cut_off_anywhere_is_refused_without_a_panic() {
    for vector in vectors() {
        for len in 0..vector.inner.len() {
            // A shorter key is still a key: only its owner can tell.
            let whole_head = telehash_lob::Lob::parse(&vector.inner[..len])
                .and_then(|lob| telehash_lob::Lob::parse(lob.body()).map(|lob| lob.body().len()));
            let parsed = HandshakeMessage::parse(&vector.inner[..len], vector.used);
            assert_eq!(parsed.is_ok(), whole_head.is_ok_and(|key| key > 0), "{len}");
        }
    }
}
