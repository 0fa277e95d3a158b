//! IVs: ours are counted, theirs are remembered (cipher-sets.md, Nonces, replay and failures).

use alloc::boxed::Box;

use rand_core::CryptoRng;

use super::cipher::{IV_LEN, Iv};
use crate::{RecentNonces, ReplayWindow};

/// Limit: packets that one key seals, messages and channel packets apart; then sealing fails with
/// [`SealError::Exhausted`](crate::SealError::Exhausted). Also how far the IVs of a peer may rise
/// from the first that came: packets beyond are refused as replays, and the session asks to be
/// replaced.
///
/// Half of what four bytes can count, so that an IV is never ambiguous: one that seems to be ahead
/// is not an old one for which the counter has wrapped.
pub(super) const PACKETS_PER_KEY: u32 = 1 << 31;

/// Our IVs: a little-endian counter from a random start.
#[derive(Debug)]
pub(super) struct IvSource {
    next: u32,
    left: u32,
}

impl IvSource {
    pub(super) fn random(rng: &mut dyn CryptoRng) -> Self {
        Self {
            next: rng.next_u32(),
            left: PACKETS_PER_KEY,
        }
    }

    /// Goes on with this counter, for so many packets.
    #[cfg(test)]
    pub(super) const fn starting(next: u32, left: u32) -> Self {
        Self { next, left }
    }

    /// An IV that was never used; `None` if there are no more.
    pub(super) fn next(&mut self) -> Option<Iv> {
        self.left = self.left.checked_sub(1)?;
        let iv = self.next.to_le_bytes();
        self.next = self.next.wrapping_add(1);
        Some(iv)
    }

    /// Whether [`next`](Self::next) gives no more.
    pub(super) const fn is_exhausted(&self) -> bool {
        self.left == 0
    }
}

/// Counter of the first IV that came. High enough that earlier ones may follow.
const ORIGIN: u64 = 1 << 32;

/// How far from the first IV the second one may be, if the peer counts: as many packets as may get
/// lost or overtaken between the first two that arrive.
const PLAUSIBLE_GAP: u32 = 1 << 16;

/// IVs of the peer.
///
/// The JavaScript and the C implementation count as we do, and so the IVs of a session go through a
/// window. Nothing on the wire says that a peer counts, so the first two IVs decide it, for good:
/// if the second is close to the first they are a counter, which a random IV is mistaken for once
/// in 2^15 sessions. Of peers that do not count the last few are remembered instead.
#[derive(Debug)]
pub(super) struct IvFilter {
    window: ReplayWindow,
    /// The counter of the newest IV; `None` if none has come.
    newest: Option<u64>,
    /// Two IVs have shown that the peer counts.
    counts: bool,
    /// Of a peer that does not.
    unordered: Option<Box<RecentNonces<IV_LEN>>>,
    /// The first IV.
    first: Iv,
}

impl IvFilter {
    pub(super) const fn new() -> Self {
        Self {
            window: ReplayWindow::new(),
            newest: None,
            counts: false,
            unordered: None,
            first: [0; IV_LEN],
        }
    }

    /// Whether this IV, of a packet that authenticated, is new; from now on it is not.
    pub(super) fn accept(&mut self, iv: &Iv) -> bool {
        if let Some(recent) = &mut self.unordered {
            return recent.accept(iv);
        }
        let Some(newest) = self.newest else {
            self.first = *iv;
            self.newest = Some(ORIGIN);
            return self.window.accept(ORIGIN);
        };
        let distance = distance(self.iv_of(newest), u32::from_le_bytes(*iv));
        if !self.counts && distance.unsigned_abs() > PLAUSIBLE_GAP {
            let mut recent = Box::new(RecentNonces::new());
            let _ = recent.accept(&self.first);
            let new = recent.accept(iv);
            self.unordered = Some(recent);
            return new;
        }
        let counter = newest.saturating_add_signed(distance.into());
        let new = counter < ORIGIN + u64::from(PACKETS_PER_KEY) && self.window.accept(counter);
        if new {
            self.counts = true;
            self.newest = Some(newest.max(counter));
        }
        new
    }

    /// Whether the peer has used up its IVs.
    pub(super) fn is_exhausted(&self) -> bool {
        self.newest
            .is_some_and(|newest| newest - ORIGIN >= u64::from(PACKETS_PER_KEY - 1))
    }

    /// The IV with this counter, as a number. Counters wrap where IVs do.
    const fn iv_of(&self, counter: u64) -> u32 {
        u32::from_le_bytes(self.first).wrapping_add(counter as u32)
    }
}

