//! When handshakes are repeated: schedules, throttles, backoff (links.md, "Resend, keepalive,
//! giving up").

use core::time::Duration;

use telehash_e3x::Instant;

use super::{
    jitter::draw,
    limits::{MAX_REPEATS, REPEAT_INTERVAL, RETRY_MAX},
};

/// How long after agreement a session of a quiet peer is reported.
pub(crate) const QUIET_CONFIRM: Duration = Duration::from_secs(1);

/// How long after adopting the handshake that made a session we begin a round of our own, unless a
/// channel packet authenticated. It finds out that our echo was lost, and that the handshake was a
/// replay.
pub(crate) const PROBE_AFTER: Duration = Duration::from_millis(500);

/// Shortest wait before a link that is down is tried again.
pub(crate) const RETRY_FIRST: Duration = Duration::from_secs(2);

/// Milliseconds after the first message of a round, toward implementations that are not ours.
const FOREIGN: [u16; 4] = [1_000, 3_000, 7_000, 15_000];

/// The same toward our own.
const OURS: [u16; 10] = [
    300, 700, 1_500, 3_000, 5_000, 8_000, 12_000, 16_000, 21_000, 26_000,
];

/// The same for the pings that confirm a session, or look for a peer that has fallen silent.
const PINGS: [u16; 4] = [1_000, 3_000, 7_000, 15_000];

/// The repetitions of one round that are still to come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Schedule {
    step: u8,
    due: Instant,
}

impl Schedule {
    /// For a round whose first message goes out now.
    pub(crate) fn new(now: Instant, ours: bool) -> Self {
        let first = *table(ours).first().unwrap_or(&FOREIGN[0]);
        Self {
            step: 0,
            due: now + millis(first),
        }
    }

    /// When the next repetition is due.
    pub(crate) fn due(&self) -> Instant {
        self.due
    }

    /// Whether the next repetition is the same bytes: always toward our own kind; toward others
    /// the first one only, since they ignore what they have seen.
    pub(crate) fn is_verbatim(&self, ours: bool) -> bool {
        ours || self.step == 0
    }

    /// Whether the round has stayed unanswered for 3 s by the repetition that is due.
    pub(crate) fn is_late(&self, ours: bool) -> bool {
        table(ours)
            .get(usize::from(self.step))
            .is_none_or(|after| *after >= 3_000)
    }

    /// What is left after the repetition that is due.
    pub(crate) fn advance(self, now: Instant, ours: bool) -> Option<Self> {
        let at = usize::from(self.step);
        let (last, next) = (table(ours).get(at)?, table(ours).get(at + 1)?);
        Some(Self {
            step: self.step + 1,
            due: now + millis(next - last),
        })
    }

    #[cfg(test)]
    pub(crate) fn rebase(&mut self, now: Instant) {
        self.due = super::tests::rebased(self.due, now);
    }
}

/// The repetitions of a ping that are still to come: "again at 1, 3, 7, 15 s".
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Pings {
    step: u8,
    due: Instant,
}

impl Pings {
    /// For a ping that goes out now.
    pub(crate) fn new(now: Instant) -> Self {
        Self {
            step: 0,
            due: now + millis(PINGS[0]),
        }
    }

    /// When the next repetition is due.
    pub(crate) fn due(&self) -> Instant {
        self.due
    }

    /// What is left after the repetition that is due.
    pub(crate) fn advance(self, now: Instant) -> Option<Self> {
        let at = usize::from(self.step);
        let (last, next) = (PINGS.get(at)?, PINGS.get(at + 1)?);
        Some(Self {
            step: self.step + 1,
            due: now + millis(next - last),
        })
    }

    #[cfg(test)]
    pub(crate) fn rebase(&mut self, now: Instant) {
        self.due = super::tests::rebased(self.due, now);
    }
}

fn table(ours: bool) -> &'static [u16] {
    if ours { &OURS } else { &FOREIGN }
}

fn millis(millis: u16) -> Duration {
    Duration::from_millis(u64::from(millis))
}

