//! What became of a message.

use bytes::Bytes;
use serde_json::Map;

use super::fields::{Fields, field};
use super::packet;
use crate::error::MessageError;
use crate::id::Id;

/// What became of a message at one of its recipients; only its sender is told. It has no id of its own,
/// is never kept and never sent again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// The message.
    pub id: Id,
    /// What became of it.
    pub ack: Ack,
}

/// What became of a message; a later one replaces it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Ack {
    /// It came.
    Received,
    /// It was shown.
    Read,
    /// What it refers to was shown.
    Seen,
    /// It was written down.
    Logged,
    /// Somebody followed a reference.
    Referred,
    /// Somebody liked it or put it aside.
    Saved,
    /// Somebody copied or forwarded it.
    Copied,
}

impl Receipt {
    pub(super) fn read(fields: &Fields<'_>) -> Result<Self, MessageError> {
        let ack = Ack::read(fields.text("ack")?);
        Ok(Self {
            id: fields.id("id")?,
            ack: ack.ok_or(MessageError::Field("ack"))?,
        })
    }

    pub(super) fn encode(self) -> Result<Bytes, MessageError> {
        let head = Map::from_iter([
            field("type", "ack"),
            field("id", self.id.to_string()),
            field("ack", self.ack.name()),
        ]);
        packet(&head, &[])
    }
}

impl Ack {
    pub(crate) const ALL: [Self; 7] = [
        Self::Received,
        Self::Read,
        Self::Seen,
        Self::Logged,
        Self::Referred,
        Self::Saved,
        Self::Copied,
    ];

    /// As it is written.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Received => "received",
            Self::Read => "read",
            Self::Seen => "seen",
            Self::Logged => "logged",
            Self::Referred => "referred",
            Self::Saved => "saved",
            Self::Copied => "copied",
        }
    }

    fn read(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|known| known.name() == name)
    }
}
