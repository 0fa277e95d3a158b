//! Who somebody is.

use std::collections::BTreeMap;

use bytes::Bytes;
use serde_json::{Map, Value};
use telehash_hashname::Hashname;

use super::fields::{Fields, check_count, field, refs_field};
use super::{check_size, opened, packet};
use crate::error::MessageError;
use crate::id::Id;

/// Limit: bytes of the name of a participant; a longer one is refused.
pub const MAX_NAME: usize = 1024;

/// Limit: bytes of one profile as it travels, with what is attached to it; a longer one is refused, and
/// so is the join of it.
pub const MAX_PROFILE: usize = 8 * 1024;

/// Limit: other hashnames of the same person; a profile with more is refused.
pub const MAX_AKA: usize = 16;

/// Who somebody is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Profile {
    /// The last of its owner's chain, which never changes in a chat.
    pub id: Id,
    /// A name to be shown.
    pub text: String,
    /// When it was written, in seconds since 1970.
    pub at: Option<u64>,
    /// What else is to be known: `nick`, `pic`, `email` and the like, with URIs.
    pub refs: BTreeMap<String, String>,
    /// Hashnames that say to be the same person. Believed where they say the same of this one.
    pub aka: Vec<Hashname>,
    /// What is attached.
    pub body: Bytes,
}

impl Profile {
    /// A profile that says a name, and nothing else.
    #[must_use]
    pub fn new(id: Id, name: impl Into<String>) -> Self {
        Self {
            id,
            text: name.into(),
            at: None,
            refs: BTreeMap::new(),
            aka: Vec::new(),
            body: Bytes::new(),
        }
    }

    /// Reads a packet that has to be a profile.
    ///
    /// # Errors
    /// It is none, or exceeds a limit; see [`MessageError`].
    pub fn parse(packet: &Bytes) -> Result<Self, MessageError> {
        let (head, body) = opened(packet, MAX_PROFILE, "profile")?;
        let fields = Fields(&head);
        if fields.text("type")? != "profile" {
            return Err(MessageError::NoProfile);
        }
        let aka = fields.list("aka")?;
        check_count(aka.len(), MAX_AKA, "hashnames")?;
        let hashname = |value: &Value| value.as_str()?.parse().ok();
        let aka: Option<Vec<Hashname>> = aka.iter().map(hashname).collect();
        Ok(Self {
            id: fields.id("id")?,
            text: fields.bounded_text("text", MAX_NAME)?,
            at: fields.maybe_number("at")?,
            refs: fields.refs()?,
            aka: aka.ok_or(MessageError::Field("aka"))?,
            body,
        })
    }

    /// The packet of the profile.
    ///
    /// # Errors
    /// It exceeds a limit.
    pub fn encode(&self) -> Result<Bytes, MessageError> {
        check_size(self.text.len(), MAX_NAME, "name")?;
        check_count(self.aka.len(), MAX_AKA, "hashnames")?;
        let mut head = Map::from_iter([
            field("text", self.text.as_str()),
            field("type", "profile"),
            field("id", self.id.to_string()),
        ]);
        head.extend(self.at.map(|at| field("at", at)));
        head.extend(refs_field(&self.refs)?);
        if !self.aka.is_empty() {
            let aka = self.aka.iter().map(|other| other.to_string().into());
            head.extend([field("aka", aka.collect::<Vec<Value>>())]);
        }
        let packet = packet(&head, &self.body)?;
        check_size(packet.len(), MAX_PROFILE, "profile")?;
        Ok(packet)
    }
}
