//! Every bound of this crate, and what happens at it.

use std::time::Duration;

pub use crate::destination::MAX_HOST;

/// Tunnels that one peer may have here at once, TCP and UDP and both ways together; one more is
/// refused with `busy`, and a connection to a port that it bound is reset.
pub const MAX_TUNNELS_PER_LINK: usize = 256;

/// Ports that one peer may have bound here at once; one more is refused with `busy`.
pub const MAX_BINDS_PER_LINK: usize = 16;

/// How long resolving a name and connecting to it may take together; then it is `timeout`. Less
/// than an opener waits.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(8);

/// Look-ups of names by the system at once; further ones wait, within their time. One counts until
/// the system has answered, also when nobody waits for that any more.
pub const MAX_LOOK_UPS: usize = 16;

/// Addresses of one name that are tried, one after the other; further ones are ignored.
pub const MAX_ADDRESSES: usize = 8;

/// Limit: how long a UDP flow may be quiet in both directions; then it ends.
pub const UDP_IDLE: Duration = Duration::from_secs(120);

/// Connections to a port that we bound at the peer, and that nobody has accepted yet; one more is
/// refused with `busy`.
pub const ACCEPT_CAPACITY: usize = 64;
