//! How much public-key work strangers may cause (links.md, "Trust: silence is the default").

use alloc::collections::BTreeMap;
use core::net::IpAddr;

use telehash_e3x::Instant;
use telehash_hashname::Hashname;

use crate::{
    PipeId, Remote,
    bucket::{Bucket, Rate},
    config::{KEYSTREAM_PER_SECOND, MAX_STRANGER_PREFIXES, StrangerBudget},
};

/// All strangers together may cost as much keystream as eight prefixes.
const ALL_KEYSTREAM: Rate = Rate {
    per_second: 8 * KEYSTREAM_PER_SECOND,
    burst: 1,
};

/// Budgets of public-key work (one for each address prefix, one for all strangers, one reserved
/// for the addresses of links), and of keystream for packets that are cloaked more than once.
#[derive(Debug)]
pub(crate) struct Strangers {
    handshakes: PrefixBuckets,
    keystream: PrefixBuckets,
    /// What each router brings in the names of friends.
    vouched: PrefixBuckets,
    global: Bucket,
    reserved: Bucket,
    shared: Rate,
    /// Keystream for everybody, and as much again for the addresses of links.
    all_keystream: [Bucket; 2],
    /// Prefixes at which links of ours live, with how many.
    friends: BTreeMap<Prefix, u32>,
}

impl Strangers {
    pub(crate) fn new(budget: StrangerBudget, now: Instant) -> Self {
        let rate = |per_second| Rate {
            per_second,
            burst: budget.burst,
        };
        let shared = rate(budget.global);
        Self {
            handshakes: PrefixBuckets::new(rate(budget.per_prefix)),
            keystream: PrefixBuckets::new(Rate {
                per_second: KEYSTREAM_PER_SECOND,
                burst: 1,
            }),
            // Half of the reserve: one that makes up what its friends say leaves them the other.
            vouched: PrefixBuckets::new(rate(budget.global.div_ceil(2))),
            global: Bucket::full(shared, now),
            reserved: Bucket::full(shared, now),
            shared,
            all_keystream: [Bucket::full(ALL_KEYSTREAM, now); 2],
            friends: BTreeMap::new(),
        }
    }

    /// Whether one more handshake that `pipe` brought may cost an agreement.
    pub(crate) fn admit(&mut self, now: Instant, pipe: PipeId) -> bool {
        let prefix = Prefix::of(pipe);
        let friend = self.friends.contains_key(&prefix);
        self.admit_from(now, prefix, friend)
    }

    /// The same of one that `router` relayed. Whom we are linked to pays for itself there, all
    /// strangers pay together; and a router that names senders falsely spends what it has, not the
    /// reserve of everybody.
    pub(crate) fn admit_routed(
        &mut self,
        now: Instant,
        router: Hashname,
        friend: Option<Hashname>,
    ) -> bool {
        let whole = Prefix::Router(router);
        let Some(friend) = friend else {
            return self.admit_from(now, whole, false);
        };
        if self.vouched.bucket(now, whole).tokens() < 1 {
            return false;
        }
        let admitted = self.admit_from(now, Prefix::Friend(router, friend), true);
        self.vouched.bucket(now, whole).take(u64::from(admitted));
        admitted
    }

    fn admit_from(&mut self, now: Instant, prefix: Prefix, friend: bool) -> bool {
        let shared = if friend {
            &mut self.reserved
        } else {
            &mut self.global
        };
        if shared.refill(now, self.shared).tokens() < 1 {
            return false;
        }
        let own = self.handshakes.bucket(now, prefix);
        if own.tokens() < 1 {
            return false;
        }
        own.take(1);
        shared.take(1);
        true
    }

    /// Bytes of keystream that may be spent on a packet of this source beyond its first block.
    pub(crate) fn keystream(&mut self, now: Instant, pipe: PipeId) -> usize {
        let prefix = Prefix::of(pipe);
        let all = self
            .all_keystream(prefix)
            .refill(now, ALL_KEYSTREAM)
            .tokens();
        if all == 0 {
            return 0;
        }
        let tokens = self.keystream.bucket(now, prefix).tokens().min(all);
        usize::try_from(tokens).unwrap_or(usize::MAX)
    }

    /// Books keystream that a packet of this source cost.
    pub(crate) fn spend_keystream(&mut self, now: Instant, pipe: PipeId, bytes: usize) {
        let prefix = Prefix::of(pipe);
        self.all_keystream(prefix).take(bytes as u64);
        self.keystream.bucket(now, prefix).take(bytes as u64);
    }

