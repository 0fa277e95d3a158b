//! Heads of data packets, cloaks and chunks.

use std::hint::black_box;

use telehash_benches::{content, header};
use telehash_lob::chunk::{self, Decoder};
use telehash_lob::cloak::{self, WorkBudget};
use telehash_lob::{ChannelHeader, Compression};

use crate::counter::Counter;

/// Bytes of a packet.
const SIZE: usize = 1400;

/// Times that each is done.
const TIMES: usize = 64;

pub(crate) fn count(counter: &mut Counter) {
    heads(counter);
    cloaks(counter);
    chunks(counter);
}

fn heads(counter: &mut Counter) {
    for (name, z) in [("json", Compression::None), ("cbor", Compression::Cbor)] {
        let body = content(SIZE);
        let mut packet = Vec::with_capacity(2 * SIZE);
        counter.repeat(&format!("head, {name}: encode"), TIMES, || {
            packet.clear();
            let encoded = black_box(header()).encode_into(&mut packet, black_box(&body), z);
            black_box(encoded.is_ok());
        });
        counter.repeat(&format!("head, {name}: parse"), TIMES, || {
            black_box(ChannelHeader::decode(black_box(&packet), z).is_ok());
        });
    }
}

fn cloaks(counter: &mut Counter) {
    let mut wire = vec![7; cloak::NONCE_LEN];
    wire.extend(std::iter::repeat_n(0, SIZE));
    for (name, head_only) in [("head only", true), ("all", false)] {
        let mut packets = vec![wire.clone(); TIMES];
        counter.each(
            &format!("cloak: {name}"),
            &mut packets,
            |wire| match head_only {
                true => cloak::cloak_head_in_place(wire),
                false => cloak::cloak_in_place(wire),
            },
        );
        counter.each(&format!("cloak: peek, {name}"), &mut packets, |wire| {
            black_box(cloak::peek(wire, &mut WorkBudget::new(usize::MAX)).is_ok());
        });
        counter.each(&format!("cloak: peel, {name}"), &mut packets, |wire| {
            let peek = cloak::peek(wire, &mut WorkBudget::new(usize::MAX));
            black_box(peek.map_or(0, |peek| cloak::finish(wire, &peek, head_only).len()));
        });
    }
}

fn chunks(counter: &mut Counter) {
    let packet = content(SIZE);
    let mut stream = Vec::with_capacity(2 * SIZE);
    counter.repeat("chunks: encode", TIMES, || {
        stream.clear();
        chunk::encode_into(black_box(&packet), chunk::MAX_FRAGMENT, &mut stream);
    });
    let mut decoder = Decoder::new();
    counter.repeat("chunks: decode", TIMES, || {
        let mut input = black_box(stream.as_slice());
        black_box(decoder.next_event(&mut input).is_ok());
    });
}
