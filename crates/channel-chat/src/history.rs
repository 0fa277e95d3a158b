//! What was said, in an order that is the same for everybody who has the same messages.
//!
//! A message comes after the one before it of the same sender, and after the one that it names in
//! `after`. Between these, time decides, as the senders tell it, and then ids. So the place of a message
//! depends on nothing but what it comes after.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use telehash_hashname::Hashname;

use crate::id::Id;
use crate::message::{Ack, Chat, Join};
use crate::shares::{MAX_HISTORY, Shares};

/// What one receipt costs.
const RECEIPT: usize = 64;

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
    from: Hashname,
    content: Content,
    edited: bool,
    receipts: Vec<(Hashname, Ack)>,
    /// Something names it in `after`.
    named: bool,
    /// Something that is not silent does.
    followed: bool,
    bytes: usize,
    /// The one before it of the same sender.
    previous: Option<Id>,
    /// What these two contributed to its own key; it stays when they are forgotten.
    under_previous: Key,
    under_after: Key,
    key: Key,
}

/// Two senders may have the same id, if one of them is up to something.
type Name = (Id, Hashname);

/// The latest time of a message and everything before it, and how many come before it at least. Both
/// are never less than those of what comes before, and the second is more.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
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

    /// What became of it at others, as they say; of messages of ours only.
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

    fn name(&self) -> Name {
        (self.id(), self.from)
    }

    fn at(&self) -> u64 {
        let at = match &self.content {
            Content::Chat(chat) => chat.at,
            Content::Join(join) => join.at,
        };
        at.unwrap_or_default()
    }

    fn after(&self) -> Option<Id> {
        let after = match &self.content {
            Content::Chat(chat) => chat.after,
            Content::Join(join) => join.after,
        };
        after.filter(|after| *after != self.id())
    }

    fn settle(&mut self) {
        let (previous, after) = (self.under_previous, self.under_after);
        self.key = Key {
            time: self.at().max(previous.time).max(after.time),
            height: previous.height.max(after.height).saturating_add(1),
        };
    }
}

/// The messages of a chat that are kept in memory.
#[derive(Debug, Default)]
pub(crate) struct History {
    entries: BTreeMap<Name, Entry>,
    order: BTreeSet<(Key, Name)>,
    /// Messages that are named in `after` but are not here, and by whom.
    awaited: BTreeSet<(Id, Name)>,
    /// The order has to be made anew: something came that others waited for.
    stale: bool,
    shares: Shares<Id>,
}

impl History {
    pub(crate) fn get(&self, id: Id, from: Hashname) -> Option<&Entry> {
        self.entries.get(&(id, from))
    }

    /// The messages with an id: one, unless somebody is up to something.
    pub(crate) fn with_id(&self, id: Id) -> impl Iterator<Item = &Entry> {
        self.entries.range(of_id(id)).map(|(_, entry)| entry)
    }

    /// Adds a message that is the newest of its sender.
    pub(crate) fn push(&mut self, mut entry: Entry) {
        let name @ (id, from) = entry.name();
        if self.entries.contains_key(&name) {
            return;
        }
        for waiting in self.waiting_for(id) {
            entry.named = true;
            entry.followed |= !waiting.is_silent();
        }
        // With two of an id, which of them is meant has to be decided anew.
        self.stale |= entry.named || self.with_id(id).next().is_some();
        self.shares.push(from, id, entry.bytes);
        self.place(entry);
        self.make_room();
    }

    /// Puts another text in place of that of a message that nothing comes after.
    pub(crate) fn replace(&mut self, chat: Chat, from: Hashname, bytes: usize) {
        let Some(mut entry) = self.take((chat.id, from)) else {
            return;
        };
        self.stale |= entry.named;
        // A text in place of none is no correction.
        entry.edited |= !entry.is_silent();
        entry.bytes = bytes + entry.receipts.len() * RECEIPT;
        self.shares.resize(from, &chat.id, entry.bytes);
        entry.content = Content::Chat(chat);
        entry.under_after = Key::default();
        self.place(entry);
        self.make_room();
    }

