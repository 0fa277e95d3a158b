//! Routing for others: who may be helped, how much, and which packets go where (channel-types.md,
//! "peer, connect").
//!
//! A request names a target and brings a handshake for it. If the [policy](RouterPolicy) allows and
//! the [budgets](pairs) last, the handshake goes on to the target, and its token is
//! [bridged](bridges): packets of the target that carry it go to whoever sent the request. The
//! request of each end opens one direction. A router sees who talks with whom and how much, and
//! nothing else.

mod bridges;
mod handle;
mod introduced;
mod pairs;
mod policy;
mod sessions;

use self::{bridges::Bridges, pairs::Pairs, sessions::Sessions};
pub use self::{
    bridges::{BRIDGE_IDLE, MAX_BRIDGES, MAX_BRIDGES_PER_LINK},
    handle::NotRelayed,
    introduced::Introduced,
    pairs::MAX_PAIRS,
    policy::{MAX_SERVED, RouterPolicy},
    sessions::{MAX_SESSIONS, SESSION_LIFETIME, SessionId},
};

/// What an endpoint knows of the traffic that it routes.
#[derive(Debug, Default)]
pub(crate) struct Router {
    policy: RouterPolicy,
    pairs: Pairs,
    bridges: Bridges,
    sessions: Sessions,
    /// Requests that went on to their targets.
    relayed: u64,
    /// Requests that did not.
    refused: u64,
    /// Packets that went over a bridge.
    forwarded: u64,
}
