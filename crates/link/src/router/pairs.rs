//! How often one endpoint is helped to reach another.

use hashbrown::HashMap;
use telehash_e3x::Instant;

use crate::{
    LinkKey,
    bucket::{Bucket, Rate},
};

/// Limit: pairs of sender and target with a budget of their own. At the limit the fullest (least
/// recently busy) makes room.
pub const MAX_PAIRS: usize = 16_384;

/// Requests of one pair: a handshake is repeated a dozen times, and an old peer sends several.
const PAIR: Rate = Rate {
    per_second: 5,
    burst: 4,
};

/// Requests of one sender, whomever they are for. Whoever wants to reach more has to be patient.
const SENDER: Rate = Rate {
    per_second: 50,
    burst: 4,
};

/// The budgets of requests.
#[derive(Debug, Default)]
pub(super) struct Pairs {
    pairs: HashMap<(LinkKey, LinkKey), Bucket>,
    senders: HashMap<LinkKey, Bucket>,
}

impl Pairs {
    /// Whether this link may ask for anything now; counts it.
    pub(super) fn admit_sender(&mut self, now: Instant, from: LinkKey) -> bool {
        let bucket = self.senders.entry(from);
        take(
            now,
            bucket.or_insert_with(|| Bucket::full(SENDER, now)),
            SENDER,
        )
    }

    /// Whether one link may ask for another now; counts it.
    pub(super) fn admit(&mut self, now: Instant, from: LinkKey, to: LinkKey) -> bool {
        if self.pairs.len() >= MAX_PAIRS && !self.pairs.contains_key(&(from, to)) {
            self.forget_the_fullest(now);
        }
        let bucket = self.pairs.entry((from, to));
        take(now, bucket.or_insert_with(|| Bucket::full(PAIR, now)), PAIR)
    }

    /// The link is gone.
    pub(super) fn forget(&mut self, link: LinkKey) {
        self.senders.remove(&link);
        self.pairs
            .retain(|(from, to), _| *from != link && *to != link);
    }

    pub(super) fn len(&self) -> usize {
        self.pairs.len()
    }

    /// The fullest bucket says the least about its pair. All that are full go at once.
    fn forget_the_fullest(&mut self, now: Instant) {
        let full = u64::from(PAIR.per_second * PAIR.burst);
        self.pairs
            .retain(|_, bucket| bucket.refill(now, PAIR).tokens() < full);
        if self.pairs.len() >= MAX_PAIRS {
            let fullest = self.pairs.iter().max_by_key(|(_, bucket)| bucket.tokens());
            if let Some(pair) = fullest.map(|(pair, _)| *pair) {
                self.pairs.remove(&pair);
            }
        }
    }
}

fn take(now: Instant, bucket: &mut Bucket, rate: Rate) -> bool {
    let has = bucket.refill(now, rate).tokens() > 0;
    bucket.take(u64::from(has));
    has
}

#[cfg(test)]
mod tests {
    use core::time::Duration;

    use super::*;

    const NOW: Instant = Instant::from_micros(1_000_000);

    fn link(n: usize) -> LinkKey {
        LinkKey(n as u64)
    }

    #[test]
    fn a_pair_gets_its_burst_and_then_its_rate_whatever_others_do() {
        let mut pairs = Pairs::default();
        let count = |pairs: &mut Pairs, now, to| {
            (0..1000)
                .filter(|_| pairs.admit(now, link(1), link(to)))
                .count()
        };
        assert_eq!(count(&mut pairs, NOW, 2), 20);
        assert_eq!(count(&mut pairs, NOW, 3), 20);
        assert_eq!(count(&mut pairs, NOW + Duration::from_secs(1), 2), 5);
    }

    #[test]
    fn one_sender_cannot_ask_for_all_the_world() {
        let mut pairs = Pairs::default();
        let asked = (0..1000).filter(|_| pairs.admit_sender(NOW, link(1)));
        assert_eq!(asked.count(), 200);
        assert!(pairs.admit_sender(NOW, link(2)));
    }

    #[test]
    fn a_full_table_forgets_who_was_quiet_and_not_who_spent() {
        let mut pairs = Pairs::default();
        while pairs.admit(NOW, link(0), link(1)) {}
        for n in 0..2 * MAX_PAIRS {
            pairs.admit(NOW, link(2 + n), link(1));
            assert!(pairs.len() <= MAX_PAIRS);
        }
        assert!(!pairs.admit(NOW, link(0), link(1)));
        pairs.forget(link(1));
        assert_eq!(pairs.len(), 0);
    }
}
