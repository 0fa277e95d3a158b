//! What a path loses whether it is full or not.
//!
//! Congestion loses many packets in few rounds, a bad radio link a few in every round. So the
//! estimate moves by an eighth at a time, and no round counts as more than 2 % above it: bursts pass
//! it by, steady loss does not.

use core::time::Duration;

/// One, as a share: shares are in parts of a million.
const ONE: u64 = 1_000_000;

/// How far above the estimate a round counts at most; and the loss that probing for bandwidth may
/// cause (LossThresh).
pub(super) const THRESHOLD: u64 = 20_000;

/// Limit: the share of packets that is taken for the path's own loss, in millionths; what is lost
/// beyond it is congestion.
pub(super) const MAX_BASE_LOSS: u64 = 200_000;

/// Below this share a path loses nothing by itself.
const NEGLIGIBLE: u64 = 100;

/// Rounds of fewer packets are put together: one loss of ten is no tenth.
const LEAST_PACKETS: u64 = 32;

/// What exceeds the mean by so many standard deviations is no chance.
const DEVIATIONS: u64 = 3;

/// The loss of one path, in millionths.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct BaseLoss {
    share: u64,
    /// Bytes that arrived and were lost since this was looked at.
    arrived: u64,
    lost: u64,
    /// The shortest time that a packet took meanwhile.
    pub(super) delay: Option<Duration>,
}

impl BaseLoss {
    /// A path that loses just what probing may cause.
    pub(super) const THRESHOLD: Self = Self {
        share: THRESHOLD,
        arrived: 0,
        lost: 0,
        delay: None,
    };

    /// Packets arrived, the newest of them after so long.
    pub(super) fn on_arrived(&mut self, bytes: u64, delay: Duration) {
        self.delay = Some(self.delay.map_or(delay, |least| least.min(delay)));
        self.arrived = self.arrived.saturating_add(bytes);
    }

    pub(super) fn on_lost(&mut self, bytes: u64) {
        self.lost = self.lost.saturating_add(bytes);
    }

    /// A round is over in which the path was not pushed and no packet waited, or else one that tells
    /// nothing of the path itself.
    pub(super) fn end_round(&mut self, quiet: bool, packet: u64) {
        let all = self.arrived.saturating_add(self.lost);
        if quiet && all < LEAST_PACKETS.saturating_mul(packet) {
            return;
        }
        if quiet {
            let seen = u128::from(self.lost) * u128::from(ONE) / u128::from(all.max(1));
            let seen = u64::try_from(seen).unwrap_or(ONE);
            let seen = seen.min(self.share + THRESHOLD);
            self.share = ((self.share * 7 + seen) / 8).min(MAX_BASE_LOSS);
        }
        (self.arrived, self.lost, self.delay) = (0, 0, None);
    }

    /// What the path loses of so many bytes by itself, and by chance.
    pub(super) fn of(&self, bytes: u64, packet: u64) -> u64 {
        if self.share < NEGLIGIBLE {
            return 0;
        }
        let mean = share_of(bytes, self.share);
        let deviation = (u128::from(mean) * u128::from(packet)).isqrt();
        let deviation = u64::try_from(deviation).unwrap_or(u64::MAX);
        mean.saturating_add(deviation.saturating_mul(DEVIATIONS))
            .max(packet)
    }

    /// The share in millionths.
    #[cfg(test)]
    pub(super) fn share(&self) -> u64 {
        self.share
    }
}

/// So many millionths of this many bytes.
pub(super) fn share_of(bytes: u64, share: u64) -> u64 {
    let part = u128::from(bytes) * u128::from(share) / u128::from(ONE);
    u64::try_from(part).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PACKET: u64 = 1000;
    const RTT: Duration = Duration::from_millis(50);

    fn rounds(base: &mut BaseLoss, rounds: u64, lost: impl Fn(u64) -> u64) {
        for round in 0..rounds {
            base.on_lost(lost(round) * PACKET);
            base.on_arrived((100 - lost(round)) * PACKET, RTT);
            base.end_round(true, PACKET);
        }
    }

    #[test]
    fn steady_loss_becomes_the_base() {
        let mut base = BaseLoss::default();
        rounds(&mut base, 60, |_| 3);
        assert!(
            (29_000..=30_000).contains(&base.share()),
            "{}",
            base.share()
        );
        assert!(base.of(100 * PACKET, PACKET) >= 8 * PACKET);
        assert!(base.of(100 * PACKET, PACKET) < 9 * PACKET);
    }

    #[test]
    fn bursts_of_congestion_do_not() {
        let mut base = BaseLoss::default();
        rounds(&mut base, 200, |round| if round % 20 == 0 { 40 } else { 0 });
        assert!(base.share() < 3_000, "{}", base.share());
    }

    #[test]
    fn a_path_that_loses_nothing_has_no_tolerance() {
        let mut base = BaseLoss::default();
        rounds(&mut base, 10, |_| 0);
        assert_eq!(base.of(u64::MAX, PACKET), 0);
    }

    #[test]
    fn the_base_has_a_ceiling() {
        let mut base = BaseLoss::default();
        rounds(&mut base, 1000, |_| 90);
        assert_eq!(base.share(), MAX_BASE_LOSS);
    }

    #[test]
    fn rounds_in_which_the_path_was_pushed_do_not_count() {
        let mut base = BaseLoss::default();
        base.on_lost(90 * PACKET);
        base.end_round(false, PACKET);
        rounds(&mut base, 1, |_| 0);
        assert_eq!(base.share(), 0);
    }
}
