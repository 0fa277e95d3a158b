//! Channel headers as JSON (channels.md).

mod common;

use std::borrow::Cow;

use common::{header, headers, object};
use proptest::{collection::vec, prelude::*};
use serde_json::{Value, json};
use telehash_lob::{
    ChannelHeader, Compression, HeaderError, JsonError, Lob, LobError, MAX_HEAD, Misses,
    channel::{MAX_MISSES, TooManyMisses},
    encode,
};

const Z: Compression = Compression::None;

fn decode(head: &str) -> Result<ChannelHeader<'static>, HeaderError> {
    let packet = encode(head.as_bytes(), b"body").unwrap();
    let (header, body) = ChannelHeader::decode(&packet, Z)?;
    assert_eq!(&packet[body], b"body");
    Ok(header.into_owned())
}

fn encoded(header: &ChannelHeader<'_>) -> String {
    let mut packet = Vec::new();
    header.encode_into(&mut packet, b"body", Z).unwrap();
    assert_eq!(packet.len(), header.encoded_len(4, Z));
    String::from_utf8(Lob::parse(&packet).unwrap().head().to_vec()).unwrap()
}

#[test]
fn every_known_field_is_typed() {
    let text = r#"{"type":"x","c":4294967295,"seq":1,"ack":0,"miss":[4,1,50],"end":true,"frag":true,"err":"no"}"#;
    let header = decode(text).unwrap();
    assert_eq!(header.kind.as_deref(), Some("x"));
    assert_eq!(
        (header.channel, header.seq, header.ack),
        (u32::MAX, Some(1), Some(0))
    );
    assert_eq!(header.miss.as_deref(), Some(&[4, 1, 50][..]));
    assert_eq!(
        (header.end, header.frag, header.err.as_deref()),
        (true, true, Some("no"))
    );
    assert_eq!(header.extra, None);
    assert_eq!(encoded(&header), text);
}

#[test]
fn unknown_fields_are_kept_in_order() {
    let text = r#"{"c":1,"path":{"type":"udp4","port":1},"a":null,"quota":-3}"#;
    let header = decode(text).unwrap();
    let names: Vec<_> = header.extra.as_ref().unwrap().keys().cloned().collect();
    assert_eq!(names, ["path", "a", "quota"]);
    assert_eq!(encoded(&header), text);
}

#[test]
fn the_header_of_a_data_packet_is_borrowed_and_owns_nothing() {
    let packet = encode(
        br#"{"c":1,"type":"stream","seq":22,"ack":20,"err":"x"}"#,
        b"",
    )
    .unwrap();
    let (header, _) = ChannelHeader::decode(&packet, Z).unwrap();
    assert!(matches!(header.kind, Some(Cow::Borrowed("stream"))));
    assert!(matches!(header.err, Some(Cow::Borrowed("x"))));
    assert!(header.miss.is_none() && header.extra.is_none());
}

