//! What travels in a chat (channel-types.md, chat): LOB packets.

mod fields;
mod profile;
mod receipt;
mod text;

use bytes::Bytes;
use serde_json::{Map, Value};
use telehash_hashname::Hashname;
use telehash_lob::Lob;

use self::fields::{Fields, field};
pub use self::profile::{MAX_AKA, MAX_NAME, MAX_PROFILE, Profile};
pub use self::receipt::{Ack, Receipt};
pub use self::text::{Activity, Alternate, Chat, MAX_ALTS, MAX_REF, MAX_REFS, MAX_TEXT};
use crate::error::MessageError;
use crate::id::Id;

/// Limit: bytes of one message as it travels, with what is attached to it. A longer one is refused, to be
/// sent or received.
pub const MAX_MESSAGE: usize = 64 * 1024;

/// One message of a chat.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Message {
    /// What somebody says.
    Chat(Chat),
    /// Who somebody is.
    Profile(Profile),
    /// The leader lets somebody in.
    Join(Join),
    /// What became of a message at its recipient.
    Receipt(Receipt),
    /// Messages that their sender does not have any more.
    Gap(Gap),
}

/// The leader lets somebody in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Join {
    /// Of the leader's chain.
    pub id: Id,
    /// Who is let in.
    pub who: Hashname,
    /// What came last when it was written.
    pub after: Option<Id>,
    /// When it was written, in seconds since 1970.
    pub at: Option<u64>,
    /// The profile of who is let in.
    pub profile: Profile,
}

/// Messages that their sender does not have any more, in the place of them. It is ours: JavaScript keeps
/// everything that was said, and takes nothing that comes after a gap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gap {
    /// The id of the last one.
    pub id: Id,
    /// How many they are.
    pub count: u32,
}

impl Message {
    /// Reads a message.
    ///
    /// # Errors
    /// It is not a message of a known type, or exceeds a limit; see [`MessageError`].
    pub fn parse(packet: &Bytes) -> Result<Self, MessageError> {
        let (head, body) = opened(packet, MAX_MESSAGE, "message")?;
        let fields = Fields(&head);
        match fields.text("type")? {
            "chat" => Chat::read(&fields, body).map(Self::Chat),
            "profile" => Profile::parse(packet).map(Self::Profile),
            "join" => Join::read(&fields, &body).map(Self::Join),
            "ack" => Receipt::read(&fields).map(Self::Receipt),
            "gap" => Gap::read(&fields).map(Self::Gap),
            _ => Err(MessageError::UnknownType),
        }
    }

    /// The packet of the message.
    ///
    /// # Errors
    /// It exceeds a limit; see [`MessageError`].
    pub fn encode(&self) -> Result<Bytes, MessageError> {
        match self {
            Self::Chat(chat) => chat.encode(),
            Self::Profile(profile) => profile.encode(),
            Self::Join(join) => join.encode(),
            Self::Receipt(receipt) => receipt.encode(),
            Self::Gap(gap) => gap.encode(),
        }
    }

    /// The id that it has, or that it is about.
    #[must_use]
    pub fn id(&self) -> Id {
        match self {
            Self::Chat(chat) => chat.id,
            Self::Profile(profile) => profile.id,
            Self::Join(join) => join.id,
            Self::Receipt(receipt) => receipt.id,
            Self::Gap(gap) => gap.id,
        }
    }
}

impl Join {
    fn read(fields: &Fields<'_>, body: &Bytes) -> Result<Self, MessageError> {
        let who = fields.text("from")?.parse();
        Ok(Self {
            id: fields.id("id")?,
            who: who.map_err(|_| MessageError::Field("from"))?,
            after: fields.maybe_id("after")?,
            at: fields.maybe_number("at")?,
            profile: Profile::parse(body)?,
        })
    }

    fn encode(&self) -> Result<Bytes, MessageError> {
        let mut head = Map::from_iter([
            field("type", "join"),
            field("from", self.who.to_string()),
            field("id", self.id.to_string()),
        ]);
        head.extend(self.at.map(|at| field("at", at)));
        head.extend(self.after.map(|after| field("after", after.to_string())));
        packet(&head, &self.profile.encode()?)
    }
}

impl Gap {
    fn read(fields: &Fields<'_>) -> Result<Self, MessageError> {
        let count = fields.maybe_number("count")?;
        let count = count.and_then(|count| u32::try_from(count).ok());
        Ok(Self {
            id: fields.id("id")?,
            count: count.ok_or(MessageError::Field("count"))?,
        })
    }

    fn encode(self) -> Result<Bytes, MessageError> {
        let head = Map::from_iter([
            field("type", "gap"),
            field("id", self.id.to_string()),
            field("count", self.count),
        ]);
        packet(&head, &[])
    }
}

/// Head and body of a packet that is no longer than `limit`.
fn opened(
    packet: &Bytes,
    limit: usize,
    what: &'static str,
) -> Result<(Map<String, Value>, Bytes), MessageError> {
    check_size(packet.len(), limit, what)?;
    let lob = Lob::parse(packet)?;
    let body = packet.slice(packet.len() - lob.body().len()..);
    Ok((lob.json()?, body))
}

fn packet(head: &Map<String, Value>, body: &[u8]) -> Result<Bytes, MessageError> {
    let packet = telehash_lob::encode_json(head, body)?;
    check_size(packet.len(), MAX_MESSAGE, "message")?;
    Ok(packet.into())
}

fn check_size(len: usize, limit: usize, what: &'static str) -> Result<(), MessageError> {
    if len > limit {
        return Err(MessageError::TooLarge { what, limit });
    }
    Ok(())
}

#[cfg(test)]
mod tests;
