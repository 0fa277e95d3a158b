//! Which messages a recipient has taken, so that it takes each once.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use telehash_hashname::Hashname;

use crate::id::MessageId;
use crate::limits::{MAX_AHEAD, MAX_REMEMBERED, MAX_SENDERS};

/// Which message: of whom, when it says that it was sent, and its name.
pub(crate) type Message = (Hashname, u64, MessageId);

/// What is known of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// It was not taken.
    New,
    /// It was taken.
    Taken,
    /// It is not to be taken now: it says that it was sent later than our clock can say, or at a time of which it is
    /// forgotten what was taken. It may never have been.
    Refused,
}

/// One thing that is remembered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Note {
    /// This message was taken.
    Taken(Message),
    /// What this sender sent by then is refused.
    Floor(Hashname, u64),
    /// What those sent by then of whom nothing is remembered is refused.
    Others(u64),
}

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
    /// When the latest was sent, as far as our clock agreed: of no sender are others to be refused for what it says of a
    /// time to come.
    latest: u64,
}

impl Seen {
    /// Whether this message of `from` may be taken. `at` is when it says that it was sent, in milliseconds
    /// since 1970, as `now` is.
    pub(crate) fn standing(&self, (from, at, id): Message, now: u64) -> Standing {
        let known = self.senders.get(&from);
        if known.is_some_and(|sender| sender.taken.contains(&(at, id))) {
            return Standing::Taken;
        }
        let floor = known.map_or(self.floor, |sender| sender.floor);
        let is_ahead = at > now.saturating_add(MAX_AHEAD.as_millis() as u64);
        match is_ahead || floor.is_some_and(|floor| at <= floor) {
            true => Standing::Refused,
            false => Standing::New,
        }
    }

    /// This message was taken, at this time.
    pub(crate) fn take(&mut self, (from, at, id): Message, now: u64) {
        let known = self.senders.get(&from);
        if known.is_some_and(|sender| sender.taken.contains(&(at, id))) {
            return;
        }
        if known.is_none() {
            self.make_room_for_a_sender();
        }
        self.remember((from, at, id), now);
        while self.remembered > MAX_REMEMBERED {
            self.forget_one();
        }
    }

