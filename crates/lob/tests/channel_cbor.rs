//! Channel headers as CBOR, `z:1` (packets.md, Payload compression).
#![cfg(feature = "cbor")]

mod common;

use std::borrow::Cow;

use common::{header, headers, object};
use proptest::{collection::vec, prelude::*};
use serde_json::json;
use telehash_lob::{
    ChannelHeader, Compression, HeaderError, LobError, MAX_HEAD, Misses, channel::MAX_MISSES,
};

const Z: Compression = Compression::Cbor;

fn encoded(header: &ChannelHeader<'_>, body: &[u8]) -> Vec<u8> {
    let mut payload = Vec::new();
    header.encode_into(&mut payload, body, Z).unwrap();
    assert_eq!(payload.len(), header.encoded_len(body.len(), Z));
    payload
}

fn decode(payload: &[u8]) -> Result<(ChannelHeader<'_>, &[u8]), HeaderError> {
    ChannelHeader::decode(payload, Z).map(|(header, body)| (header, &payload[body]))
}

/// Asserts that both directions agree on this payload.
fn same(header: &ChannelHeader<'_>, body: &[u8], payload: &[u8]) {
    assert_eq!(encoded(header, body), payload);
    assert_eq!(decode(payload).unwrap(), (header.clone(), body));
}

fn is_malformed(payload: &[u8]) -> bool {
    decode(payload).is_err()
}

#[test]
fn an_open_is_its_channel_and_its_type() {
    let open = ChannelHeader {
        kind: Some("open".into()),
        ..header()
    };
    same(&open, b"", b"\x01\x64open");
}

#[test]
fn an_ack_and_its_misses_are_an_array() {
    let miss = Some(Misses::from_slice(&[1, 2, 20]).unwrap());
    let acked = ChannelHeader {
        channel: 2,
        seq: Some(22),
        ack: Some(20),
        miss,
        ..header()
    };
    same(&acked, b"", b"\x02\x16\x84\x14\x01\x02\x14");
    let bare = ChannelHeader {
        ack: Some(300),
        ..header()
    };
    same(&bare, b"", b"\x01\x81\x19\x01\x2c");
}

#[test]
fn a_header_may_be_its_channel_alone() {
    same(&header(), b"", b"\x01");
    same(&ChannelHeader::new(u32::MAX), b"", b"\x1a\xff\xff\xff\xff");
}

#[test]
fn the_body_travels_in_the_inner_packet() {
    let data = ChannelHeader {
        seq: Some(3),
        ..header()
    };
    same(&data, b"content", b"\x01\x49\0\0content\x03");
    let long = [7; 1400];
    same(
        &data,
        &long,
        &[&b"\x01\x59\x05\x7a\0\0"[..], &long, b"\x03"].concat(),
    );
}

#[test]
fn what_cbor_cannot_say_travels_in_the_head_of_the_inner_packet() {
    let end = ChannelHeader {
        end: true,
        seq: Some(9),
        ..header()
    };
    same(&end, b"bye", b"\x01\x51\0\x0c{\"end\":true}bye\x09");
    let extra = Some(Box::new(object(
        json!({ "path": { "type": "udp4" }, "ok": true }),
    )));
    let path = ChannelHeader { extra, ..header() };
    same(
        &path,
        b"",
        b"\x01\x58\x24\0\x22{\"path\":{\"type\":\"udp4\"},\"ok\":true}",
    );
    let miss = Some(Misses::from_slice(&[5]).unwrap());
    let lone = ChannelHeader { miss, ..header() };
    same(&lone, b"", b"\x01\x4e\0\x0c{\"miss\":[5]}");
}

#[test]
fn texts_and_numbers_travel_in_the_map() {
    let err = ChannelHeader {
        err: Some("no".into()),
        ..header()
    };
    same(&err, b"", b"\x01\xa1\x63err\x62no");
    let extra = Some(Box::new(object(
        json!({ "n": 500, "m": -500, "f": 1.5, "t": "x" }),
    )));
    let fields = ChannelHeader { extra, ..header() };
    let map = b"\x01\xa4\x61n\x19\x01\xf4\x61m\x39\x01\xf3\x61f\xf9\x3e\x00\x61t\x61x";
    same(&fields, b"", map);
}

#[test]
fn known_fields_in_the_map_or_the_inner_packet_are_merged() {
    let (header, _) = decode(b"\x01\xa4\x63seq\x05\x63ack\x04\x64type\x61x\x63err\x61y").unwrap();
    assert_eq!((header.seq, header.ack), (Some(5), Some(4)));
    assert_eq!(
        (header.kind.as_deref(), header.err.as_deref()),
        (Some("x"), Some("y"))
    );
    let (header, body) = decode(b"\x01\x4d\0\x09{\"seq\":5}hi").unwrap();
    assert_eq!((header.seq, body), (Some(5), &b"hi"[..]));
}

