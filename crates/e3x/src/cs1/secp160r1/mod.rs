//! The curve secp160r1 (SEC 2, 2.4.2): y² = x³ - 3x + b over a field of 160 bits, of a prime order
//! of 161 bits.
//!
//! No crate has it, so its arithmetic is ours, upon the modular arithmetic of crypto-bigint. What
//! handles a secret takes the same time and touches the same memory whatever the secret is: the
//! addition formulas are complete, tables are read as a whole, scalars have a fixed number of
//! digits. Only the decoding of points, which are public, branches.

mod field;
mod point;
mod scalar;
#[cfg(test)]
mod tests;

pub(super) use self::field::FIELD_LEN;
pub(super) use self::point::{AffinePoint, POINT_LEN};
pub(super) use self::scalar::{SCALAR_LEN, Scalar};
