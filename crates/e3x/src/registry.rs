//! Which cipher sets an endpoint can use.

use alloc::collections::BTreeMap;
use alloc::sync::Arc;

use telehash_hashname::Csid;

use crate::CipherSet;

/// The cipher sets that an endpoint supports, by csid. A cheap clone.
///
/// The default holds the sets of the enabled features. Add your own with [`with`](Self::with):
///
/// ```
/// # #[cfg(feature = "cs3a")]
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use std::sync::Arc;
/// use telehash_e3x::{CipherSets, Cs3a};
/// use telehash_hashname::Csid;
///
/// let sets = CipherSets::empty().with(Arc::new(Cs3a));
/// assert!(sets.get(Csid::CS3A).is_some());
/// # Ok(())
/// # }
/// # #[cfg(not(feature = "cs3a"))]
/// # fn main() {}
/// ```
#[derive(Clone, Debug)]
pub struct CipherSets(Arc<BTreeMap<Csid, Arc<dyn CipherSet>>>);

impl CipherSets {
    /// No cipher set at all, to start a selection of one's own.
    #[must_use]
    pub fn empty() -> Self {
        Self(Arc::default())
    }

    /// Adds a cipher set. One with the same csid is replaced.
    #[must_use]
    pub fn with(mut self, set: Arc<dyn CipherSet>) -> Self {
        Arc::make_mut(&mut self.0).insert(set.csid(), set);
        self
    }

    /// The set of this number, if it is supported.
    #[must_use]
    pub fn get(&self, csid: Csid) -> Option<&Arc<dyn CipherSet>> {
        self.0.get(&csid)
    }

    /// The sets that a new identity should have: 3a, which everybody speaks, and 42, the best there
    /// is. All that are supported if neither is. The others are for who needs them.
    pub fn recommended(&self) -> impl Iterator<Item = Csid> + '_ {
        let is_one = |csid: Csid| matches!(csid, Csid::CS3A | Csid::CS42);
        let has_one = self.csids().any(is_one);
        self.csids().filter(move |csid| !has_one || is_one(*csid))
    }

    /// The supported numbers, ascending.
    pub fn csids(&self) -> impl DoubleEndedIterator<Item = Csid> + ExactSizeIterator + '_ {
        self.0.keys().copied()
    }
}

impl Default for CipherSets {
    fn default() -> Self {
        let sets = Self::empty();
        #[cfg(feature = "cs1a")]
        let sets = sets.with(Arc::new(crate::Cs1a));
        #[cfg(feature = "cs1c")]
        let sets = sets.with(Arc::new(crate::Cs1c));
        #[cfg(feature = "cs2a")]
        let sets = sets.with(Arc::new(crate::Cs2a));
        #[cfg(feature = "cs3a")]
        let sets = sets.with(Arc::new(crate::Cs3a));
        #[cfg(feature = "cs42")]
        let sets = sets.with(Arc::new(crate::Cs42));
        sets
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::*;

    #[test]
    fn a_new_identity_gets_3a_and_42_or_whatever_there_is() {
        let all = CipherSets::default();
        let recommended: Vec<_> = all.recommended().collect();
        let best = [Csid::CS3A, Csid::CS42];
        let supported: Vec<_> = best
            .into_iter()
            .filter(|csid| all.get(*csid).is_some())
            .collect();
        match supported.is_empty() {
            true => assert_eq!(recommended, all.csids().collect::<Vec<_>>()),
            false => assert_eq!(recommended, supported),
        }
        assert_eq!(CipherSets::empty().recommended().count(), 0);
    }
}
