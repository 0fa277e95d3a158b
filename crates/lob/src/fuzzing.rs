//! The bodies of the fuzz targets: each takes any bytes, must not panic on its own account, and
//! asserts what has to hold for them. The tests here run them on random bytes; the fuzzer proper
//! finds better ones.

use alloc::{string::String, vec, vec::Vec};

use serde_json::{Map, Value};

use crate::{
    ChannelHeader, Compression, HeadKind, Lob, LobError, MAX_HEAD,
    chunk::{self, Decoder, Event, Framing, Writer},
    cloak::{self, HEAD_LEN, MIN_CLOAKED, NONCE_LEN, WorkBudget},
    encode, encode_json, json,
};

/// A packet that parses is built of what parsing returned, byte for byte.
pub fn lob(data: &[u8]) {
    let Ok(packet) = Lob::parse(data) else { return };
    assert_eq!(2 + packet.head().len() + packet.body().len(), data.len());
    match encode(packet.head(), packet.body()) {
        Ok(built) => assert_eq!(built, data),
        Err(error) => assert_eq!(
            error,
            LobError::HeadTooLong {
                len: packet.head().len()
            }
        ),
    }
    if let Ok(object) = packet.json() {
        assert_ne!(packet.kind(), HeadKind::Binary);
        same_after_encoding(&object);
    }
}

/// A JSON head that is accepted comes back from its own encoding, and so does the channel header
/// in it, in every notation.
pub fn json_head(data: &[u8]) {
    if let Ok(object) = json::parse_object(data) {
        same_after_encoding(&object);
    }
    let Ok(packet) = encode(data, b"body") else {
        return;
    };
    if let Ok((header, body)) = ChannelHeader::decode(&packet, Compression::None) {
        assert_eq!(packet.get(body), Some(&b"body"[..]));
        assert!(
            json::parse_object(data).is_ok(),
            "a header is an acceptable object"
        );
        same_in_every_notation(&header, b"body");
    }
}

/// Chunks come out the same however the stream is cut, and packets survive chunking.
pub fn chunk(data: &[u8]) {
    let whole = decode_chunks(data, data.len().max(1));
    assert_eq!(whole, decode_chunks(data, 1));
    assert_eq!(whole, decode_chunks(data, 7));
    assert!(whole.iter().map(Vec::len).sum::<usize>() <= data.len());

    let Some((&first, packet)) = data.split_first() else {
        return;
    };
    let frame = usize::from(first).max(1) + 1;
    let mut stream = Vec::new();
    chunk::encode_into(packet, frame - 1, &mut stream);
    let frames: Vec<_> = chunk::frames(&stream, frame).collect();
    assert!(frames.iter().all(|cut| (1..=frame).contains(&cut.len())));
    assert_eq!(frames.concat(), stream);
    let expected = if packet.is_empty() {
        vec![]
    } else {
        vec![packet.to_vec()]
    };
    assert_eq!(decode_chunks(&stream, 5), expected);

    let mut writer = Writer::new(Framing::Frames(frame), false);
    writer.push(packet).expect("an empty writer takes a packet");
    for cut in frames {
        assert_eq!(writer.next_write(), Some(cut));
    }
    assert_eq!(writer.next_write(), None);
}

/// Looking at the head and decloaking as a whole agree, and a budget is never overdrawn.
pub fn decloak(data: &[u8]) {
    let mut plain = data.to_vec();
    let offset = cloak::decloak_in_place(&mut plain, &mut WorkBudget::new(usize::MAX));
    let peek = cloak::peek(data, &mut WorkBudget::new(usize::MAX));
    assert_eq!(peek.map(|peek| peek.offset()), offset);
    let (Ok(peek), Ok(offset)) = (peek, offset) else {
        return;
    };
    let plain = plain.split_off(offset);
    assert!(plain.starts_with(peek.head()));
    assert!(peek.head().len() >= plain.len().min(18));
    let mut packet = data.to_vec();
    assert_eq!(cloak::finish(&mut packet, &peek, false), plain);

    // The head decides what a packet is, so head-only cloaking must not change it.
    let mut packet = data.to_vec();
    let finished = cloak::finish(&mut packet, &peek, true);
    assert!(peek.rounds() > 6 || finished.starts_with(peek.head()));

    let afford = cloak::peek(data, &mut WorkBudget::new(HEAD_LEN));
    assert_eq!(afford.is_ok(), peek.rounds() <= 1);

    let mut again = [0x11; NONCE_LEN].to_vec();
    again.extend_from_slice(&plain);
    if again.len() >= MIN_CLOAKED {
        cloak::cloak_in_place(&mut again);
        let offset = cloak::decloak_in_place(&mut again, &mut WorkBudget::new(usize::MAX));
        assert_eq!(offset, Ok(NONCE_LEN));
        assert!(again.ends_with(&plain));
    }
}

/// A CBOR payload that is accepted comes back from every notation.
pub fn cbor_payload(data: &[u8]) {
    let Ok((header, body)) = ChannelHeader::decode(data, Compression::Cbor) else {
        return;
    };
    let body = data.get(body).expect("the body is a range of the payload");
    same_in_every_notation(&header, body);
}