    fn all_keystream(&mut self, prefix: Prefix) -> &mut Bucket {
        let [strangers, friends] = &mut self.all_keystream;
        if self.friends.contains_key(&prefix) {
            friends
        } else {
            strangers
        }
    }

    /// A link of ours lives at this pipe: its prefix draws on the reserved half.
    pub(crate) fn befriend(&mut self, pipe: PipeId) {
        *self.friends.entry(Prefix::of(pipe)).or_insert(0) += 1;
    }

    /// The opposite of [`befriend`](Self::befriend).
    pub(crate) fn unfriend(&mut self, pipe: PipeId) {
        let prefix = Prefix::of(pipe);
        if let Some(count) = self.friends.get_mut(&prefix) {
            *count -= 1;
            if *count == 0 {
                self.friends.remove(&prefix);
            }
        }
    }

    /// Sources with a budget of their own, of each kind at most [`MAX_STRANGER_PREFIXES`].
    pub(crate) fn sources(&self) -> usize {
        let tables = [&self.handshakes, &self.keystream, &self.vouched];
        tables.map(|table| table.buckets.len()).into_iter().sum()
    }
}

/// A bucket for each prefix, bounded.
#[derive(Debug)]
struct PrefixBuckets {
    rate: Rate,
    buckets: BTreeMap<Prefix, Bucket>,
}

impl PrefixBuckets {
    fn new(rate: Rate) -> Self {
        Self {
            rate,
            buckets: BTreeMap::new(),
        }
    }

    /// The bucket of this prefix, refilled; new ones start full.
    fn bucket(&mut self, now: Instant, prefix: Prefix) -> &mut Bucket {
        let rate = self.rate;
        if !self.buckets.contains_key(&prefix) && self.buckets.len() >= MAX_STRANGER_PREFIXES {
            self.forget_the_fullest(now);
        }
        let bucket = self
            .buckets
            .entry(prefix)
            .or_insert_with(|| Bucket::full(rate, now));
        bucket.refill(now, rate)
    }

    /// The fullest bucket says the least about its source. All that are full go at once, so that a
    /// flood from ever new places does not cost a look at the whole table for each packet.
    fn forget_the_fullest(&mut self, now: Instant) {
        let rate = self.rate;
        self.buckets
            .retain(|_, bucket| bucket.refill(now, rate).millitokens < rate.capacity());
        if self.buckets.len() < MAX_STRANGER_PREFIXES {
            return;
        }
        let tokens = self.buckets.iter();
        let tokens = tokens.map(|(prefix, bucket)| (bucket.millitokens, *prefix));
        if let Some((_, prefix)) = tokens.max() {
            self.buckets.remove(&prefix);
        }
    }
}

/// A /24 or /64, one connection, or whom a router speaks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Prefix {
    V4([u8; 3]),
    V6([u8; 8]),
    Connection(u64),
    /// A router, with all the strangers behind it.
    Router(Hashname),
    /// What a router hands over in the name of a friend.
    Friend(Hashname, Hashname),
}

