//! Messages by box, and which of them make room.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::{Duration, Instant};

use bytes::Bytes;
use telehash_hashname::Hashname;

use super::quota::{OVERHEAD, Quota, SMALL};
use crate::id::{BoxId, MessageId};

/// The order in which messages came.
type Turn = u64;

/// Which box: of this recipient, by this name.
type Key = (Hashname, BoxId);

/// All messages that a cache keeps, within its quota.
#[derive(Debug)]
pub(crate) struct Store {
    quota: Quota,
    next: Turn,
    messages: BTreeMap<Turn, Stored>,
    boxes: BTreeMap<Key, Content>,
    senders: HashMap<Hashname, Share>,
    recipients: HashMap<Hashname, Share>,
    all: Share,
    expiring: BTreeSet<(Instant, Turn)>,
}

#[derive(Debug)]
struct Stored {
    sender: Hashname,
    key: Key,
    id: MessageId,
    bytes: Bytes,
    expires: Instant,
}

/// What is in a box that is not empty.
#[derive(Debug)]
struct Content {
    /// Names of boxes can be made to coincide.
    sender: Hashname,
    ids: HashMap<MessageId, Turn>,
    turns: BTreeSet<Turn>,
    /// The last message, if it is small: it makes no room.
    kept: Option<Turn>,
}

/// What somebody has here, and what of it may make room, oldest first.
#[derive(Debug, Default)]
struct Share {
    cost: usize,
    droppable: BTreeSet<Turn>,
}

/// What became of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kept {
    /// It is kept, the first one of a box that was empty.
    First,
    /// It is kept with others.
    More,
    /// It is there already.
    Again,
    /// There is no room.
    Not,
}

impl Stored {
    fn cost(&self) -> usize {
        self.bytes.len() + OVERHEAD
    }
}

/// What senders do.
impl Store {
    pub(crate) fn new(quota: Quota) -> Self {
        Self {
            quota,
            next: 1,
            messages: BTreeMap::new(),
            boxes: BTreeMap::new(),
            senders: HashMap::new(),
            recipients: HashMap::new(),
            all: Share::default(),
            expiring: BTreeSet::new(),
        }
    }

    /// Keeps a message for so long at most, if there is room or others make room.
    pub(crate) fn put(
        &mut self,
        now: Instant,
        (sender, recipient): (Hashname, Hashname),
        bytes: Bytes,
        keep: Option<Duration>,
    ) -> Kept {
        self.expire(now);
        let name = BoxId::new(&sender, &recipient);
        let (key, id) = ((recipient, name), MessageId::new(&name, &bytes));
        let content = self.boxes.get(&key);
        if content.is_some_and(|content| content.sender != sender) {
            return Kept::Not;
        }
        if content.is_some_and(|content| content.ids.contains_key(&id)) {
            return Kept::Again;
        }
        let first = content.is_none();
        let age = keep.map_or(self.quota.max_age, |keep| keep.min(self.quota.max_age));
        let Some(expires) = now.checked_add(age).filter(|_| !age.is_zero()) else {
            return Kept::Not;
        };
        // The last message will not be the last one any more.
        self.release(&key);
        let Some(victims) = self.victims(&sender, &recipient, bytes.len() + OVERHEAD) else {
            self.settle(&key);
            return Kept::Not;
        };
        for turn in victims {
            self.remove(turn);
        }
        self.insert(Stored {
            sender,
            key,
            id,
            bytes,
            expires,
        });
        if first { Kept::First } else { Kept::More }
    }

    /// Removes a message that `sender` sent.
    pub(crate) fn take_back(&mut self, sender: &Hashname, recipient: &Hashname, id: &MessageId) {
        let key = (*recipient, BoxId::new(sender, recipient));
        if self.boxes.get(&key).is_some_and(|c| c.sender == *sender) {
            self.remove_from(&key, id);
        }
    }

    /// Removes all messages that `sender` sent.
    pub(crate) fn take_all_back(&mut self, sender: &Hashname, recipient: &Hashname) {
        let key = (*recipient, BoxId::new(sender, recipient));
        if self.boxes.get(&key).is_some_and(|c| c.sender == *sender) {
            self.empty(&key);
        }
    }