fn same_after_encoding(object: &Map<String, Value>) {
    let Ok(packet) = encode_json(object, &[]) else {
        return;
    };
    let again = Lob::parse(&packet)
        .expect("we built it")
        .json()
        .expect("we built it");
    if !object.values().any(has_float) {
        assert_eq!(&again, object);
    }
}

fn same_in_every_notation(header: &ChannelHeader<'_>, body: &[u8]) {
    let floats = header
        .extra
        .iter()
        .flat_map(|extra| extra.values())
        .any(has_float);
    for z in [0, 1].into_iter().filter_map(Compression::from_z) {
        let mut payload = b"in front".to_vec();
        let front = payload.len();
        match header.encode_into(&mut payload, body, z) {
            Ok(()) => {}
            Err(LobError::HeadTooLong { len }) if len > MAX_HEAD => {
                assert_eq!(payload, b"in front");
                continue;
            }
            Err(error) => panic!("{error}"),
        }
        let payload = &payload[front..];
        assert_eq!(header.encoded_len(body.len(), z), payload.len());
        let (again, range) = ChannelHeader::decode(payload, z).expect("we built it");
        assert_eq!(&payload[range], body);
        if !floats {
            assert_eq!(&again, header);
        }
    }
}

/// Floats are not compared: reading a decimal fraction may be off by its last bit.
fn has_float(value: &Value) -> bool {
    match value {
        Value::Number(number) => number.is_f64(),
        Value::Array(items) => items.iter().any(has_float),
        Value::Object(object) => object.values().any(has_float),
        _ => false,
    }
}

/// The packets in a stream that arrives in pieces of `piece` bytes.
fn decode_chunks(stream: &[u8], piece: usize) -> Vec<Vec<u8>> {
    let mut decoder = Decoder::new();
    let mut packets = Vec::new();
    for mut input in stream.chunks(piece) {
        loop {
            match decoder.next_event(&mut input) {
                Ok(Some(Event::Packet(packet))) => packets.push(packet.to_vec()),
                Ok(Some(Event::Keepalive)) => {}
                Ok(None) => break,
                Err(_) => return packets,
            }
        }
    }
    packets
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::*;

    /// Bytes that are a little likelier to be packets than random ones: pieces of them.
    fn likely(pieces: &'static [&'static [u8]]) -> impl Strategy<Value = Vec<u8>> {
        let piece = prop_oneof![
            6 => prop::sample::select(pieces).prop_map(<[u8]>::to_vec),
            1 => vec(any::<u8>(), 0..4),
        ];
        vec(piece, 0..12).prop_map(|pieces| pieces.concat())
    }

    const JSON: &[&[u8]] = &[
        b"{",
        b"{\"c\":1",
        b"}",
        b",",
        b"\"seq\":7",
        b"\"ack\":0",
        b"\"miss\":[1,2]",
        b":",
        b"[",
        b"]",
        b"\"type\":\"x\\u0041\"",
        b"\"end\":true",
        b"\"k\":",
        b"1",
        b"-5",
        b"null",
        b"\"\"",
        b"\"err\":\"\\\"\"",
        b"\"c\"",
        b"{\"a\":{\"b\":[]}",
        b"1.5",
        b" ",
    ];

    const CBOR: &[&[u8]] = &[
        b"\x01",
        b"\x02\x16\x84\x14\x01\x02\x14",
        b"\x64open",
        b"\x18\x20",
        b"\x42\0\0",
        b"\x44\0\0hi",
        b"\xa0",
        b"\xa1\x61k\x05",
        b"\xa1\x63err\x61e",
        b"\xa1\x61f\xf9\x3c\x00",
        b"\x81\x00",
        b"\x4e\0\x0c{\"end\":true}",
        b"\x20",
        b"\xf5",
        b"\x9f",
        b"\xff",
        b"\xc0",
    ];

    proptest! {
        #[test]
        fn lob_holds_for_random_bytes(data in vec(any::<u8>(), 0..200)) {
            lob(&data);
        }

        #[test]
        fn json_head_holds_for_likely_text(data in likely(JSON)) {
            json_head(&data);
        }

        #[test]
        fn chunk_holds_for_random_bytes(data in vec(prop_oneof![0u8..6, any::<u8>()], 0..600)) {
            chunk(&data);
        }

        #[test]
        fn decloak_holds_for_any_number_of_rounds(
            packet in vec(any::<u8>(), 0..200),
            nonces in vec(any::<[u8; NONCE_LEN]>(), 0..12),
        ) {
            let mut data = [&[0], &packet[..]].concat();
            for nonce in nonces {
                data.splice(0..0, cloak::make_nonce(nonce));
                cloak::cloak_in_place(&mut data);
            }
            decloak(&data);
        }

        #[test]
        fn decloak_holds_for_random_bytes(data in vec(any::<u8>(), 0..200)) {
            decloak(&data);
        }

        #[test]
        fn cbor_payload_holds_for_likely_items(data in likely(CBOR)) {
            cbor_payload(&data);
        }
    }
}
