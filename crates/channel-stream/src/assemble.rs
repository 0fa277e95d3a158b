//! Puts messages together from packets.

use bytes::BytesMut;
use telehash_runtime::Packet;

use crate::error::MessageError;
use crate::message::Message;

/// The message of which not all packets have come.
#[derive(Debug)]
pub(crate) struct Assembler {
    limit: usize,
    bytes: BytesMut,
    encoding: Option<String>,
    begun: bool,
}

impl Assembler {
    /// For messages of at most `limit` bytes.
    pub(crate) fn new(limit: usize) -> Self {
        Self {
            limit,
            bytes: BytesMut::new(),
            encoding: None,
            begun: false,
        }
    }

    /// Adds a packet; returns the message if it completes one.
    ///
    /// `frag` says that more of the message follows; the packet without it may name the encoding.
    ///
    /// # Errors
    /// The message is too large; or it is complete and not what its encoding says, and the next one
    /// may be fine.
    pub(crate) fn push(&mut self, packet: Packet) -> Result<Option<Message>, MessageError> {
        if self.bytes.len() + packet.body.len() > self.limit {
            return Err(MessageError::TooLarge { limit: self.limit });
        }
        let enc = packet
            .head
            .as_ref()
            .and_then(|head| head.get("enc")?.as_str());
        if let Some(enc) = enc {
            self.encoding = Some(enc.to_owned());
        }
        // JS lets an empty packet between messages pass; what we send empty names its encoding.
        self.begun |= packet.frag || !packet.body.is_empty() || enc.is_some();
        if packet.frag {
            self.bytes.extend_from_slice(&packet.body);
            return Ok(None);
        }
        if !std::mem::take(&mut self.begun) {
            return Ok(None);
        }
        let encoding = self.encoding.take();
        let whole = if self.bytes.is_empty() {
            packet.body
        } else {
            self.bytes.extend_from_slice(&packet.body);
            std::mem::take(&mut self.bytes).freeze()
        };
        Message::decode(encoding.as_deref(), whole).map(Some)
    }

    /// Nothing more comes.
    ///
    /// # Errors
    /// [`MessageError::Truncated`] if a message was begun and not completed. Our own channels
    /// complete what was begun; others may not.
    pub(crate) fn finish(&self) -> Result<(), MessageError> {
        if self.begun {
            Err(MessageError::Truncated)
        } else {
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn packet(json: &Value, body: impl Into<bytes::Bytes>) -> Packet {
        let mut head = json.as_object().unwrap().clone();
        let mut packet = Packet::new(body);
        packet.frag = head.shift_remove("frag") == Some(true.into());
        packet.end = head.shift_remove("end") == Some(true.into());
        packet.head(head)
    }

    /// Packets with content of the stream in a trace of two JavaScript endpoints, one direction.
    fn trace(file: &str, direction: &str) -> Vec<Packet> {
        let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
        let text = std::fs::read_to_string(root.join("../../interop/vectors/traces").join(file));
        let text = text.unwrap();
        let records = text
            .lines()
            .filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let content = records.filter(|record| {
            record["trace"] == direction
                && record["json"]["c"] == 3
                && record["json"]["seq"].is_u64()
                && record["json"]["type"].is_null()
        });
        let bytes = |hex: &str| -> Vec<u8> {
            let byte = |at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap();
            (0..hex.len()).step_by(2).map(byte).collect()
        };
        content
            .map(|record| packet(&record["json"], bytes(record["body"].as_str().unwrap())))
            .collect()
    }

    #[test]
    fn what_js_streams_is_put_together() {
        for (file, direction) in [
            ("stream.dialer.jsonl", "chan-out"),
            ("stream.dialer.jsonl", "chan-in"),
            ("stream.listener.jsonl", "chan-in"),
            ("stream.listener.jsonl", "chan-out"),
        ] {
            let mut assembler = Assembler::new(10_000);
            let packets = trace(file, direction);
            assert!(packets.len() >= 3, "{file} holds the conversation");
            let messages: Vec<_> = packets
                .into_iter()
                .filter_map(|packet| assembler.push(packet).unwrap())
                .collect();
            let [message] = &messages[..] else {
                panic!("{messages:?}")
            };
            assert_eq!(message.as_bytes().unwrap().len(), 2500);
            assembler.finish().unwrap();
        }
    }

    #[test]
    fn a_message_of_several_packets_takes_the_encoding_of_any_of_them() {
        let mut assembler = Assembler::new(100);
        assert_eq!(
            assembler
                .push(packet(&json!({ "frag": true, "enc": "json" }), "[1"))
                .unwrap(),
            None
        );
        assert!(matches!(assembler.finish(), Err(MessageError::Truncated)));
        let message = assembler.push(packet(&json!({}), ",2]")).unwrap().unwrap();
        assert_eq!(message.as_json(), Some(&json!([1, 2])));
        let message = assembler.push(packet(&json!({}), "{}")).unwrap().unwrap();
        assert_eq!(
            message,
            Message::from("{}"),
            "the encoding was the last message's"
        );
    }

    #[test]
    fn an_empty_packet_is_a_message_only_if_it_says_so() {
        let mut assembler = Assembler::new(100);
        assert_eq!(assembler.push(packet(&json!({}), "")).unwrap(), None);
        let message = assembler
            .push(packet(&json!({ "enc": "binary" }), ""))
            .unwrap();
        assert_eq!(message, Some(Message::from("")));
    }

    #[test]
    fn a_message_may_have_as_many_bytes_as_the_limit_and_no_more() {
        let mut assembler = Assembler::new(4);
        assembler
            .push(packet(&json!({ "frag": true }), "ab"))
            .unwrap();
        assert!(assembler.push(packet(&json!({}), "cd")).unwrap().is_some());
        assembler
            .push(packet(&json!({ "frag": true }), "ab"))
            .unwrap();
        let error = assembler.push(packet(&json!({}), "cde")).unwrap_err();
        assert!(
            matches!(error, MessageError::TooLarge { limit: 4 }),
            "{error}"
        );
    }

    #[test]
    fn after_a_malformed_message_the_next_one_is_read() {
        let mut assembler = Assembler::new(100);
        assert!(
            assembler
                .push(packet(&json!({ "enc": "json" }), "{"))
                .is_err()
        );
        let message = assembler
            .push(packet(&json!({ "enc": "json" }), "7"))
            .unwrap();
        assert_eq!(message, Some(Message::from(json!(7))));
    }
}
