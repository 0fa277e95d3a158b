//! The sans-IO core of a telehash mesh: endpoints, links and channels.
//!
//! An [`Endpoint`] is one identity: it finds the link of each packet and meets strangers. A
//! [`Link`] is a private connection to one other endpoint: handshakes, pipes, channels. Neither
//! reads a clock, opens a socket, spawns a task or draws randomness of its own; a driver (the
//! `telehash-runtime` crate, or `telehash-netsim` in tests) hands in packets and time and takes out
//! packets and deadlines.
//!
//! One invariant: **mutate once, then drain.** After a call that changes a link, poll
//! [`Link::poll_endpoint_event`], [`Link::poll_event`] and [`Link::poll_transmit`] until they are
//! empty, then arm one timer for [`Link::poll_timeout`]. Spurious timeouts are harmless.
//!
//! Implements the protocol pages links.md and channels.md, and of packets.md and cipher-sets.md
//! what concerns a running link.
#![no_std]

extern crate alloc;
#[cfg(feature = "std")]
extern crate std;

mod bucket;
mod config;
mod discovery;
mod endpoint;
mod error;
mod event;
mod flow;
#[cfg(any(test, feature = "fuzzing"))]
pub mod fuzzing;
mod handshake;
mod link;
mod pipe;
mod router;
mod weak_mac;

pub use telehash_e3x::{Instant, Order};

pub use self::{
    config::*,
    discovery::*,
    endpoint::{Endpoint, EndpointStats, LinkKey, Welcome},
    error::{AcceptError, ConnectError},
    event::{
        Dispatch, DownReason, DropReason, EndpointEvent, Event, Incoming, Input, LinkState, Ticket,
    },
    flow::*,
    handshake::{
        HandshakeError, HandshakeMessage, Insertion, Kind, MAX_AT, MAX_EXTRA_FIELDS,
        MAX_INNER_PACKET, MAX_ROUND_MESSAGES, MAX_TYPE_LEN, MessageSet,
    },
    link::{
        Link, LinkOptions, LinkStats, MAX_BESIDE, MAX_OFFERED_PROBES, MAX_RELAYED, PipeInfo,
        Transmit,
    },
    pipe::{CloakPolicy, PathSource, PipeCapabilities, PipeId, Remote, TransportId},
    router::*,
};
