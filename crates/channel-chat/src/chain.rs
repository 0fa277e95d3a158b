//! Chains of ids: who makes one, and who follows it (channel-types.md, chat).
//!
//! A secret is hashed again and again. The last digest is the id of the profile; messages take the
//! digests before it, from there to the secret. So whoever has one id can check the next one, and
//! nobody can make it.

use std::fmt;

use telehash_hashname::Hashname;
use zeroize::Zeroizing;

use crate::id::Id;

/// Limit: digests of one chain, and so the ids that one participant has in one chat: one for the profile,
/// the others for messages. After them nothing more can be sent in the chat; what somebody else sends all
/// the same is refused as a forgery.
pub const MAX_CHAIN: u32 = 1 << 16;

/// Limit: how far beyond the newest id of its sender another one is recognised as skipped. One that is
/// further away is refused as a forgery.
pub const MAX_WALK: u32 = 1024;

/// Digests between two that are kept.
const STRIDE: u32 = 256;

/// The chain that our own ids come from. Whoever has it can speak for us in the chat, though only over
/// a link of ours.
pub struct Chain {
    sender: Hashname,
    profile: Id,
    /// The digests number 0, `STRIDE`, 2 * `STRIDE` and so on.
    kept: Zeroizing<Vec<[u8; 8]>>,
    /// Those from number `start` on, as many as are between two that are kept.
    segment: Zeroizing<Vec<[u8; 8]>>,
    start: u32,
    /// The number of the digest that was taken last.
    taken: u32,
}

impl Chain {
    /// The chain of `sender` that begins with `secret`, of which `used` ids of messages are used up.
    ///
    /// `depth` is the number of ids that there are, the profile's among them; at least one, and no more
    /// than [`MAX_CHAIN`]. JavaScript has 1000.
    #[must_use]
    pub fn new(sender: Hashname, secret: &[u8; 8], depth: u32, used: u32) -> Self {
        let depth = depth.clamp(1, MAX_CHAIN);
        let mut kept = Zeroizing::new(Vec::with_capacity((depth / STRIDE + 1) as usize));
        let mut digest = sender.siphash(secret);
        for number in 0..depth {
            if number % STRIDE == 0 {
                kept.push(digest);
            }
            digest = sender.siphash(&digest);
        }
        Self {
            sender,
            profile: Id::from_bytes(digest),
            kept,
            segment: Zeroizing::new(Vec::new()),
            start: depth,
            taken: depth.saturating_sub(used).max(1),
        }
    }

    /// The id of the profile.
    #[must_use]
    pub fn profile(&self) -> Id {
        self.profile
    }

    /// How many ids are left.
    #[must_use]
    pub fn left(&self) -> u32 {
        // The first digest is never used, as in JavaScript.
        self.taken - 1
    }

    /// The id that the next message will have, without taking it; `None` if there is none left.
    pub(crate) fn peek(&mut self) -> Option<Id> {
        let number = self.taken.checked_sub(1).filter(|number| *number > 0)?;
        if number < self.start {
            self.load(number / STRIDE);
        }
        let digest = self.segment.get((number - self.start) as usize)?;
        Some(Id::from_bytes(*digest))
    }

    /// The id of the next message; `None` if there is none left.
    pub fn take(&mut self) -> Option<Id> {
        let id = self.peek()?;
        self.taken -= 1;
        Some(id)
    }

    fn load(&mut self, block: u32) {
        let Some(&first) = self.kept.get(block as usize) else {
            return;
        };
        let next = |digest: &[u8; 8]| Some(self.sender.siphash(digest));
        let digests = std::iter::successors(Some(first), next);
        self.segment = Zeroizing::new(digests.take(STRIDE as usize).collect());
        self.start = block * STRIDE;
    }
}

impl fmt::Debug for Chain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Chain")
            .field("profile", &self.profile)
            .field("left", &self.left())
            .finish_non_exhaustive()
    }
}

/// Where somebody's chain has come to: the newest id and its place, which is 0 for the profile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Tail {
    pub(crate) id: Id,
    pub(crate) place: u32,
}

/// Where an id stands in a chain, seen from its [`Tail`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// It is the newest one.
    Newest,
    /// It comes right after the newest.
    Next,
    /// It came before the newest.
    Older,
    /// It comes later; so many are missing.
    Skipped(u32),
    /// It is not of this chain, or too far away.
    Foreign,
}

impl Tail {
    pub(crate) fn of(profile: Id) -> Self {
        Self {
            id: profile,
            place: 0,
        }
    }

