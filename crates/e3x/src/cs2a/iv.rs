//! IVs: ours are counted, theirs are remembered (cipher-sets.md, Nonces, replay and failures).

use alloc::boxed::Box;

use rand_core::CryptoRng;

use super::gcm::{IV_LEN, Iv, TAG_LEN, Tag};
use crate::{RecentNonces, ReplayWindow};

/// Most IVs that we use with one key of CS2a. At the limit nothing more is sealed with it
/// ([`SealError::Exhausted`](crate::SealError::Exhausted)).
///
/// With full-sized packets an observer's chance to tell the ciphertexts from noise is then still
/// below 2^-50.
pub(super) const MAX_IVS: u64 = 1 << 31;

/// Bytes of an IV that stay the same for a key.
const PREFIX_LEN: usize = 4;

type Prefix = [u8; PREFIX_LEN];

/// Our IVs for one key: 4 random bytes || 8-byte big-endian counter from 0.
#[derive(Debug)]
pub(super) struct IvSource {
    prefix: Prefix,
    next: u64,
}

impl IvSource {
    pub(super) fn random(rng: &mut dyn CryptoRng) -> Self {
        let mut prefix = [0; PREFIX_LEN];
        rng.fill_bytes(&mut prefix);
        Self { prefix, next: 0 }
    }

    /// Goes on with this counter.
    #[cfg(test)]
    pub(super) const fn starting(prefix: Prefix, next: u64) -> Self {
        Self { prefix, next }
    }

    /// An IV that was never used with this key; `None` if there are no more.
    pub(super) fn next(&mut self) -> Option<Iv> {
        if self.is_exhausted() {
            return None;
        }
        let counter = self.next.to_be_bytes();
        self.next += 1;
        let mut iv = [0; IV_LEN];
        iv[..PREFIX_LEN].copy_from_slice(&self.prefix);
        iv[PREFIX_LEN..].copy_from_slice(&counter);
        Some(iv)
    }

    /// Whether [`next`](Self::next) gives no more.
    pub(super) const fn is_exhausted(&self) -> bool {
        self.next >= MAX_IVS
    }
}

/// Packets of the peer, by IV and tag.
///
/// A peer that counts as we do is told by a counter below [`MAX_IVS`], which no random IV has but
/// one in 2^33; with the prefix that it used first it goes through a window. JavaScript peers count
/// elsewhere and repeat IVs with other content, which is no replay: of all other IVs the tag counts
/// as well, and they go through a set.
#[derive(Debug, Default)]
pub(super) struct IvFilter {
    counted: Option<(Prefix, ReplayWindow)>,
    others: Option<Box<RecentNonces<{ IV_LEN + TAG_LEN }>>>,
}

impl IvFilter {
    /// Whether this packet, which authenticated, is new; from now on it is not.
    pub(super) fn accept(&mut self, iv: &Iv, tag: &Tag) -> bool {
        let (prefix, counter) = split(iv);
        if counter < MAX_IVS {
            let (known, window) = self
                .counted
                .get_or_insert_with(|| (prefix, ReplayWindow::new()));
            if *known == prefix {
                return window.accept(counter);
            }
        }
        let mut packet = [0; IV_LEN + TAG_LEN];
        packet[..IV_LEN].copy_from_slice(iv);
        packet[IV_LEN..].copy_from_slice(tag);
        self.others.get_or_insert_default().accept(&packet)
    }
}

fn split(iv: &Iv) -> (Prefix, u64) {
    let prefix = core::array::from_fn(|i| iv[i]);
    let counter = core::array::from_fn(|i| iv[PREFIX_LEN + i]);
    (prefix, u64::from_be_bytes(counter))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn iv(prefix: u8, counter: u64) -> Iv {
        let mut iv = [prefix; IV_LEN];
        iv[PREFIX_LEN..].copy_from_slice(&counter.to_be_bytes());
        iv
    }

    fn tag(byte: u8) -> Tag {
        [byte; TAG_LEN]
    }

    #[test]
    fn our_ivs_count_up_from_zero_big_endian() {
        let mut source = IvSource::starting([7; PREFIX_LEN], 0);
        for counter in 0..3 {
            assert_eq!(source.next(), Some(iv(7, counter)));
        }
    }

    #[test]
    fn a_key_has_two_to_the_31st_ivs_and_none_twice() {
        let mut source = IvSource::starting([7; PREFIX_LEN], MAX_IVS - 1);
        assert!(!source.is_exhausted());
        assert_eq!(source.next(), Some(iv(7, (1 << 31) - 1)));
        assert!(source.is_exhausted());
        assert_eq!(source.next(), None);
        assert_eq!(source.next(), None);
    }

    #[test]
    fn counted_ivs_need_no_set() {
        let mut filter = IvFilter::default();
        for counter in (0..5_000).rev().step_by(3).chain([MAX_IVS - 1]) {
            let _ = filter.accept(&iv(1, counter), &tag(1));
        }
        assert!(filter.others.is_none());
        assert!(!filter.accept(&iv(1, MAX_IVS - 1), &tag(1)));
    }

    #[test]
    fn the_prefix_that_came_first_keeps_its_window() {
        let mut filter = IvFilter::default();
        assert!(filter.accept(&iv(1, 5), &tag(1)));
        assert!(filter.accept(&iv(2, 5), &tag(1)));
        assert!(filter.accept(&iv(1, 4), &tag(1)));
        for replayed in [iv(1, 5), iv(2, 5), iv(1, 4)] {
            assert!(!filter.accept(&replayed, &tag(1)));
        }
    }

    #[test]
    fn an_uncounted_iv_with_another_tag_is_no_replay() {
        let mut filter = IvFilter::default();
        for iv in [iv(1, MAX_IVS), iv(1, u64::MAX), iv(2, MAX_IVS)] {
            assert!(filter.accept(&iv, &tag(1)));
            assert!(filter.accept(&iv, &tag(2)));
            assert!(!filter.accept(&iv, &tag(1)));
            assert!(!filter.accept(&iv, &tag(2)));
        }
        assert!(filter.counted.is_none());
    }
}
