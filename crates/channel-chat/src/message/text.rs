//! What somebody says.

use std::collections::BTreeMap;

use bytes::Bytes;
use serde_json::{Map, Value};

use super::fields::{Fields, check_count, field, refs_field};
use super::{check_size, packet};
use crate::error::MessageError;
use crate::id::Id;

/// Limit: bytes of the text of one message, and of each alternate of it; a longer one is refused.
pub const MAX_TEXT: usize = 16 * 1024;

/// Limit: references of one message or profile; with more it is refused.
pub const MAX_REFS: usize = 32;

/// Limit: bytes of the name of a reference, and of what it refers to; longer is refused. Names of
/// alternates have the same limit.
pub const MAX_REF: usize = 2048;

/// Limit: alternates of one text; with more the message is refused.
pub const MAX_ALTS: usize = 8;

/// What somebody says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chat {
    /// The next one of its sender's chain; the newest one again if it replaces that message.
    pub id: Id,
    /// Plain text, perhaps with Markdown; one that begins with `/me ` is an action. A message without
    /// any only says what its sender is doing.
    pub text: String,
    /// What came last in the chat when it was written.
    pub after: Option<Id>,
    /// When it was written, in seconds since 1970, as its sender says.
    pub at: Option<u64>,
    /// The chat that it belongs to, if its sender says so.
    pub chat: Option<Id>,
    /// What its sender is doing.
    pub state: Option<Activity>,
    /// Names, and the URIs that they stand for in the text.
    pub refs: BTreeMap<String, String>,
    /// Other formats of the text, by their names.
    pub alts: BTreeMap<String, Alternate>,
    /// What is attached: the text in the format of which [`alts`](Self::alts) says so.
    pub body: Bytes,
}

/// What somebody is doing, as in XEP-0085.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Activity {
    /// Takes part.
    Active,
    /// Does not look at the chat.
    Inactive,
    /// Has left it.
    Gone,
    /// Is writing.
    Composing,
    /// Was writing, and has stopped.
    Paused,
}

/// A text in another format.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Alternate {
    /// The text itself.
    Text(String),
    /// It is attached as [`Chat::body`].
    Body,
}

impl Chat {
    /// A message that says `text`, and nothing else.
    #[must_use]
    pub fn new(id: Id, text: impl Into<String>) -> Self {
        Self {
            id,
            text: text.into(),
            after: None,
            at: None,
            chat: None,
            state: None,
            refs: BTreeMap::new(),
            alts: BTreeMap::new(),
            body: Bytes::new(),
        }
    }

    /// Whether another one differs at most in what its sender is doing.
    pub(crate) fn says_the_same(&self, other: &Self) -> bool {
        let same = Self {
            state: other.state,
            ..self.clone()
        };
        same == *other
    }

    pub(super) fn read(fields: &Fields<'_>, body: Bytes) -> Result<Self, MessageError> {
        Ok(Self {
            id: fields.id("id")?,
            text: fields.bounded_text("text", MAX_TEXT)?,
            after: fields.maybe_id("after")?,
            at: fields.maybe_number("at")?,
            chat: fields.maybe_id("chat")?,
            state: fields.maybe_text("state")?.and_then(Activity::read),
            refs: fields.refs()?,
            alts: read_alts(fields)?,
            body,
        })
    }

    pub(super) fn encode(&self) -> Result<Bytes, MessageError> {
        check_size(self.text.len(), MAX_TEXT, "text")?;
        let mut head = Map::from_iter([
            field("text", self.text.as_str()),
            field("type", "chat"),
            field("id", self.id.to_string()),
        ]);
        head.extend(self.at.map(|at| field("at", at)));
        head.extend(self.after.map(|after| field("after", after.to_string())));
        head.extend(self.chat.map(|chat| field("chat", chat.to_string())));
        head.extend(self.state.map(|state| field("state", state.name())));
        head.extend(refs_field(&self.refs)?);
        head.extend(self.alts_field()?);
        packet(&head, &self.body)
    }

    fn alts_field(&self) -> Result<Option<(String, Value)>, MessageError> {
        check_count(self.alts.len(), MAX_ALTS, "alternates")?;
        let mut object = Map::new();
        for (name, alternate) in &self.alts {
            check_size(name.len(), MAX_REF, "alternate")?;
            let value = match alternate {
                Alternate::Body => true.into(),
                Alternate::Text(text) => {
                    check_size(text.len(), MAX_TEXT, "alternate")?;
                    text.as_str().into()
                }
            };
            object.insert(name.clone(), value);
        }
        Ok((!object.is_empty()).then(|| field("alts", object)))
    }
}

impl Activity {
    const ALL: [Self; 5] = [
        Self::Active,
        Self::Inactive,
        Self::Gone,
        Self::Composing,
        Self::Paused,
    ];

    /// As it is written.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Inactive => "inactive",
            Self::Gone => "gone",
            Self::Composing => "composing",
            Self::Paused => "paused",
        }
    }

    /// None that we do not know, which says nothing to us.
    fn read(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|known| known.name() == name)
    }
}

fn read_alts(fields: &Fields<'_>) -> Result<BTreeMap<String, Alternate>, MessageError> {
    let mut alts = BTreeMap::new();
    for (name, value) in fields.object("alts")?.into_iter().flatten() {
        check_size(name.len(), MAX_REF, "alternate")?;
        let alternate = match value {
            Value::Bool(true) => Alternate::Body,
            Value::String(text) => {
                check_size(text.len(), MAX_TEXT, "alternate")?;
                Alternate::Text(text.clone())
            }
            _ => return Err(MessageError::Field("alts")),
        };
        alts.insert(name.clone(), alternate);
    }
    check_count(alts.len(), MAX_ALTS, "alternates")?;
    Ok(alts)
}