    /// Notes what became of a message; false if it is not there.
    pub(crate) fn acknowledge(&mut self, name: Name, by: Hashname, ack: Ack) -> bool {
        let Some(entry) = self.entries.get_mut(&name) else {
            return false;
        };
        if let Some((_, last)) = { entry.receipts.iter_mut() }.find(|(of, _)| *of == by) {
            *last = ack;
            return true;
        }
        entry.receipts.push((by, ack));
        entry.bytes += RECEIPT;
        let (id, from) = name;
        self.shares.resize(from, &id, entry.bytes);
        self.make_room();
        true
    }

    /// All of it, in order.
    pub(crate) fn in_order(&mut self) -> impl DoubleEndedIterator<Item = &Entry> {
        if self.stale {
            self.rebuild();
        }
        self.order
            .iter()
            .filter_map(|(_, name)| self.entries.get(name))
    }

    /// What a message that is written now comes after.
    pub(crate) fn newest(&mut self) -> Option<&Entry> {
        self.in_order().rev().find(|entry| !entry.is_silent())
    }

    /// Who names this, which is not here yet.
    fn waiting_for(&self, id: Id) -> impl Iterator<Item = &Entry> {
        let range = (id, (Id::MIN, LEAST))..=(id, (Id::MAX, MOST));
        let names = self.awaited.range(range).map(|(_, name)| name);
        names.filter_map(|name| self.entries.get(name))
    }

    /// Puts an entry where it belongs, as far as that is known.
    fn place(&mut self, mut entry: Entry) {
        let name @ (_, from) = entry.name();
        let previous = entry.previous.and_then(|id| self.entries.get(&(id, from)));
        if let Some(previous) = previous {
            entry.under_previous = previous.key;
        }
        if let Some(id) = entry.after() {
            let after = self.with_id(id).next().map(|after| after.key);
            entry.under_after = after.unwrap_or_default();
            if after.is_none() {
                self.awaited.insert((id, name));
            }
            for (_, after) in self.entries.range_mut(of_id(id)) {
                after.named = true;
                after.followed |= !entry.is_silent();
            }
        }
        entry.settle();
        self.order.insert((entry.key, name));
        self.entries.insert(name, entry);
    }

    fn take(&mut self, name: Name) -> Option<Entry> {
        let entry = self.entries.remove(&name)?;
        self.order.remove(&(entry.key, name));
        if let Some(after) = entry.after() {
            self.awaited.remove(&(after, name));
        }
        Some(entry)
    }

    fn make_room(&mut self) {
        while let Some((from, id)) = self.shares.pop_beyond(MAX_HISTORY) {
            self.take((id, from));
        }
    }

    /// Makes the order anew, from what comes after what.
    fn rebuild(&mut self) {
        self.stale = false;
        let mut pending = Pending::new(&self.entries);
        while let Some(name) = pending.next() {
            let Some(mut entry) = self.entries.remove(&name) else {
                continue;
            };
            let waits = pending.waits(name);
            entry.under_previous = pending.contribution(waits.previous, entry.under_previous);
            entry.under_after = match waits.circular {
                true => Key::default(),
                false => pending.contribution(waits.after, entry.under_after),
            };
            entry.settle();
            pending.done(name, entry.key);
            self.entries.insert(name, entry);
        }
        self.order = { self.entries.iter() }
            .map(|(name, entry)| (entry.key, *name))
            .collect();
        let here = |id| self.entries.range(of_id(id)).next().is_some();
        self.awaited.retain(|(id, _)| !here(*id));
    }
}

/// What remains to be put in order, each thing after what it comes after.
struct Pending {
    waits: HashMap<Name, Waits>,
    followers: HashMap<Name, Vec<Name>>,
    ready: Vec<Name>,
    keys: HashMap<Name, Key>,
}

