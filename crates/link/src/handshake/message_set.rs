//! All messages of one round (links.md, "Handshake").

use alloc::vec::Vec;

use telehash_e3x::Token;
use telehash_hashname::KeySet;

use super::inner::{HandshakeMessage, Kind};

/// Limit: messages of one round; further types are left out.
pub const MAX_ROUND_MESSAGES: usize = 8;

/// The messages of one handshake round, which go to the application's decision together.
///
/// "Messages of a round are grouped by (`at`, ephemeral, sender key)": the set belongs to one
/// ephemeral and keeps the messages of the highest `at`; whose they are says the one `link` message
/// among them. "First of a (type, `at`) wins, higher `at` replaces."
#[derive(Clone, Debug, PartialEq)]
pub struct MessageSet {
    ephemeral: Token,
    at: u64,
    messages: Vec<HandshakeMessage>,
}

/// What became of a message that was given to a [`MessageSet`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Insertion {
    /// It is kept beside the others of its round.
    Added,
    /// It begins a newer round: the messages of the older one are gone.
    Replaced,
    /// Its type is there already; the first one stays.
    Duplicate,
    /// It is of an older round.
    Older,
    /// It carries another ephemeral: not of this sender's round.
    OtherEphemeral,
    /// There are [`MAX_ROUND_MESSAGES`] already.
    Full,
}

impl MessageSet {
    /// A set for the messages that carry the ephemeral which `ephemeral` stands for.
    #[must_use]
    pub fn new(ephemeral: Token) -> Self {
        Self {
            ephemeral,
            at: 0,
            messages: Vec::new(),
        }
    }

    /// Takes a message in, if it belongs here.
    pub fn insert(&mut self, ephemeral: Token, message: HandshakeMessage) -> Insertion {
        if ephemeral != self.ephemeral {
            return Insertion::OtherEphemeral;
        }
        if message.at < self.at {
            return Insertion::Older;
        }
        let replaced = message.at > self.at && !self.messages.is_empty();
        if message.at > self.at {
            self.messages.clear();
            self.at = message.at;
        }
        if self
            .messages
            .iter()
            .any(|known| known.kind.name() == message.kind.name())
        {
            return Insertion::Duplicate;
        }
        if self.messages.len() >= MAX_ROUND_MESSAGES {
            return Insertion::Full;
        }
        self.messages.push(message);
        if replaced {
            Insertion::Replaced
        } else {
            Insertion::Added
        }
    }

    /// The `at` that the messages share; 0 while there are none.
    #[must_use]
    pub fn at(&self) -> u64 {
        self.at
    }

    /// Whether the `link` message has arrived: "send `link` last" makes the round complete.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.keys().is_some()
    }

    /// Who the sender says it is, once the round is complete.
    #[must_use]
    pub fn keys(&self) -> Option<&KeySet> {
        self.messages
            .iter()
            .find_map(|message| match &message.kind {
                Kind::Link { keys } => Some(keys),
                _ => None,
            })
    }

    /// The messages so far, in the order of their arrival.
    #[must_use]
    pub fn messages(&self) -> &[HandshakeMessage] {
        &self.messages
    }
}