    /// All that is remembered, so that it can be remembered again.
    pub(crate) fn notes(&self) -> impl Iterator<Item = Note> + '_ {
        let senders = self.senders.iter().flat_map(|(from, sender)| {
            let from = *from;
            let floor = sender.floor.map(|floor| Note::Floor(from, floor));
            let taken = sender.taken.iter();
            let taken = taken.map(move |(at, id)| Note::Taken((from, *at, *id)));
            taken.chain(floor)
        });
        // A sender's floor starts as that of all others.
        senders.chain(self.floor.map(Note::Others))
    }

    /// Remembers it again.
    pub(crate) fn note(&mut self, note: Note, now: u64) {
        match note {
            Note::Taken(message) => self.take(message, now),
            Note::Others(floor) => self.floor = self.floor.max(Some(floor)),
            Note::Floor(from, floor) => {
                if let Some(sender) = self.senders.get_mut(&from) {
                    sender.floor = sender.floor.max(Some(floor));
                }
            }
        }
    }

    /// How many notes there are.
    pub(crate) fn len(&self) -> usize {
        self.remembered + self.senders.len() + 1
    }

    fn remember(&mut self, (from, at, id): Message, now: u64) {
        let floor = self.floor;
        let sender = self.senders.entry(from).or_insert_with(|| Sender {
            taken: BTreeSet::new(),
            floor,
            latest: 0,
        });
        self.counts.remove(&(sender.taken.len(), from));
        self.silent.remove(&(sender.latest, from));
        sender.taken.insert((at, id));
        sender.latest = sender.latest.max(at.min(now));
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

    impl Seen {
        pub(crate) fn is_new(&self, message: Message, now: u64) -> bool {
            self.standing(message, now) == Standing::New
        }

        /// Takes it if that is right.
        fn takes(&mut self, from: Hashname, at: u64, id: MessageId, now: u64) -> bool {
            let message = (from, at, id);
            let new = self.is_new(message, now);
            if new {
                self.take(message, now);
            }
            new
        }
    }

    #[test]
    fn a_message_is_new_once() {
        let mut seen = Seen::default();
        assert!(seen.takes(sender(1), 5, id(1), NOW));
        assert!(!seen.takes(sender(1), 5, id(1), NOW));
        // Others are others, whenever they were sent.
        assert!(seen.takes(sender(1), 5, id(2), NOW));
        assert!(seen.takes(sender(1), 3, id(3), NOW));
        assert!(seen.takes(sender(2), 5, id(1), NOW));
    }

    #[test]
    fn at_the_limit_whoever_sent_most_pays_and_nothing_comes_twice() {
        let mut seen = Seen::default();
        let (loud, quiet) = (sender(1), sender(2));
        assert!(seen.takes(quiet, 1, id(0), NOW));
        let many = MAX_REMEMBERED as u64 + 10;
        for number in 1..=many {
            assert!(seen.takes(loud, number, id(number), NOW));
        }
        assert_eq!(seen.remembered, MAX_REMEMBERED);
        for number in [1, 11, 12, many] {
            assert!(!seen.takes(loud, number, id(number), NOW));
        }
        // What was forgotten is refused as perhaps a replay, even if it is none. Nobody says that it was taken.
        assert_eq!(
            seen.standing((loud, 11, id(many + 1)), NOW),
            Standing::Refused
        );
        assert_eq!(seen.standing((loud, many, id(many)), NOW), Standing::Taken);
        assert!(seen.takes(loud, 12, id(many + 1), NOW));
        // The quiet one lost nothing.
        assert!(!seen.takes(quiet, 1, id(0), NOW));
        assert!(seen.takes(quiet, 0, id(1), NOW));
    }

    #[test]
    fn one_sender_more_than_the_limit_has_the_most_silent_one_forgotten() {
        let mut seen = Seen::default();
        for number in 0..MAX_SENDERS as u64 {
            let at = 100 + number;
            assert!(seen.takes(sender(number), at, id(0), NOW));
        }
        assert!(seen.takes(sender(9999), 200, id(0), NOW));
        assert_eq!(seen.senders.len(), MAX_SENDERS);
        // The first was forgotten: what it sent by then is refused, and so is a replay.
        assert!(!seen.takes(sender(0), 100, id(0), NOW));
        assert!(!seen.takes(sender(1), 101, id(0), NOW));
        assert!(seen.takes(sender(1), 99, id(9), NOW));
    }

    #[test]
    fn a_message_of_tomorrow_is_refused_until_then() {
        let mut seen = Seen::default();
        let ahead = NOW + MAX_AHEAD.as_millis() as u64;
        assert!(seen.takes(sender(1), ahead, id(1), NOW));
        let later = (sender(1), ahead + 1, id(2));
        assert_eq!(seen.standing(later, NOW), Standing::Refused);
        assert_eq!(seen.standing(later, NOW + 1), Standing::New);
    }

    #[test]
    fn a_sender_whose_clock_is_ahead_has_nobody_refused_for_that_when_it_is_forgotten() {
        let mut seen = Seen::default();
        for number in 0..=MAX_SENDERS as u64 {
            assert!(seen.takes(sender(number), NOW + 1000, id(0), NOW));
        }
        assert_eq!(seen.senders.len(), MAX_SENDERS);
        assert!(seen.takes(sender(9999), NOW + 1, id(0), NOW + 1));
    }

    #[test]
    fn what_is_noted_and_remembered_again_refuses_the_same() {
        let mut seen = Seen::default();
        for number in 0..MAX_SENDERS as u64 + 2 {
            assert!(seen.takes(sender(number), 100 + number, id(0), NOW));
        }
        // The last one has more than there is room for.
        let loud = sender(MAX_SENDERS as u64 + 1);
        for number in 0..MAX_REMEMBERED as u64 {
            assert!(seen.takes(loud, 100_000 + number, id(number), NOW));
        }
        let mut again = Seen::default();
        seen.notes().for_each(|note| again.note(note, NOW));
        assert!(seen.notes().count() <= seen.len());
        let asked = [
            (sender(0), 100, id(0)),
            (sender(0), 101, id(9)),
            (sender(0), 102, id(9)),
            (sender(5), 105, id(0)),
            (sender(5), 101, id(9)),
            (sender(5), 50, id(9)),
            (sender(9999), 101, id(9)),
            (loud, 100_000, id(0)),
            (loud, 100_000, id(9)),
            (loud, 100_000 + MAX_SENDERS as u64, id(9_999_999)),
            (loud, 200_000, id(9)),
        ];
        for message in asked {
            let (before, after) = (seen.is_new(message, NOW), again.is_new(message, NOW));
            assert_eq!(before, after, "{message:?}");
        }
    }
}