#[derive(Clone, Copy, Default)]
struct Waits {
    /// What is here of the two.
    previous: Option<Name>,
    after: Option<Name>,
    /// What it names in `after` comes after itself, so that this is ignored.
    circular: bool,
}

impl Pending {
    fn new(entries: &BTreeMap<Name, Entry>) -> Self {
        let mut pending = Self {
            waits: HashMap::with_capacity(entries.len()),
            followers: HashMap::new(),
            ready: Vec::new(),
            keys: HashMap::with_capacity(entries.len()),
        };
        for (&name, entry) in entries {
            let previous = entry.previous.map(|id| (id, entry.from));
            let first = |id| Some(*entries.range(of_id(id)).next()?.0);
            let waits = Waits {
                previous: previous.filter(|previous| entries.contains_key(previous)),
                after: entry.after().and_then(first),
                circular: false,
            };
            for before in waits.names() {
                pending.followers.entry(before).or_default().push(name);
            }
            pending.waits.insert(name, waits);
            pending.look_at(name);
        }
        pending
    }

    fn waits(&self, name: Name) -> Waits {
        self.waits.get(&name).copied().unwrap_or_default()
    }

    /// The next one that waits for nothing.
    fn next(&mut self) -> Option<Name> {
        if self.ready.is_empty() && self.keys.len() < self.waits.len() {
            self.break_circles();
        }
        self.ready.pop()
    }

    /// All that remains waits for each other, in circles that no honest message is part of, or for
    /// something in a circle. Within these circles, and between them, `after` is ignored.
    fn break_circles(&mut self) {
        let remaining = self
            .waits
            .keys()
            .filter(|name| !self.keys.contains_key(*name));
        let mut rest: BTreeSet<Name> = remaining.copied().collect();
        let remaining = rest.clone();
        let mut open: HashMap<Name, usize> = HashMap::new();
        for before in { rest.iter() }.flat_map(|name| self.waits(*name).names()) {
            *open.entry(before).or_default() += 1;
        }
        // What nothing waits for is in no circle.
        let mut ends: Vec<Name> = { rest.iter() }
            .filter(|name| !open.contains_key(*name))
            .copied()
            .collect();
        while let Some(end) = ends.pop() {
            rest.remove(&end);
            for before in self.waits(end).names() {
                if let Some(count) = open.get_mut(&before) {
                    *count -= 1;
                    if *count == 0 && rest.contains(&before) {
                        ends.push(before);
                    }
                }
            }
        }
        for name in &rest {
            if let Some(waits) = self.waits.get_mut(name) {
                waits.circular = waits.after.is_some_and(|after| rest.contains(&after));
            }
        }
        for name in remaining {
            self.look_at(name);
        }
    }

    /// What something that comes before adds to a key: what it was if that is not here any more.
    fn contribution(&self, before: Option<Name>, last: Key) -> Key {
        match before {
            Some(before) => self.keys.get(&before).copied().unwrap_or_default(),
            None => last,
        }
    }

    fn done(&mut self, name: Name, key: Key) {
        self.keys.insert(name, key);
        for follower in self.followers.remove(&name).into_iter().flatten() {
            if !self.keys.contains_key(&follower) {
                self.look_at(follower);
            }
        }
    }

    fn look_at(&mut self, name: Name) {
        let waits = self.waits(name);
        let open = |before: Option<Name>| before.is_some_and(|name| !self.keys.contains_key(&name));
        if !open(waits.previous) && (waits.circular || !open(waits.after)) {
            self.ready.push(name);
        }
    }
}

impl Waits {
    /// Each of the two, once.
    fn names(&self) -> impl Iterator<Item = Name> + use<> {
        let after = self.after.filter(|after| self.previous != Some(*after));
        self.previous.into_iter().chain(after)
    }
}

const LEAST: Hashname = Hashname::from_bytes([0; 32]);
const MOST: Hashname = Hashname::from_bytes([0xff; 32]);

fn of_id(id: Id) -> std::ops::RangeInclusive<Name> {
    (id, LEAST)..=(id, MOST)
}

#[cfg(test)]
mod tests;
