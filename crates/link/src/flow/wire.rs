//! From headers to bytes.

use alloc::vec::Vec;

use telehash_lob::{ChannelHeader, Compression, Extra, MAX_HEAD};

/// What DEFLATE may add to content that does not compress, in bytes.
const DEFLATE_GROWTH: usize = 32;

/// What holding a packet costs besides its body, in bytes.
const PACKET_COST: usize = 64;

/// What a byte of unknown header fields may take once parsed, in bytes.
const FIELD_COST: usize = 16;

/// What holding a received packet of `len` bytes costs, in bytes.
pub(super) fn held_cost(len: usize, body: usize, head: &Extra) -> usize {
    let fields = if head.is_some() {
        len.saturating_sub(body)
    } else {
        0
    };
    body + PACKET_COST + fields * FIELD_COST
}

/// Appends one packet; returns its length, or nothing if that is impossible.
pub(super) fn append(
    out: &mut Vec<u8>,
    header: &ChannelHeader<'_>,
    body: &[u8],
    z: Compression,
) -> Option<usize> {
    let start = out.len();
    let appended = header.encode_into(out, body, z).is_ok() && z.seal(out, start).is_ok();
    if !appended {
        out.truncate(start);
        return None;
    }
    Some(out.len() - start)
}

/// Bytes that the packet will have; before deflating, but with room for what that may add.
pub(super) fn len(header: &ChannelHeader<'_>, body: usize, z: Compression) -> usize {
    let growth = if z == Compression::Deflate {
        DEFLATE_GROWTH
    } else {
        0
    };
    header.encoded_len(body, z) + growth
}

/// How much of `available` body bytes fits a packet of `max` bytes. `guess` is what the head of the
/// packet before took; it is kept up to date.
pub(super) fn fit(
    header: &ChannelHeader<'_>,
    available: usize,
    max: usize,
    z: Compression,
    guess: &mut usize,
) -> usize {
    let mut body = available.min(max.saturating_sub(*guess));
    // The head grows with its body by a few bytes at most, so this settles at once or soon.
    for _ in 0..4 {
        let total = len(header, body, z);
        *guess = total - body;
        let better = available.min(max.saturating_sub(*guess));
        if total <= max && better <= body {
            return body;
        }
        body = better;
    }
    while body > 0 && len(header, body, z) > max {
        body -= 1;
    }
    body
}

/// Whether the head can be sent at all: old peers read no longer ones.
pub(super) fn head_fits(header: &ChannelHeader<'_>) -> bool {
    header.encoded_len(0, Compression::None) <= MAX_HEAD
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies_fill_their_packets_exactly() {
        for z in [Compression::None, Compression::Cbor] {
            let mut guess = 0;
            for seq in [1, 9, 10, 99_999, 1_000_000] {
                for max in [60, 200, 1100, 1400, 9000] {
                    let mut header = ChannelHeader::new(7);
                    header.seq = Some(seq);
                    header.frag = true;
                    let body = fit(&header, 100_000, max, z, &mut guess);
                    assert_eq!(len(&header, body, z), max, "{z:?} {seq} {max}");
                    assert_eq!(fit(&header, 5, max, z, &mut guess), 5);
                    assert_eq!(len(&header, fit(&header, body, max, z, &mut guess), z), max);
                }
            }
        }
    }

    #[test]
    fn header_fields_are_charged_for_what_they_take_when_parsed() {
        let head = Some(serde_json::Map::from_iter([("x".into(), 1.into())]).into());
        assert_eq!(held_cost(1000, 900, &None), 900 + PACKET_COST);
        assert_eq!(
            held_cost(1000, 900, &head),
            900 + PACKET_COST + 100 * FIELD_COST
        );
    }

    #[test]
    fn a_packet_without_room_for_its_head_has_no_body() {
        let header = ChannelHeader::new(7);
        assert_eq!(fit(&header, 100, 3, Compression::None, &mut 0), 0);
    }
}
