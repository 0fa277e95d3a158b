//! Puts messages together from pieces.

use crate::error::WsError;
use crate::message::Message;
use crate::piece::Data;

/// The message of which not all pieces have come.
#[derive(Debug)]
pub(crate) struct Assembler {
    limit: usize,
    bytes: Vec<u8>,
}

impl Assembler {
    /// For messages of at most `limit` bytes.
    pub(crate) fn new(limit: usize) -> Self {
        let bytes = Vec::new();
        Self { limit, bytes }
    }

    /// Adds a piece; returns the message if it completes one.
    ///
    /// # Errors
    /// The message is too large.
    pub(crate) fn push(&mut self, data: Data) -> Result<Option<Message>, WsError> {
        if data.bytes.len() > self.limit - self.bytes.len() {
            return Err(WsError::TooLarge { limit: self.limit });
        }
        if data.last && !data.text && self.bytes.is_empty() {
            return Ok(Some(Message::Binary(data.bytes)));
        }
        self.bytes.extend_from_slice(&data.bytes);
        if !data.last {
            return Ok(None);
        }
        let bytes = std::mem::take(&mut self.bytes);
        if !data.text {
            return Ok(Some(Message::binary(bytes)));
        }
        let text = String::from_utf8(bytes).map_err(|_| WsError::NotUtf8)?;
        Ok(Some(Message::Text(text)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn data(bytes: &'static str, last: bool) -> Data {
        let bytes = bytes.into();
        let text = true;
        Data { text, bytes, last }
    }

    #[test]
    fn a_message_may_have_as_many_bytes_as_the_limit_and_no_more() {
        let mut assembler = Assembler::new(4);
        assert_eq!(assembler.push(data("ab", false)).unwrap(), None);
        let whole = assembler.push(data("cd", true)).unwrap();
        assert_eq!(whole, Some(Message::text("abcd")));
        assembler.push(data("abc", false)).unwrap();
        let error = assembler.push(data("de", false)).unwrap_err();
        assert!(matches!(error, WsError::TooLarge { limit: 4 }), "{error}");
    }
}
