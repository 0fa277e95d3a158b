//! The bodies of the fuzz targets: each takes any bytes, must not panic on its own account, and
//! asserts what has to hold for them.

use serde_json::{Map, Value};
use telehash_runtime::Packet;

use crate::assemble::Assembler;
use crate::close::{CloseCode, MAX_REASON};
use crate::decode::Decoder;
use crate::message::Message;
use crate::piece::{MAX_CONTROL, Piece};

/// Bytes that a message may have here.
const LIMIT: usize = 64;

/// Whatever packets say, what comes out of them is in order: text is UTF-8, codes may be sent, and sizes
/// are within limits. Each packet is a byte of marks, a byte with its length, and its content, which is a
/// JSON head if the marks say so.
pub fn ws_messages(mut data: &[u8]) {
    let (mut decoder, mut assembler) = (Decoder::default(), Assembler::new(LIMIT));
    while let Some((&[marks, len], rest)) = data.split_first_chunk() {
        let (body, after) = rest.split_at(usize::from(len).min(rest.len()));
        data = after;
        let Ok(Some(piece)) = decoder.push(packet(marks, body)) else {
            continue;
        };
        match piece {
            Piece::Ping(bytes) | Piece::Pong(bytes) => assert!(bytes.len() <= MAX_CONTROL),
            Piece::Close(None) => {}
            Piece::Close(Some(frame)) => {
                assert!(CloseCode::new(frame.code.get()).is_ok());
                assert!(frame.reason.len() <= MAX_REASON);
            }
            Piece::Data(data) => match assembler.push(data) {
                Ok(Some(Message::Text(text))) => assert!(text.len() <= LIMIT),
                Ok(Some(Message::Binary(bytes))) => assert!(bytes.len() <= LIMIT),
                Ok(other) => assert_eq!(other, None),
                // Nothing after an error means anything.
                Err(_) => return,
            },
        }
    }
}

fn packet(marks: u8, body: &[u8]) -> Packet {
    let names = ["done", "text", "ping", "pong"].into_iter().enumerate();
    let set = names.filter(|(bit, _)| marks & (1 << bit) != 0);
    let mut head: Map<String, Value> = set
        .map(|(_, name)| (name.to_owned(), true.into()))
        .collect();
    let mut packet = Packet::default();
    match serde_json::from_slice(body) {
        Ok(Value::Object(more)) if marks & 16 != 0 => head.extend(more),
        _ => packet = Packet::new(body.to_vec()),
    }
    packet.end = marks & 32 != 0;
    packet.head(head)
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::*;

    proptest! {
        #[test]
        fn ws_messages_holds_for_random_bytes(
            data in vec(prop_oneof![0_u8..8, any::<u8>()], 0..300),
        ) {
            ws_messages(&data);
        }
    }

    #[test]
    fn ws_messages_holds_for_a_close() {
        let head = br#"{"code":4000,"reason":"x"}"#;
        let mut data = vec![16 | 32, u8::try_from(head.len()).unwrap()];
        data.extend_from_slice(head);
        ws_messages(&data);
    }
}
