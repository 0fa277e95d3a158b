//! Which packets go to whom.

use alloc::vec::Vec;
use core::time::Duration;

use hashbrown::HashMap;
use telehash_e3x::{Instant, Token};

use crate::{
    LinkKey,
    bucket::{Bucket, Rate},
};

/// Limit: tokens that are bridged, for all links together. At the limit the link with the most loses
/// the one that was idle longest.
pub const MAX_BRIDGES: usize = 65_536;

/// Limit: tokens that are bridged for one link. At the limit the one that was idle longest goes.
pub const MAX_BRIDGES_PER_LINK: usize = 1024;

/// Limit: how long a token that carries nothing stays bridged. Until then nobody else can have it.
pub const BRIDGE_IDLE: Duration = Duration::from_secs(60);

/// Least time between two looks at the whole table for bridges that are idle.
const SWEEP_PAUSE: Duration = Duration::from_secs(1);

/// Bytes a second that one direction of a bridge carries.
const BYTES: Rate = Rate {
    per_second: 4 << 20,
    burst: 1,
};

/// The bridge table.
#[derive(Debug, Default)]
pub(super) struct Bridges {
    bridges: HashMap<Token, Bridge>,
    /// The tokens of each owner, so that making room is no work for the whole table.
    owned: HashMap<LinkKey, Vec<Token>>,
    sweep_at: Option<Instant>,
}

/// Packets with one token.
#[derive(Debug)]
struct Bridge {
    /// Who sent the handshake with this token: packets go there.
    owner: LinkKey,
    /// Whom it was for: packets come from there.
    partner: LinkKey,
    used: Instant,
    budget: Bucket,
}

impl Bridges {
    /// Bridges a token of `owner` for packets of `partner`. It stays whose it is: false if another
    /// has it, or the same link for another partner.
    pub(super) fn add(
        &mut self,
        now: Instant,
        token: Token,
        owner: LinkKey,
        partner: LinkKey,
    ) -> bool {
        if let Some(bridge) = self.bridges.get_mut(&token)
            && !bridge.is_idle(now)
        {
            let same = (bridge.owner, bridge.partner) == (owner, partner);
            if same {
                bridge.used = now;
            }
            return same;
        }
        self.remove(token);
        self.make_room(owner);
        self.bridges.insert(
            token,
            Bridge {
                owner,
                partner,
                used: now,
                budget: Bucket::full(BYTES, now),
            },
        );
        self.owned.entry(owner).or_default().push(token);
        self.sweep_at.get_or_insert(now + BRIDGE_IDLE);
        true
    }

    /// Where a packet of so many bytes with this token goes, and whose it has to be.
    pub(super) fn ends(&self, token: Token) -> Option<(LinkKey, LinkKey)> {
        let bridge = self.bridges.get(&token)?;
        Some((bridge.owner, bridge.partner))
    }

    /// Whether a packet may go over a bridge now; counts it.
    pub(super) fn carry(&mut self, now: Instant, token: Token, bytes: usize) -> bool {
        let Some(bridge) = self.bridges.get_mut(&token) else {
            return false;
        };
        let bytes = bytes as u64;
        let fits = bridge.budget.refill(now, BYTES).tokens() >= bytes;
        if fits {
            bridge.budget.take(bytes);
            bridge.used = now;
        }
        fits
    }

    /// The link is gone, and whatever it was an end of.
    pub(super) fn forget(&mut self, link: LinkKey) {
        if !self.bridges.is_empty() {
            self.retain(|bridge| bridge.owner != link && bridge.partner != link);
        }
    }

    pub(super) fn len(&self) -> usize {
        self.bridges.len()
    }

    /// When idle bridges are looked for next.
    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.sweep_at
    }

    /// Drops idle bridges, if it is time to look.
    pub(super) fn sweep(&mut self, now: Instant) {
        if self.sweep_at.is_none_or(|at| now < at) {
            return;
        }
        self.retain(|bridge| !bridge.is_idle(now));
        let first = self.bridges.values().map(|bridge| bridge.used).min();
        self.sweep_at = first.map(|used| (used + BRIDGE_IDLE).max(now + SWEEP_PAUSE));
    }

    fn make_room(&mut self, owner: LinkKey) {
        let own = self.owned.get(&owner).map_or(0, Vec::len);
        let victim = if own >= MAX_BRIDGES_PER_LINK {
            self.owned.get(&owner)
        } else if self.bridges.len() >= MAX_BRIDGES {
            self.owned.values().max_by_key(|tokens| tokens.len())
        } else {
            None
        };
        let of_victim = victim.into_iter().flatten();
        let used = |token: &&Token| self.bridges.get(*token).map(|bridge| bridge.used);
        if let Some(idlest) = of_victim.min_by_key(used).copied() {
            self.remove(idlest);
        }
    }

    fn remove(&mut self, token: Token) {
        let Some(bridge) = self.bridges.remove(&token) else {
            return;
        };
        if let Some(tokens) = self.owned.get_mut(&bridge.owner) {
            tokens.retain(|owned| *owned != token);
            if tokens.is_empty() {
                self.owned.remove(&bridge.owner);
            }
        }
    }

    fn retain(&mut self, keep: impl Fn(&Bridge) -> bool) {
        let before = self.bridges.len();
        self.bridges.retain(|_, bridge| keep(bridge));
        if self.bridges.len() < before {
            let bridges = &self.bridges;
            self.owned.retain(|_, tokens| {
                tokens.retain(|token| bridges.contains_key(token));
                !tokens.is_empty()
            });
        }
    }
}

