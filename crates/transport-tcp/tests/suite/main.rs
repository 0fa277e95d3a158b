//! The transport from outside.

mod common;
mod loopback;
mod strangers;
#[cfg(feature = "tls")]
mod tls;
mod wire;
