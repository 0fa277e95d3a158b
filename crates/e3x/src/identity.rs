//! Who we are: our keys in every cipher set.

use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use core::fmt;

use rand_core::CryptoRng;
use telehash_hashname::{Csid, Hashname, IdentityJson, KeySet, Secret};

use crate::{CipherSets, KeyError, LocalKey};

/// An endpoint's own identity: a key pair for each of its cipher sets, which together make its
/// hashname (links.md, Files).
///
/// A cheap clone. Secrets are erased from memory when the last clone is dropped, and `Debug` shows
/// the hashname only.
///
/// ```
/// # #[cfg(feature = "cs3a")]
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use telehash_e3x::{CipherSets, Identity};
/// use telehash_hashname::{Csid, IdentityJson};
/// # let mut rng = rand_chacha::ChaCha20Rng::from_seed([1; 32]);
/// # use rand_core::SeedableRng;
///
/// let sets = CipherSets::default();
/// let identity = Identity::generate(&sets, &[Csid::CS3A], &mut rng)?;
///
/// // What goes into the identity file, and back.
/// let text = identity.to_json().to_json();
/// let again = Identity::from_json(&sets, &IdentityJson::parse(&text)?)?;
/// assert_eq!(identity.hashname(), again.hashname());
/// # Ok(())
/// # }
/// # #[cfg(not(feature = "cs3a"))]
/// # fn main() {}
/// ```
#[derive(Clone)]
pub struct Identity(Arc<Inner>);

struct Inner {
    json: IdentityJson,
    locals: BTreeMap<Csid, Arc<dyn LocalKey>>,
}

impl Identity {
    /// Makes a new identity with one key pair for each of these csids.
    ///
    /// # Errors
    ///
    /// [`IdentityError::Unsupported`] if one of them is not among `sets`, [`IdentityError::Json`]
    /// for no csids at all, [`IdentityError::Key`] if making a key fails.
    pub fn generate(
        sets: &CipherSets,
        csids: &[Csid],
        rng: &mut dyn CryptoRng,
    ) -> Result<Self, IdentityError> {
        let mut keys = KeySet::new();
        let mut secrets = BTreeMap::new();
        for &csid in csids {
            if secrets.contains_key(&csid) {
                continue;
            }
            let set = sets.get(csid).ok_or(IdentityError::Unsupported { csid })?;
            let pair = set
                .generate(rng)
                .map_err(|error| IdentityError::Key { csid, error })?;
            keys.insert_key(csid, pair.public)
                .map_err(telehash_hashname::IdentityError::from)?;
            secrets.insert(csid, Secret::new(pair.secret.to_vec()));
        }
        Self::from_json(sets, &IdentityJson::new(keys, secrets)?)
    }

    /// Takes an identity from its file into use.
    ///
    /// Keys of cipher sets that are not among `sets` are kept: they are part of the hashname, and
    /// [`to_json`](Self::to_json) writes them back.
    ///
    /// # Errors
    ///
    /// [`IdentityError::Key`] for a key that is damaged or does not fit its secret,
    /// [`IdentityError::NoneSupported`] if no key is of a supported set, [`IdentityError::Json`] if
    /// keys and hashname do not fit.
    pub fn from_json(sets: &CipherSets, json: &IdentityJson) -> Result<Self, IdentityError> {
        if json.keys.hashname() != Some(json.hashname) {
            return Err(telehash_hashname::IdentityError::Mismatch.into());
        }
        let mut locals = BTreeMap::new();
        for (csid, secret) in &json.secrets {
            let (Some(set), Some(public)) = (sets.get(*csid), json.keys.key(*csid)) else {
                continue;
            };
            let local = set
                .load(public, secret.as_bytes())
                .map_err(|error| IdentityError::Key { csid: *csid, error })?;
            locals.insert(*csid, local);
        }
        if locals.is_empty() {
            return Err(IdentityError::NoneSupported);
        }
        Ok(Self(Arc::new(Inner {
            json: json.clone(),
            locals,
        })))
    }

    /// What an identity file holds, secrets included.
    #[must_use]
    pub fn to_json(&self) -> IdentityJson {
        self.0.json.clone()
    }

    /// Our hashname. It commits to the keys of all sets, supported or not.
    #[must_use]
    pub fn hashname(&self) -> Hashname {
        self.0.json.hashname
    }

    /// Our public keys, of all sets.
    #[must_use]
    pub fn keys(&self) -> &KeySet {
        &self.0.json.keys
    }

    /// Our key in a cipher set, if we have one and the set is supported.
    #[must_use]
    pub fn local(&self, csid: Csid) -> Option<&Arc<dyn LocalKey>> {
        self.0.locals.get(&csid)
    }

    /// The cipher sets that we can use, ascending.
    pub fn csids(&self) -> impl DoubleEndedIterator<Item = Csid> + ExactSizeIterator + '_ {
        self.0.locals.keys().copied()
    }
}

impl fmt::Debug for Identity {
    /// Shows the hashname.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity")
            .field("hashname", &self.hashname())
            .finish_non_exhaustive()
    }
}

/// Why an identity cannot be made or taken into use.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum IdentityError {
    /// One of the keys is wrong.
    #[error("the identity's key of cipher set {csid} cannot be used: {error}")]
    Key {
        /// Of which cipher set.
        csid: Csid,
        /// What is wrong.
        error: KeyError,
    },
    /// A key of this cipher set was asked for.
    #[error("cipher set {csid} is not supported here; enable its feature, or leave it out")]
    Unsupported {
        /// Which.
        csid: Csid,
    },
    /// The identity has no key that can be used.
    #[error(
        "none of the identity's cipher sets is supported here; enable one of them, or make a new identity"
    )]
    NoneSupported,
    /// Keys, secrets and hashname do not fit together.
    #[error(transparent)]
    Json(#[from] telehash_hashname::IdentityError),
}