/// How far it is from one IV to another the shorter way round.
const fn distance(from: u32, to: u32) -> i32 {
    to.wrapping_sub(from).cast_signed()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A filter that has accepted these IVs.
    fn filter(ivs: impl IntoIterator<Item = u32>) -> IvFilter {
        let mut filter = IvFilter::new();
        for iv in ivs {
            assert!(accept(&mut filter, iv), "{iv}");
        }
        filter
    }

    fn accept(filter: &mut IvFilter, iv: u32) -> bool {
        filter.accept(&iv.to_le_bytes())
    }

    #[test]
    fn our_ivs_count_up_little_endian_and_wrap() {
        let mut source = IvSource::starting(u32::MAX - 1, 4);
        let ivs = core::iter::from_fn(|| source.next());
        let expected = [[0xfe, 255, 255, 255], [255; 4], [0; 4], [1, 0, 0, 0]];
        assert!(ivs.eq(expected));
    }

    #[test]
    fn ivs_run_out_instead_of_repeating() {
        let mut source = IvSource::starting(7, 1);
        assert!(!source.is_exhausted());
        assert!(source.next().is_some());
        assert!(source.is_exhausted());
        assert_eq!(source.next(), None);
        assert_eq!(source.next(), None);
    }

    #[test]
    fn a_key_seals_two_to_the_31_packets() {
        let source = IvSource::random(&mut super::super::tests::rng(1));
        assert_eq!(source.left, 1 << 31);
    }

    #[test]
    fn counted_ivs_are_accepted_once_also_where_they_wrap() {
        for start in [0, 1_000, u32::MAX - 5, u32::MAX, 1 << 31] {
            let ivs = || (0..3_000).map(|i: u32| start.wrapping_add(i ^ 1));
            let mut filter = filter(ivs());
            assert!(filter.unordered.is_none());
            for iv in ivs() {
                assert!(!accept(&mut filter, iv), "{iv} of {start}");
            }
        }
    }

    #[test]
    fn a_counted_iv_2048_behind_is_too_late() {
        let start = u32::MAX - 100;
        let newest = start.wrapping_add(10_000);
        let mut filter = filter([start, newest]);
        assert!(!accept(&mut filter, newest.wrapping_sub(2_048)));
        assert!(accept(&mut filter, newest.wrapping_sub(2_047)));
        assert!(!accept(&mut filter, start));
    }

    #[test]
    fn a_peer_that_counts_never_gets_the_weaker_filter() {
        let mut filter = filter([5, 6, 1 << 30]);
        assert!(!accept(&mut filter, 5), "replayed from far behind");
        assert!(!accept(&mut filter, 7));
        assert!(filter.unordered.is_none());
    }

    #[test]
    fn a_packet_overtaken_by_the_first_does_not_earn_the_weaker_filter() {
        let mut filter = filter([10_000]);
        assert!(!accept(&mut filter, 10_000 - 2_048));
        assert!(accept(&mut filter, 10_000 - 2_047));
        assert!(filter.unordered.is_none());
    }

    #[test]
    fn a_replay_of_the_first_packet_decides_nothing() {
        let mut filter = filter([5]);
        assert!(!accept(&mut filter, 5));
        assert!(accept(&mut filter, 1 << 31));
        assert!(filter.unordered.is_some());
    }

    #[test]
    fn the_second_iv_tells_a_counter_from_others() {
        for (second, counts) in [
            (1 << 16, true),
            ((1 << 16) + 1, false),
            (0_u32.wrapping_sub(2_047), true),
            (0_u32.wrapping_sub(1 << 16), true),
            (0_u32.wrapping_sub((1 << 16) + 1), false),
        ] {
            let mut filter = filter([0]);
            let _ = accept(&mut filter, second);
            assert_eq!(filter.unordered.is_none(), counts, "{second}");
        }
    }

    #[test]
    fn ivs_without_order_are_remembered_from_the_first_on() {
        let scattered = || (0..4_096_u32).map(|i| i.wrapping_mul(0x9e37_79b1));
        let mut filter = filter(scattered());
        for iv in scattered() {
            assert!(!accept(&mut filter, iv), "{iv}");
        }
        assert!(!filter.is_exhausted());
    }

    #[test]
    fn ivs_of_a_peer_end_two_to_the_31_after_the_first() {
        let first = 3_000_000_000_u32;
        let last = first.wrapping_add(PACKETS_PER_KEY - 1);
        let mut filter = filter([first, first.wrapping_add(1), last.wrapping_sub(1)]);
        assert!(!filter.is_exhausted());
        assert!(accept(&mut filter, last));
        assert!(filter.is_exhausted());
        assert!(!accept(&mut filter, last.wrapping_add(1)));
        // What was received long ago would seem to be ahead now.
        for old in [first, first.wrapping_add(1), first.wrapping_sub(2_047)] {
            assert!(!accept(&mut filter, old), "{old}");
        }
    }
}