    pub(crate) fn standing(&self, sender: &Hashname, id: Id) -> Standing {
        if id == self.id {
            return Standing::Newest;
        }
        if id.previous(sender) == self.id {
            let ends = self.place.saturating_add(1) >= MAX_CHAIN;
            return if ends {
                Standing::Foreign
            } else {
                Standing::Next
            };
        }
        let mut older = self.id;
        for _ in 0..self.place {
            older = older.previous(sender);
            if older == id {
                return Standing::Older;
            }
        }
        let mut newer = id.previous(sender);
        for missing in 1..=MAX_WALK {
            newer = newer.previous(sender);
            if newer == self.id {
                return Standing::Skipped(missing);
            }
        }
        Standing::Foreign
    }

    /// The tail after a gap: `id` comes `missing` places after the newest, and so does nothing between.
    pub(crate) fn beyond(&self, sender: &Hashname, id: Id, missing: u32) -> Option<Self> {
        let place = self.place.checked_add(missing)?;
        if missing == 0 || place >= MAX_CHAIN {
            return None;
        }
        let reached = (0..missing).fold(id, |id, _| id.previous(sender));
        (reached == self.id).then_some(Self { id, place })
    }

    pub(crate) fn advanced(&self, id: Id) -> Self {
        Self {
            id,
            place: self.place.saturating_add(1),
        }
    }
}

