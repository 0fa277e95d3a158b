//! Which messages were reported already.

use std::collections::{HashMap, HashSet};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use mesh::Hashname;
use mesh::chat::{Id, Room};

/// Limit: messages of which we remember that they were reported. At the limit those are forgotten that the chat has
/// forgotten.
const MAX_REPORTED: usize = 1 << 16;

/// Messages, by sender and id: two senders may use the same one, if one of them is up to something. Of each the digest
/// of its text.
#[derive(Debug, Default)]
pub(super) struct Reported(HashMap<(Hashname, Id), u64>);

/// What is new about a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum News {
    /// All of it.
    Message,
    /// Its text.
    Text,
    Nothing,
}

impl Reported {
    /// All that is in a room.
    pub(super) fn all_of(room: &mut Room) -> Self {
        let texts = room.history().filter_map(|entry| {
            let text = entry.text()?;
            Some(((entry.from(), entry.id()), digest(text)))
        });
        Self(texts.collect())
    }

    /// Notes one; what is new about it.
    pub(super) fn note(&mut self, from: Hashname, id: Id, text: &str) -> News {
        let text = digest(text);
        match self.0.insert((from, id), text) {
            None => News::Message,
            Some(before) if before != text => News::Text,
            Some(_) => News::Nothing,
        }
    }

    /// Whether one was noted, with this text.
    pub(super) fn has(&self, from: Hashname, id: Id, text: &str) -> bool {
        self.0.get(&(from, id)) == Some(&digest(text))
    }

    /// Makes room, if there has to be some: `there` is what the chat has.
    pub(super) fn make_room(&mut self, there: impl FnOnce() -> HashSet<(Hashname, Id)>) {
        if self.0.len() > MAX_REPORTED {
            let there = there();
            self.0.retain(|message, _| there.contains(message));
        }
    }
}

fn digest(text: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_more_messages_than_the_limit_those_are_remembered_that_the_chat_has() {
        let who = Hashname::from_bytes([1; 32]);
        let id = |number: usize| Id::from_bytes(number.to_be_bytes());
        let mut reported = Reported::default();
        for number in 0..MAX_REPORTED {
            assert_eq!(reported.note(who, id(number), "text"), News::Message);
            reported.make_room(|| panic!("there is room"));
        }
        assert_eq!(reported.note(who, id(MAX_REPORTED), "text"), News::Message);
        reported.make_room(|| HashSet::from([(who, id(7)), (who, id(MAX_REPORTED))]));
        assert_eq!(reported.0.len(), 2);
        assert_eq!(reported.note(who, id(7), "text"), News::Nothing);
        assert_eq!(reported.note(who, id(8), "text"), News::Message);
    }

    #[test]
    fn what_was_reported_is_news_again_only_with_another_text() {
        let (who, id) = (Hashname::from_bytes([1; 32]), Id::from_bytes([1; 8]));
        let mut reported = Reported::default();
        assert_eq!(reported.note(who, id, "elevn"), News::Message);
        assert_eq!(reported.note(who, id, "elevn"), News::Nothing);
        assert_eq!(reported.note(who, id, "eleven"), News::Text);
        assert!(reported.has(who, id, "eleven") && !reported.has(who, id, "elevn"));
        assert_eq!(reported.note(who, id, "eleven"), News::Nothing);
    }
}
