//! Chunking (packets.md, Chunking).

use proptest::{collection::vec, prelude::*};
use telehash_lob::{
    Lob,
    chunk::{
        ChunkError, Decoder, Event, Framing, MAX_CHUNKED_PACKET, MAX_FRAGMENT, MAX_UNSENT, Writer,
        encode_into, frames,
    },
};

fn encoded(packet: &[u8], max_fragment: usize) -> Vec<u8> {
    let mut stream = Vec::new();
    encode_into(packet, max_fragment, &mut stream);
    stream
}

/// What a decoder makes of the pieces: packets, and `None` for a keepalive.
fn events(decoder: &mut Decoder, input: &[u8]) -> Result<Vec<Option<Vec<u8>>>, ChunkError> {
    let mut input = input;
    let mut found = Vec::new();
    while let Some(event) = decoder.next_event(&mut input)? {
        found.push(match event {
            Event::Packet(packet) => Some(packet.to_vec()),
            Event::Keepalive => None,
        });
    }
    assert!(input.is_empty());
    Ok(found)
}

#[test]
fn every_packet_has_its_terminator_whatever_its_length() {
    for len in [1, 2, 254, 255, 256, 510, 511] {
        let stream = encoded(&vec![7; len], MAX_FRAGMENT);
        assert_eq!(stream.len(), len + len.div_ceil(MAX_FRAGMENT) + 1);
        assert!(stream.ends_with(&[7, 0]));
    }
}

#[test]
fn an_empty_packet_is_nothing() {
    assert!(encoded(&[], MAX_FRAGMENT).is_empty());
}

#[test]
fn fragments_are_never_longer_than_their_length_byte_can_say() {
    assert_eq!(encoded(&[7; 300], 1000), encoded(&[7; 300], MAX_FRAGMENT));
    assert_eq!(encoded(b"abc", 0), encoded(b"abc", 1));
    assert_eq!(encoded(b"abc", 1), b"\x01a\x01b\x01c\0");
}

#[test]
fn a_full_last_frame_leaves_the_terminator_to_a_frame_of_its_own() {
    let stream = encoded(b"abcdefgh", 4);
    let full: Vec<_> = frames(&stream, 5).collect();
    assert_eq!(full, [&b"\x04abcd"[..], b"\x04efgh", b"\0"]);
    let stream = encoded(b"abcdefg", 4);
    let short: Vec<_> = frames(&stream, 5).collect();
    assert_eq!(short, [&b"\x04abcd"[..], b"\x03efg\0"]);
}

#[test]
fn lone_zeros_are_one_keepalive() {
    let mut decoder = Decoder::new();
    assert_eq!(events(&mut decoder, b"\0\0\0").unwrap(), [None]);
    assert_eq!(
        events(&mut decoder, b"\0\x02hi\0\0\0\x01x\0").unwrap(),
        [None, Some(b"hi".to_vec()), None, Some(b"x".to_vec()),]
    );
}

#[test]
fn a_zero_between_fragments_of_two_writes_ends_the_packet() {
    let mut decoder = Decoder::new();
    assert!(events(&mut decoder, b"\x03\0\0").unwrap().is_empty());
    assert!(events(&mut decoder, b"a").unwrap().is_empty());
    assert_eq!(
        events(&mut decoder, b"\0").unwrap(),
        [Some(b"\0\0a".to_vec())]
    );
}

#[test]
fn an_unparseable_reassembly_is_not_fatal() {
    let mut decoder = Decoder::new();
    let found = events(&mut decoder, b"\x02\0\x01\0\x03\0\0b\0").unwrap();
    let parsed: Vec<_> = found
        .iter()
        .flatten()
        .map(|packet| Lob::parse(packet).is_ok())
        .collect();
    assert_eq!(parsed, [false, true]);
}

#[test]
fn a_packet_can_be_changed_where_it_is() {
    let mut decoder = Decoder::new();
    let mut input = &b"\x02hi\0"[..];
    let Some(Event::Packet(packet)) = decoder.next_event(&mut input).unwrap() else {
        panic!("a packet")
    };
    packet.make_ascii_uppercase();
    assert_eq!(packet, b"HI");
}

#[test]
fn a_packet_of_the_longest_length_is_put_together_and_a_longer_one_is_an_error() {
    let longest = vec![1; MAX_CHUNKED_PACKET];
    let stream = encoded(&longest, MAX_FRAGMENT);
    assert_eq!(
        events(&mut Decoder::new(), &stream).unwrap(),
        [Some(longest)]
    );

    let mut decoder = Decoder::new();
    let stream = encoded(&[1; MAX_CHUNKED_PACKET + 1], MAX_FRAGMENT);
    let too_long = ChunkError::TooLong {
        limit: MAX_CHUNKED_PACKET,
    };
    assert_eq!(events(&mut decoder, &stream), Err(too_long));
    // Nothing that comes later is taken for the start of a packet.
    assert_eq!(events(&mut decoder, b"\x01x\0"), Err(too_long));
}

