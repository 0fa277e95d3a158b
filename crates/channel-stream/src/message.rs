//! Values that a message stream carries.

use bytes::Bytes;
use serde_json::{Map, Value};
use telehash_lob::Lob;

use crate::error::MessageError;

/// One message: a whole value in one of the encodings of channel-types.md, "stream".
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Message {
    /// Bytes (`"enc":"binary"`, also when nothing is said).
    Binary(Bytes),
    /// A JSON value (`"enc":"json"`).
    Json(Value),
    /// A LOB packet (`"enc":"lob"`).
    Lob {
        /// Its JSON head.
        head: Map<String, Value>,
        /// Its body.
        body: Bytes,
    },
}

impl Message {
    /// The bytes of a message without a head; `None` for the others.
    #[must_use]
    pub fn as_bytes(&self) -> Option<&[u8]> {
        match self {
            Self::Binary(bytes) => Some(bytes),
            _ => None,
        }
    }

    /// The value of a JSON message; `None` for the others.
    #[must_use]
    pub fn as_json(&self) -> Option<&Value> {
        match self {
            Self::Json(value) => Some(value),
            _ => None,
        }
    }

    /// What stands under `enc`.
    pub(crate) fn encoding(&self) -> &'static str {
        match self {
            Self::Binary(_) => "binary",
            Self::Json(_) => "json",
            Self::Lob { .. } => "lob",
        }
    }

    pub(crate) fn encode(self) -> Result<Bytes, MessageError> {
        match self {
            Self::Binary(bytes) => Ok(bytes),
            Self::Json(value) => Ok(value.to_string().into()),
            Self::Lob { head, body } => {
                let packet = telehash_lob::encode_json(&head, &body);
                let too_large = |_| MessageError::TooLarge {
                    limit: telehash_lob::MAX_HEAD,
                };
                Ok(packet.map_err(too_large)?.into())
            }
        }
    }

    pub(crate) fn decode(encoding: Option<&str>, bytes: Bytes) -> Result<Self, MessageError> {
        let malformed = |encoding, reason: &dyn std::fmt::Display| MessageError::Malformed {
            encoding,
            reason: reason.to_string(),
        };
        match encoding {
            None | Some("binary") => Ok(Self::Binary(bytes)),
            Some("json") => {
                let value = serde_json::from_slice(&bytes);
                Ok(Self::Json(
                    value.map_err(|error| malformed("json", &error))?,
                ))
            }
            Some("lob") => {
                let packet = Lob::parse(&bytes).map_err(|error| malformed("lob", &error))?;
                let head = packet.json().map_err(|error| malformed("lob", &error))?;
                let start = bytes.len() - packet.body().len();
                Ok(Self::Lob {
                    head,
                    body: bytes.slice(start..),
                })
            }
            Some(other) => Err(MessageError::UnknownEncoding(
                other.chars().take(32).collect(),
            )),
        }
    }
}

impl From<Vec<u8>> for Message {
    fn from(bytes: Vec<u8>) -> Self {
        Self::Binary(bytes.into())
    }
}

impl From<Bytes> for Message {
    fn from(bytes: Bytes) -> Self {
        Self::Binary(bytes)
    }
}

impl From<&'static str> for Message {
    fn from(text: &'static str) -> Self {
        Self::Binary(Bytes::from_static(text.as_bytes()))
    }
}

impl From<Value> for Message {
    fn from(value: Value) -> Self {
        Self::Json(value)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_kind_of_message_survives() {
        let head = json!({ "type": "chat" }).as_object().unwrap().clone();
        for message in [
            Message::from("text"),
            Message::from(vec![]),
            Message::from(json!({ "a": [1, null] })),
            Message::from(json!("just a string")),
            Message::Lob {
                head,
                body: Bytes::from_static(b"body"),
            },
        ] {
            let bytes = message.clone().encode().unwrap();
            assert_eq!(
                Message::decode(Some(message.encoding()), bytes).unwrap(),
                message
            );
        }
    }

    #[test]
    fn bytes_are_what_nothing_is_said_about() {
        let message = Message::decode(None, Bytes::from_static(b"{}")).unwrap();
        assert_eq!(message.as_bytes(), Some(&b"{}"[..]));
    }

    #[test]
    fn a_message_that_is_not_what_it_says_is_an_error_of_the_peer() {
        let decode = |encoding, bytes: &'static [u8]| {
            Message::decode(Some(encoding), Bytes::from_static(bytes)).unwrap_err()
        };
        assert!(matches!(
            decode("json", b"{"),
            MessageError::Malformed {
                encoding: "json",
                ..
            }
        ));
        assert!(matches!(
            decode("lob", b"\0"),
            MessageError::Malformed {
                encoding: "lob",
                ..
            }
        ));
        assert!(matches!(
            decode("lob", b"\0\x01x"),
            MessageError::Malformed { .. }
        ));
        assert!(matches!(
            decode("xml", b""),
            MessageError::UnknownEncoding(_)
        ));
    }
}
