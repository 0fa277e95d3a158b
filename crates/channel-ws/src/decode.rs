//! What packets say (channel-types.md, "ws").

use bytes::Bytes;
use serde_json::{Map, Value};
use telehash_runtime::Packet;

use crate::close::{CloseCode, CloseFrame, MAX_REASON};
use crate::error::WsError;
use crate::piece::{Data, MAX_CONTROL, Piece};
use crate::utf8::Utf8Check;

/// Reads the packets of one direction.
#[derive(Debug, Default)]
pub(crate) struct Decoder {
    /// A message was begun: whether it says that it is text, and whether it could be.
    begun: Option<(bool, Utf8Check)>,
}

impl Decoder {
    /// What a packet says; nothing if it says nothing.
    ///
    /// # Errors
    /// It breaks the protocol. Nothing after it means anything.
    pub(crate) fn push(&mut self, packet: Packet) -> Result<Option<Piece>, WsError> {
        let head = packet.head.as_deref();
        if packet.end {
            return close(head, &packet.body).map(|frame| Some(Piece::Close(frame)));
        }
        match (flag(head, "ping"), flag(head, "pong")) {
            (false, false) => self.data(head, packet.body),
            (true, true) => Err(WsError::Protocol("a ping that is a pong")),
            (ping, _) => control(ping, packet.body).map(Some),
        }
    }

    fn data(
        &mut self,
        head: Option<&Map<String, Value>>,
        bytes: Bytes,
    ) -> Result<Option<Piece>, WsError> {
        let (last, marked) = (flag(head, "done"), flag(head, "text"));
        if bytes.is_empty() && !last && !marked {
            return Ok(None);
        }
        let (mut text, mut check) = self.begun.take().unwrap_or((marked, Utf8Check::default()));
        text |= marked;
        check.push(&bytes);
        if text && (check.is_broken() || last && !check.is_whole()) {
            return Err(WsError::NotUtf8);
        }
        if !last {
            self.begun = Some((text, check));
        }
        Ok(Some(Piece::Data(Data { text, bytes, last })))
    }
}

fn flag(head: Option<&Map<String, Value>>, name: &str) -> bool {
    head.and_then(|head| head.get(name)) == Some(&Value::Bool(true))
}

fn control(ping: bool, bytes: Bytes) -> Result<Piece, WsError> {
    if bytes.len() > MAX_CONTROL {
        return Err(WsError::Protocol("a ping or pong that is too long"));
    }
    Ok(if ping {
        Piece::Ping(bytes)
    } else {
        Piece::Pong(bytes)
    })
}

