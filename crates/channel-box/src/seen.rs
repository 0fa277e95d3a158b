//! Which messages a recipient has taken, so that it takes each once.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use telehash_hashname::Hashname;

use crate::id::MessageId;
use crate::limits::{MAX_AHEAD, MAX_REMEMBERED, MAX_SENDERS};

/// Messages that were taken. What is forgotten leaves a floor: what is at or below it might have been
/// taken, and is refused.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    senders: HashMap<Hashname, Sender>,
    /// By when their latest message was sent.
    silent: BTreeSet<(u64, Hashname)>,
    /// By how many of their messages are remembered.
    counts: BTreeMap<(usize, Hashname), ()>,
    remembered: usize,
    /// For senders that are not remembered.
    floor: Option<u64>,
}

#[derive(Debug)]
struct Sender {
    /// Messages by when they say that they were sent.
    taken: BTreeSet<(u64, MessageId)>,
    floor: Option<u64>,
    latest: u64,
}

impl Seen {
    /// Whether this message of `from` is to be taken, which from then on it was. `at` is when it says
    /// that it was sent, in milliseconds since 1970, as `now` is.
    pub(crate) fn take(&mut self, from: Hashname, at: u64, id: MessageId, now: u64) -> bool {
        if at > now.saturating_add(MAX_AHEAD.as_millis() as u64) {
            return false;
        }
        let known = self.senders.get(&from);
        let floor = known.map_or(self.floor, |sender| sender.floor);
        let taken = known.is_some_and(|sender| sender.taken.contains(&(at, id)));
        if taken || floor.is_some_and(|floor| at <= floor) {
            return false;
        }
        if known.is_none() {
            self.make_room_for_a_sender();
        }
        self.remember(from, at, id);
        while self.remembered > MAX_REMEMBERED {
            self.forget_one();
        }
        true
    }

    fn remember(&mut self, from: Hashname, at: u64, id: MessageId) {
        let floor = self.floor;
        let sender = self.senders.entry(from).or_insert_with(|| Sender {
            taken: BTreeSet::new(),
            floor,
            latest: 0,
        });
        self.counts.remove(&(sender.taken.len(), from));
        self.silent.remove(&(sender.latest, from));
        sender.taken.insert((at, id));
        sender.latest = sender.latest.max(at);
        self.counts.insert((sender.taken.len(), from), ());
        self.silent.insert((sender.latest, from));
        self.remembered += 1;
    }

    /// The sender that has most gives up its oldest.
    fn forget_one(&mut self) {
        let Some(((count, from), ())) = self.counts.pop_last() else {
            return;
        };
        let Some(sender) = self.senders.get_mut(&from) else {
            return;
        };
        if let Some((at, _)) = sender.taken.pop_first() {
            sender.floor = sender.floor.max(Some(at));
            self.remembered -= 1;
        }
        self.counts.insert((count.saturating_sub(1), from), ());
    }

    fn make_room_for_a_sender(&mut self) {
        while self.senders.len() >= MAX_SENDERS
            && let Some((latest, from)) = self.silent.pop_first()
        {
            let Some(sender) = self.senders.remove(&from) else {
                continue;
            };
            self.counts.remove(&(sender.taken.len(), from));
            self.remembered -= sender.taken.len();
            self.floor = self.floor.max(Some(latest));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::BoxId;

    fn sender(number: u64) -> Hashname {
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&number.to_be_bytes());
        Hashname::from_bytes(bytes)
    }

    fn id(number: u64) -> MessageId {
        MessageId::new(&BoxId::from_bytes([0; 8]), &number.to_be_bytes())
    }

    const NOW: u64 = 1 << 40;

    #[test]
    fn a_message_is_new_once() {
        let mut seen = Seen::default();
        assert!(seen.take(sender(1), 5, id(1), NOW));
        assert!(!seen.take(sender(1), 5, id(1), NOW));
        // Others are others, whenever they were sent.
        assert!(seen.take(sender(1), 5, id(2), NOW));
        assert!(seen.take(sender(1), 3, id(3), NOW));
        assert!(seen.take(sender(2), 5, id(1), NOW));
    }

    #[test]
    fn at_the_limit_whoever_sent_most_pays_and_nothing_comes_twice() {
        let mut seen = Seen::default();
        let (loud, quiet) = (sender(1), sender(2));
        assert!(seen.take(quiet, 1, id(0), NOW));
        let many = MAX_REMEMBERED as u64 + 10;
        for number in 1..=many {
            assert!(seen.take(loud, number, id(number), NOW));
        }
        assert_eq!(seen.remembered, MAX_REMEMBERED);
        for number in [1, 11, 12, many] {
            assert!(!seen.take(loud, number, id(number), NOW));
        }
        // What was forgotten is taken for a replay, even if it is none.
        assert!(!seen.take(loud, 11, id(many + 1), NOW));
        assert!(seen.take(loud, 12, id(many + 1), NOW));
        // The quiet one lost nothing.
        assert!(!seen.take(quiet, 1, id(0), NOW));
        assert!(seen.take(quiet, 0, id(1), NOW));
    }

    #[test]
    fn one_sender_more_than_the_limit_has_the_most_silent_one_forgotten() {
        let mut seen = Seen::default();
        for number in 0..MAX_SENDERS as u64 {
            let at = 100 + number;
            assert!(seen.take(sender(number), at, id(0), NOW));
        }
        assert!(seen.take(sender(9999), 200, id(0), NOW));
        assert_eq!(seen.senders.len(), MAX_SENDERS);
        // The first was forgotten: what it sent by then is refused, and so is a replay.
        assert!(!seen.take(sender(0), 100, id(0), NOW));
        assert!(!seen.take(sender(1), 101, id(0), NOW));
        assert!(seen.take(sender(1), 99, id(9), NOW));
    }

    #[test]
    fn a_message_of_tomorrow_is_refused() {
        let mut seen = Seen::default();
        let ahead = NOW + MAX_AHEAD.as_millis() as u64;
        assert!(seen.take(sender(1), ahead, id(1), NOW));
        assert!(!seen.take(sender(1), ahead + 1, id(2), NOW));
    }
}
