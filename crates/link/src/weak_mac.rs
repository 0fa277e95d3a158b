//! Forged handshakes in cipher sets whose MAC has four bytes (cipher-sets.md, "Nonces, replay and
//! failures").
//!
//! In 1a and 1c one forgery in 2^32 succeeds, and one that does is full impersonation. So failures
//! are counted for each identity that a message claims to be of: whoever guesses gets one guess a
//! second, wherever the packets come from. The owner of that identity is kept out for as long, but
//! for messages of the session it has.

use alloc::collections::BTreeMap;

use telehash_e3x::Instant;
use telehash_hashname::Hashname;

use crate::bucket::{Bucket, Rate};

/// Limit: forged handshakes in one claimed identity at once, and as many seconds until all of them
/// are forgiven; further messages of that identity are dropped before their MAC is checked.
pub(crate) const WEAK_MAC_FAILURES: u32 = 32;

/// Limit: claimed identities with a bucket of their own, of endpoints that are no links. At the
/// limit the fullest bucket, of the identity that is suspected least, makes room.
pub(crate) const MAX_WEAK_CLAIMS: usize = 1024;

const FAILURES: Rate = Rate {
    per_second: 1,
    burst: WEAK_MAC_FAILURES,
};

/// How many more failures one identity may have.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Patience(Bucket);

impl Patience {
    pub(crate) fn new(now: Instant) -> Self {
        Self(Bucket::full(FAILURES, now))
    }

    /// Whether a message may be checked.
    pub(crate) fn admits(&mut self, now: Instant) -> bool {
        self.0.refill(now, FAILURES).tokens() > 0
    }

    /// One was forged.
    pub(crate) fn failed(&mut self) {
        self.0.take(1);
    }

    fn left(&mut self, now: Instant) -> u64 {
        self.0.refill(now, FAILURES).tokens()
    }
}

/// The same for identities that strangers claim.
#[derive(Debug, Default)]
pub(crate) struct Claims(BTreeMap<Hashname, Patience>);

impl Claims {
    /// Whether a message that claims to be of this identity may be checked.
    pub(crate) fn admits(&mut self, now: Instant, claimed: &Hashname) -> bool {
        let patience = self.0.get_mut(claimed);
        patience.is_none_or(|patience| patience.admits(now))
    }

    /// One was forged.
    pub(crate) fn failed(&mut self, now: Instant, claimed: Hashname) {
        if !self.0.contains_key(&claimed) && self.0.len() >= MAX_WEAK_CLAIMS {
            let left = |(name, patience): (&Hashname, &mut Patience)| (patience.left(now), *name);
            if let Some((_, fullest)) = self.0.iter_mut().map(left).max() {
                self.0.remove(&fullest);
            }
        }
        let patience = self.0.entry(claimed);
        patience.or_insert_with(|| Patience::new(now)).failed();
    }
}

#[cfg(test)]
mod tests {
    use core::time::Duration;

    use super::*;

    const NOW: Instant = Instant::from_micros(1_000_000);

    fn name(number: usize) -> Hashname {
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&number.to_be_bytes());
        Hashname::from_bytes(bytes)
    }

    #[test]
    fn a_guesser_has_32_guesses_and_then_one_a_second() {
        let mut patience = Patience::new(NOW);
        for _ in 0..WEAK_MAC_FAILURES {
            assert!(patience.admits(NOW));
            patience.failed();
        }
        assert!(!patience.admits(NOW + Duration::from_millis(999)));
        let mut later = 0;
        for second in 1..=100 {
            let now = NOW + Duration::from_secs(second);
            while patience.admits(now) {
                patience.failed();
                later += 1;
            }
        }
        assert_eq!(later, 100);
    }

    #[test]
    fn an_identity_is_not_kept_out_for_what_is_tried_on_another() {
        let mut claims = Claims::default();
        for _ in 0..WEAK_MAC_FAILURES {
            claims.failed(NOW, name(1));
        }
        assert!(!claims.admits(NOW, &name(1)));
        assert!(claims.admits(NOW, &name(2)));
    }

    #[test]
    fn at_the_limit_the_identity_that_is_suspected_least_makes_room() {
        let mut claims = Claims::default();
        for number in 0..MAX_WEAK_CLAIMS {
            claims.failed(NOW, name(number));
            if number != 7 {
                claims.failed(NOW, name(number));
            }
        }
        for _ in 0..WEAK_MAC_FAILURES {
            claims.failed(NOW, name(MAX_WEAK_CLAIMS));
        }
        assert_eq!(claims.0.len(), MAX_WEAK_CLAIMS);
        assert!(!claims.0.contains_key(&name(7)));
        assert!(!claims.admits(NOW, &name(MAX_WEAK_CLAIMS)));
    }
}
