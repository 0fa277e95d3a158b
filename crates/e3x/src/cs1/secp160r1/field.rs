//! The field of secp160r1: integers modulo p = 2^160 - 2^31 - 1.

use crypto_bigint::modular::ConstMontyForm;
use crypto_bigint::{U192, const_monty_params};
use subtle::ConstantTimeLess;

/// Bytes of a field element.
pub(in super::super) const FIELD_LEN: usize = 20;

const_monty_params!(
    Prime,
    U192,
    "00000000ffffffffffffffffffffffffffffffff7fffffff",
    "p"
);

/// An integer modulo p, in Montgomery form; adds, subtracts and multiplies in constant time.
///
/// Of 192 bits, the next size that is a whole number of words everywhere.
pub(super) type Field = ConstMontyForm<Prime, { U192::LIMBS }>;

/// (p + 1) / 4. As p is 3 modulo 4, a square to this power is a root of it.
const ROOT: U192 = U192::from_be_hex("000000003fffffffffffffffffffffffffffffffe0000000");

/// The element with this constant value, spelled in 48 hex digits.
pub(super) const fn constant(hex: &str) -> Field {
    Field::new(&U192::from_be_hex(hex))
}

/// The element with these big-endian bytes, or `None` if they are p or more. For public elements.
pub(super) fn from_bytes(bytes: &[u8; FIELD_LEN]) -> Option<Field> {
    let mut padded = [0; U192::BYTES];
    padded[U192::BYTES - FIELD_LEN..].copy_from_slice(bytes);
    let integer = U192::from_be_slice(&padded);
    bool::from(integer.ct_lt(&Field::MODULUS)).then(|| Field::new(&integer))
}

/// The big-endian bytes of an element.
pub(super) fn to_bytes(element: &Field) -> [u8; FIELD_LEN] {
    let padded = element.retrieve().to_be_bytes();
    core::array::from_fn(|i| padded[U192::BYTES - FIELD_LEN + i])
}

/// A square root, or `None` if there is none. For public elements.
pub(super) fn root(square: &Field) -> Option<Field> {
    // Variable in time only for the exponent, a constant.
    let root = square.pow_vartime(&ROOT);
    (root.square() == *square).then_some(root)
}

/// The inverse, or zero of zero.
pub(super) fn invert(element: &Field) -> Field {
    element.invert().unwrap_or(Field::ZERO)
}
