//! When to ask again.

use std::time::Duration;

use crate::limits::{LEASE, SHORTEST_PAUSE};

/// After the first failure; each further one doubles it, up to the usual pause.
const RETRY: Duration = Duration::from_secs(60);

/// How long a lease is believed in.
pub(crate) fn believed(granted: Duration) -> Duration {
    granted.min(LEASE)
}

/// After so many failures in a row, while the shortest lease still has so long: at half its life, or
/// earlier after a failure. `chance` is anything, and moves it by up to a tenth in either direction.
pub(crate) fn again_in(failures: u32, shortest: Option<Duration>, chance: u8) -> Duration {
    let usual = LEASE / 2;
    let retry = RETRY.saturating_mul(1 << failures.saturating_sub(1).min(8));
    let mut pause = if failures > 0 {
        retry.min(usual)
    } else {
        usual
    };
    if let Some(shortest) = shortest {
        pause = pause.min(shortest / 2);
    }
    let jitter = 0.9 + 0.2 * f64::from(chance) / f64::from(u8::MAX);
    pause.mul_f64(jitter).max(SHORTEST_PAUSE)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIDDLE: u8 = 127;

    fn about(pause: Duration, seconds: u64) -> bool {
        pause.as_secs().abs_diff(seconds) <= 2
    }

    #[test]
    fn a_lease_is_renewed_at_half_its_life_give_or_take_a_tenth() {
        let lease = Some(Duration::from_secs(1000));
        assert!(about(again_in(0, lease, MIDDLE), 500));
        assert!(about(again_in(0, lease, 0), 450));
        assert!(about(again_in(0, lease, u8::MAX), 550));
    }

    #[test]
    fn no_lease_has_the_gateway_asked_more_often_or_less_often_than_the_limits() {
        for lease in [Duration::ZERO, Duration::from_secs(1)] {
            assert_eq!(again_in(0, Some(lease), MIDDLE), SHORTEST_PAUSE);
        }
        let forever = believed(Duration::from_secs(u32::MAX.into()));
        assert_eq!(forever, LEASE);
        assert!(again_in(0, Some(forever), u8::MAX) < LEASE);
    }

    #[test]
    fn failures_are_retried_more_and_more_seldom() {
        let pauses = [1, 2, 3, 40].map(|failures| again_in(failures, None, MIDDLE));
        assert!(about(pauses[0], 60), "{pauses:?}");
        assert!(about(pauses[1], 120), "{pauses:?}");
        assert!(about(pauses[2], 240), "{pauses:?}");
        assert!(about(pauses[3], LEASE.as_secs() / 2), "{pauses:?}");
    }
}
