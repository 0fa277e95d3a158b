//! The path channel: ping, reflexive addresses and new routes (channel-types.md, "path").
//!
//! Every link runs one [`PathAgent`]. When the link comes up it tells the peer our paths; it
//! answers the peer's own opens on every pipe and on the paths the peer offers, within limits that
//! make us useless for flooding others ([`may_probe`], [`limits`]); it checks a pipe with a round
//! trip of its own before traffic moves there, all of them when traffic stalls, and how large packets
//! may be; and it pings. Like the link itself it does no I/O
//! and reads no clock: it is handed the events of its [`Link`](telehash_link::Link), drives that
//! link, and reports [`PathEvent`]s.
//!
//! The wire types stand on their own:
//!
//! ```
//! use telehash_channel_path::{PathAnswer, PathOpen};
//! use telehash_hashname::Path;
//!
//! let here = Path::udp("192.0.2.2:53646".parse()?);
//! let open = PathOpen::offering(vec![here.clone()]);
//! assert_eq!(PathOpen::from_head(&open.to_head()), open);
//!
//! // The peer answers on each of its pipes to us, and says where that answer goes.
//! let answer = PathAnswer::to(Some(here));
//! assert_eq!(PathAnswer::from_head(&answer.to_head()), answer);
//! # Ok::<(), core::net::AddrParseError>(())
//! ```
#![no_std]

extern crate alloc;
#[cfg(feature = "std")]
extern crate std;

mod agent;
mod answering;
mod asking;
mod policy;
mod trials;
mod wire;

pub use self::{
    agent::{PathAgent, PathConfig, PathEvent, PingId, Share, Whereabouts},
    policy::may_probe,
    wire::{PathAnswer, PathOpen, RouterUri, TYPE},
};

/// What this crate bounds, each with what happens at the limit.
pub mod limits {
    pub use crate::agent::{MAX_PATH_EVENTS, MAX_TOLD_BYTES};
    pub use crate::answering::{
        ANSWER_BURST, ANSWERS_PER_SECOND, MAX_PROBES_PER_PATH, OFFER_MEMORY, PROBE_INTERVAL,
    };
    pub use crate::asking::{ANSWER_WAIT, MAX_CHECKS, MAX_QUESTIONS, ROUND_INTERVAL};
    pub use crate::trials::SIZE_TRIES;
    pub use crate::wire::{MAX_OFFERED_PATHS, MAX_TOLD_URI};
}