#[test]
fn a_decoder_may_have_a_lower_limit() {
    let mut decoder = Decoder::with_limit(3);
    assert_eq!(
        events(&mut decoder, b"\x02ab\x01c\0").unwrap(),
        [Some(b"abc".to_vec())]
    );
    assert!(events(&mut decoder, b"\x02ab\x02cd\0").is_err());
}

#[test]
fn a_stream_writer_hands_out_all_it_has_at_once() {
    let mut writer = Writer::new(Framing::Stream, false);
    assert_eq!(writer.next_write(), None);
    writer.push(&[7; 300]).unwrap();
    writer.push(b"x").unwrap();
    let both = [encoded(&[7; 300], 255), encoded(b"x", 255)].concat();
    assert_eq!(writer.unsent(), both.len());
    assert_eq!(writer.next_write(), Some(&both[..]));
    assert_eq!((writer.unsent(), writer.next_write()), (0, None));
}

#[test]
fn a_blocking_writer_waits_for_any_byte_after_each_chunk() {
    let mut writer = Writer::new(Framing::Stream, true);
    writer.push(&[7; 256]).unwrap();
    assert_eq!(writer.next_write().map(<[u8]>::len), Some(256));
    assert_eq!(writer.next_write(), None);
    writer.push(b"x").unwrap();
    assert_eq!(writer.next_write(), None);
    writer.received();
    assert_eq!(writer.next_write(), Some(&b"\x01\x07\0"[..]));
    writer.received();
    assert_eq!(writer.next_write(), Some(&b"\x01x\0"[..]));
}

#[test]
fn a_writer_takes_as_much_as_allowed_and_refuses_more() {
    let mut writer = Writer::new(Framing::Stream, false);
    writer.push(b"x").unwrap();
    let room = MAX_UNSENT - writer.unsent();
    // Each fragment has a length byte, and the packet a terminator.
    let fits = room - 1 - room.div_ceil(MAX_FRAGMENT + 1);
    assert_eq!(encoded(&vec![7; fits], MAX_FRAGMENT).len(), room);
    let unsent = writer.unsent();
    assert_eq!(
        writer.push(&vec![7; fits + 1]),
        Err(ChunkError::Full { unsent })
    );
    writer.push(&vec![7; fits]).unwrap();
    let unsent = writer.unsent();
    assert_eq!(unsent, MAX_UNSENT);
    assert_eq!(writer.push(b"y"), Err(ChunkError::Full { unsent }));
    assert_eq!(writer.next_write().map(<[u8]>::len), Some(unsent));
    writer
        .push(&vec![7; MAX_UNSENT + 1])
        .expect("alone, any packet is taken");
}

proptest! {
    #[test]
    fn packets_come_back_however_the_stream_is_cut(
        packets in vec(vec(any::<u8>(), 1..700), 0..5),
        max_fragment in 1_usize..=255,
        cuts in vec(1_usize..400, 1..9),
    ) {
        let stream: Vec<u8> =
            packets.iter().flat_map(|packet| encoded(packet, max_fragment)).collect();
        let mut decoder = Decoder::new();
        let mut found = Vec::new();
        let mut rest = &stream[..];
        for cut in cuts.iter().cycle() {
            let (piece, tail) = rest.split_at(rest.len().min(*cut));
            found.extend(events(&mut decoder, piece).unwrap().into_iter().flatten());
            rest = tail;
            if rest.is_empty() {
                break;
            }
        }
        prop_assert_eq!(found, packets);
    }

    #[test]
    fn frames_fit_and_add_up(packet in vec(any::<u8>(), 1..700), frame in 2_usize..=256) {
        let stream = encoded(&packet, frame - 1);
        let cut: Vec<_> = frames(&stream, frame).collect();
        prop_assert!(cut.iter().all(|cut| cut.len() <= frame));
        prop_assert_eq!(cut.concat(), stream);
    }
}

#[test]
fn a_decoder_tells_whether_a_packet_has_begun_and_can_be_given_another_limit() {
    let mut decoder = Decoder::with_limit(2);
    for (bytes, between) in [
        (&b""[..], true),
        (b"\0", true),
        (b"\x02", false),
        (b"a", false),
        (b"b", false),
        (b"\0", true),
        (b"\x01", false),
    ] {
        events(&mut decoder, bytes).unwrap();
        assert_eq!(decoder.is_between_packets(), between, "{bytes:?}");
    }
    decoder.set_limit(3);
    let found = events(&mut decoder, b"a\x02bc\0").unwrap();
    assert_eq!(found, [Some(b"abc".to_vec())]);
    assert!(events(&mut decoder, b"\x04").is_err());
    decoder.set_limit(9);
    assert!(events(&mut decoder, b"abcd\0").is_err());
    assert!(!decoder.is_between_packets());
}
