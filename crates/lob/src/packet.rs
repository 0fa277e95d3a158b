//! LOB packets: `LENGTH(2, big-endian) HEAD BODY` (packets.md, LOB).

use alloc::{string::String, vec::Vec};

use serde_json::{Map, Value};

use crate::json::{self, JsonError};

/// Longest head we encode, in bytes. [`encode`] refuses a longer one, because JavaScript peers
/// cannot read it; [`Lob::parse`] accepts whatever the two length bytes can say.
pub const MAX_HEAD: usize = 32_767;

/// Shortest head that is JSON, in bytes: a non-empty shorter one is binary.
pub const MIN_JSON_HEAD: usize = 7;

/// Bytes of the LENGTH field.
pub(crate) const LENGTH: usize = 2;

/// A parsed packet: head and body, borrowed from the bytes it came in.
///
/// Parsing looks at nothing but the length, so every byte of head and body survives untouched.
/// That is what JOSE objects rely on, which are nested packets: the payload of a JWS is the HEAD of
/// the inner packet and its signature the BODY, whatever bytes they are:
///
/// ```
/// use telehash_lob::{Lob, encode};
///
/// // A payload is signed as it was written: spaces, order and numbers must not be normalised.
/// let payload = br#"{ "b":1.0, "a":"\u0061" }"#;
/// let inner = encode(payload, b"signature")?;
/// let jws = encode(br#"{"alg":"ES256"}"#, &inner)?;
///
/// let outer = Lob::parse(&jws)?;
/// assert_eq!(outer.json()?["alg"], "ES256");
/// let inner = Lob::parse(outer.body())?;
/// assert_eq!((inner.head(), inner.body()), (&payload[..], &b"signature"[..]));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lob<'a> {
    head: &'a [u8],
    body: &'a [u8],
}

impl<'a> Lob<'a> {
    /// Splits `packet` into head and body.
    ///
    /// A JSON head is not looked at yet: [`Lob::json`] does that and may fail, while head and body
    /// stay available as bytes.
    ///
    /// # Errors
    ///
    /// [`LobError::TooShort`] below two bytes, [`LobError::HeadBeyondEnd`] if the head is longer
    /// than what follows.
    pub fn parse(packet: &'a [u8]) -> Result<Self, LobError> {
        let (length, rest) = packet
            .split_first_chunk::<LENGTH>()
            .ok_or(LobError::TooShort { len: packet.len() })?;
        let head = usize::from(u16::from_be_bytes(*length));
        let (head, body) = rest.split_at_checked(head).ok_or(LobError::HeadBeyondEnd {
            head,
            available: rest.len(),
        })?;
        Ok(Self { head, body })
    }

    /// The bytes of the head: none, 1 to 6 bytes of binary, or JSON text.
    #[must_use]
    pub const fn head(&self) -> &'a [u8] {
        self.head
    }

    /// The bytes after the head.
    #[must_use]
    pub const fn body(&self) -> &'a [u8] {
        self.body
    }

    /// What the length of the head says that it is.
    #[must_use]
    pub const fn kind(&self) -> HeadKind {
        match self.head.len() {
            0 => HeadKind::None,
            1..MIN_JSON_HEAD => HeadKind::Binary,
            _ => HeadKind::Json,
        }
    }

    /// Reads the head as a JSON object; no head is the empty object, as encoders send it.
    ///
    /// # Errors
    ///
    /// [`JsonError::BinaryHead`] for a head of 1 to 6 bytes, and what [`json::parse_object`] says.
    pub fn json(&self) -> Result<Map<String, Value>, JsonError> {
        match self.kind() {
            HeadKind::None => Ok(Map::new()),
            HeadKind::Binary => Err(JsonError::BinaryHead {
                len: self.head.len(),
            }),
            HeadKind::Json => json::parse_object(self.head),
        }
    }
}

/// What a head is, by its length alone (packets.md, LOB).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum HeadKind {
    /// LENGTH 0: no head. An encrypted channel packet on the wire has none.
    None,
    /// LENGTH 1 to 6: binary. A handshake on the wire has one byte, its CSID.
    Binary,
    /// LENGTH 7 and more: a JSON object, if the sender kept the rules.
    Json,
}

/// Builds the packet of a head and a body.
///
/// # Errors
///
/// [`LobError::HeadTooLong`] above [`MAX_HEAD`].
pub fn encode(head: &[u8], body: &[u8]) -> Result<Vec<u8>, LobError> {
    let mut packet = Vec::with_capacity(LENGTH + head.len() + body.len());
    encode_into(&mut packet, head, body)?;
    Ok(packet)
}

/// Appends the packet of a head and a body to `out`, which an error leaves as it was.
///
/// # Errors
///
/// [`LobError::HeadTooLong`] above [`MAX_HEAD`].
pub fn encode_into(out: &mut Vec<u8>, head: &[u8], body: &[u8]) -> Result<(), LobError> {
    out.extend_from_slice(&head_length(head.len())?);
    out.extend_from_slice(head);
    out.extend_from_slice(body);
    Ok(())
}

/// Builds the packet of a JSON head and a body; `{}` becomes an empty head.
///
/// Only `{"":1}` and its like are shorter than [`MIN_JSON_HEAD`]: they get a trailing space, or
/// they would be read as binary.
///
/// # Errors
///
/// [`LobError::HeadTooLong`] above [`MAX_HEAD`].
pub fn encode_json(head: &Map<String, Value>, body: &[u8]) -> Result<Vec<u8>, LobError> {
    if head.is_empty() {
        return encode(&[], body);
    }
    let mut text = Vec::new();
    json::write_object(head, &mut text);
    while text.len() < MIN_JSON_HEAD {
        text.push(b' ');
    }
    encode(&text, body)
}

/// The LENGTH field of a head of `len` bytes.
pub(crate) fn head_length(len: usize) -> Result<[u8; LENGTH], LobError> {
    match u16::try_from(len) {
        Ok(length) if len <= MAX_HEAD => Ok(length.to_be_bytes()),
        _ => Err(LobError::HeadTooLong { len }),
    }
}

/// Why bytes are no packet, or a packet cannot be built.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LobError {
    /// Received: fewer than the two bytes of LENGTH.
    #[error("a packet of {len} bytes is too short: its length field alone takes two")]
    TooShort {
        /// Bytes received.
        len: usize,
    },
    /// Received: LENGTH says more than there is.
    #[error("the packet announces a head of {head} bytes but only {available} follow")]
    HeadBeyondEnd {
        /// Bytes that LENGTH announces.
        head: usize,
        /// Bytes after LENGTH.
        available: usize,
    },
    /// Sending: the head is longer than [`MAX_HEAD`].
    #[error("a head of {len} bytes is too long: at most {MAX_HEAD} can be sent; use the body")]
    HeadTooLong {
        /// Bytes of the head.
        len: usize,
    },
    /// A channel header under `z:1` in a build that lacks it.
    #[error("this build has no CBOR payloads: enable the feature `cbor` of telehash-lob")]
    NoCbor,
}
