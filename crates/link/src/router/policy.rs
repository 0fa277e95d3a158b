//! Whom an endpoint routes for.

use alloc::collections::BTreeSet;

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
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RouterPolicy {
    /// Everybody who is linked here is served.
    pub everyone: bool,
    served: BTreeSet<Hashname>,
}

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

    /// Whether `from` may be helped to reach `to`.
    #[must_use]
    pub fn allows(&self, from: &Hashname, to: &Hashname) -> bool {
        self.everyone || self.served.contains(from) || self.served.contains(to)
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
    fn everyone_is_everyone() {
        assert!(RouterPolicy::everyone().allows(&name(1), &name(2)));
        assert!(!RouterPolicy::default().allows(&name(1), &name(2)));
    }
}