    /// The messages that have to go for one that costs so much, or `None` if even that is not enough.
    fn victims(&self, from: &Hashname, to: &Hashname, cost: usize) -> Option<BTreeSet<Turn>> {
        let nothing = Share::default();
        let quota = &self.quota;
        let shares = [
            (self.senders.get(from), quota.per_sender),
            (self.recipients.get(to), quota.per_recipient),
            (Some(&self.all), quota.total),
        ];
        let mut victims = BTreeSet::new();
        for (share, limit) in shares {
            let share = share.unwrap_or(&nothing);
            let cost_of = |turn: &Turn| self.messages.get(turn).map_or(0, Stored::cost);
            let gone: usize = victims.intersection(&share.droppable).map(cost_of).sum();
            let mut left = share.cost - gone;
            let mut oldest = share.droppable.iter();
            while left + cost > limit {
                let turn = oldest.next()?;
                if victims.insert(*turn) {
                    left -= cost_of(turn);
                }
            }
        }
        Some(victims)
    }
}

/// What recipients do.
impl Store {
    /// The boxes of this recipient that are not empty.
    pub(crate) fn boxes_of(&self, recipient: &Hashname) -> Vec<BoxId> {
        let (lowest, highest) = BoxId::ALL;
        let boxes = self
            .boxes
            .range((*recipient, lowest)..=(*recipient, highest));
        boxes.map(|((_, name), _)| *name).collect()
    }

    /// The oldest message in a box that came after the one with this turn.
    pub(crate) fn next_after(&self, key: &Key, turn: Turn) -> Option<(Turn, Bytes)> {
        let turns = &self.boxes.get(key)?.turns;
        let turn = turns.range(turn.checked_add(1)?..).next()?;
        Some((*turn, self.messages.get(turn)?.bytes.clone()))
    }

    /// Removes a message.
    pub(crate) fn remove_from(&mut self, key: &Key, id: &MessageId) {
        let content = self.boxes.get(key);
        if let Some(turn) = content.and_then(|content| content.ids.get(id).copied()) {
            self.remove(turn);
        }
    }

    /// Removes all messages in a box.
    pub(crate) fn empty(&mut self, key: &Key) {
        let turns = self.boxes.get(key).map(|content| content.turns.clone());
        for turn in turns.unwrap_or_default() {
            self.remove(turn);
        }
    }

    /// Bytes that there is room for in the boxes of this recipient.
    pub(crate) fn room(&self, recipient: &Hashname) -> u64 {
        let used = self.recipients.get(recipient).map_or(0, |share| share.cost);
        self.quota.per_recipient.saturating_sub(used) as u64
    }
}

/// What the cache does by itself.
impl Store {
    /// Removes what was kept for long enough.
    pub(crate) fn expire(&mut self, now: Instant) {
        while let Some((expires, turn)) = self.expiring.first().copied()
            && expires <= now
        {
            self.expiring.pop_first();
            self.remove(turn);
        }
    }

    /// How many messages there are, and what they cost.
    pub(crate) fn figures(&self) -> (usize, usize) {
        (self.messages.len(), self.all.cost)
    }

    fn insert(&mut self, stored: Stored) {
        let (turn, key) = (self.next, stored.key);
        self.next += 1;
        let sender = stored.sender;
        let content = self.boxes.entry(key).or_insert_with(|| Content {
            sender,
            ids: HashMap::new(),
            turns: BTreeSet::new(),
            kept: None,
        });
        content.ids.insert(stored.id, turn);
        content.turns.insert(turn);
        for share in [
            self.senders.entry(sender).or_default(),
            self.recipients.entry(key.0).or_default(),
            &mut self.all,
        ] {
            share.cost += stored.cost();
            share.droppable.insert(turn);
        }
        self.expiring.insert((stored.expires, turn));
        self.messages.insert(turn, stored);
        self.settle(&key);
    }

