//! Nonces of channel packets: ours are counted, theirs are remembered (cipher-sets.md, Nonces,
//! replay and failures).

use alloc::boxed::Box;

use rand_core::CryptoRng;

use super::nacl::{NONCE_LEN, Nonce};
use crate::{RecentNonces, ReplayWindow};

/// Bytes of our nonces that stay the same within a session, and of others' that are compared.
const PREFIX_LEN: usize = 16;

/// Our nonces: 16 random bytes per session || 8-byte big-endian counter from 0.
#[derive(Debug)]
pub(super) struct NonceSource {
    prefix: [u8; PREFIX_LEN],
    next: u64,
}

impl NonceSource {
    pub(super) fn random(rng: &mut dyn CryptoRng) -> Self {
        let mut prefix = [0; PREFIX_LEN];
        rng.fill_bytes(&mut prefix);
        Self { prefix, next: 0 }
    }

    /// Goes on with this counter.
    #[cfg(test)]
    pub(super) const fn starting(prefix: [u8; PREFIX_LEN], next: u64) -> Self {
        Self { prefix, next }
    }

    /// A nonce that was never used; `None` if there are no more.
    pub(super) fn next(&mut self) -> Option<Nonce> {
        if self.is_exhausted() {
            return None;
        }
        let counter = self.next.to_be_bytes();
        self.next += 1;
        let mut nonce = [0; NONCE_LEN];
        nonce[..PREFIX_LEN].copy_from_slice(&self.prefix);
        nonce[PREFIX_LEN..].copy_from_slice(&counter);
        Some(nonce)
    }

    /// Whether [`next`](Self::next) gives no more.
    pub(super) const fn is_exhausted(&self) -> bool {
        self.next == u64::MAX
    }
}

/// Nonces of the peer. Those with the prefix that it used first go through a window; peers like JS,
/// whose nonces are random throughout, through a set.
#[derive(Debug, Default)]
pub(super) struct NonceFilter {
    counted: Option<([u8; PREFIX_LEN], ReplayWindow)>,
    random: Option<Box<RecentNonces<NONCE_LEN>>>,
}

impl NonceFilter {
    /// Whether this nonce, of a packet that authenticated, is new; from now on it is not.
    pub(super) fn accept(&mut self, nonce: &Nonce) -> bool {
        let (prefix, counter) = split(nonce);
        let (known, window) = self
            .counted
            .get_or_insert_with(|| (prefix, ReplayWindow::new()));
        if *known == prefix {
            window.accept(counter)
        } else {
            self.random.get_or_insert_default().accept(nonce)
        }
    }
}

fn split(nonce: &Nonce) -> ([u8; PREFIX_LEN], u64) {
    let prefix = core::array::from_fn(|i| nonce[i]);
    let counter = core::array::from_fn(|i| nonce[PREFIX_LEN + i]);
    (prefix, u64::from_be_bytes(counter))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nonce(prefix: u8, counter: u64) -> Nonce {
        NonceSource::starting([prefix; PREFIX_LEN], counter)
            .next()
            .expect("the counter is not at its end")
    }

    #[test]
    fn our_nonces_count_up_from_zero_big_endian() {
        let mut source = NonceSource::starting([7; PREFIX_LEN], 0);
        for counter in 0..3_u8 {
            let nonce = source.next().expect("there are more");
            assert_eq!(nonce[..16], [7; 16]);
            assert_eq!(nonce[16..], [0, 0, 0, 0, 0, 0, 0, counter]);
        }
    }

    #[test]
    fn nonces_run_out_instead_of_repeating() {
        let mut source = NonceSource::starting([7; PREFIX_LEN], u64::MAX - 1);
        assert!(source.next().is_some());
        assert!(source.is_exhausted());
        assert_eq!(source.next(), None);
        assert_eq!(source.next(), None);
    }

    #[test]
    fn counted_nonces_need_no_set() {
        let mut filter = NonceFilter::default();
        for counter in (0..5_000).rev().step_by(3) {
            filter.accept(&nonce(1, counter));
        }
        assert!(filter.random.is_none());
    }

    #[test]
    fn the_prefix_that_came_first_keeps_its_window() {
        let mut filter = NonceFilter::default();
        assert!(filter.accept(&nonce(1, 5)));
        assert!(filter.accept(&nonce(2, 5)));
        assert!(filter.accept(&nonce(1, 4)));
        for replayed in [nonce(1, 5), nonce(2, 5), nonce(1, 4)] {
            assert!(!filter.accept(&replayed));
        }
    }
}
