//! The inner packet of a handshake (links.md, "Handshake").

use alloc::{
    string::{String, ToString},
    vec::Vec,
};
use core::fmt;

use serde_json::{Map, Value};
use telehash_e3x::SessionId;
use telehash_hashname::{Csid, KeySet, KeySetError, base32};
use telehash_lob::{JsonError, Lob, LobError};

use super::{at::MAX_AT, attached};

/// Limit: bytes of an inner packet, received or sent. A longer one is refused before it is read.
pub const MAX_INNER_PACKET: usize = 8_000;

/// Limit: fields of an inner packet beside `type`, `at`, `z`, `hc` and `cont`. One with more is
/// refused.
pub const MAX_EXTRA_FIELDS: usize = 16;

/// Limit: bytes of a handshake's type. A longer one is refused.
pub const MAX_TYPE_LEN: usize = 64;

/// One message of a handshake, decrypted: `{"type":…,"at":N[,"z":1][,"hc":1]}` and a BODY
/// (links.md, "Handshake").
///
/// Messages that share an `at` and an ephemeral make one round; collect them in a
/// [`MessageSet`](super::MessageSet).
#[derive(Clone, PartialEq)]
#[non_exhaustive]
pub struct HandshakeMessage {
    /// Its type, and what a `link` carries.
    pub kind: Kind,
    /// Orders the rounds between two endpoints; its last bit says who began. 1 to [`MAX_AT`].
    pub at: u64,
    /// Payload compression that the sender offers (packets.md, `z`).
    pub z: Option<u64>,
    /// The sender takes channel packets that are cloaked only at their head (packets.md, `hc`).
    pub hc: bool,
    /// The session that this handshake renews, if the cipher set can (cipher-sets.md, CS42); in a
    /// round also the one before, while the sender cannot know whether the peer has the newer.
    pub cont: [Option<SessionId>; 2],
    /// All other fields, in their order.
    pub extra: Map<String, Value>,
    /// The BODY: the token of a `jwt`, whatever an application sends. Empty in a `link`, whose keys
    /// it was.
    pub body: Vec<u8>,
}

/// Without what may be a secret: a token, an invite.
impl fmt::Debug for HandshakeMessage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fields: Vec<_> = self.extra.keys().collect();
        f.debug_struct("HandshakeMessage")
            .field("kind", &self.kind)
            .field("at", &self.at)
            .field("fields", &fields)
            .field("body", &self.body.len())
            .finish_non_exhaustive()
    }
}

/// The type of a handshake message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `link`: who the sender is. The last message of a round.
    Link {
        /// The sender's key of the cipher set in use, and the intermediates of its others. The
        /// hashname follows from them; that the sender holds the key does not.
        keys: KeySet,
    },
    /// `jwt`: BODY is a JSON web token.
    Jwt,
    /// `uri`: the field `uri` is what led the sender here.
    Uri,
    /// An application's, or one of a later version.
    Other(String),
}

impl Kind {
    /// The text of `type`.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Link { .. } => "link",
            Self::Jwt => "jwt",
            Self::Uri => "uri",
            Self::Other(name) => name,
        }
    }
}

impl HandshakeMessage {
    /// A `link` message from the endpoint with these keys.
    ///
    /// ```
    /// use telehash_hashname::{Csid, KeySet};
    /// use telehash_link::HandshakeMessage;
    ///
    /// let mut keys = KeySet::new();
    /// keys.insert_key(Csid::CS3A, vec![7; 32])?;
    /// let inner = HandshakeMessage::link(1_409_414_401, keys).to_bytes(Csid::CS3A)?;
    /// assert!(inner.starts_with(b"\x00\x1f{\"type\":\"link\",\"at\":1409414401}"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn link(at: u64, keys: KeySet) -> Self {
        Self::new(Kind::Link { keys }, at)
    }

    /// A message without a body, offers or further fields.
    #[must_use]
    pub fn new(kind: Kind, at: u64) -> Self {
        Self {
            kind,
            at,
            z: None,
            hc: false,
            cont: [None; 2],
            extra: Map::new(),
            body: Vec::new(),
        }
    }

    /// Reads an inner packet that came in a message of cipher set `used`.
    ///
    /// "Missing `type` means `link` (C omits it). Missing `at` in an encrypted handshake: refuse."
    ///
    /// # Errors
    ///
    /// [`HandshakeError`]: whatever it says, the peer is to get no answer.
    pub fn parse(inner: &[u8], used: Csid) -> Result<Self, HandshakeError> {
        if inner.len() > MAX_INNER_PACKET {
            return Err(HandshakeError::TooLong { len: inner.len() });
        }
        let lob = Lob::parse(inner)?;
        let mut extra = lob.json()?;
        let name = take_type(&mut extra)?;
        let at = take_at(&mut extra)?;
        let z = extra.shift_remove("z").and_then(|z| z.as_u64());
        let hc = extra.shift_remove("hc").is_some_and(|hc| hc == 1);
        let cont = extra.shift_remove("cont").as_ref().and_then(session_ids);
        if extra.len() > MAX_EXTRA_FIELDS {
            return Err(HandshakeError::TooManyFields {
                fields: extra.len(),
            });
        }
        let (kind, body) = match name.as_str() {
            "link" => (
                Kind::Link {
                    keys: attached::parse(used, lob.body())?,
                },
                Vec::new(),
            ),
            "jwt" => (Kind::Jwt, lob.body().to_vec()),
            "uri" => (Kind::Uri, lob.body().to_vec()),
            _ => (Kind::Other(name), lob.body().to_vec()),
        };
        Ok(Self {
            kind,
            at,
            z,
            hc,
            cont: cont.unwrap_or_default(),
            extra,
            body,
        })
    }

    /// The inner packet, ready to be sealed in a message of cipher set `used`. Without offers a
    /// `link` is byte for byte what JS sends.
    ///
    /// # Errors
    ///
    /// [`HandshakeError::KeyMissing`] for a `link` without the key of `used`, and the limits that
    /// [`parse`](Self::parse) has.
    pub fn to_bytes(&self, used: Csid) -> Result<Vec<u8>, HandshakeError> {
        if self.extra.len() > MAX_EXTRA_FIELDS {
            return Err(HandshakeError::TooManyFields {
                fields: self.extra.len(),
            });
        }
        let mut head = Map::new();
        head.insert("type".to_string(), checked_type(self.kind.name())?.into());
        head.insert("at".to_string(), checked_at(self.at)?.into());
        if let Some(z) = self.z {
            head.insert("z".to_string(), z.into());
        }
        if self.hc {
            head.insert("hc".to_string(), 1.into());
        }
        let ids = self.cont.iter().flatten();
        let cont: Vec<u8> = ids.flat_map(|id| *id.as_bytes()).collect();
        if !cont.is_empty() {
            head.insert("cont".to_string(), base32::encode(&cont).into());
        }
        for (name, value) in &self.extra {
            head.entry(name.clone()).or_insert_with(|| value.clone());
        }
        let packet = match &self.kind {
            Kind::Link { keys } => telehash_lob::encode_json(&head, &attached::build(used, keys)?)?,
            _ => telehash_lob::encode_json(&head, &self.body)?,
        };
        match packet.len() {
            0..=MAX_INNER_PACKET => Ok(packet),
            len => Err(HandshakeError::TooLong { len }),
        }
    }
}

