//! Who of two endpoints is odd and who is even.

use core::cmp::Ordering;

/// The side that an endpoint takes towards one other endpoint (cipher-sets.md, Order).
///
/// The public keys of the agreed cipher set are compared byte by byte: the larger one is odd. It
/// decides the last bit of `at`, which channel ids an endpoint opens, and the order of inputs where
/// both sides must hash the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Order {
    /// Our key is the larger one: odd `at` values and channel ids 1, 3, 5, …
    Odd,
    /// Our key is the smaller one: even `at` values and channel ids 2, 4, 6, …
    Even,
}

impl Order {
    /// Our side, from both public keys of the agreed cipher set.
    ///
    /// # Errors
    ///
    /// [`OwnKey`] if both keys are equal: an endpoint has no order towards itself.
    pub fn of(our_key: &[u8], their_key: &[u8]) -> Result<Self, OwnKey> {
        match our_key.cmp(their_key) {
            Ordering::Greater => Ok(Self::Odd),
            Ordering::Less => Ok(Self::Even),
            Ordering::Equal => Err(OwnKey),
        }
    }

    /// The side of the other endpoint.
    #[must_use]
    pub const fn opposite(self) -> Self {
        match self {
            Self::Odd => Self::Even,
            Self::Even => Self::Odd,
        }
    }

    /// The last bit of this side's `at` values: 1 for odd, 0 for even.
    #[must_use]
    pub const fn parity(self) -> u64 {
        match self {
            Self::Odd => 1,
            Self::Even => 0,
        }
    }
}

/// The other endpoint's public key is our own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this is our own key: an endpoint cannot talk to itself, use the key of another endpoint")]
pub struct OwnKey;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_larger_key_is_odd_and_the_sides_are_opposite() {
        assert_eq!(Order::of(&[2, 0], &[1, 255]), Ok(Order::Odd));
        assert_eq!(Order::of(&[1, 255], &[2, 0]), Ok(Order::Even));
        assert_eq!(Order::Odd.opposite(), Order::Even);
        assert_eq!(Order::Even.opposite(), Order::Odd);
    }

    #[test]
    fn all_bytes_count_including_the_first() {
        assert_eq!(Order::of(&[3, 0, 0], &[2, 9, 9]), Ok(Order::Odd));
        assert_eq!(Order::of(&[2, 9, 8], &[2, 9, 9]), Ok(Order::Even));
    }

    #[test]
    fn our_own_key_is_refused() {
        assert_eq!(Order::of(&[1, 2], &[1, 2]), Err(OwnKey));
    }

    #[test]
    fn parity_is_the_last_bit() {
        assert_eq!(Order::Odd.parity(), 1);
        assert_eq!(Order::Even.parity(), 0);
    }
}
