//! How large a packet a path carries, and how that is found out (architecture.md, "How packets
//! flow"; the method is that of RFC 8899).

use core::time::Duration;

use telehash_e3x::Instant;

use crate::config::{BASE_DATAGRAM, JUMBO_DATAGRAM, PROVEN_DATAGRAM};

/// Sizes to be tried one after the other, in bytes: what tunnels leave, the usual, and all that
/// Ethernet carries of UDP over IPv6, with common frames and with jumbo frames.
const RUNGS: [usize; 4] = [1300, PROVEN_DATAGRAM, 1452, JUMBO_DATAGRAM];

/// When to try again what a path did not carry: routes change.
const TRY_AGAIN: Duration = Duration::from_secs(600);

/// The size of packets on one pipe.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PacketSize {
    current: usize,
    /// It may be raised by probes.
    raisable: bool,
    try_at: Instant,
}

impl PacketSize {
    /// Of a datagram path about which nothing is known.
    pub(crate) const fn unknown() -> Self {
        Self {
            current: BASE_DATAGRAM,
            raisable: true,
            try_at: Instant::from_micros(0),
        }
    }

    /// Of a datagram path that is sure to carry this much.
    pub(crate) const fn at_least(size: usize) -> Self {
        Self {
            current: size,
            ..Self::unknown()
        }
    }

    /// Of a pipe that carries whatever it is given.
    pub(crate) const fn fixed(size: usize) -> Self {
        Self {
            current: size,
            raisable: false,
            try_at: Instant::from_micros(0),
        }
    }

    /// Largest packet to send.
    pub(crate) const fn current(&self) -> usize {
        self.current
    }

    /// Whether packets are larger than every path is taken to carry, so that a path may swallow them
    /// without a word.
    pub(crate) const fn is_raised(&self) -> bool {
        self.raisable && self.current > BASE_DATAGRAM
    }

    /// The next size to probe, and when at the earliest.
    pub(crate) fn next(&self) -> Option<(Instant, usize)> {
        let next = RUNGS.into_iter().find(|size| *size > self.current);
        next.filter(|_| self.raisable)
            .map(|size| (self.try_at, size))
    }

    /// A packet of this size arrived.
    pub(crate) fn prove(&mut self, size: usize) {
        if self.raisable && RUNGS.contains(&size) {
            self.current = self.current.max(size);
        }
    }

    /// Packets of this size do not arrive, smaller ones do. True if that is a change: the path
    /// swallows what it carried before.
    pub(crate) fn fail(&mut self, now: Instant, size: usize) -> bool {
        self.try_at = now + TRY_AGAIN;
        let shrinks = self.is_raised() && size <= self.current;
        if shrinks {
            self.current = BASE_DATAGRAM;
        }
        shrinks
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Instant = Instant::from_micros(9);

    #[test]
    fn sizes_are_climbed_rung_by_rung_as_far_as_they_are_proven() {
        let mut size = PacketSize::unknown();
        for rung in RUNGS {
            assert!(size.current() < rung);
            assert_eq!(size.next(), Some((Instant::from_micros(0), rung)));
            size.prove(rung);
            assert_eq!(size.current(), rung);
        }
        assert_eq!(size.next(), None);
    }

    #[test]
    fn what_is_too_large_is_tried_again_much_later() {
        let mut size = PacketSize::unknown();
        size.prove(RUNGS[0]);
        assert!(!size.fail(NOW, RUNGS[1]));
        assert_eq!(size.current(), RUNGS[0]);
        assert_eq!(size.next(), Some((NOW + TRY_AGAIN, RUNGS[1])));
    }

    #[test]
    fn a_path_that_carries_less_than_before_is_begun_anew() {
        let mut size = PacketSize::unknown();
        size.prove(RUNGS[1]);
        assert!(size.fail(NOW, RUNGS[1]));
        assert_eq!(size.current(), BASE_DATAGRAM);
        assert_eq!(size.next(), Some((NOW + TRY_AGAIN, RUNGS[0])));
        assert!(!size.fail(NOW, BASE_DATAGRAM), "smaller there is nothing");
    }

    #[test]
    fn nobody_can_prove_a_size_that_was_not_probed() {
        let mut size = PacketSize::unknown();
        size.prove(9000);
        assert_eq!(size.current(), BASE_DATAGRAM);
        let mut fixed = PacketSize::fixed(PROVEN_DATAGRAM);
        fixed.prove(1452);
        assert!(!fixed.fail(NOW, PROVEN_DATAGRAM));
        assert_eq!((fixed.current(), fixed.next()), (PROVEN_DATAGRAM, None));
    }
}
