//! Whose place on the internet is it? Network look-ups for telehash (uri.md, "Resolution order").
//!
//! A link URI normally holds the keys of an endpoint. `link://example.org/` and `ann@example.org` do
//! not: they name a [`Place`], and somebody has to say whose it is. [`LookUps`] asks WebFinger, then DNS,
//! then the keys of an OpenID provider. All of that is bounded in size and time, the web is https only,
//! and keys always make the hashname that they come with. If it is known whom to expect, nobody else is
//! found; if only a domain is known, DNS or the domain's certificate is what vouches for the keys.
//!
//! What answers mean is in [`dns`], [`webfinger`] and [`jwks`], which do no I/O and need no feature; they
//! also help to publish an endpoint.
//!
//! ```
//! use telehash_hashname::{Csid, KeySet};
//! use telehash_resolve::dns;
//!
//! let mut keys = KeySet::new();
//! keys.insert_key(Csid::CS3A, vec![7; 32])?;
//! let hashname = keys.hashname().expect("there is a key");
//!
//! // To publish them: these are the text records of the host <hashname>.example.org.
//! let texts = dns::texts(&keys).expect("all keys are known");
//! assert_eq!(texts[0], "3a=a4dqobyha4dqobyha4dqobyha4dqobyha4dqobyha4dqobyha4dq");
//!
//! // To read them: whoever finds that host knows its hashname, and takes no other keys.
//! let records: Vec<_> = texts.into_iter().map(|text| vec![text.into_bytes()]).collect();
//! assert_eq!(dns::keys(&hashname, &records)?, keys);
//! assert!(dns::keys(&hashname, &[vec![b"3a=aaaa".to_vec()]]).is_err());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Features
//!
//! | feature | default | what it adds |
//! | --- | --- | --- |
//! | `dns` | yes | looking up in DNS |
//! | `webfinger` | yes | looking up with WebFinger |
//! | `jwks` | yes | looking up the keys of an OpenID provider |

pub mod dns;
mod document;
mod found;
#[cfg(any(test, feature = "fuzzing"))]
pub mod fuzzing;
pub mod jwks;
#[cfg(any(feature = "dns", feature = "jwks", feature = "webfinger"))]
mod look_ups;
#[cfg(any(feature = "dns", feature = "jwks", feature = "webfinger"))]
mod net;
mod place;
pub mod webfinger;

pub use dns::DnsError;
pub use document::DocumentError;
pub use found::{Found, LookUpError, NotFound, Source};
#[cfg(any(feature = "dns", feature = "jwks", feature = "webfinger"))]
pub use look_ups::LookUps;
pub use place::{Mismatch, Place};

/// What bounds look-ups, each with what happens at the limit.
pub mod limits {
    pub use crate::dns::{MAX_HOST_ADDRESSES, MAX_SERVICE_HOSTS, MAX_TEXT_STRINGS};
    pub use crate::document::{MAX_DOCUMENT_LEN, MAX_REDIRECTS};
    #[cfg(any(feature = "dns", feature = "jwks", feature = "webfinger"))]
    pub use crate::look_ups::LOOK_UP_TIMEOUT;
}
