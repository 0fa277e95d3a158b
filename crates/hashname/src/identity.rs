//! Identity files: an endpoint's keys with their secrets (links.md, Files).

mod read;

use alloc::collections::BTreeMap;
use alloc::string::{String, ToString};
use alloc::vec;
use alloc::vec::Vec;
use core::fmt;
use core::str::FromStr;

use serde_json::{Map, Value};
use zeroize::Zeroizing;

use crate::base32::{self, Base32Error};
use crate::{Csid, Hashname, HashnameError, KeySet, KeySetError, LinkJson};

/// Longest identity in bytes of text; longer is refused with [`IdentityError::TooLong`].
pub const MAX_IDENTITY_LEN: usize = 256 * 1024;

/// Longest secret key in bytes; longer is refused with [`IdentityError::SecretLength`].
///
/// CS2a's PKCS#8, the longest defined, takes about 1220.
pub const MAX_SECRET_LEN: usize = 4096;

/// The highest `version` of an identity that is read; a file without one has this version.
pub const IDENTITY_VERSION: u64 = 1;

/// A secret key: wiped from memory when dropped, never shown.
#[derive(Clone)]
pub struct Secret(Zeroizing<Vec<u8>>);

impl Secret {
    /// Takes over the raw secret key, as its cipher set defines it.
    #[must_use]
    pub fn new(bytes: Vec<u8>) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// The raw secret key.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    fn from_base32(text: &str) -> Result<Self, Base32Error> {
        // Decoded in place, so that a half-decoded secret is wiped as well.
        let mut secret = Self::new(vec![0; base32::decoded_len(text)?]);
        base32::decode_into(text, &mut secret.0)?;
        Ok(secret)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

/// An endpoint's whole identity: `{"hashname":…,"keys":{…},"secrets":{…}}`, each key and secret
/// base32, as JS and C write it.
///
/// Reading and writing files, with the right permissions and atomically, is left to the caller, and
/// so is checking that a secret belongs to its key, which takes the cipher set.
///
/// ```
/// use std::collections::BTreeMap;
/// use telehash_hashname::{Csid, IdentityJson, KeySet, Secret};
///
/// let mut keys = KeySet::new();
/// keys.insert_key(Csid::CS3A, vec![7; 32])?;
/// let secrets = BTreeMap::from([(Csid::CS3A, Secret::new(vec![8; 32]))]);
/// let identity = IdentityJson::new(keys, secrets)?;
///
/// let read = IdentityJson::parse(&identity.to_json())?;
/// assert_eq!(read.secret(Csid::CS3A), Some(&[8; 32][..]));
/// # Ok::<(), Box<dyn core::error::Error>>(())
/// ```
#[derive(Clone)]
#[non_exhaustive]
pub struct IdentityJson {
    /// Who it is.
    pub hashname: Hashname,
    /// The public keys, all of them in full.
    pub keys: KeySet,
    /// The secret key for each public key.
    pub secrets: BTreeMap<Csid, Secret>,
    /// Fields that are not defined here, kept as they came.
    pub extra: Map<String, Value>,
}

impl IdentityJson {
    /// Joins keys with their secrets.
    ///
    /// # Errors
    ///
    /// A key without its secret or the other way round, no keys at all, or an overlong secret.
    pub fn new(keys: KeySet, secrets: BTreeMap<Csid, Secret>) -> Result<Self, IdentityError> {
        let hashname = keys.hashname().ok_or(IdentityError::NoKeys)?;
        if let Some(csid) = keys.csids().find(|csid| !secrets.contains_key(csid)) {
            return Err(IdentityError::NoSecret { csid });
        }
        if let Some(&csid) = secrets.keys().find(|&&csid| keys.key(csid).is_none()) {
            return Err(IdentityError::NoKey { csid });
        }
        for (&csid, secret) in &secrets {
            let len = secret.as_bytes().len();
            if len == 0 || len > MAX_SECRET_LEN {
                return Err(IdentityError::SecretLength { csid, len });
            }
        }
        Ok(Self {
            hashname,
            keys,
            secrets,
            extra: Map::new(),
        })
    }

    /// Reads an identity. The hashname may be absent. Wiping `text` is the caller's part.
    ///
    /// # Errors
    ///
    /// See [`IdentityError`]. No error shows any part of the text.
    pub fn parse(text: &str) -> Result<Self, IdentityError> {
        read::parse(text)
    }

    /// The raw secret key of a cipher set.
    #[must_use]
    pub fn secret(&self, csid: Csid) -> Option<&[u8]> {
        self.secrets.get(&csid).map(Secret::as_bytes)
    }

    /// The public part, without any path.
    #[must_use]
    pub fn link_json(&self) -> LinkJson {
        LinkJson {
            keys: self.keys.clone(),
            ..LinkJson::named(self.hashname)
        }
    }

