//! Arithmetic of `at`, the number that orders handshakes (links.md, "`at`").

use telehash_e3x::Order;

/// Limit: highest `at` that a handshake may carry, 2^53 - 1, the highest integer of JavaScript. A
/// message above it is refused; a round that would need more is not begun.
pub const MAX_AT: u64 = (1 << 53) - 1;

/// How many seconds an `at` may be behind our clock and still be adopted.
pub(crate) const MAX_BEHIND: u64 = 120;

/// Whether the last bit of `at` is that of `order`: who of the two sides began this value.
pub(crate) const fn is_of(at: u64, order: Order) -> bool {
    at % 2 == order.parity()
}

/// The `at` for our next round: at least `least` and the time of day, "fixed upwards to our
/// parity". `None` above [`MAX_AT`].
pub(crate) fn next(order: Order, least: u64, unix: u64) -> Option<u64> {
    let at = least.max(unix);
    let at = at.checked_add(u64::from(!is_of(at, order)))?;
    (at <= MAX_AT).then_some(at)
}

/// "An `at` more than 120 s behind our clock is not adopted."
pub(crate) const fn is_stale(at: u64, unix: u64) -> bool {
    at.saturating_add(MAX_BEHIND) < unix
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_value_has_our_parity_and_is_no_lower_than_asked() {
        assert_eq!(next(Order::Odd, 10, 0), Some(11));
        assert_eq!(next(Order::Odd, 11, 0), Some(11));
        assert_eq!(next(Order::Even, 11, 0), Some(12));
        assert_eq!(next(Order::Even, 3, 1000), Some(1000));
    }

    #[test]
    fn no_value_above_the_integers_of_javascript() {
        assert_eq!(next(Order::Odd, MAX_AT, 0), Some(MAX_AT));
        assert_eq!(next(Order::Even, MAX_AT, 0), None);
        assert_eq!(next(Order::Odd, u64::MAX, 0), None);
        assert_eq!(next(Order::Even, 0, u64::MAX), None);
    }

    #[test]
    fn a_value_is_stale_after_two_minutes() {
        assert!(!is_stale(1000, 1000 + MAX_BEHIND));
        assert!(is_stale(1000, 1001 + MAX_BEHIND));
        assert!(!is_stale(1000, 0), "a peer without a clock judges nobody");
    }
}