/// What `cont` names; nothing if it is not one session id or two.
fn session_ids(cont: &Value) -> Option<[Option<SessionId>; 2]> {
    let bytes = base32::decode(cont.as_str()?).ok()?;
    let (ids, rest) = bytes.as_chunks();
    match (ids, rest) {
        ([newest], []) => Some([Some(*newest), None]),
        ([newest, before], []) => Some([Some(*newest), Some(*before)]),
        _ => None,
    }
    .map(|ids| ids.map(|id| id.map(SessionId::from_bytes)))
}

fn take_type(head: &mut Map<String, Value>) -> Result<String, HandshakeError> {
    match head.shift_remove("type") {
        None => Ok("link".to_string()),
        Some(Value::String(name)) => checked_type(&name).map(ToString::to_string),
        Some(_) => Err(HandshakeError::Type),
    }
}

fn take_at(head: &mut Map<String, Value>) -> Result<u64, HandshakeError> {
    let at = head.shift_remove("at").ok_or(HandshakeError::AtMissing)?;
    checked_at(at.as_u64().ok_or(HandshakeError::At)?)
}

fn checked_type(name: &str) -> Result<&str, HandshakeError> {
    if (1..=MAX_TYPE_LEN).contains(&name.len()) {
        Ok(name)
    } else {
        Err(HandshakeError::Type)
    }
}

fn checked_at(at: u64) -> Result<u64, HandshakeError> {
    if (1..=MAX_AT).contains(&at) {
        Ok(at)
    } else {
        Err(HandshakeError::At)
    }
}

/// Why an inner packet is no handshake message, or cannot be made into one.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HandshakeError {
    /// The inner packet is longer than [`MAX_INNER_PACKET`].
    #[error("the handshake has {len} bytes inside; at most {MAX_INNER_PACKET} are possible")]
    TooLong {
        /// Its bytes.
        len: usize,
    },
    /// It, or what it attaches, is no LOB packet.
    #[error("the handshake is no packet: {0}")]
    Packet(#[from] LobError),
    /// Its head, or that of what it attaches, is not acceptable JSON.
    #[error("the head of the handshake cannot be read: {0}")]
    Head(#[from] JsonError),
    /// `type` is no text of 1 to [`MAX_TYPE_LEN`] bytes.
    #[error("the type of the handshake is not a text of 1 to {MAX_TYPE_LEN} bytes")]
    Type,
    /// There is no `at`.
    #[error("the handshake has no `at`, without which it cannot be ordered")]
    AtMissing,
    /// `at` is no integer from 1 to [`MAX_AT`].
    #[error("the `at` of the handshake is not an integer from 1 to {MAX_AT}")]
    At,
    /// More than [`MAX_EXTRA_FIELDS`] fields of no known meaning.
    #[error("the handshake has {fields} further fields; at most {MAX_EXTRA_FIELDS} are possible")]
    TooManyFields {
        /// How many.
        fields: usize,
    },
    /// More than [`MAX_BESIDE`](crate::MAX_BESIDE) messages beside a `link` message.
    #[error(
        "{messages} messages beside the handshake; at most {} are possible",
        crate::MAX_BESIDE
    )]
    TooManyMessages {
        /// How many.
        messages: usize,
    },
    /// The attached keys are no key set, or contradict the cipher set of the message.
    #[error("the keys in the handshake cannot be used: {0}")]
    Keys(#[from] KeySetError),
    /// To build a `link` message the sender's own key is needed.
    #[error("a handshake in cipher set {0} needs our public key of that set")]
    KeyMissing(Csid),
}
