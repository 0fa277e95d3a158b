//! Cuts what is to be sent into packets (channel-types.md, "ws").

use std::collections::VecDeque;

use bytes::Bytes;
use serde_json::{Map, Value};
use telehash_runtime::Packet;

use crate::close::CloseFrame;
use crate::piece::{Data, Piece};

/// Room in a packet for `"text":true,"done":true`.
const MARKS_ROOM: usize = 32;

/// Least content of a packet, whatever the quota says: a message is never cut to nothing.
const MIN_PIECE: usize = 128;

/// What waits to be sent, in order; packets are cut when they leave.
#[derive(Debug, Default)]
pub(crate) struct Encoder {
    waiting: VecDeque<Piece>,
    /// The message that is being sent is text; it was begun.
    begun: Option<bool>,
}

impl Encoder {
    pub(crate) fn push(&mut self, piece: Piece) {
        self.waiting.push_back(piece);
    }

    /// Forgets what waits.
    pub(crate) fn clear(&mut self) {
        self.waiting.clear();
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// The next packet, if `quota` bytes fit into one beside the plainest header.
    pub(crate) fn next(&mut self, quota: usize) -> Option<Packet> {
        while let Some(piece) = self.waiting.pop_front() {
            match piece {
                Piece::Data(data) => {
                    if let Some(packet) = self.cut(data, quota) {
                        return Some(packet);
                    }
                }
                other => return Some(whole(other)),
            }
        }
        None
    }

    /// Cuts a packet off, and puts the rest back. Pieces that say nothing have no packet.
    fn cut(&mut self, mut data: Data, quota: usize) -> Option<Packet> {
        let room = quota.saturating_sub(MARKS_ROOM).max(MIN_PIECE);
        let (first, text) = (self.begun.is_none(), *self.begun.get_or_insert(data.text));
        if data.bytes.is_empty() && !data.last && !(first && text) {
            self.begun = if first { None } else { self.begun };
            return None;
        }
        let bytes = data.bytes.split_to(room.min(data.bytes.len()));
        let last = data.last && data.bytes.is_empty();
        if last {
            self.begun = None;
        }
        if !data.bytes.is_empty() {
            self.waiting.push_front(Piece::Data(data));
        }
        let text = (text && (first || last)).then_some("text");
        let marks = text.into_iter().chain(last.then_some("done"));
        Some(marked(bytes, marks))
    }
}

/// The packet of a piece that is never cut.
pub(crate) fn whole(piece: Piece) -> Packet {
    match piece {
        Piece::Ping(bytes) => marked(bytes, ["ping"]),
        Piece::Pong(bytes) => marked(bytes, ["pong"]),
        Piece::Data(data) => marked(data.bytes, data.last.then_some("done")),
        Piece::Close(None) => Packet::default().end(),
        Piece::Close(Some(CloseFrame { code, reason })) => {
            let code = ("code".to_owned(), Value::from(code.get()));
            let head = Map::from_iter([code, ("reason".to_owned(), reason.into())]);
            Packet::default().head(head).end()
        }
    }
}

fn marked(bytes: Bytes, marks: impl IntoIterator<Item = &'static str>) -> Packet {
    let head: Map<String, Value> = marks
        .into_iter()
        .map(|mark| (mark.to_owned(), true.into()))
        .collect();
    let packet = Packet::new(bytes);
    if head.is_empty() {
        packet
    } else {
        packet.head(head)
    }
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::*;
    use crate::decode::Decoder;

    fn data(text: bool, bytes: impl Into<Bytes>, last: bool) -> Piece {
        let bytes = bytes.into();
        Piece::Data(Data { text, bytes, last })
    }

    #[test]
    fn the_first_and_the_last_packet_of_a_text_are_marked() {
        let mut encoder = Encoder::default();
        encoder.push(data(true, "x".repeat(300), true));
        let heads: Vec<Value> = std::iter::from_fn(|| encoder.next(0))
            .map(|packet| packet.head.map_or(Value::Null, |head| Value::Object(*head)))
            .collect();
        let text = serde_json::json!({ "text": true });
        let last = serde_json::json!({ "text": true, "done": true });
        assert_eq!(heads, [text, Value::Null, last]);
    }

    proptest! {
        #[test]
        fn messages_arrive_as_they_were_however_they_are_cut(
            messages in vec((any::<bool>(), vec(0_usize..400, 1..4)), 0..5),
            quota in 0_usize..600,
        ) {
            let (mut encoder, mut decoder) = (Encoder::default(), Decoder::default());
            let mut expected = Vec::new();
            for (text, pieces) in &messages {
                for (at, len) in pieces.iter().enumerate() {
                    let last = at + 1 == pieces.len();
                    encoder.push(data(*text, vec![b'a'; *len], last));
                    encoder.push(Piece::Ping(Bytes::new()));
                }
                expected.push((*text, pieces.iter().sum::<usize>()));
            }
            let (mut arrived, mut len) = (Vec::new(), 0);
            while let Some(packet) = encoder.next(quota) {
                prop_assert!(packet.body.len() <= quota.saturating_sub(MARKS_ROOM).max(MIN_PIECE));
                if let Some(Piece::Data(data)) = decoder.push(packet).unwrap() {
                    len += data.bytes.len();
                    if data.last {
                        arrived.push((data.text, std::mem::take(&mut len)));
                    }
                }
            }
            prop_assert_eq!(arrived, expected);
        }
    }
}