#[test]
fn the_header_of_a_data_packet_is_borrowed_and_owns_nothing() {
    let payload = b"\x01\x44\0\0hi\x66stream\x16\x81\x14";
    let (header, body) = decode(payload).unwrap();
    assert!(matches!(header.kind, Some(Cow::Borrowed("stream"))));
    assert!(header.miss.is_none() && header.extra.is_none());
    assert_eq!(
        (header.seq, header.ack, body),
        (Some(22), Some(20), &b"hi"[..])
    );
}

#[test]
fn a_payload_must_begin_with_its_channel() {
    for payload in [
        &b""[..],
        b"\x20",
        b"\x64open",
        b"\xf5",
        b"\x1b\0\0\0\x01\0\0\0\0",
    ] {
        assert!(
            matches!(decode(payload), Err(HeaderError::Cbor(_))),
            "{payload:x?}"
        );
    }
    assert!(matches!(decode(b"\0"), Err(HeaderError::NoChannel)));
}

#[test]
fn anything_after_the_last_item_is_malformed() {
    for garbage in [
        &b"\0"[..],
        b"\x16",
        b"\x81\x01",
        b"\xf6",
        b"\xff",
        b"\x64open",
    ] {
        assert!(is_malformed(
            &[&b"\x02\x16\x84\x14\x01\x02\x14"[..], garbage].concat()
        ));
    }
}

#[test]
fn items_in_another_order_are_malformed() {
    let (lob, map) = (&b"\x42\0\0"[..], &b"\xa1\x61k\x05"[..]);
    let (kind, seq, ack) = (&b"\x64open"[..], &b"\x16"[..], &b"\x81\x01"[..]);
    let items = [lob, map, kind, seq, ack];
    assert!(!is_malformed(&[&b"\x01"[..], &items.concat()].concat()));
    for first in 0..items.len() {
        for second in first + 1..items.len() {
            let swapped = [b"\x01", items[second], items[first]].concat();
            assert!(is_malformed(&swapped), "{swapped:x?}");
        }
    }
}

#[test]
fn an_item_that_is_not_in_its_shortest_form_is_malformed() {
    let longer: [&[u8]; 13] = [
        b"\x18\x01",
        b"\x19\x00\xff",
        b"\x1a\x00\x00\xff\xff",
        b"\x1b\x00\x00\x00\x00\x00\x00\x00\x01",
        b"\x01\x58\x02\0\0",
        b"\x01\x78\x04open",
        b"\x01\x18\x16",
        b"\x01\x98\x01\x14",
        b"\x01\x81\x18\x14",
        b"\x01\x82\x14\x18\x01",
        b"\x01\xb8\x01\x61k\x05",
        b"\x01\xa1\x61k\x18\x05",
        b"\x01\xa1\x61k\xfb\x3f\xf0\0\0\0\0\0\0",
    ];
    for payload in longer {
        assert!(is_malformed(payload), "{payload:x?}");
    }
}

#[test]
fn items_of_indefinite_length_and_tags_are_malformed() {
    let odd: [&[u8]; 7] = [
        b"\x01\x5f\x42\0\0\xff",
        b"\x01\x7f\x64open\xff",
        b"\x01\x9f\x14\xff",
        b"\x01\xbf\x61k\x05\xff",
        b"\xc1\x01",
        b"\x01\x81\xc1\x14",
        b"\x01\xa1\x61k\xc1\x05",
    ];
    for payload in odd {
        assert!(is_malformed(payload), "{payload:x?}");
    }
}

#[test]
fn nothing_nests() {
    for payload in [
        &b"\x01\x82\x14\x81\x01"[..],
        b"\x01\xa1\x61k\x81\x01",
        b"\x01\xa1\x61k\xa0",
    ] {
        assert!(is_malformed(payload), "{payload:x?}");
    }
    assert!(is_malformed(&[&b"\x01"[..], &[0x81; 10_000]].concat()));
    assert!(is_malformed(
        &[&b"\x01"[..], &b"\xa1\x61k".repeat(5_000)].concat()
    ));
}

#[test]
fn the_map_holds_nothing_but_texts_and_numbers_under_texts() {
    for map in [
        &b"\x01\xa1\x63end\xf5"[..],
        b"\x01\xa1\x61k\xf6",
        b"\x01\xa1\x61k\x41x",
        b"\x01\xa1\x61k\xf9\x7c\x00",
        b"\x01\xa1\x61k\xf9\x7e\x00",
        b"\x01\xa1\x61k\x3b\xff\xff\xff\xff\xff\xff\xff\xff",
        b"\x01\xa1\x05\x05",
        b"\x01\xa1\x41k\x05",
        b"\x01\xa1\x64type\x05",
        b"\x01\xa1\x63seq\x61x",
        b"\x01\xa1\x63seq\x20",
        b"\x01\xa1\x64miss\x05",
    ] {
        assert!(is_malformed(map), "{map:x?}");
    }
}

