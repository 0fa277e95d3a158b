//! Asking the network.

#[cfg(feature = "dns")]
pub(crate) mod dns;
#[cfg(feature = "jwks")]
pub(crate) mod jwks;
#[cfg(feature = "https")]
pub(crate) mod web;
#[cfg(feature = "webfinger")]
pub(crate) mod webfinger;
