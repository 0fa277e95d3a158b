//! Transmit buffers, reused.

use std::sync::{Mutex, PoisonError};

use crate::limits::MAX_POOLED_BUFFERS;

/// A bounded stack of empty buffers. Taken once per run of transmits, not once per packet.
#[derive(Debug, Default)]
pub(crate) struct BufferPool {
    free: Mutex<Vec<Vec<u8>>>,
}

impl BufferPool {
    pub(crate) fn take(&self) -> Vec<u8> {
        self.free
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .pop()
            .unwrap_or_default()
    }

    pub(crate) fn give(&self, mut buffer: Vec<u8>) {
        buffer.clear();
        let mut free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        if free.len() < MAX_POOLED_BUFFERS {
            free.push(buffer);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pool_keeps_no_more_than_its_limit() {
        let pool = BufferPool::default();
        for _ in 0..MAX_POOLED_BUFFERS + 3 {
            pool.give(vec![1]);
        }
        assert_eq!(pool.free.lock().unwrap().len(), MAX_POOLED_BUFFERS);
        assert!(pool.take().is_empty());
    }
}
