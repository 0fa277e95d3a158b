//! Keys that tokens are verified with. Each is for one algorithm, whatever a token says of itself.

use std::fmt;

use jsonwebtoken::crypto::aws_lc;
use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header};
use serde_json::{Map, Value};
use thiserror::Error;

use super::JwtRefusal;
use crate::limits::MAX_JWT_KEYS;

/// Shortest secret: that of the hash (RFC 7518, 3.2). A shorter one could be guessed offline from
/// one token.
const MIN_SECRET: usize = 32;

/// A point on P-256 that is not compressed: `04 || x || y`.
const P256_POINT: usize = 65;

/// What the signature of a token is verified with.
#[derive(Clone)]
pub struct JwtKey {
    algorithm: Algorithm,
    key: DecodingKey,
}

/// Why a key cannot be used, or a set of keys. Local misuse, or a file that is not what it should
/// be.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum JwtKeyError {
    /// The secret is short enough to be guessed.
    #[error("a secret for HS256 has {MIN_SECRET} bytes or more, this one {len}")]
    ShortSecret {
        /// Its length in bytes.
        len: usize,
    },
    /// Not a public key of P-256.
    #[error(
        "not a public key for ES256: give a PEM file that begins with BEGIN PUBLIC KEY, of P-256"
    )]
    NotP256,
    /// Without a key no token is good.
    #[error("no key: no token could be verified")]
    NoKey,
    /// Each key may cost a verification per token.
    #[error("more than {MAX_JWT_KEYS} keys")]
    TooManyKeys,
}

impl JwtKey {
    /// HS256: a secret that issuer and verifier share, of 32 bytes or more. Whoever verifies could
    /// issue, too.
    ///
    /// # Errors
    /// The secret is shorter.
    pub fn hs256(secret: &[u8]) -> Result<Self, JwtKeyError> {
        let len = secret.len();
        if len < MIN_SECRET {
            return Err(JwtKeyError::ShortSecret { len });
        }
        Ok(Self::new(
            Algorithm::HS256,
            DecodingKey::from_secret(secret),
        ))
    }

    /// ES256: the issuer's public key, in PEM (`openssl ec -pubout`).
    ///
    /// # Errors
    /// It is no public key, or of another curve.
    pub fn es256_pem(pem: &[u8]) -> Result<Self, JwtKeyError> {
        let key = DecodingKey::from_ec_pem(pem).map_err(|_| JwtKeyError::NotP256)?;
        match key.try_get_as_bytes() {
            Ok([4, point @ ..]) if point.len() + 1 == P256_POINT => {}
            _ => return Err(JwtKeyError::NotP256),
        }
        Ok(Self::new(Algorithm::ES256, key))
    }

    fn new(algorithm: Algorithm, key: DecodingKey) -> Self {
        // Without this a program whose other parts enable another provider would panic. Whoever
        // chose one before keeps it.
        let _ = aws_lc::DEFAULT_PROVIDER.install_default();
        Self { algorithm, key }
    }
}

impl fmt::Debug for JwtKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "JwtKey({:?})", self.algorithm)
    }
}

/// What the token says, if one of the keys signed it.
pub(super) fn open(keys: &[JwtKey], token: &[u8]) -> Result<Map<String, Value>, JwtRefusal> {
    // `none` and other algorithms that we do not know cannot be read.
    let header = decode_header(token).map_err(|_| JwtRefusal::Malformed)?;
    if header.crit.is_some() {
        // It says that it must not be believed by who does not know an extension; we know none.
        return Err(JwtRefusal::Malformed);
    }
    let mut refusal = JwtRefusal::WrongAlgorithm;
    for key in keys.iter().filter(|key| key.algorithm == header.alg) {
        match decode(token, &key.key, &signature_only(key.algorithm)) {
            Ok(token) => return Ok(token.claims),
            Err(error) => {
                refusal = match error.kind() {
                    ErrorKind::InvalidSignature => JwtRefusal::BadSignature,
                    _ => JwtRefusal::Malformed,
                }
            }
        }
    }
    Err(refusal)
}

/// The claims are ours to check: by our own clock.
fn signature_only(algorithm: Algorithm) -> Validation {
    let mut validation = Validation::new(algorithm);
    validation.required_spec_claims.clear();
    validation.validate_exp = false;
    validation.validate_aud = false;
    validation
}
