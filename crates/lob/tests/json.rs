//! Strict JSON objects (packets.md, LOB).

use serde_json::Value;
use telehash_lob::{
    ChannelHeader, Compression, JsonError, encode,
    json::{MAX_JSON_DEPTH, MAX_JSON_LEN, parse_object},
};

fn is_malformed(text: &[u8]) -> bool {
    matches!(parse_object(text), Err(JsonError::Malformed(_)))
}

#[test]
fn only_an_object_is_accepted() {
    for other in ["[1,2,3]", "\"text\"", "1234567", "true", "null", ""] {
        assert!(is_malformed(other.as_bytes()), "{other}");
    }
    assert!(parse_object(b" {} ").unwrap().is_empty());
}

#[test]
fn nothing_may_follow_the_object() {
    assert!(is_malformed(b"{\"a\":1}x"));
    assert!(is_malformed(b"{\"a\":1}{}"));
    assert!(is_malformed(b"{\"a\":1}\0"));
}

#[test]
fn lenient_json_is_refused() {
    for text in [
        "{\"a\":1,}",
        "{a:1}",
        "{'a':1}",
        "{\"a\":01}",
        "{\"a\":NaN}",
        "{\"a\":1e999}",
    ] {
        assert!(is_malformed(text.as_bytes()), "{text}");
    }
    assert!(is_malformed(b"{\"a\":\"raw\nline feed\"}"));
}

#[test]
fn text_must_be_utf8_without_lone_surrogates() {
    assert!(is_malformed(b"{\"a\":\"\xff\"}"));
    assert!(is_malformed(b"{\"\xc0\x80\":1}"));
    assert!(is_malformed(br#"{"a":"\ud800"}"#));
    assert!(is_malformed(b"\xef\xbb\xbf{\"a\":1}"));
    assert_eq!(
        parse_object(r#"{"a":"\ud83d\ude00☃"}"#.as_bytes()).unwrap()["a"],
        "😀☃"
    );
}

#[test]
fn a_key_that_comes_twice_is_refused_at_every_level() {
    assert!(is_malformed(br#"{"a":1,"a":2}"#));
    assert!(is_malformed(br#"{"x":[{"a":1,"b":2,"a":1}]}"#));
    assert!(is_malformed(br#"{"a":1,"\u0061":2}"#));
    assert!(parse_object(br#"{"a":{"a":1},"A":2}"#).is_ok());
}

#[test]
fn numbers_are_integers_up_to_u64_or_floats() {
    let numbers = parse_object(br#"{"u":18446744073709551615,"i":-9223372036854775808,"f":1.5}"#);
    let numbers = numbers.unwrap();
    assert_eq!(numbers["u"].as_u64(), Some(u64::MAX));
    assert_eq!(numbers["i"].as_i64(), Some(i64::MIN));
    assert_eq!(numbers["f"].as_f64(), Some(1.5));
    let above = parse_object(br#"{"n":18446744073709551616}"#).unwrap();
    assert!(above["n"].is_f64());
}

#[test]
fn the_order_of_fields_is_kept() {
    let object = parse_object(br#"{"z":1,"a":2,"m":3}"#).unwrap();
    assert_eq!(object.keys().collect::<Vec<_>>(), ["z", "a", "m"]);
}

/// An object of `depth` levels, objects and arrays in turn.
fn nested(depth: usize) -> String {
    let mut text = String::from("1");
    for level in (0..depth).rev() {
        text = if level % 2 == 0 {
            format!("{{\"k\":{text}}}")
        } else {
            format!("[{text}]")
        };
    }
    text
}

#[test]
fn json_is_read_down_to_the_deepest_level_allowed_and_no_deeper() {
    assert!(parse_object(nested(MAX_JSON_DEPTH).as_bytes()).is_ok());
    assert!(is_malformed(nested(MAX_JSON_DEPTH + 1).as_bytes()));
    // Far beyond, too: the stack is not what refuses it.
    assert!(is_malformed(nested(5_000).as_bytes()));
}

#[test]
fn a_channel_header_nests_no_deeper_than_any_other_object() {
    let header = |depth| format!("{{\"c\":1,{}", &nested(depth)[1..]);
    let decode = |depth| {
        let packet = encode(header(depth).as_bytes(), &[]).unwrap();
        ChannelHeader::decode(&packet, Compression::None).is_ok()
    };
    assert!(decode(MAX_JSON_DEPTH));
    assert!(!decode(MAX_JSON_DEPTH + 1));
}

/// An object of `len` bytes.
fn of_length(len: usize) -> String {
    format!(
        "{{\"c\":1,\"k\":\"{}\"}}",
        "x".repeat(len - r#"{"c":1,"k":""}"#.len())
    )
}

#[test]
fn json_of_the_longest_length_is_read_and_longer_refused() {
    let longest = of_length(MAX_JSON_LEN);
    assert_eq!(
        parse_object(longest.as_bytes()).unwrap()["c"],
        Value::from(1)
    );
    let longer = of_length(MAX_JSON_LEN + 1);
    let refused = parse_object(longer.as_bytes());
    assert!(matches!(refused, Err(JsonError::TooLong { len }) if len == MAX_JSON_LEN + 1));

    let length = u16::try_from(longer.len()).unwrap().to_be_bytes();
    let packet = [&length[..], longer.as_bytes()].concat();
    assert!(ChannelHeader::decode(&packet, Compression::None).is_err());
}
