//! Routers that somebody is to be reached through and that are not up yet, so that a link that comes up
//! need not ask all others whether it was waited for.

use std::collections::HashSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

use telehash_hashname::Hashname;

/// Limit: routers that are awaited before those are forgotten that have no link any more. Such a router
/// comes up only after it was dialled again, which makes it awaited again.
pub(crate) const MAX_AWAITED_ROUTERS: usize = 1024;

#[derive(Debug, Default)]
pub(crate) struct Awaited(Mutex<HashSet<Hashname>>);

impl Awaited {
    /// Waits for a router. `has_link` tells which routers we have a link with, up or not.
    pub(super) fn add(&self, router: Hashname, has_link: impl Fn(&Hashname) -> bool) {
        let mut awaited = self.lock();
        if awaited.len() >= MAX_AWAITED_ROUTERS {
            awaited.retain(has_link);
        }
        awaited.insert(router);
    }

    /// A link is up. Whether it was awaited as a router.
    pub(super) fn arrived(&self, peer: &Hashname) -> bool {
        self.lock().remove(peer)
    }

    fn lock(&self) -> MutexGuard<'_, HashSet<Hashname>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn router(number: usize) -> Hashname {
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&number.to_be_bytes());
        Hashname::from_bytes(bytes)
    }

    #[test]
    fn a_router_is_awaited_once() {
        let awaited = Awaited::default();
        assert!(!awaited.arrived(&router(1)));
        awaited.add(router(1), |_| true);
        assert!(!awaited.arrived(&router(2)));
        assert!(awaited.arrived(&router(1)) && !awaited.arrived(&router(1)));
    }

    #[test]
    fn at_the_limit_routers_without_a_link_are_forgotten() {
        let awaited = Awaited::default();
        let linked = |name: &Hashname| *name == router(3);
        (0..MAX_AWAITED_ROUTERS).for_each(|number| awaited.add(router(number), linked));
        assert_eq!(awaited.lock().len(), MAX_AWAITED_ROUTERS);
        awaited.add(router(MAX_AWAITED_ROUTERS), linked);
        assert_eq!(awaited.lock().len(), 2);
        assert!(awaited.arrived(&router(3)) && awaited.arrived(&router(MAX_AWAITED_ROUTERS)));
    }
}
