//! What the construction asks of its curve.

use core::fmt;

use telehash_hashname::Csid;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::KeyError;

/// A curve of prime order, and the csid of the set on it.
///
/// As the order is prime, every point other than the identity, multiplied by a secret, is another
/// such point: an agreement cannot be weak. [`decode`](Self::decode) refuses all else.
pub(super) trait Curve: fmt::Debug + Send + Sync + 'static {
    /// The number of the set on this curve.
    const CSID: Csid;
    /// What session ids of the set are hashed with.
    const SESSION_LABEL: &'static [u8];
    /// Bytes of a public key.
    const PUBLIC_LEN: usize;
    /// Bytes of a secret key.
    const SECRET_LEN: usize;

    /// A public key as it goes over the wire: SEC1, compressed.
    type Public: AsRef<[u8]>
        + Copy
        + fmt::Debug
        + Eq
        + Send
        + Sync
        + for<'a> TryFrom<&'a [u8]>
        + 'static;
    /// A secret key: a number from 1 to below the order.
    type Secret: Send + Sync + ZeroizeOnDrop;
    /// A point of the curve that is not the identity.
    type Point: Send + Sync;
    /// An x coordinate: as many bytes as the field has, big-endian, leading zeros kept.
    type X: AsRef<[u8]> + Send + Sync + Zeroize;

    /// Reads a secret key, in constant time but for its length.
    ///
    /// # Errors
    ///
    /// [`KeyError::Length`]; [`KeyError::Mismatch`] if it is zero, or not below the order.
    fn read_secret(secret: &[u8]) -> Result<Self::Secret, KeyError>;

    /// The point of a public key; `None` if it is not on the curve.
    fn decode(public: &Self::Public) -> Option<Self::Point>;

    /// The public key of a secret one. A scalar multiplication with the base point, in constant
    /// time.
    fn public(secret: &Self::Secret) -> Self::Public;

    /// What a secret key and a point agree on. A scalar multiplication, in constant time.
    fn agree(secret: &Self::Secret, point: &Self::Point) -> Zeroizing<Self::X>;
}
