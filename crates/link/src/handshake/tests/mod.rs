//! Tests of the handshakes that need more than one file: two endpoints, their network, old peers.

mod fresh;
mod inner;
mod lifetimes;
mod limits;
mod message_set;
mod model;
mod old_peers;
mod rules;
mod traces;
mod world;

use telehash_e3x::Instant;

/// The present of a model whose states are compared: see [`rebased`].
pub(super) const PRESENT: Instant = Instant::from_micros(1_000_000_000);

/// `at` as it was seen from `now`, seen from [`PRESENT`]. What is past is as good as present: all
/// times of the machine are times from which on something is due or permitted.
pub(super) fn rebased(at: Instant, now: Instant) -> Instant {
    PRESENT + at.saturating_duration_since(now)
}
