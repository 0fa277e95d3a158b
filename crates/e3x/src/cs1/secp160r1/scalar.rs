//! Numbers that points of secp160r1 are multiplied with.

use core::fmt;

use crypto_bigint::U192;
use subtle::{ConstantTimeEq, ConstantTimeLess};
use zeroize::{ZeroizeOnDrop, Zeroizing};

/// Bytes of a scalar: the order has 161 bits.
pub(in super::super) const SCALAR_LEN: usize = 21;

/// The order of the curve, a prime.
const ORDER: U192 = U192::from_be_hex("0000000100000000000000000001f4c8f927aed3ca752257");

/// Bits of a digit.
pub(super) const DIGIT_BITS: usize = 4;

/// A number from 1 to below the order. Erased when dropped, never shown.
pub(in super::super) struct Scalar(Zeroizing<[u8; SCALAR_LEN]>);

impl Scalar {
    /// The scalar with these big-endian bytes, or `None` if it is zero, or not below the order. In
    /// constant time, but for the answer.
    pub(in super::super) fn from_bytes(bytes: &[u8; SCALAR_LEN]) -> Option<Self> {
        let mut padded = Zeroizing::new([0; U192::BYTES]);
        padded[U192::BYTES - SCALAR_LEN..].copy_from_slice(bytes);
        let integer = Zeroizing::new(U192::from_be_slice(padded.as_slice()));
        let valid = integer.ct_lt(&ORDER) & !integer.ct_eq(&U192::ZERO);
        bool::from(valid).then(|| Self(Zeroizing::new(*bytes)))
    }

    /// Its hexadecimal digits, highest first; as many for every scalar.
    pub(super) fn digits(&self) -> impl Iterator<Item = u8> + '_ {
        // The highest four of the 168 bits are zero below the order.
        let digits = self
            .0
            .iter()
            .flat_map(|byte| [byte >> DIGIT_BITS, byte & 0xf]);
        digits.skip(1)
    }
}

impl ZeroizeOnDrop for Scalar {}

impl fmt::Debug for Scalar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scalar").finish_non_exhaustive()
    }
}
