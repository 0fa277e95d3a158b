//! The peer channel: asking a router to reach another endpoint (channel-types.md, "peer, connect").
//!
//! Whoever wants to reach an endpoint that it has no direct way to asks a router that both are linked
//! to. The request is one packet that names the target and brings a handshake for it, encrypted end
//! to end; there is never an answer. What the router lets through reaches the target as a `connect`
//! (the crate `telehash-channel-connect`), and the channel packets of the link that comes of it
//! travel raw on the router's pipes.
//!
//! [`carry`] does all of that for a packet that a link sends by a pipe through a router; what to ask
//! for when not even the target's keys are known is in `telehash-channel-connect`, as an introduction
//! is what the target reads.
//!
//! ```
//! use telehash_channel_peer::{PeerOpen, Target};
//! use telehash_hashname::Hashname;
//!
//! let target: Hashname = "jnedibrkqk6drxygktu7p7gpp5hncohldk5ix4erpddfxo352raa".parse()?;
//! let open = PeerOpen::to(target);
//! assert_eq!(PeerOpen::from_head(&open.to_head())?, open);
//! assert_eq!(open.target, Target::Hashname(target));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
#![no_std]

extern crate alloc;
#[cfg(feature = "std")]
extern crate std;

mod carry;
#[cfg(any(test, feature = "fuzzing"))]
pub mod fuzzing;
mod wire;

pub use self::{
    carry::{NotCarried, ask, carry},
    wire::{PeerError, PeerOpen, TYPE, Target},
};

/// What this crate bounds, each with what happens at the limit.
pub mod limits {
    pub use crate::wire::MAX_ROUTER_URI;
}