#[test]
fn a_text_with_escapes_is_unescaped() {
    let header = decode(r#"{"c":1,"\u0074ype":"a\"\\\n\u0041☃"}"#).unwrap();
    assert_eq!(header.kind.as_deref(), Some("a\"\\\nA☃"));
}

#[test]
fn nothing_but_quotes_backslashes_and_control_characters_is_escaped() {
    let header = ChannelHeader {
        err: Some("\"q\" \\ \n \u{1} / é".into()),
        ..header()
    };
    assert_eq!(
        encoded(&header),
        r#"{"c":1,"err":"\"q\" \\ \n \u0001 / é"}"#
    );
}

#[test]
fn a_packet_without_a_json_head_is_refused() {
    let refused = |packet: &[u8]| ChannelHeader::decode(packet, Z).unwrap_err();
    assert!(matches!(
        refused(b"\0"),
        HeaderError::Lob(LobError::TooShort { len: 1 })
    ));
    assert!(matches!(
        refused(b"\0\0body"),
        HeaderError::NoJsonHead { len: 0 }
    ));
    assert!(matches!(
        refused(b"\0\x01\x1abody"),
        HeaderError::NoJsonHead { len: 1 }
    ));
    assert!(matches!(
        refused(b"\0\x07not json"),
        HeaderError::Json(JsonError::Malformed(_))
    ));
}

#[test]
fn a_header_must_name_a_channel() {
    for head in [r#"{"seq":1}"#, r#"{"c":0,"seq":1}"#] {
        assert!(
            matches!(decode(head), Err(HeaderError::NoChannel)),
            "{head}"
        );
    }
}

#[test]
fn a_known_field_of_another_type_is_malformed() {
    for field in [
        r#""c":"1""#,
        r#""c":-1"#,
        r#""c":4294967296"#,
        r#""c":1.0"#,
        r#""c":null"#,
        r#""c":1e3"#,
    ] {
        assert!(
            matches!(
                decode(&format!("{{{field},\"x\":1}}")),
                Err(HeaderError::Json(_))
            ),
            "{field}"
        );
    }
    for field in [
        r#""type":1"#,
        r#""type":null"#,
        r#""err":true"#,
        r#""seq":-1"#,
        r#""seq":"1""#,
        r#""ack":4294967296"#,
        r#""end":1"#,
        r#""end":"true""#,
        r#""frag":null"#,
        r#""miss":1"#,
        r#""miss":[-1]"#,
        r#""miss":[[1]]"#,
        r#""miss":["1"]"#,
        r#""miss":[4294967296]"#,
    ] {
        let head = format!("{{\"c\":1,{field}}}");
        assert!(
            matches!(decode(&head), Err(HeaderError::Json(_))),
            "{field}"
        );
    }
}

#[test]
fn a_field_that_comes_twice_is_malformed() {
    for field in [
        r#""c":1"#,
        r#""seq":1"#,
        r#""end":false"#,
        r#""x":1"#,
        r#""miss":[]"#,
    ] {
        let head = format!("{{\"c\":1,{field},{field}}}");
        let error = decode(&head).unwrap_err().to_string();
        assert!(error.contains("appears twice"), "{field}: {error}");
    }
}

#[test]
fn false_flags_and_an_empty_miss_list_say_nothing() {
    let header = decode(r#"{"c":1,"end":false,"frag":false,"miss":[]}"#).unwrap();
    assert_eq!(header, ChannelHeader::new(1));
    let empty = ChannelHeader {
        miss: Some(Misses::new()),
        ..common::header()
    };
    assert_eq!(encoded(&empty), r#"{"c":1}"#);
}

#[test]
fn the_name_of_a_member_is_never_sent_as_an_extra_field() {
    let extra = object(json!({ "seq": 9, "end": true, "note": "kept" }));
    let header = ChannelHeader {
        extra: Some(Box::new(extra)),
        ..header()
    };
    assert_eq!(encoded(&header), r#"{"c":1,"note":"kept"}"#);
}

#[test]
fn a_miss_list_of_the_longest_length_is_read_and_a_longer_one_malformed() {
    let list = |len| format!("{{\"c\":1,\"ack\":1,\"miss\":{:?}}}", vec![3; len]);
    assert_eq!(
        decode(&list(MAX_MISSES)).unwrap().miss.unwrap().len(),
        MAX_MISSES
    );
    let error = decode(&list(MAX_MISSES + 1)).unwrap_err().to_string();
    assert!(error.contains("at most 100 entries"), "{error}");
}

#[test]
fn a_miss_list_grows_to_its_bound_and_no_further() {
    let deltas: Vec<u32> = (0..).take(MAX_MISSES).collect();
    let mut misses = Misses::from_slice(&deltas).unwrap();
    assert_eq!(misses.push(1), Err(TooManyMisses));
    assert_eq!(misses.as_slice(), deltas);
    for len in 0..12 {
        assert_eq!(
            Misses::from_slice(&deltas[..len]).unwrap().as_slice(),
            &deltas[..len]
        );
    }
    assert_eq!(Misses::from_slice(&[1; MAX_MISSES + 1]), Err(TooManyMisses));
}

#[test]
fn a_header_too_long_for_a_head_leaves_the_buffer_as_it_was() {
    let with_text = |len: usize| {
        let empty = r#"{"c":1,"err":""}"#.len();
        ChannelHeader {
            err: Some("x".repeat(len - empty).into()),
            ..header()
        }
    };
    assert_eq!(encoded(&with_text(MAX_HEAD)).len(), MAX_HEAD);
    let mut out = b"before".to_vec();
    let refused = with_text(MAX_HEAD + 1).encode_head(&mut out, 0, Z);
    assert_eq!(refused, Err(LobError::HeadTooLong { len: MAX_HEAD + 1 }));
    assert_eq!(out, b"before");
}

proptest! {
    #[test]
    fn headers_come_back(header in headers(), body in vec(any::<u8>(), 0..100)) {
        let mut packet = Vec::new();
        header.encode_into(&mut packet, &body, Z).unwrap();
        prop_assert_eq!(packet.len(), header.encoded_len(body.len(), Z));
        let (again, range) = ChannelHeader::decode(&packet, Z).unwrap();
        prop_assert_eq!(&again, &header);
        prop_assert_eq!(&packet[range], &body[..]);
    }

    #[test]
    fn a_typed_header_and_its_json_say_the_same(header in headers()) {
        let mut packet = Vec::new();
        header.encode_into(&mut packet, &[], Z).unwrap();
        let json = Lob::parse(&packet).unwrap().json().unwrap();
        prop_assert_eq!(json["c"].as_u64(), Some(header.channel.into()));
        prop_assert_eq!(json.get("seq").and_then(Value::as_u64), header.seq.map(u64::from));
        prop_assert_eq!(json.get("err").and_then(Value::as_str), header.err.as_deref());
        prop_assert_eq!(json.contains_key("end"), header.end);
    }
}