    /// Writes compact JSON: `hashname`, `keys`, `secrets`, then `extra`.
    #[must_use]
    pub fn to_json(&self) -> Zeroizing<String> {
        let hashname = self.hashname.to_string();
        let keys = Value::Object(self.keys.to_json()).to_string();
        let extra = self.extra_json();

        // Room for everything, so that no growing leaves copies of secrets behind.
        let secrets_len: usize = self.secrets.values().map(secret_field_len).sum();
        let fixed_len = r#"{"hashname":"","keys":,"secrets":{}}"#.len();
        let len = fixed_len + hashname.len() + keys.len() + secrets_len + extra.len();
        let mut json = Zeroizing::new(String::with_capacity(len));

        json.push_str(r#"{"hashname":""#);
        json.push_str(&hashname);
        json.push_str(r#"","keys":"#);
        json.push_str(&keys);
        json.push_str(r#","secrets":{"#);
        for (index, (csid, secret)) in self.secrets.iter().enumerate() {
            json.push_str(if index == 0 { "\"" } else { ",\"" });
            json.push_str(&csid.to_string());
            json.push_str(r#"":""#);
            base32::append(secret.as_bytes(), &mut json);
            json.push('"');
        }
        json.push('}');
        json.push_str(&extra);
        json.push('}');
        debug_assert!(json.len() <= len, "the text outgrew its buffer");
        json
    }

    /// The fields of `extra` with a comma before each; never one that is defined here.
    fn extra_json(&self) -> String {
        let defined = ["version", "hashname", "keys", "secrets"];
        let mut text = String::new();
        for (name, value) in &self.extra {
            if !defined.contains(&name.as_str()) {
                let name = Value::from(name.as_str());
                text.push_str(&alloc::format!(",{name}:{value}"));
            }
        }
        text
    }
}

/// Room for `,"3a":"…"`.
fn secret_field_len(secret: &Secret) -> usize {
    r#","3a":"""#.len() + base32::encoded_len(secret.as_bytes().len())
}

impl fmt::Debug for IdentityJson {
    /// Shows nothing that may be secret, so of the fields that are not defined here only the names.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IdentityJson")
            .field("hashname", &self.hashname)
            .field("keys", &self.keys)
            .field("secrets", &self.secrets)
            .field("extra", &self.extra.keys())
            .finish()
    }
}

impl FromStr for IdentityJson {
    type Err = IdentityError;

    fn from_str(text: &str) -> Result<Self, IdentityError> {
        Self::parse(text)
    }
}

/// Why an identity cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum IdentityError {
    /// Longer than [`MAX_IDENTITY_LEN`].
    #[error("the text has {len} bytes, more than the {MAX_IDENTITY_LEN} an identity may have")]
    TooLong {
        /// Bytes given.
        len: usize,
    },
    /// Not JSON. The parser's own words are withheld, since they may quote a secret.
    #[error(
        "the identity is not valid JSON (line {line}, column {column}); is the file cut or altered?"
    )]
    Syntax {
        /// Line of the text, counted from 1.
        line: usize,
        /// Column of the text, counted from 1.
        column: usize,
    },
    /// JSON, but not an identity's.
    #[error(
        "the identity has a field of the wrong type, one given twice, or one nested too deeply (line {line}, column {column})"
    )]
    Structure {
        /// Line of the text, counted from 1.
        line: usize,
        /// Column of the text, counted from 1.
        column: usize,
    },
    /// Written by a later version.
    #[error(
        "the identity has version {found}, this program knows versions up to {IDENTITY_VERSION}; use a newer program"
    )]
    Version {
        /// Its version.
        found: u64,
    },
    /// The hashname is none.
    #[error(transparent)]
    Hashname(#[from] HashnameError),
    /// The public keys cannot be used.
    #[error(transparent)]
    Keys(#[from] KeySetError),
    /// The public keys belong to another hashname.
    #[error("the public keys of the identity do not add up to its hashname; is the file altered?")]
    Mismatch,
    /// No public key.
    #[error("the identity has no public keys")]
    NoKeys,
    /// A secret for which there is no public key.
    #[error("the identity has a secret but no public key for cipher set {csid}")]
    NoKey {
        /// Which cipher set.
        csid: Csid,
    },
    /// A public key for which there is no secret.
    #[error(
        "the identity has a public key but no secret for cipher set {csid}; is this a link file?"
    )]
    NoSecret {
        /// Which cipher set.
        csid: Csid,
    },
    /// An empty secret, or one longer than [`MAX_SECRET_LEN`].
    #[error("the secret for cipher set {csid} has {len} bytes; 1 to {MAX_SECRET_LEN} are possible")]
    SecretLength {
        /// Which cipher set.
        csid: Csid,
        /// Its bytes.
        len: usize,
    },
    /// A secret that is not base32.
    #[error("the secret for cipher set {csid} is not valid base32; is the file cut or altered?")]
    SecretText {
        /// Which cipher set.
        csid: Csid,
    },
}
