//! What happens in a chat, as records.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::chat::text::{line_name, line_text};

/// The chat that we take part in.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct ChatRecord {
    /// Its id.
    pub(crate) chat: String,
    /// Its name, if its leader gave it one.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(crate) title: Option<String>,
    /// Who leads it.
    pub(crate) leader: String,
    /// Us.
    pub(crate) hashname: String,
    /// What we are called in it.
    pub(crate) name: String,
    /// We took part in it before.
    pub(crate) restored: bool,
    /// The leader has let us in.
    pub(crate) joined: bool,
}

/// What somebody said.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct MessageRecord {
    pub(crate) id: String,
    /// Of whom.
    pub(crate) hashname: String,
    /// What they are called.
    pub(crate) name: String,
    pub(crate) text: String,
    /// When, in seconds since 1970, as they say.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(crate) at: Option<u64>,
    /// It is ours.
    pub(crate) mine: bool,
    /// It was said before we came.
    pub(crate) earlier: bool,
    /// The message before it in the order of the chat, which is the same for everybody.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(crate) follows: Option<String>,
}

/// How somebody who takes part is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Presence {
    Online,
    /// There, and not looking.
    Away,
    Typing,
    /// Not there; what is said reaches them when they are back.
    Offline,
}

/// Somebody who takes part.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct ParticipantRecord {
    pub(crate) hashname: String,
    pub(crate) name: String,
    pub(crate) state: Presence,
    /// It is the leader.
    pub(crate) leads: bool,
}

impl Presence {
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Online => "online",
            Self::Away => "away",
            Self::Typing => "typing",
            Self::Offline => "offline",
        }
    }
}

impl fmt::Display for ChatRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { chat, leader, .. } = self;
        match &self.title {
            Some(title) => write!(f, "the chat {} ({chat})", line_text(title))?,
            None => write!(f, "the chat {chat}")?,
        }
        match *leader == self.hashname {
            true => f.write_str(", which you lead")?,
            false => write!(f, " of {}", super::short(leader))?,
        }
        write!(f, ", as {}", line_name(&self.name))?;
        match self.joined {
            true => Ok(()),
            false => f.write_str("; waiting to be let in"),
        }
    }
}

impl fmt::Display for MessageRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = line_name(&self.name);
        match self.text.strip_prefix("/me ") {
            Some(action) => write!(f, "* {name} {}", line_text(action)),
            None => write!(f, "{name}: {}", line_text(&self.text)),
        }
    }
}

impl fmt::Display for ParticipantRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, state) = (line_name(&self.name), self.state.word());
        let leads = if self.leads { ", and leads" } else { "" };
        write!(
            f,
            "* {name} ({}) is {state}{leads}",
            super::short(&self.hashname)
        )
    }
}
