//! Telehash hashnames, keys, paths and identity files.
//!
//! This crate holds the vocabulary that everything else in telehash shares: [`base32`], cipher set
//! ids ([`Csid`]), public keys by cipher set ([`KeySet`]), the name that follows from them
//! ([`Hashname`]), where an endpoint can be reached ([`Path`]), and the two JSON files that people
//! handle: a [`LinkJson`] to give to others and an [`IdentityJson`] to keep secret. It implements
//! the pages packets.md (base32, Hashname), links.md (Files) and transports.md (path types).
//!
//! It does no I/O and no cryptography beyond SHA-256, and builds without `std` (with `alloc`).
//! Everything it reads is bounded by the constants in [`limits`].
//!
//! ```
//! use telehash_hashname::{Csid, Hashname, KeySet, LinkJson, Path};
//!
//! // An endpoint's name follows from its public keys, one for each cipher set it speaks.
//! let mut keys = KeySet::new();
//! keys.insert_key(Csid::CS1A, vec![2; 21])?;
//! keys.insert_key(Csid::CS3A, vec![7; 32])?;
//! let hashname: Hashname = keys.hashname().expect("there are keys");
//! assert_eq!(hashname.to_string().len(), 52);
//!
//! // Two endpoints talk with the highest cipher set that both names commit to.
//! let mut other = KeySet::new();
//! other.insert_key(Csid::CS1A, vec![3; 21])?;
//! assert_eq!(keys.agreed(&other), Some(Csid::CS1A));
//!
//! // What to hand out to be linked to.
//! let mut link = LinkJson::new(keys)?;
//! link.paths.push(Path::udp("192.0.2.1:42424".parse()?));
//! assert_eq!(LinkJson::parse(&link.to_string())?.hashname, hashname);
//! # Ok::<(), Box<dyn core::error::Error>>(())
//! ```
#![no_std]

extern crate alloc;
#[cfg(feature = "std")]
extern crate std;

pub mod base32;
mod csid;
#[cfg(any(test, feature = "fuzzing"))]
pub mod fuzzing;
mod hashname;
mod identity;
mod intermediate;
mod json;
mod jwk;
mod key_set_error;
mod keys;
mod keys_json;
mod link_json;
mod path;
mod siphash;
mod text;

pub use base32::Base32Error;
pub use csid::{Csid, CsidError};
pub use hashname::{Hashname, HashnameError, ShortHashname};
pub use identity::{IdentityError, IdentityJson, Secret};
pub use intermediate::Intermediate;
pub use json::JsonError;
pub use key_set_error::KeySetError;
pub use keys::{KeyPart, KeySet};
pub use link_json::{LinkJson, LinkJsonError};
pub use path::{Path, PathError};
pub use siphash::siphash;

/// What bounds the things that this crate reads, each with what happens at the limit.
pub mod limits {
    pub use crate::identity::{IDENTITY_VERSION, MAX_IDENTITY_LEN, MAX_SECRET_LEN};
    pub use crate::json::MAX_JSON_DEPTH;
    pub use crate::keys::{MAX_CSIDS, MAX_KEY_LEN};
    pub use crate::link_json::{MAX_LINK_JSON_LEN, MAX_LINK_PATHS};
    pub use crate::path::MAX_PATH_JSON_LEN;
}
