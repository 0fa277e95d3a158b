//! The channels of a link, by id and by a small index that queues and timers use.

use alloc::{boxed::Box, collections::BTreeMap, vec::Vec};

use super::{channel::Channel, types::ChannelId};

/// The place of a channel in the table, reused once the channel is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key(u32);

impl Key {
    pub(super) const fn index(self) -> usize {
        self.0 as usize
    }

    #[cfg(test)]
    pub(super) const fn test(index: u32) -> Self {
        Self(index)
    }
}

/// All channels. Nothing is allocated before there is one.
#[derive(Debug, Default)]
pub(super) struct Table {
    slots: Vec<Option<Box<Channel>>>,
    free: Vec<Key>,
    index: BTreeMap<ChannelId, Key>,
}

impl Table {
    pub(super) fn find(&self, id: ChannelId) -> Option<Key> {
        self.index.get(&id).copied()
    }

    pub(super) fn get(&self, key: Key) -> Option<&Channel> {
        self.slots.get(key.index())?.as_deref()
    }

    pub(super) fn get_mut(&mut self, key: Key) -> Option<&mut Channel> {
        self.slots.get_mut(key.index())?.as_deref_mut()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (Key, &Channel)> {
        self.index
            .values()
            .filter_map(|&key| Some((key, self.get(key)?)))
    }

    /// The keys of all channels, in the order of their ids.
    pub(super) fn keys(&self) -> Vec<Key> {
        self.index.values().copied().collect()
    }

    /// Adds a channel whose id is not in the table.
    pub(super) fn insert(&mut self, channel: Channel) -> Key {
        let key = self.free.pop().unwrap_or_else(|| {
            self.slots.push(None);
            let last = self.slots.len() - 1;
            Key(u32::try_from(last).expect("channels are bounded by a number of ids, a u32"))
        });
        self.index.insert(channel.id, key);
        if let Some(slot) = self.slots.get_mut(key.index()) {
            *slot = Some(Box::new(channel));
        }
        key
    }

    pub(super) fn is_empty(&self) -> bool {
        self.index.is_empty()
    }

    pub(super) fn remove(&mut self, key: Key) -> Option<Box<Channel>> {
        let channel = self.slots.get_mut(key.index())?.take()?;
        self.index.remove(&channel.id);
        self.free.push(key);
        Some(channel)
    }
}