#[test]
fn a_field_that_comes_twice_is_malformed() {
    for payload in [
        &b"\x01\xa1\x61c\x01"[..],
        b"\x01\x49\0\x07{\"c\":1}",
        b"\x01\xa2\x61k\x05\x61k\x05",
        b"\x01\xa1\x64type\x61x\x61x",
        b"\x01\xa1\x63seq\x05\x05",
        b"\x01\xa1\x63ack\x05\x81\x05",
        b"\x01\x4b\0\x09{\"seq\":5}\x05",
        b"\x01\x4c\0\x0a{\"miss\":[]}\x82\x05\x01",
        b"\x01\x49\0\x07{\"k\":5}\xa1\x61k\x05",
    ] {
        assert!(is_malformed(payload), "{payload:x?}");
    }
}

#[test]
fn truncated_items_are_malformed() {
    let whole = b"\x18\x20\x44\0\0hi\xa1\x61k\x19\x01\x00\x64open\x18\x20\x83\x14\x01\x02";
    assert!(!is_malformed(whole));
    // Cut between two items it is another payload, and just as well.
    let between = [2, 7, 13, 18, 20];
    for len in 0..whole.len() {
        assert_eq!(
            is_malformed(&whole[..len]),
            !between.contains(&len),
            "{len}"
        );
    }
    assert!(is_malformed(
        b"\x01\x5b\xff\xff\xff\xff\xff\xff\xff\xff\0\0"
    ));
    assert!(is_malformed(
        b"\x01\x9b\xff\xff\xff\xff\xff\xff\xff\xff\x01"
    ));
    assert!(is_malformed(
        b"\x01\xbb\xff\xff\xff\xff\xff\xff\xff\xff\x61k\x01"
    ));
}

#[test]
fn an_inner_packet_that_is_malformed_or_has_a_binary_head_is_refused() {
    assert!(matches!(
        decode(b"\x01\x41\0"),
        Err(HeaderError::Lob(LobError::TooShort { .. }))
    ));
    assert!(matches!(
        decode(b"\x01\x43\0\x01\x1a"),
        Err(HeaderError::NoJsonHead { len: 1 })
    ));
    assert!(matches!(
        decode(b"\x01\x49\0\x07[1,2,3]"),
        Err(HeaderError::Json(_))
    ));
}

#[test]
fn text_that_is_not_utf8_is_malformed() {
    assert!(is_malformed(b"\x01\x62\xff\xff"));
    assert!(is_malformed(b"\x01\xa1\x61\xff\x05"));
}

#[test]
fn a_miss_list_of_the_longest_length_is_read_and_a_longer_one_malformed() {
    let array = |misses: usize| {
        [
            &[0x01, 0x98, misses as u8 + 1, 0x14][..],
            &vec![0x03; misses],
        ]
        .concat()
    };
    let payload = array(MAX_MISSES);
    assert_eq!(decode(&payload).unwrap().0.miss.unwrap().len(), MAX_MISSES);
    assert!(is_malformed(&array(MAX_MISSES + 1)));
    assert!(is_malformed(b"\x01\x80"));
}

#[test]
fn a_header_too_long_for_the_inner_head_leaves_the_buffer_as_it_was() {
    let with_text = |len: usize| {
        let text = "x".repeat(len - r#"{"k":[""]}"#.len());
        ChannelHeader {
            extra: Some(Box::new(object(json!({ "k": [text] })))),
            ..header()
        }
    };
    let fits = with_text(MAX_HEAD);
    assert_eq!(
        decode(&encoded(&fits, b"body")).unwrap(),
        (fits.clone(), &b"body"[..])
    );
    let mut out = b"before".to_vec();
    let refused = with_text(MAX_HEAD + 1).encode_head(&mut out, 0, Z);
    assert_eq!(refused, Err(LobError::HeadTooLong { len: MAX_HEAD + 1 }));
    assert_eq!(out, b"before");
}

proptest! {
    #[test]
    fn headers_come_back(header in headers(), body in vec(any::<u8>(), 0..300)) {
        let payload = encoded(&header, &body);
        let (again, range) = ChannelHeader::decode(&payload, Z).unwrap();
        prop_assert_eq!(&again, &header);
        prop_assert_eq!(&payload[range], &body[..]);
    }
}
