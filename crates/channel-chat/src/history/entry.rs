//! One message of the history.

use telehash_hashname::Hashname;

use crate::id::Id;
use crate::message::{Ack, Chat, Join};

/// What one receipt costs.
pub(super) const RECEIPT: usize = 64;

/// A message that somebody sent.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Content {
    /// What somebody says.
    Chat(Chat),
    /// The leader lets somebody in.
    Join(Join),
}

/// A message of the history.
#[derive(Clone, Debug)]
pub struct Entry {
    pub(super) from: Hashname,
    pub(super) content: Content,
    edited: bool,
    /// What it said when somebody had answered, if it changed after that.
    answered: Option<String>,
    receipts: Vec<(Hashname, Ack)>,
    /// Something names it in `after`.
    pub(super) named: bool,
    /// Something that is not silent does.
    pub(super) followed: bool,
    pub(super) bytes: usize,
    /// The one before it of the same sender.
    pub(super) previous: Option<Id>,
    /// What these two contributed to its own key; it stays when they are forgotten.
    pub(super) under_previous: Key,
    pub(super) under_after: Key,
    pub(super) key: Key,
}

/// Two senders may have the same id, if one of them is up to something.
pub(super) type Name = (Id, Hashname);

/// The latest time of a message and everything before it, and how many come before it at least. Both
/// are never less than those of what comes before, and the second is more.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key {
    time: u64,
    height: u32,
}

impl Entry {
    pub(crate) fn new(
        from: Hashname,
        previous: Option<Id>,
        content: Content,
        bytes: usize,
    ) -> Self {
        Self {
            from,
            content,
            edited: false,
            answered: None,
            receipts: Vec::new(),
            named: false,
            followed: false,
            bytes,
            previous,
            under_previous: Key::default(),
            under_after: Key::default(),
            key: Key::default(),
        }
    }

    /// One that is kept with what it said before, when somebody had answered.
    pub(crate) fn with_answered(self, answered: Option<String>) -> Self {
        let before = answered.as_ref().map_or(0, String::len);
        Self {
            edited: answered.is_some(),
            bytes: self.bytes + before,
            answered,
            ..self
        }
    }

    /// Its id.
    #[must_use]
    pub fn id(&self) -> Id {
        match &self.content {
            Content::Chat(chat) => chat.id,
            Content::Join(join) => join.id,
        }
    }

    /// Who sent it.
    #[must_use]
    pub fn from(&self) -> Hashname {
        self.from
    }

    /// What it says.
    #[must_use]
    pub fn content(&self) -> &Content {
        &self.content
    }

    /// Its text, if it has any.
    #[must_use]
    pub fn text(&self) -> Option<&str> {
        match &self.content {
            Content::Chat(chat) if !chat.text.is_empty() => Some(&chat.text),
            _ => None,
        }
    }

    /// Whether it took the place of another text.
    #[must_use]
    pub fn is_edited(&self) -> bool {
        self.edited
    }

    /// What it said when somebody had answered it, as far as we know, if its sender changed it after that.
    /// What others answered has to be read with this.
    #[must_use]
    pub fn answered_text(&self) -> Option<&str> {
        self.answered.as_deref()
    }

    /// What [`answered_text`](Self::answered_text) is once it is this.
    pub(crate) fn answered_before(&self, chat: &Chat) -> Option<&str> {
        let now = self.text().filter(|_| self.followed);
        let now = now.filter(|_| !self.says_the_same(chat));
        self.answered_text().or(now)
    }

    /// Whether this differs from it at most in what its sender is doing.
    pub(crate) fn says_the_same(&self, chat: &Chat) -> bool {
        matches!(&self.content, Content::Chat(known) if known.says_the_same(chat))
    }

    /// What became of it at others, as they say; of messages of ours only. Those for a text that another one
    /// took the place of are gone.
    #[must_use]
    pub fn receipts(&self) -> &[(Hashname, Ack)] {
        &self.receipts
    }

    /// It only says what its sender is doing.
    pub(crate) fn is_silent(&self) -> bool {
        matches!(self.content, Content::Chat(_)) && self.text().is_none()
    }

    /// Others came after it, and so it stays as it is.
    pub(crate) fn is_followed(&self) -> bool {
        self.followed
    }

    /// Bytes that it takes, with what belongs to it.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Puts another text in place of its own.
    pub(super) fn become_text(&mut self, chat: Chat, bytes: usize) {
        self.answered = self.answered_before(&chat).map(str::to_owned);
        if !self.says_the_same(&chat) {
            // A text in place of none is no correction.
            self.edited |= !self.is_silent();
            // They were for what it said before.
            self.receipts.clear();
        }
        let before = self.answered.as_ref().map_or(0, String::len);
        self.bytes = bytes + before + self.receipts.len() * RECEIPT;
        self.content = Content::Chat(chat);
        self.under_after = Key::default();
    }

    /// Notes what became of it at somebody.
    pub(super) fn acknowledged(&mut self, by: Hashname, ack: Ack) {
        if let Some((_, last)) = { self.receipts.iter_mut() }.find(|(of, _)| *of == by) {
            *last = ack;
            return;
        }
        self.receipts.push((by, ack));
        self.bytes += RECEIPT;
    }

    pub(super) fn name(&self) -> Name {
        (self.id(), self.from)
    }

    fn at(&self) -> u64 {
        let at = match &self.content {
            Content::Chat(chat) => chat.at,
            Content::Join(join) => join.at,
        };
        at.unwrap_or_default()
    }

    pub(super) fn after(&self) -> Option<Id> {
        let after = match &self.content {
            Content::Chat(chat) => chat.after,
            Content::Join(join) => join.after,
        };
        after.filter(|after| *after != self.id())
    }

    pub(super) fn settle(&mut self) {
        let (previous, after) = (self.under_previous, self.under_after);
        self.key = Key {
            time: self.at().max(previous.time).max(after.time),
            height: previous.height.max(after.height).saturating_add(1),
        };
    }
}
