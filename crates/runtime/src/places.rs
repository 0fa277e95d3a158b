//! How many of something each peer has here.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use telehash_hashname::Hashname;

/// Counts by peer, for handlers that bound what each peer may have at once. Clones count together;
/// peers without any are not remembered.
#[derive(Clone, Debug, Default)]
pub struct Places {
    taken: Arc<Mutex<HashMap<Hashname, usize>>>,
}

/// One of [`Places`], until it is dropped.
#[derive(Debug)]
pub struct Place {
    taken: Arc<Mutex<HashMap<Hashname, usize>>>,
    peer: Hashname,
}

impl Places {
    /// One more for this peer, unless it has as many as `limit`.
    #[must_use]
    pub fn take(&self, peer: Hashname, limit: usize) -> Option<Place> {
        let mut taken = lock(&self.taken);
        let count = taken.entry(peer).or_default();
        if *count >= limit {
            return None;
        }
        *count += 1;
        let taken = self.taken.clone();
        Some(Place { taken, peer })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = lock(&self.taken);
        if let Some(count) = taken.get_mut(&self.peer) {
            *count -= 1;
            if *count == 0 {
                taken.remove(&self.peer);
            }
        }
    }
}

fn lock(taken: &Mutex<HashMap<Hashname, usize>>) -> MutexGuard<'_, HashMap<Hashname, usize>> {
    taken.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_peer_has_its_own_places_and_gets_them_back() {
        let places = Places::default();
        let (ann, bob) = (Hashname::from_bytes([1; 32]), Hashname::from_bytes([2; 32]));
        let first = places.take(ann, 2);
        let second = places.take(ann, 2);
        assert!(first.is_some() && second.is_some());
        assert!(places.take(ann, 2).is_none());
        assert!(places.take(bob, 2).is_some());
        drop(first);
        assert!(places.take(ann, 2).is_some());
        drop(second);
        assert!(lock(&places.taken).is_empty(), "nobody is remembered");
    }
}
