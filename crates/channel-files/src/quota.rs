//! How much a folder takes.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::refusal::Refusal;

/// What a folder takes of all peers; without a limit, everything.
#[derive(Clone, Debug, Default)]
pub(crate) struct Quota {
    /// Bytes of one file.
    pub(crate) max_file: Option<u64>,
    /// Bytes that may still be written.
    left: Option<Arc<AtomicU64>>,
}

/// What is set aside for one file. Of it, what was not written is given back.
#[derive(Debug)]
pub(crate) struct Share {
    left: Option<Arc<AtomicU64>>,
    bytes: u64,
}

impl Quota {
    /// The same, with so many bytes in all from now on.
    pub(crate) fn with_total(self, bytes: u64) -> Self {
        let left = Some(Arc::new(AtomicU64::new(bytes)));
        Self { left, ..self }
    }

    /// Whether a file may have this size.
    pub(crate) fn admit(&self, size: u64) -> Result<(), Refusal> {
        match self.max_file {
            Some(most) if size > most => Err(Refusal::TooLarge),
            _ => Ok(()),
        }
    }

    /// Sets so many bytes aside, for what is missing of a file.
    pub(crate) fn share(&self, bytes: u64) -> Result<Share, Refusal> {
        if let Some(left) = &self.left {
            let order = Ordering::Relaxed;
            left.fetch_update(order, order, |left| left.checked_sub(bytes))
                .map_err(|_| Refusal::OverQuota)?;
        }
        let left = self.left.clone();
        Ok(Share { left, bytes })
    }
}

impl Share {
    /// So much was written.
    pub(crate) fn spend(&mut self, bytes: u64) {
        self.bytes = self.bytes.saturating_sub(bytes);
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        if let Some(left) = &self.left {
            left.fetch_add(self.bytes, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_written_is_given_back_and_no_more() {
        let quota = Quota::default().with_total(10);
        let mut one = quota.share(7).unwrap();
        assert_eq!(quota.clone().share(4).unwrap_err(), Refusal::OverQuota);
        one.spend(5);
        drop(one);
        assert_eq!(quota.share(6).unwrap_err(), Refusal::OverQuota);
        drop(quota.share(5).unwrap());
        quota.share(5).unwrap().spend(u64::MAX);
        assert_eq!(quota.share(1).unwrap_err(), Refusal::OverQuota);
        quota.share(0).unwrap();
    }

    #[test]
    fn a_file_is_as_large_as_allowed_and_no_larger() {
        let max_file = Some(10);
        let quota = Quota {
            max_file,
            ..Quota::default()
        };
        quota.admit(10).unwrap();
        assert_eq!(quota.admit(11).unwrap_err(), Refusal::TooLarge);
        Quota::default().admit(u64::MAX).unwrap();
    }
}