    fn remove(&mut self, turn: Turn) {
        let Some(stored) = self.messages.remove(&turn) else {
            return;
        };
        self.expiring.remove(&(stored.expires, turn));
        subtract(&mut self.senders, &stored.sender, turn, stored.cost());
        subtract(&mut self.recipients, &stored.key.0, turn, stored.cost());
        self.all.cost -= stored.cost();
        self.all.droppable.remove(&turn);
        if let Some(content) = self.boxes.get_mut(&stored.key) {
            content.ids.remove(&stored.id);
            content.turns.remove(&turn);
            content.kept = content.kept.filter(|kept| *kept != turn);
            if content.turns.is_empty() {
                self.boxes.remove(&stored.key);
            }
        }
        self.settle(&stored.key);
    }

    /// Lets the message that was kept as the last one make room.
    fn release(&mut self, key: &Key) {
        if let Some(content) = self.boxes.get_mut(key)
            && let Some(turn) = content.kept.take()
        {
            let sender = content.sender;
            self.for_shares(&sender, &key.0, |share| {
                share.droppable.insert(turn);
            });
        }
    }

    /// Keeps the last message of a box if it is small, and no other.
    fn settle(&mut self, key: &Key) {
        self.release(key);
        let Some(content) = self.boxes.get_mut(key) else {
            return;
        };
        let is_small = |turn: &Turn| {
            let stored = self.messages.get(turn);
            stored.is_some_and(|stored| stored.bytes.len() < SMALL)
        };
        content.kept = content.turns.last().copied().filter(is_small);
        if let Some(turn) = content.kept {
            let sender = content.sender;
            self.for_shares(&sender, &key.0, |share| {
                share.droppable.remove(&turn);
            });
        }
    }

    fn for_shares(&mut self, from: &Hashname, to: &Hashname, mut change: impl FnMut(&mut Share)) {
        let shares = [self.senders.get_mut(from), self.recipients.get_mut(to)];
        shares.into_iter().flatten().for_each(&mut change);
        change(&mut self.all);
    }
}

/// A message is gone from somebody's share, which is forgotten once it is empty.
fn subtract(shares: &mut HashMap<Hashname, Share>, whose: &Hashname, turn: Turn, cost: usize) {
    if let Some(share) = shares.get_mut(whose) {
        share.cost -= cost;
        share.droppable.remove(&turn);
        if share.cost == 0 {
            shares.remove(whose);
        }
    }
}

#[cfg(any(test, feature = "fuzzing"))]
impl Store {
    /// Fails if something does not add up.
    pub(crate) fn check(&self) {
        let mut costs = (HashMap::<_, usize>::new(), HashMap::<_, usize>::new(), 0);
        for stored in self.messages.values() {
            *costs.0.entry(stored.sender).or_default() += stored.cost();
            *costs.1.entry(stored.key.0).or_default() += stored.cost();
            costs.2 += stored.cost();
        }
        let quota = &self.quota;
        assert!(costs.0.values().all(|cost| *cost <= quota.per_sender));
        assert!(costs.1.values().all(|cost| *cost <= quota.per_recipient));
        assert!(costs.2 <= quota.total);
        let cost = |(whose, share): (&Hashname, &Share)| (*whose, share.cost);
        assert_eq!(
            self.senders.iter().map(cost).collect::<HashMap<_, _>>(),
            costs.0
        );
        assert_eq!(
            self.recipients.iter().map(cost).collect::<HashMap<_, _>>(),
            costs.1
        );
        assert_eq!(self.all.cost, costs.2);
        assert_eq!(self.expiring.len(), self.messages.len());
        let kept: BTreeSet<_> = self
            .boxes
            .values()
            .filter_map(|content| content.kept)
            .collect();
        for (turn, stored) in &self.messages {
            let content = &self.boxes[&stored.key];
            assert_eq!(content.ids[&stored.id], *turn);
            assert!(content.turns.contains(turn) && content.sender == stored.sender);
            let last = content.turns.last() == Some(turn);
            assert_eq!(kept.contains(turn), last && stored.bytes.len() < SMALL);
            assert_eq!(self.all.droppable.contains(turn), !kept.contains(turn));
        }
        let turns: usize = self.boxes.values().map(|content| content.turns.len()).sum();
        assert_eq!(turns, self.messages.len());
        assert!(self.boxes.values().all(|content| !content.turns.is_empty()));
    }
}
