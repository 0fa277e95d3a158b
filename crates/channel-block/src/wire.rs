//! What packets say (channel-types.md, "block").

use bytes::Bytes;
use serde_json::{Map, Value};
use telehash_runtime::Packet;

/// The `type` of the channel.
pub const TYPE: &str = "block";

/// Most bytes that the fields of a piece take in a packet's head.
const FIELDS: usize = r#","b":18446744073709551615,"at":65536,"done":true"#.len();

/// A part of a block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Piece {
    /// The number of its block, from 1.
    pub(crate) number: u64,
    /// Where in the block it begins.
    pub(crate) at: usize,
    pub(crate) bytes: Bytes,
    /// The block ends with it.
    pub(crate) last: bool,
}

impl Piece {
    /// Reads a packet; `None` for one that is no piece.
    pub(crate) fn read(packet: Packet) -> Option<Self> {
        let head = packet.head?;
        let number = head.get("b")?.as_u64().filter(|number| *number > 0)?;
        let at = match head.get("at") {
            None => 0,
            Some(at) => usize::try_from(at.as_u64()?).ok()?,
        };
        Some(Self {
            number,
            at,
            bytes: packet.body,
            last: head.get("done") == Some(&true.into()),
        })
    }

    pub(crate) fn to_packet(&self) -> Packet {
        let mut head: Map<String, Value> = Map::new();
        head.insert("b".to_owned(), self.number.into());
        if self.at > 0 {
            head.insert("at".to_owned(), self.at.into());
        }
        if self.last {
            head.insert("done".to_owned(), true.into());
        }
        Packet::new(self.bytes.clone()).head(head)
    }
}

/// Content bytes of a full piece, in packets with room for `quota` bytes without fields.
fn room(quota: usize) -> usize {
    quota.saturating_sub(FIELDS).max(1)
}

/// How many pieces [`cut`] makes of a block of `len` bytes.
pub(crate) fn pieces(len: usize, quota: usize) -> usize {
    len.div_ceil(room(quota)).max(1)
}

/// Cuts a block into pieces for packets with room for `quota` bytes without fields.
pub(crate) fn cut(number: u64, block: &Bytes, quota: usize) -> impl Iterator<Item = Piece> + '_ {
    let (room, pieces) = (room(quota), pieces(block.len(), quota));
    (0..pieces).map(move |piece| {
        let at = piece * room;
        Piece {
            number,
            at,
            bytes: block.slice(at..block.len().min(at + room)),
            last: piece + 1 == pieces,
        }
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(head: &Value) -> Option<Piece> {
        let head = head.as_object().cloned().unwrap();
        Piece::read(Packet::new("x").head(head))
    }

    #[test]
    fn a_piece_has_the_fields_of_the_protocol() {
        let piece = |at, last| {
            let (number, bytes) = (7, Bytes::from("x"));
            let packet = Piece {
                number,
                at,
                bytes,
                last,
            }
            .to_packet();
            Value::Object(*packet.head.unwrap())
        };
        assert_eq!(piece(0, false), json!({ "b": 7 }));
        assert_eq!(piece(9, true), json!({ "b": 7, "at": 9, "done": true }));
        assert_eq!(read(&json!({ "b": 7 })).unwrap().at, 0);
        assert!(
            read(&json!({ "b": 7, "at": 0, "done": true }))
                .unwrap()
                .last
        );
    }

    #[test]
    fn what_is_no_piece_is_not_read_as_one() {
        for head in [
            json!({}),
            json!({ "b": 0 }),
            json!({ "b": -1 }),
            json!({ "b": "1" }),
            json!({ "b": 1, "at": -1 }),
            json!({ "b": 1, "at": 0.5 }),
            json!({ "b": 1, "at": null }),
        ] {
            assert_eq!(read(&head), None, "{head}");
        }
        assert_eq!(Piece::read(Packet::new("x")), None);
    }

    #[test]
    fn a_block_is_cut_into_as_many_pieces_as_were_counted() {
        for quota in [FIELDS, FIELDS + 1, 1136, 1452] {
            for len in [0, 1, 1087, 1088, 9000] {
                let block = Bytes::from(vec![7; len]);
                let cut: Vec<_> = cut(1, &block, quota).collect();
                assert_eq!(cut.len(), pieces(len, quota), "{len} bytes by {quota}");
                assert!(cut.iter().all(|piece| piece.bytes.len() <= room(quota)));
            }
        }
        // Full packets without fields would be eight.
        assert_eq!(pieces(9000, 1136), 9);
    }

    #[test]
    fn a_block_without_bytes_is_one_piece() {
        let pieces: Vec<_> = cut(1, &Bytes::new(), 1000).collect();
        assert_eq!(pieces.len(), 1);
        assert!(pieces[0].last && pieces[0].bytes.is_empty());
    }
}