/// The place of `id` in the chain that ends with `profile`, if it is of that chain.
pub(crate) fn place(sender: &Hashname, profile: Id, id: Id) -> Option<u32> {
    let mut reached = id;
    for place in 0..MAX_CHAIN {
        if reached == profile {
            return Some(place);
        }
        reached = reached.previous(sender);
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn sender() -> Hashname {
        Hashname::from_bytes([7; 32])
    }

    fn ids(depth: u32) -> Vec<Id> {
        let mut chain = Chain::new(sender(), b"a secret", depth, 0);
        std::iter::once(chain.profile())
            .chain(std::iter::from_fn(|| chain.take()))
            .collect()
    }

    #[test]
    fn a_chain_gives_one_id_less_than_its_depth_and_each_is_the_digest_of_the_next() {
        for depth in [1, 2, 255, 256, 257, 1000] {
            let ids = ids(depth);
            assert_eq!(ids.len(), depth as usize);
            for pair in ids.windows(2) {
                assert_eq!(pair[1].previous(&sender()), pair[0]);
            }
        }
    }

    #[test]
    fn a_chain_is_never_longer_than_the_limit() {
        assert_eq!(ids(MAX_CHAIN), ids(u32::MAX));
        assert_eq!(ids(MAX_CHAIN).len(), MAX_CHAIN as usize);
    }

    #[test]
    fn a_chain_goes_on_where_it_was_left() {
        let all = ids(600);
        for used in [0, 1, 43, 44, 45, 300, 598, 599] {
            let mut again = Chain::new(sender(), b"a secret", 600, used);
            assert_eq!(again.profile(), all[0]);
            assert_eq!(again.left(), 599 - used);
            assert_eq!(again.peek(), all.get(used as usize + 1).copied());
            assert_eq!(again.take(), all.get(used as usize + 1).copied());
        }
        assert_eq!(Chain::new(sender(), b"a secret", 600, 9_999).take(), None);
    }

    #[test]
    fn an_id_is_recognised_as_skipped_up_to_the_limit_and_as_old_without_any() {
        let ids = ids(MAX_WALK + 3);
        let walk = MAX_WALK as usize;
        let first = Tail::of(ids[0]);
        assert_eq!(first.standing(&sender(), ids[0]), Standing::Newest);
        assert_eq!(first.standing(&sender(), ids[1]), Standing::Next);
        assert_eq!(first.standing(&sender(), ids[2]), Standing::Skipped(1));
        let furthest = first.standing(&sender(), ids[walk + 1]);
        assert_eq!(furthest, Standing::Skipped(MAX_WALK));
        assert_eq!(first.standing(&sender(), ids[walk + 2]), Standing::Foreign);

        let last = Tail {
            id: ids[walk + 1],
            place: MAX_WALK + 1,
        };
        assert_eq!(last.standing(&sender(), ids[walk]), Standing::Older);
        assert_eq!(last.standing(&sender(), ids[1]), Standing::Older);
        assert_eq!(last.standing(&sender(), ids[0]), Standing::Older);
    }

    #[test]
    fn the_last_id_within_the_limit_is_accepted_and_the_one_after_it_is_not() {
        // A longer one than we make.
        let newest = Id::from_bytes(*b"a secret");
        let mut ids = std::iter::successors(Some(newest), |id| Some(id.previous(&sender())));
        let (next, last) = (ids.next().unwrap(), ids.next().unwrap());
        let tail = |id, place| Tail { id, place };
        let at = |place| tail(last, place).standing(&sender(), next);
        assert_eq!(at(MAX_CHAIN - 2), Standing::Next);
        assert_eq!(at(MAX_CHAIN - 1), Standing::Foreign);
        assert!(
            tail(last, MAX_CHAIN - 2)
                .beyond(&sender(), next, 1)
                .is_some()
        );
        assert!(
            tail(last, MAX_CHAIN - 1)
                .beyond(&sender(), next, 1)
                .is_none()
        );
    }

    #[test]
    fn a_gap_has_to_be_just_as_long_as_it_says() {
        let ids = ids(50);
        let tail = Tail {
            id: ids[3],
            place: 3,
        };
        let beyond = tail.beyond(&sender(), ids[40], 37).unwrap();
        assert_eq!(
            beyond,
            Tail {
                id: ids[40],
                place: 40
            }
        );
        for wrong in [0, 1, 36, 38, MAX_CHAIN - 3, u32::MAX] {
            assert_eq!(tail.beyond(&sender(), ids[40], wrong), None, "{wrong}");
        }
        assert_eq!(place(&sender(), ids[0], ids[40]), Some(40));
        assert_eq!(place(&sender(), ids[0], ids[0]), Some(0));
        assert_eq!(place(&sender(), ids[1], ids[0]), None);
    }

    #[test]
    fn neither_secret_nor_digests_are_printed() {
        let chain = Chain::new(sender(), b"a secret", 5, 0);
        let printed = format!("{chain:?}");
        assert_eq!(
            printed,
            format!("Chain {{ profile: {:?}, left: 4, .. }}", chain.profile())
        );
    }

    /// An id that has something to do with the chain, or nothing.
    fn candidate() -> impl Strategy<Value = Id> {
        let of_chain = (0..40_usize).prop_map(|at| ids(40)[at]);
        let altered = (0..40_usize, 0..64_u32).prop_map(|(at, bit)| {
            let number = u64::from_be_bytes(*ids(40)[at].as_bytes()) ^ (1 << bit);
            Id::from_bytes(number.to_be_bytes())
        });
        let of_another = (0..40_usize).prop_map(|at| {
            let mut chain = Chain::new(Hashname::from_bytes([8; 32]), b"a secret", 41, 0);
            std::iter::from_fn(|| chain.take()).nth(at).unwrap()
        });
        let of_another_secret = (0..40_usize, any::<[u8; 8]>()).prop_map(|(at, secret)| {
            let mut chain = Chain::new(sender(), &secret, 41, 0);
            std::iter::from_fn(|| chain.take()).nth(at).unwrap()
        });
        // What comes before the profile: a chain of the same secret that is longer has it.
        let of_a_longer_chain =
            (1..40).prop_map(|beyond| (0..beyond).fold(ids(40)[0], |id, _| id.previous(&sender())));
        let forged = any::<[u8; 8]>().prop_map(Id::from_bytes);
        let of_the_digest = (0..40_usize, any::<[u8; 32]>())
            .prop_map(|(at, key)| ids(40)[at].previous(&Hashname::from_bytes(key)));
        prop_oneof![
            3 => of_chain,
            1 => altered,
            1 => of_another,
            1 => of_another_secret,
            1 => of_a_longer_chain,
            1 => forged,
            1 => of_the_digest,
        ]
    }

    proptest! {
        #[test]
        fn nothing_is_accepted_but_what_the_chain_produced_in_its_order(
            candidates in proptest::collection::vec(candidate(), 1..60),
        ) {
            let ids = ids(40);
            let mut tail = Tail::of(ids[0]);
            for id in candidates {
                let newest = tail.place as usize;
                let at = ids.iter().position(|of_chain| *of_chain == id);
                let standing = tail.standing(&sender(), id);
                let expected = match at {
                    Some(at) if at == newest => Standing::Newest,
                    Some(at) if at == newest + 1 => Standing::Next,
                    Some(at) if at < newest => Standing::Older,
                    Some(at) => Standing::Skipped(u32::try_from(at - newest - 1).unwrap()),
                    None => Standing::Foreign,
                };
                prop_assert_eq!(standing, expected);
                if standing == Standing::Next {
                    tail = tail.advanced(id);
                } else if let Standing::Skipped(missing) = standing {
                    // A gap is accepted for what it is, and for nothing longer or shorter.
                    for claimed in 0..60 {
                        let beyond = tail.beyond(&sender(), id, claimed);
                        prop_assert_eq!(beyond.is_some(), claimed == missing + 1);
                    }
                } else {
                    prop_assert_eq!(tail.beyond(&sender(), id, 1), None);
                }
            }
        }
    }
}