impl Prefix {
    fn of(pipe: PipeId) -> Self {
        match pipe.remote {
            Remote::Connection(number) => Self::Connection(number),
            Remote::Router(router) => Self::Router(router),
            Remote::Socket(address) => match address.ip().to_canonical() {
                IpAddr::V4(ip) => {
                    let [a, b, c, _] = ip.octets();
                    Self::V4([a, b, c])
                }
                IpAddr::V6(ip) => {
                    let [a, b, c, d, e, f, g, h, ..] = ip.octets();
                    Self::V6([a, b, c, d, e, f, g, h])
                }
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use core::{net::SocketAddr, time::Duration};

    use super::*;
    use crate::TransportId;

    fn pipe(a: u8, b: u8, host: u8) -> PipeId {
        PipeId::socket(TransportId(0), SocketAddr::from(([10, a, b, host], 1)))
    }

    fn strangers() -> (Strangers, Instant) {
        let now = Instant::from_micros(1_000_000);
        let budget = StrangerBudget {
            per_prefix: 5,
            global: 20,
            burst: 2,
        };
        (Strangers::new(budget, now), now)
    }

    #[test]
    fn one_prefix_cannot_spend_the_budget_of_another() {
        let (mut strangers, now) = strangers();
        let admitted = (0..100)
            .filter(|n| strangers.admit(now, pipe(0, 0, *n)))
            .count();
        assert_eq!(admitted, 10);
        assert!(strangers.admit(now, pipe(0, 1, 1)));
        let later = now + Duration::from_secs(1);
        let admitted = (0..100)
            .filter(|n| strangers.admit(later, pipe(0, 0, *n)))
            .count();
        assert_eq!(admitted, 5);
    }

    #[test]
    fn a_flood_from_everywhere_leaves_the_reserve_to_friends() {
        let (mut strangers, now) = strangers();
        let friend = pipe(200, 0, 1);
        strangers.befriend(friend);
        let admitted = (0..200)
            .filter(|n| strangers.admit(now, pipe(1, *n, 1)))
            .count();
        assert_eq!(admitted, 40);
        assert!(strangers.admit(now, friend));
        strangers.unfriend(friend);
        assert!(!strangers.admit(now, friend));
    }

    #[test]
    fn strangers_behind_a_router_spend_its_budget_and_not_that_of_a_friend() {
        let (mut strangers, now) = strangers();
        let [router, friend, other] = [1, 2, 3].map(|n| Hashname::from_bytes([n; 32]));
        let admitted = |strangers: &mut Strangers, router, friend| {
            (0..100)
                .filter(|_| strangers.admit_routed(now, router, friend))
                .count()
        };
        assert_eq!(admitted(&mut strangers, router, None), 10);
        assert_eq!(admitted(&mut strangers, other, None), 10);
        assert_eq!(admitted(&mut strangers, router, Some(friend)), 10);
        // A router that names a friend for everything has spent that one's budget with it, and nobody's
        // with another.
        assert_eq!(admitted(&mut strangers, router, Some(friend)), 0);
        assert_eq!(admitted(&mut strangers, other, Some(friend)), 10);
    }

    #[test]
    fn a_router_that_names_all_our_friends_leaves_half_of_the_reserve_to_them() {
        let (mut strangers, now) = strangers();
        let router = Hashname::from_bytes([1; 32]);
        let named = (2..100_u8).map(|n| Hashname::from_bytes([n; 32]));
        let admitted = named.flat_map(|friend| [friend; 5]);
        let admitted = admitted.filter(|friend| strangers.admit_routed(now, router, Some(*friend)));
        assert_eq!(admitted.count(), 20);
        let friend = pipe(200, 0, 1);
        strangers.befriend(friend);
        assert!(strangers.admit(now, friend));
    }

    #[test]
    fn uncovering_costs_its_source_and_nobody_else() {
        let (mut strangers, now) = strangers();
        let all = strangers.keystream(now, pipe(0, 0, 1));
        assert_eq!(all, KEYSTREAM_PER_SECOND as usize);
        strangers.spend_keystream(now, pipe(0, 0, 2), all);
        assert_eq!(strangers.keystream(now, pipe(0, 0, 1)), 0);
        assert_eq!(strangers.keystream(now, pipe(0, 1, 1)), all);
    }

    #[test]
    fn uncovering_for_many_prefixes_has_a_budget_of_its_own() {
        let (mut strangers, now) = strangers();
        let friend = pipe(200, 0, 1);
        strangers.befriend(friend);
        let mut spent = 0;
        for n in 0..100 {
            let left = strangers.keystream(now, pipe(1, n, 1));
            strangers.spend_keystream(now, pipe(1, n, 1), left);
            spent += left;
        }
        assert_eq!(spent, 8 * KEYSTREAM_PER_SECOND as usize);
        assert!(strangers.keystream(now, friend) > 0);
    }

    #[test]
    fn the_prefix_table_stays_bounded() {
        let (mut strangers, mut now) = strangers();
        let mut most = 0;
        for n in 0..3 * MAX_STRANGER_PREFIXES {
            now += Duration::from_millis(60);
            let (a, b) = ((n / 256) as u8, (n % 256) as u8);
            strangers.admit(now, pipe(a, b, 1));
            most = most.max(strangers.sources());
        }
        assert_eq!(most, MAX_STRANGER_PREFIXES);
    }

    #[test]
    fn a_full_prefix_table_does_not_forget_who_has_spent() {
        let (mut strangers, now) = strangers();
        let spender = pipe(255, 0, 1);
        let all = strangers.keystream(now, spender);
        strangers.spend_keystream(now, spender, all);
        for n in 0..2 * MAX_STRANGER_PREFIXES {
            let (a, b) = ((n / 256) as u8, (n % 256) as u8);
            assert!(strangers.keystream(now, pipe(a, b, 1)) > 0);
        }
        assert!(strangers.sources() <= MAX_STRANGER_PREFIXES);
        assert_eq!(strangers.keystream(now, spender), 0);
    }
}
