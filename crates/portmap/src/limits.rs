//! Bounds, with what happens at each.

use std::time::Duration;

/// Ports that are mapped at once; further ones are not.
pub const MAX_PORTS: usize = 16;

/// Bytes that are kept of what a gateway says went wrong; the rest is cut off.
pub const MAX_REASON: usize = 200;

/// Bytes of the host's table of routes that are read; the default route is looked for in these.
pub const MAX_ROUTES: u64 = 64 * 1024;

/// Limit: how long one request to the gateway may take, by any protocol, with everything that belongs
/// to it; then it has failed.
pub const ASK_TIMEOUT: Duration = Duration::from_secs(10);

/// Limit: how long taking back all mappings may take; those that are left end with their leases.
pub const RELEASE_TIMEOUT: Duration = Duration::from_secs(2);

/// Limit: the shortest time from one round of requests to the next, whatever lease a gateway grants. A
/// shorter lease is not renewed in time.
pub const SHORTEST_PAUSE: Duration = Duration::from_secs(30);

/// Limit: the longest that a mapping is believed in without asking again, whatever lease a gateway
/// grants. It is also the lease that is asked for.
pub const LEASE: Duration = Duration::from_secs(30 * 60);
