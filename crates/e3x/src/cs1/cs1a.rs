//! CS1a: the construction on secp160r1.

use alloc::sync::Arc;

use rand_core::CryptoRng;
use telehash_hashname::Csid;
use zeroize::Zeroizing;

use super::curve::Curve;
use super::key::{self, Cs1Key};
use super::secp160r1::{AffinePoint, FIELD_LEN, POINT_LEN, SCALAR_LEN, Scalar};
use crate::{CipherSet, KeyError, KeyPair, LocalKey};

/// Cipher set 1a: secp160r1, AES-128-CTR and HMAC-SHA-256, for the smallest devices.
///
/// Public keys have 21 bytes (SEC1, compressed), secret keys 20; secret keys of 21 bytes, as other
/// implementations write them since the order of the curve has 161 bits, load too. A session costs
/// each side four scalar multiplications and one with the base point; a channel packet costs one
/// AES and one SHA-256 pass over it.
///
/// It is weak by today's measure: the curve gives 80 bits of security, and MACs have 4 bytes, so
/// that one forgery in 2^32 succeeds ([`Exchange::weak_mac`](crate::Exchange::weak_mac)). Use it to
/// talk to devices that have nothing else.
#[derive(Clone, Copy, Debug, Default)]
pub struct Cs1a;

impl CipherSet for Cs1a {
    fn csid(&self) -> Csid {
        Csid::CS1A
    }

    fn generate(&self, rng: &mut dyn CryptoRng) -> Result<KeyPair, KeyError> {
        key::generate::<Secp160r1>(rng)
    }

    fn check_key(&self, public: &[u8]) -> Result<(), KeyError> {
        key::check::<Secp160r1>(public)
    }

    fn load(&self, public: &[u8], secret: &[u8]) -> Result<Arc<dyn LocalKey>, KeyError> {
        Ok(Arc::new(Cs1Key::<Secp160r1>::load(public, secret)?))
    }
}

/// The curve of CS1a.
#[derive(Debug)]
pub(super) struct Secp160r1;

impl Curve for Secp160r1 {
    const CSID: Csid = Csid::CS1A;
    const SESSION_LABEL: &'static [u8] = b"telehash/cs1a/session";
    const PUBLIC_LEN: usize = POINT_LEN;
    const SECRET_LEN: usize = SCALAR_LEN - 1;

    type Public = [u8; POINT_LEN];
    type Secret = Scalar;
    type Point = AffinePoint;
    type X = [u8; FIELD_LEN];

    fn read_secret(secret: &[u8]) -> Result<Scalar, KeyError> {
        let mut padded = Zeroizing::new([0; SCALAR_LEN]);
        let bytes = match secret.len() {
            SCALAR_LEN => padded.as_mut_slice(),
            len if len == Self::SECRET_LEN => &mut padded[1..],
            actual => {
                return Err(KeyError::Length {
                    expected: Self::SECRET_LEN,
                    actual,
                });
            }
        };
        bytes.copy_from_slice(secret);
        Scalar::from_bytes(&padded).ok_or(KeyError::Mismatch)
    }

    fn decode(public: &Self::Public) -> Option<AffinePoint> {
        AffinePoint::decode(public)
    }

    fn public(secret: &Scalar) -> Self::Public {
        AffinePoint::generate(secret).encode()
    }

    fn agree(secret: &Scalar, point: &AffinePoint) -> Zeroizing<Self::X> {
        point.agree(secret)
    }
}
