//! The connect channel: what a router hands to the endpoint that is reached (channel-types.md, "peer,
//! connect").
//!
//! A `connect` is one packet that names who asked and brings what that one sent: a handshake, which is
//! treated as if it had come by a pipe through the router, or an [`Introduction`] with the keys of
//! somebody who does not know ours. [`pass_on`] makes one at the router, [`arrive`] takes one at the
//! target. The name is the router's word and decides nothing: who a handshake is from its own MAC
//! proves, and an introduction is answered with a handshake that only the holder of the keys can use.
//!
//! ```
//! use telehash_channel_connect::Introduction;
//! use telehash_hashname::{Csid, KeySet};
//!
//! let mut keys = KeySet::new();
//! keys.insert_key(Csid::CS3A, vec![7; 32])?;
//! // Which cipher sets the other end has is not known: one introduction for each of ours.
//! for introduction in Introduction::of_each(&keys) {
//!     let body = introduction.to_bytes()?;
//!     assert_eq!(Introduction::from_bytes(&body)?, introduction);
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
#![no_std]

extern crate alloc;
#[cfg(feature = "std")]
extern crate std;

mod arrive;
#[cfg(any(test, feature = "fuzzing"))]
pub mod fuzzing;
mod introduction;
mod presented;
mod wire;

pub use self::{
    arrive::{Arrival, arrive, pass_on},
    introduction::{Introduction, IntroductionError},
    presented::{Pairing, Presented, PresentedError},
    wire::{ConnectOpen, TYPE},
};

/// What this crate bounds, each with what happens at the limit.
pub mod limits {
    pub use crate::introduction::MAX_INTRODUCTION;
    pub use crate::presented::{MAX_PRESENTED, MAX_UNPAIRED, UNPAIRED_WAIT};
}
