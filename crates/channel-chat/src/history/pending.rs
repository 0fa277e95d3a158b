//! Putting a whole history in order: what waits for what.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::entry::{Entry, Key, Name};
use super::of_id;

/// What remains to be put in order, each thing after what it comes after.
pub(super) struct Pending {
    waits: HashMap<Name, Waits>,
    followers: HashMap<Name, Vec<Name>>,
    ready: Vec<Name>,
    keys: HashMap<Name, Key>,
}

#[derive(Clone, Copy, Default)]
pub(super) struct Waits {
    /// What is here of the two.
    pub(super) previous: Option<Name>,
    pub(super) after: Option<Name>,
    /// What it names in `after` comes after itself, so that this is ignored.
    pub(super) circular: bool,
}

impl Pending {
    pub(super) fn new(entries: &BTreeMap<Name, Entry>) -> Self {
        let mut pending = Self {
            waits: HashMap::with_capacity(entries.len()),
            followers: HashMap::new(),
            ready: Vec::new(),
            keys: HashMap::with_capacity(entries.len()),
        };
        for (&name, entry) in entries {
            let previous = entry.previous.map(|id| (id, entry.from()));
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

    pub(super) fn waits(&self, name: Name) -> Waits {
        self.waits.get(&name).copied().unwrap_or_default()
    }

    /// The next one that waits for nothing.
    pub(super) fn next(&mut self) -> Option<Name> {
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
    pub(super) fn contribution(&self, before: Option<Name>, last: Key) -> Key {
        match before {
            Some(before) => self.keys.get(&before).copied().unwrap_or_default(),
            None => last,
        }
    }

    pub(super) fn done(&mut self, name: Name, key: Key) {
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
