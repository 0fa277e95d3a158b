//! Whom an endpoint routes for.

use alloc::{collections::BTreeSet, sync::Arc};
use core::fmt;

use telehash_hashname::Hashname;

/// Limit: hashnames that are served by name; more are not.
pub const MAX_SERVED: usize = 65_536;

/// Whom an endpoint routes for: nobody, unless it is told to.
///
/// A request is helped if either its sender or its target is served, so that serving one link makes
/// it reachable for everybody else who is linked here.
///
/// ```
/// use telehash_link::RouterPolicy;
/// # let [ours, stranger, other] = [1, 2, 3].map(|n| telehash_hashname::Hashname::from_bytes([n; 32]));
///
/// let mut policy = RouterPolicy::default();
/// assert!(!policy.allows(&stranger, &ours));
/// policy.serve(ours, true);
/// assert!(policy.allows(&stranger, &ours) && policy.allows(&ours, &stranger));
/// assert!(!policy.allows(&stranger, &other));
/// ```
#[derive(Clone, Default)]
pub struct RouterPolicy {
    /// Everybody who is linked here is served.
    pub everyone: bool,
    served: BTreeSet<Hashname>,
    decides: Option<Arc<Decides>>,
}

/// Decides whether the first may be helped to reach the second.
type Decides = dyn Fn(&Hashname, &Hashname) -> bool + Send + Sync;

impl RouterPolicy {
    /// Serves everybody who is linked here.
    #[must_use]
    pub fn everyone() -> Self {
        Self {
            everyone: true,
            ..Self::default()
        }
    }

    /// Serves a hashname, or no longer.
    pub fn serve(&mut self, hashname: Hashname, served: bool) {
        if !served {
            self.served.remove(&hashname);
        } else if self.served.len() < MAX_SERVED {
            self.served.insert(hashname);
        }
    }

    /// Asks this about every request that is not helped anyway: whether the first may be helped to
    /// reach the second. In place of what was asked before.
    pub fn decide_by(
        &mut self,
        decides: impl Fn(&Hashname, &Hashname) -> bool + Send + Sync + 'static,
    ) {
        self.decides = Some(Arc::new(decides));
    }

    /// Whether `from` may be helped to reach `to`.
    #[must_use]
    pub fn allows(&self, from: &Hashname, to: &Hashname) -> bool {
        let decided = || {
            self.decides
                .as_ref()
                .is_some_and(|decides| decides(from, to))
        };
        self.serves(from) || self.serves(to) || decided()
    }

    /// Whether this one is served whoever asks, so that it gets a URI of ours to share.
    #[must_use]
    pub fn serves(&self, hashname: &Hashname) -> bool {
        self.everyone || self.served.contains(hashname)
    }
}

impl fmt::Debug for RouterPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RouterPolicy")
            .field("everyone", &self.everyone)
            .field("served", &self.served)
            .field("decides", &self.decides.is_some())
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(n: usize) -> Hashname {
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&n.to_le_bytes());
        Hashname::from_bytes(bytes)
    }

    #[test]
    fn no_more_hashnames_are_served_than_the_limit_until_one_is_no_longer() {
        let mut policy = RouterPolicy::default();
        (0..=MAX_SERVED).for_each(|n| policy.serve(name(n), true));
        let outsider = name(MAX_SERVED + 1);
        assert!(policy.allows(&outsider, &name(MAX_SERVED - 1)));
        assert!(!policy.allows(&outsider, &name(MAX_SERVED)));
        policy.serve(name(0), false);
        policy.serve(name(MAX_SERVED), true);
        assert!(policy.allows(&outsider, &name(MAX_SERVED)));
    }

    #[test]
    fn who_is_not_served_is_decided_about() {
        let mut policy = RouterPolicy::default();
        policy.serve(name(3), true);
        policy.decide_by(|from, to| (*from, *to) == (name(1), name(2)));
        assert!(policy.allows(&name(1), &name(2)));
        assert!(!policy.allows(&name(2), &name(1)));
        assert!(policy.allows(&name(2), &name(3)));
    }

    #[test]
    fn everyone_is_everyone() {
        assert!(RouterPolicy::everyone().allows(&name(1), &name(2)));
        assert!(!RouterPolicy::default().allows(&name(1), &name(2)));
    }
}
