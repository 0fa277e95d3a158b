//! What can go wrong, by whose fault it is.

use telehash_hashname::Hashname;
use telehash_lob::{JsonError, LobError};
use thiserror::Error;

use crate::id::Id;

/// Bytes are no message, or a message cannot be sent.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum MessageError {
    /// It is not a LOB packet, or its head is too long to be sent.
    #[error("not a message: {0}")]
    Packet(#[from] LobError),
    /// Its head is not JSON.
    #[error("not a message: {0}")]
    Json(#[from] JsonError),
    /// Its type is none that is known.
    #[error("a message of an unknown type")]
    UnknownType,
    /// A profile was to come.
    #[error("a profile is expected")]
    NoProfile,
    /// A field is missing, or is not what it has to be.
    #[error("the field `{0}` of a message is missing or malformed")]
    Field(&'static str),
    /// A part of it, or all of it, is too large.
    #[error("the {what} is larger than the {limit} bytes that are allowed")]
    TooLarge {
        /// What is too large.
        what: &'static str,
        /// The limit in bytes.
        limit: usize,
    },
    /// It has too many of something.
    #[error("a message has more than the {limit} {what} that are allowed")]
    TooMany {
        /// Of what.
        what: &'static str,
        /// The limit.
        limit: usize,
    },
}

/// What somebody sent is refused, and changes nothing.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum Refusal {
    /// It cannot be read.
    #[error(transparent)]
    Malformed(#[from] MessageError),
    /// The leader has not let its sender in.
    #[error("its sender has not joined the chat")]
    NotJoined,
    /// Only the leader lets anybody in.
    #[error("a join that is not from the leader")]
    NotLeader,
    /// The leader comes first.
    #[error("the first join is not the leader's own")]
    LeaderFirst,
    /// Somebody joins again with another chain.
    #[error("{0} has joined with another profile id already")]
    OtherChain(Hashname),
    /// There is no room for another participant; see [`MAX_PARTICIPANTS`](crate::limits::MAX_PARTICIPANTS).
    #[error("the chat has as many participants as are allowed")]
    Full,
    /// The id is not of its sender's chain.
    #[error("the id {0} is forged: it is not of the chain of its sender")]
    Forged(Id),
    /// Messages of the same sender are missing before it.
    #[error("before the message {id} {missing} of its sender are missing")]
    Skipped {
        /// The id of the message.
        id: Id,
        /// How many are missing.
        missing: u32,
    },
    /// It changes a message after which its sender said something else.
    #[error("the message {0} cannot change any more: its sender said something else after it")]
    LateEdit(Id),
    /// It belongs to another chat.
    #[error("a message of the chat {0}")]
    OtherChat(Id),
    /// It is about a message that we did not send, or do not have any more.
    #[error("a receipt for {0}, which is no message of ours that is kept")]
    UnknownMessage(Id),
    /// What does not belong in a conversation that goes on.
    #[error("a profile outside of a join")]
    Misplaced,
}

/// Why a message that came was not taken.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ReceiveError {
    /// It is refused: the fault of its sender.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// It could not be kept. It can come again, when chatting is resumed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Why something cannot be done in a chat.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum RoomError {
    /// The leader has not let us in yet.
    #[error("the leader has not let us in yet")]
    NotJoined,
    /// Only the leader can do that.
    #[error("only the leader lets somebody in")]
    NotLeader,
    /// All ids of our chain are used up: the chat is to begin anew.
    #[error("no more messages can be sent in this chat: all ids are used up")]
    Exhausted,
    /// It is not our newest message, or others came after it.
    #[error("the message {0} cannot be changed: it is not the newest of the chat")]
    NotNewest(Id),
    /// The message is not one of somebody else that is kept.
    #[error("{0} is no message of somebody else that is kept")]
    UnknownMessage(Id),
    /// The chat is not in the store, or not ours.
    #[error("the chat {0} is not in the store")]
    UnknownChat(Id),
    /// The profile of the newcomer is refused.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The message cannot be sent.
    #[error(transparent)]
    Message(#[from] MessageError),
    /// It could not be kept, and so was not sent.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A store failed.
#[derive(Debug, Error)]
#[error("the history of the chat cannot be kept: {0}")]
pub struct StoreError(#[source] Box<dyn std::error::Error + Send + Sync>);

impl StoreError {
    /// For this reason.
    #[must_use]
    pub fn new(reason: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self(reason.into())
    }
}
