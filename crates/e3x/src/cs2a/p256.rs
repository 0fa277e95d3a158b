//! P-256: the ephemeral keys of CS2a.

use core::fmt;

use aws_lc_rs::agreement::{self, ECDH_P256, ParsedPublicKey, PrivateKey, UnparsedPublicKey};
use rand_core::CryptoRng;
use zeroize::Zeroizing;

#[cfg(test)]
use super::work;

/// Bytes of an uncompressed point.
pub(super) const POINT_LEN: usize = 65;
/// Bytes of a coordinate, of a secret and of an agreement.
const SCALAR_LEN: usize = 32;
/// What an uncompressed point begins with.
const UNCOMPRESSED: u8 = 4;

/// A public key, as it goes over the wire.
pub(super) type Point = [u8; POINT_LEN];

/// A coordinate of a point, or what two keys agreed on.
pub(super) type Coordinate = [u8; SCALAR_LEN];

/// How often we draw a secret that is no scalar before we blame the RNG. One draw in 2^32 is none.
const DRAWS: u32 = 4;

/// A key pair. The library erases the secret when it is dropped.
pub(super) struct Pair {
    secret: PrivateKey,
    pub(super) public: Point,
}

impl Pair {
    /// A new random pair. `None` if the RNG does not give any.
    pub(super) fn random(rng: &mut dyn CryptoRng) -> Option<Self> {
        (0..DRAWS).find_map(|_| {
            let mut secret = Zeroizing::new([0; SCALAR_LEN]);
            rng.fill_bytes(secret.as_mut_slice());
            Self::from_secret(&secret)
        })
    }

    /// `None` if the secret is zero, or not below the order of the curve.
    pub(super) fn from_secret(secret: &[u8; SCALAR_LEN]) -> Option<Self> {
        #[cfg(test)]
        work::count(|work| work.bases += 1);
        let secret = PrivateKey::from_private_key(&ECDH_P256, secret).ok()?;
        let public = secret.compute_public_key().ok()?.as_ref().try_into().ok()?;
        Some(Self { secret, public })
    }

    /// The x coordinate that we agree on with the owner of `public`, leading zeros kept. `None` if
    /// that is no point of the curve.
    pub(super) fn agree(&self, public: &Point) -> Option<Zeroizing<Coordinate>> {
        #[cfg(test)]
        work::count(|work| work.agreements += 1);
        let public = parse(public)?;
        agreement::agree(&self.secret, public, (), |x| x.try_into().map_err(|_| ()))
            .ok()
            .map(Zeroizing::new)
    }
}

impl fmt::Debug for Pair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pair")
            .field("public", &self.public)
            .finish_non_exhaustive()
    }
}

/// Whether this is a point of the curve, other than the one at infinity.
pub(super) fn is_point(public: &Point) -> bool {
    parse(public).is_some()
}

/// The x coordinate. Two points that have it in common agree with any third on the same.
pub(super) fn x(public: &Point) -> Coordinate {
    core::array::from_fn(|i| public[1 + i])
}

fn parse(public: &Point) -> Option<ParsedPublicKey> {
    // The library would take the hybrid form too, which has as many bytes.
    if public.first() != Some(&UNCOMPRESSED) {
        return None;
    }
    UnparsedPublicKey::new(&ECDH_P256, public).try_into().ok()
}
