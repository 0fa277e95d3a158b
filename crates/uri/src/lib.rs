//! Telehash link URIs: parse, build and verify (uri.md).
//!
//! A [`LinkUri`] says in one line of text who an endpoint is and where to reach it:
//! `link://192.0.2.1:42424/?cs3a=…&paths=…#fragment`. People paste them, so [`LinkUri::parse`] reads
//! what it can and says what it skipped; [`LinkUri::parse_strict`] accepts nothing but the whole.
//!
//! A URI may carry more than keys and paths: the one-time [`Secret`] of an invite, a router's session,
//! and the [`Fragment`] by which a peer behind a router is known. [`Issued`] is the bounded table of
//! secrets that were given out.
//!
//! Nothing here touches the network: a host that is a name yields paths once the caller has
//! resolved it. The crate builds without `std` (with `alloc`), and every text it reads is bounded by
//! the constants in [`limits`].
//!
//! ```
//! use telehash_hashname::{Csid, KeySet, Path};
//! use telehash_uri::LinkUri;
//!
//! let mut keys = KeySet::new();
//! keys.insert_key(Csid::CS3A, vec![7; 32])?;
//! let uri = LinkUri::new()
//!     .with_addr("192.0.2.1:42424".parse()?)?
//!     .with_keys(keys)?;
//! let text = uri.to_string();
//! assert!(text.starts_with("link://192.0.2.1:42424/?cs3a="));
//!
//! let pasted = LinkUri::parse(&format!("{text}&cs1a=0"))?;
//! assert_eq!(pasted.uri.hashname(), uri.hashname());
//! assert_eq!(pasted.uri.paths()[0], Path::udp("192.0.2.1:42424".parse()?));
//! assert!(pasted.skipped[0].to_string().starts_with("\"cs1a\""));
//! # Ok::<(), Box<dyn core::error::Error>>(())
//! ```
#![no_std]

extern crate alloc;
#[cfg(feature = "std")]
extern crate std;

mod authority;
mod build;
mod error;
mod fragment;
#[cfg(any(test, feature = "fuzzing"))]
pub mod fuzzing;
mod invite;
mod issued;
mod parse;
mod query;
mod secret;
mod uri;

pub use build::BuildError;
pub use error::{ItemError, Skipped, UriError};
pub use fragment::{Fragment, FragmentError};
pub use issued::{Issued, IssuedSecret, Terms};
pub use parse::Parsed;
pub use secret::{Secret, SecretError};
pub use uri::{DEFAULT_PORT, LinkUri};
pub use url::Host;

/// What bounds a URI, read or built, each with what happens at the limit.
pub mod limits {
    pub use crate::fragment::MAX_CUSTOM_LEN;
    pub use crate::uri::{MAX_QUERY_ITEMS, MAX_URI_LEN, MAX_URI_PATHS};
}