fn close(head: Option<&Map<String, Value>>, body: &[u8]) -> Result<Option<CloseFrame>, WsError> {
    if !body.is_empty() {
        return Err(WsError::Protocol("a close with content"));
    }
    let Some(code) = head.and_then(|head| head.get("code")) else {
        return Ok(None);
    };
    let code = code.as_u64().and_then(|code| u16::try_from(code).ok());
    let code = CloseCode::new(code.ok_or(WsError::Protocol("a close code that is no number"))?)?;
    let reason = match head.and_then(|head| head.get("reason")) {
        None => "",
        Some(Value::String(reason)) if reason.len() <= MAX_REASON => reason,
        Some(Value::String(_)) => return Err(WsError::Protocol("a close reason that is too long")),
        Some(_) => return Err(WsError::Protocol("a close reason that is no text")),
    };
    Ok(Some(CloseFrame::new(code, reason)))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    pub(crate) fn packet(head: &Value, body: impl Into<Bytes>) -> Packet {
        let mut head = head.as_object().unwrap().clone();
        let mut packet = Packet::new(body);
        packet.end = head.shift_remove("end") == Some(true.into());
        packet.head(head)
    }

    fn push(
        decoder: &mut Decoder,
        head: &Value,
        body: &'static [u8],
    ) -> Result<Option<Piece>, WsError> {
        decoder.push(packet(head, body))
    }

    fn data(text: bool, bytes: &'static [u8], last: bool) -> Option<Piece> {
        let bytes = Bytes::from_static(bytes);
        Some(Piece::Data(Data { text, bytes, last }))
    }

    #[test]
    fn a_message_is_text_if_any_piece_says_so() {
        let mut decoder = Decoder::default();
        let text = json!({ "text": true });
        let last = json!({ "done": true });
        let both = json!({ "text": true, "done": true });
        assert_eq!(
            push(&mut decoder, &text, b"a").unwrap(),
            data(true, b"a", false)
        );
        assert_eq!(
            push(&mut decoder, &last, b"b").unwrap(),
            data(true, b"b", true)
        );
        assert_eq!(
            push(&mut decoder, &json!({}), b"a").unwrap(),
            data(false, b"a", false)
        );
        assert_eq!(
            push(&mut decoder, &both, b"b").unwrap(),
            data(true, b"b", true)
        );
        assert_eq!(
            push(&mut decoder, &last, b"c").unwrap(),
            data(false, b"c", true)
        );
        assert_eq!(
            push(&mut decoder, &both, b"").unwrap(),
            data(true, b"", true)
        );
    }

    #[test]
    fn text_that_is_no_utf8_is_refused_as_soon_as_that_is_known() {
        for pieces in [
            &[&b"a\xc3"[..], b"(", b"more"][..],
            &[b"\xff", b"x"],
            &[b"\xe2\x82"],
        ] {
            let mut decoder = Decoder::default();
            let mut refused = false;
            for (at, piece) in pieces.iter().enumerate() {
                let head = json!({ "text": at == 0, "done": at + 1 == pieces.len() });
                let pushed = decoder.push(packet(&head, Bytes::from_static(piece)));
                refused |= matches!(pushed, Err(WsError::NotUtf8));
                if refused {
                    break;
                }
            }
            assert!(refused, "{pieces:?}");
        }
        let mut late = Decoder::default();
        push(&mut late, &json!({}), b"\xff").unwrap();
        let marked = push(&mut late, &json!({ "text": true, "done": true }), b"a");
        assert!(matches!(marked, Err(WsError::NotUtf8)), "{marked:?}");
    }

    #[test]
    fn pings_may_come_within_a_message_up_to_their_size() {
        let mut decoder = Decoder::default();
        push(&mut decoder, &json!({ "text": true }), b"\xc3").unwrap();
        let longest = Bytes::from(vec![1; MAX_CONTROL]);
        let ping = decoder.push(packet(&json!({ "ping": true }), longest.clone()));
        assert_eq!(ping.unwrap(), Some(Piece::Ping(longest)));
        let last = push(&mut decoder, &json!({ "done": true }), b"\xa4").unwrap();
        assert_eq!(last, data(true, b"\xa4", true));
        let longer = decoder.push(packet(&json!({ "pong": true }), vec![1; MAX_CONTROL + 1]));
        assert!(matches!(longer, Err(WsError::Protocol(_))), "{longer:?}");
        let both = push(&mut decoder, &json!({ "ping": true, "pong": true }), b"");
        assert!(matches!(both, Err(WsError::Protocol(_))), "{both:?}");
    }

    #[test]
    fn closes_are_read_and_nonsense_in_them_is_refused() {
        let close = |head: Value| Decoder::default().push(packet(&head, ""));
        let frame = CloseFrame::new(CloseCode::AWAY, "x".repeat(MAX_REASON));
        let longest = json!({ "end": true, "code": 1001, "reason": frame.reason });
        assert_eq!(close(longest).unwrap(), Some(Piece::Close(Some(frame))));
        let plain = json!({ "end": true });
        assert_eq!(close(plain).unwrap(), Some(Piece::Close(None)));
        for nonsense in [
            json!({ "end": true, "code": 1000, "reason": "x".repeat(MAX_REASON + 1) }),
            json!({ "end": true, "code": 1000, "reason": 7 }),
            json!({ "end": true, "code": "1000" }),
            json!({ "end": true, "code": 70_000 }),
            json!({ "end": true, "code": -1 }),
        ] {
            let refused = close(nonsense.clone());
            assert!(
                matches!(refused, Err(WsError::Protocol(_))),
                "{nonsense}: {refused:?}"
            );
        }
        let reserved = close(json!({ "end": true, "code": 1006 }));
        assert!(
            matches!(reserved, Err(WsError::BadCloseCode(1006))),
            "{reserved:?}"
        );
    }
}
