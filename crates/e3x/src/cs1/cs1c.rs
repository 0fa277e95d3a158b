//! CS1c: the construction on P-256.

use alloc::sync::Arc;

use p256::elliptic_curve::sec1::ToSec1Point;
use p256::{PublicKey, SecretKey};
use rand_core::CryptoRng;
use telehash_hashname::Csid;
use zeroize::Zeroizing;

use super::curve::Curve;
use super::key::{self, Cs1Key};
use crate::{CipherSet, KeyError, KeyPair, LocalKey};

/// Bytes of an element of the field, and of a scalar.
const FIELD_LEN: usize = 32;
/// Bytes of a compressed point.
const POINT_LEN: usize = 1 + FIELD_LEN;

/// Cipher set 1c: P-256, AES-128-CTR and HMAC-SHA-256, for small devices.
///
/// Public keys have 33 bytes (SEC1, compressed), secret keys 32. A session costs each side four
/// scalar multiplications and one with the base point; a channel packet costs one AES and one
/// SHA-256 pass over it.
///
/// MACs have 4 bytes, so that one forgery in 2^32 succeeds
/// ([`Exchange::weak_mac`](crate::Exchange::weak_mac)). Use it to talk to devices that have nothing
/// else.
#[derive(Clone, Copy, Debug, Default)]
pub struct Cs1c;

impl CipherSet for Cs1c {
    fn csid(&self) -> Csid {
        Csid::CS1C
    }

    fn generate(&self, rng: &mut dyn CryptoRng) -> Result<KeyPair, KeyError> {
        key::generate::<P256>(rng)
    }

    fn check_key(&self, public: &[u8]) -> Result<(), KeyError> {
        key::check::<P256>(public)
    }

    fn load(&self, public: &[u8], secret: &[u8]) -> Result<Arc<dyn LocalKey>, KeyError> {
        Ok(Arc::new(Cs1Key::<P256>::load(public, secret)?))
    }
}

/// The curve of CS1c.
#[derive(Debug)]
pub(super) struct P256;

impl Curve for P256 {
    const CSID: Csid = Csid::CS1C;
    const SESSION_LABEL: &'static [u8] = b"telehash/cs1c/session";
    const PUBLIC_LEN: usize = POINT_LEN;
    const SECRET_LEN: usize = FIELD_LEN;

    type Public = [u8; POINT_LEN];
    type Secret = SecretKey;
    type Point = PublicKey;
    type X = [u8; FIELD_LEN];

    fn read_secret(secret: &[u8]) -> Result<SecretKey, KeyError> {
        let bytes: &[u8; FIELD_LEN] = secret.try_into().map_err(|_| KeyError::Length {
            expected: FIELD_LEN,
            actual: secret.len(),
        })?;
        SecretKey::from_bytes(bytes.into()).map_err(|_| KeyError::Mismatch)
    }

    fn decode(public: &Self::Public) -> Option<PublicKey> {
        // Of 33 bytes, only a compressed point. That of tag 05, which p256 could read, is none.
        matches!(public.first(), Some(2 | 3)).then_some(())?;
        PublicKey::from_sec1_bytes(public).ok()
    }

    fn public(secret: &SecretKey) -> Self::Public {
        let encoded = secret.public_key().to_sec1_point(true);
        let mut public = [0; POINT_LEN];
        // A compressed point has as many bytes: no secret key makes the identity.
        public.copy_from_slice(encoded.as_bytes());
        public
    }

    fn agree(secret: &SecretKey, point: &PublicKey) -> Zeroizing<Self::X> {
        let mut x = Zeroizing::new([0; FIELD_LEN]);
        x.copy_from_slice(secret.diffie_hellman(point).raw_secret_bytes());
        x
    }
}