/// Lets [`MAX_REPEATS`] repetitions through, no two of them within [`REPEAT_INTERVAL`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Throttle {
    left: u8,
    next: Instant,
}

impl Throttle {
    /// For an answer that goes out now.
    pub(crate) fn new(now: Instant) -> Self {
        Self::with(now, MAX_REPEATS)
    }

    /// The same, with another number of repetitions.
    pub(crate) fn with(now: Instant, left: u8) -> Self {
        let next = now + REPEAT_INTERVAL;
        Self { left, next }
    }

    /// For something that did not go out yet and may at once.
    pub(crate) fn at_once(now: Instant) -> Self {
        Self {
            left: MAX_REPEATS,
            next: now,
        }
    }

    /// Whether it may be repeated now; counts it if so.
    pub(crate) fn permit(&mut self, now: Instant) -> bool {
        let permitted = self.left > 0 && now >= self.next;
        if permitted {
            self.left -= 1;
            self.next = now + REPEAT_INTERVAL;
        }
        permitted
    }

    #[cfg(test)]
    pub(crate) fn rebase(&mut self, now: Instant) {
        self.next = super::tests::rebased(self.next, now);
    }
}

/// How long to wait before the attempt after `failures` failed ones: doubling up to
/// [`RETRY_MAX`], and up to half as much again so that peers of a router that went away do not come
/// back in step. `seed` differs between links.
pub(crate) fn backoff(failures: u32, seed: u64) -> Duration {
    let doubled = RETRY_FIRST.saturating_mul(1 << failures.saturating_sub(1).min(16));
    let wait = doubled.min(RETRY_MAX);
    let share = u32::from(draw(seed, failures));
    wait + (wait / 2).saturating_mul(share) / 256
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::*;

    const START: Instant = Instant::from_micros(7);

    fn times(ours: bool) -> Vec<(u64, bool)> {
        let mut schedule = Some(Schedule::new(START, ours));
        core::iter::from_fn(|| {
            let now = schedule?;
            schedule = now.advance(now.due(), ours);
            let after = now.due().saturating_duration_since(START).as_millis();
            Some((after as u64, now.is_verbatim(ours)))
        })
        .collect()
    }

    #[test]
    fn foreign_peers_get_the_same_bytes_once_and_then_higher_values() {
        let expected = [
            (1_000, true),
            (3_000, false),
            (7_000, false),
            (15_000, false),
        ];
        assert_eq!(times(false), expected);
    }

    #[test]
    fn our_own_kind_gets_the_same_bytes_and_more_often() {
        let after = [
            300, 700, 1_500, 3_000, 5_000, 8_000, 12_000, 16_000, 21_000, 26_000,
        ];
        assert_eq!(times(true), after.map(|millis| (millis, true)));
    }

    #[test]
    fn a_schedule_survives_learning_what_the_peer_is() {
        let mut schedule = Some(Schedule::new(START, true));
        for _ in 0..6 {
            schedule = schedule.and_then(|now| now.advance(now.due(), true));
        }
        assert!(schedule.is_some_and(|now| now.advance(now.due(), false).is_none()));
    }

    #[test]
    fn four_repetitions_and_not_within_900_ms() {
        let mut throttle = Throttle::new(START);
        assert!(!throttle.permit(START + Duration::from_millis(899)));
        let sent = (1..100).filter(|step| throttle.permit(START + REPEAT_INTERVAL * *step));
        assert_eq!(sent.count(), usize::from(MAX_REPEATS));
    }

    #[test]
    fn retries_double_up_to_their_limit_and_differ_between_links() {
        for failures in 1..100 {
            let wait = backoff(failures, 42);
            let doubled = RETRY_FIRST * 2_u32.pow((failures - 1).min(20));
            assert!(
                wait >= doubled.min(RETRY_MAX) && wait < RETRY_MAX * 3 / 2,
                "{failures}"
            );
        }
        assert_ne!(backoff(9, 1), backoff(9, 2));
        assert_eq!(backoff(u32::MAX, 1), backoff(u32::MAX, 1));
    }
}
