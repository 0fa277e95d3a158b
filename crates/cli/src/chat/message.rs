//! What was said, as it is reported.

use mesh::Hashname;
use mesh::chat::{Content, Conversation, Entry, Id};

use super::people::name;
use crate::record::MessageRecord;

/// A message as it is reported, if it is there and says anything.
pub(super) fn message(chat: &Conversation, from: Hashname, id: Id) -> Option<MessageRecord> {
    let mut room = chat.room();
    let (name, me) = (name(&room, &from), room.me());
    let mut latest = { room.history().rev() }.filter(|entry| entry.text().is_some());
    let entry = latest.find(|entry| entry.id() == id && entry.from() == from)?;
    let follows = latest.next().map(|entry| entry.id().to_string());
    record(entry, name, me, false, follows)
}

/// The same of an entry of the history.
pub(super) fn record(
    entry: &Entry,
    name: String,
    me: Hashname,
    earlier: bool,
    follows: Option<String>,
) -> Option<MessageRecord> {
    let Content::Chat(said) = entry.content() else {
        return None;
    };
    Some(MessageRecord {
        id: said.id.to_string(),
        hashname: entry.from().to_string(),
        name,
        text: said.text.clone(),
        at: said.at,
        mine: entry.from() == me,
        earlier,
        follows,
    })
}
