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