impl Bridge {
    fn is_idle(&self, now: Instant) -> bool {
        self.used + BRIDGE_IDLE <= now
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Instant = Instant::from_micros(1_000_000);
    const A: LinkKey = LinkKey(1);
    const B: LinkKey = LinkKey(2);
    const C: LinkKey = LinkKey(3);

    fn token(n: usize) -> Token {
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&n.to_le_bytes());
        Token::from_bytes(bytes)
    }

    #[test]
    fn a_token_stays_with_whom_it_was_registered_for_until_it_is_idle() {
        let mut bridges = Bridges::default();
        assert!(bridges.add(NOW, token(1), A, B));
        assert!(!bridges.add(NOW, token(1), C, B), "stolen");
        assert!(!bridges.add(NOW, token(1), A, C), "for somebody else");
        let later = NOW + BRIDGE_IDLE / 2;
        assert!(bridges.carry(later, token(1), 100));
        assert!(!bridges.add(NOW + BRIDGE_IDLE, token(1), C, B));
        assert_eq!(bridges.ends(token(1)), Some((A, B)));
        assert!(bridges.add(later + BRIDGE_IDLE, token(1), C, B));
        assert_eq!(bridges.ends(token(1)), Some((C, B)));
    }

    #[test]
    fn one_link_cannot_have_more_bridges_than_its_limit() {
        let mut bridges = Bridges::default();
        assert!(bridges.add(NOW, token(0), B, A));
        for n in 1..=MAX_BRIDGES_PER_LINK + 1 {
            let now = NOW + Duration::from_micros(n as u64);
            assert!(bridges.add(now, token(n), A, B));
        }
        assert_eq!(bridges.len(), MAX_BRIDGES_PER_LINK + 1);
        assert_eq!(bridges.ends(token(1)), None, "its idlest");
        assert!(bridges.ends(token(0)).is_some(), "not another's");
    }

    #[test]
    fn a_full_table_takes_from_whoever_has_the_most() {
        let mut bridges = Bridges::default();
        let links = MAX_BRIDGES / MAX_BRIDGES_PER_LINK;
        for n in 0..MAX_BRIDGES {
            let owner = LinkKey(10 + (n % links) as u64);
            assert!(bridges.add(NOW, token(n), owner, A));
        }
        assert_eq!(bridges.len(), MAX_BRIDGES);
        assert!(bridges.add(NOW, token(MAX_BRIDGES), B, A));
        assert_eq!(bridges.len(), MAX_BRIDGES);
        assert_eq!(bridges.ends(token(MAX_BRIDGES)), Some((B, A)));
    }

    #[test]
    fn idle_bridges_and_those_of_a_link_that_is_gone_are_forgotten() {
        let mut bridges = Bridges::default();
        assert_eq!(bridges.poll_timeout(), None);
        bridges.add(NOW, token(1), A, B);
        bridges.add(NOW, token(2), B, A);
        bridges.add(NOW, token(3), C, C);
        bridges.forget(A);
        assert_eq!(bridges.len(), 1);
        let end = NOW + BRIDGE_IDLE;
        assert_eq!(bridges.poll_timeout(), Some(end));
        bridges.sweep(end);
        assert_eq!((bridges.len(), bridges.poll_timeout()), (0, None));
    }

    #[test]
    fn bridges_that_expire_one_after_another_are_looked_for_once_a_second() {
        let mut bridges = Bridges::default();
        for n in 0..1000 {
            let now = NOW + Duration::from_millis(n as u64);
            assert!(bridges.add(now, token(n), A, B));
        }
        let mut sweeps = 0;
        while let Some(at) = bridges.poll_timeout() {
            bridges.sweep(at);
            sweeps += 1;
        }
        assert_eq!((sweeps, bridges.len()), (2, 0));
        assert!(bridges.owned.is_empty());
    }

    #[test]
    fn a_token_that_is_idle_is_free_though_nobody_has_looked_yet() {
        let mut bridges = Bridges::default();
        assert!(bridges.add(NOW, token(1), A, B));
        assert!(bridges.add(NOW + BRIDGE_IDLE / 2, token(2), A, B));
        bridges.sweep(NOW + (BRIDGE_IDLE - Duration::from_micros(1)));
        assert!(bridges.add(NOW + BRIDGE_IDLE, token(1), C, B));
        assert_eq!(bridges.ends(token(1)), Some((C, B)));
        assert_eq!(bridges.len(), 2);
        bridges.forget(C);
        assert_eq!(bridges.ends(token(1)), None);
        assert!(bridges.ends(token(2)).is_some());
    }

    #[test]
    fn a_bridge_carries_its_bytes_a_second_and_no_more() {
        let mut bridges = Bridges::default();
        bridges.add(NOW, token(1), A, B);
        let carried = (0..10_000).filter(|_| bridges.carry(NOW, token(1), 1024));
        assert_eq!(carried.count(), 4096);
        assert!(!bridges.carry(NOW, token(2), 1), "nobody's token");
    }
}
