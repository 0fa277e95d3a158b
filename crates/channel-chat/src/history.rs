//! What was said, in an order that is the same for everybody who has the same messages.
//!
//! A message comes after the one before it of the same sender, and after the one that it names in
//! `after`. Between these, time decides, as the senders tell it, and then ids. So the place of a message
//! depends on nothing but what it comes after.

mod entry;
mod pending;

use std::collections::{BTreeMap, BTreeSet};

use telehash_hashname::Hashname;

pub use self::entry::{Content, Entry};
use self::entry::{Key, Name};
use self::pending::Pending;
use crate::id::Id;
use crate::message::{Ack, Chat};
use crate::shares::{MAX_HISTORY, Shares};

/// The messages of a chat that are kept in memory.
#[derive(Debug, Default)]
pub(crate) struct History {
    entries: BTreeMap<Name, Entry>,
    order: BTreeSet<(Key, Name)>,
    /// Messages that are named in `after` but are not here, and by whom.
    awaited: BTreeSet<(Id, Name)>,
    /// The newest that came of each sender. With a gap before it, what comes next still comes after that.
    newest_of: BTreeMap<Hashname, Id>,
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
        if let Some(before) = self.newest_of.insert(from, id) {
            entry.previous = Some(before);
        }
        for waiting in self.waiting_for(id) {
            entry.named = true;
            entry.followed |= !waiting.is_silent();
        }
        // With two of an id, which of them is meant has to be decided anew.
        self.stale |= entry.named || self.with_id(id).next().is_some();
        self.shares.push(from, id, entry.bytes());
        self.place(entry);
        self.make_room();
    }

    /// Puts another text in place of that of a message, which is the newest of its sender.
    pub(crate) fn replace(&mut self, chat: Chat, from: Hashname, bytes: usize) {
        let Some(mut entry) = self.take((chat.id, from)) else {
            return;
        };
        self.stale |= entry.named;
        let id = chat.id;
        entry.become_text(chat, bytes);
        self.shares.resize(from, &id, entry.bytes());
        self.place(entry);
        self.make_room();
    }

    /// Notes what became of a message; false if it is not there.
    pub(crate) fn acknowledge(&mut self, name: Name, by: Hashname, ack: Ack) -> bool {
        let Some(entry) = self.entries.get_mut(&name) else {
            return false;
        };
        entry.acknowledged(by, ack);
        let (id, from) = name;
        self.shares.resize(from, &id, entry.bytes());
        self.make_room();
        true
    }

    /// What it weighs, as [`MAX_HISTORY`] counts.
    pub(crate) fn weight(&self) -> usize {
        self.shares.weight()
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

const LEAST: Hashname = Hashname::from_bytes([0; 32]);
const MOST: Hashname = Hashname::from_bytes([0xff; 32]);

fn of_id(id: Id) -> std::ops::RangeInclusive<Name> {
    (id, LEAST)..=(id, MOST)
}

#[cfg(test)]
mod tests;
