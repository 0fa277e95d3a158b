//! Where our routers see us: behind a NAT that is the only address at which a peer can meet us, if both
//! send at once (channel-types.md, "path").
//!
//! Only routers are believed, which we chose: whoever tells us a false address has our peers send
//! probes there, if only few ([`MAX_PROBES_PER_PATH`](telehash_channel_path::MAX_PROBES_PER_PATH)).

use std::sync::Arc;

use telehash_hashname::Path;

use crate::driver::LinkDriver;
use crate::shared::Shared;

impl Shared {
    /// A peer sees us at this path, which is kept with its link: it may be a router of ours, or become one.
    pub(crate) fn router_sees_us(self: &Arc<Self>, driver: &LinkDriver, path: &Path) {
        // A connection's address is good for that connection only.
        if !matches!(path, Path::Udp4(_) | Path::Udp6(_)) {
            return;
        }
        driver.note_seen_as(path);
        if self.routing.defaults().contains(&driver.hashname()) {
            self.tell_paths();
        }
    }

    /// Where our default routers see us.
    pub(crate) fn reflexive_paths(&self) -> Vec<Path> {
        let routers = self.routing.defaults().into_iter();
        let drivers = routers.filter_map(|router| self.link_by_name(&router));
        drivers.flat_map(|driver| driver.seen_as()).collect()
    }
}
