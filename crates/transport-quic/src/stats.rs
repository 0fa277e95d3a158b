//! What a transport did so far.

use std::sync::atomic::{AtomicU64, Ordering};

/// What a transport did so far, from [`QuicTransport::stats`](crate::QuicTransport::stats).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct QuicStats {
    /// Connections made by dialling.
    pub dialled: u64,
    /// Connections made by others.
    pub accepted: u64,
    /// Handshakes of others that failed or took too long.
    pub failed_handshakes: u64,
    /// Handshakes of others refused because there were too many, or no room for a connection.
    pub refused: u64,
    /// Handshakes of others that had to prove their address first.
    pub retried: u64,
    /// Strangers that had to go: pushed out by others, or because their time was over.
    pub evicted: u64,
    /// Packets that were taken to leave as datagrams.
    pub sent_datagrams: u64,
    /// Packets that were taken to leave on streams, because they were too large for datagrams.
    pub sent_streams: u64,
    /// Bytes in both.
    pub sent_bytes: u64,
    /// Packets that arrived as datagrams.
    pub received_datagrams: u64,
    /// Packets that arrived on streams.
    pub received_streams: u64,
    /// Bytes in both.
    pub received_bytes: u64,
    /// Packets dropped because they were larger than any may be, sent or received.
    pub oversized: u64,
}

/// The same, while it counts.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) dialled: AtomicU64,
    pub(crate) accepted: AtomicU64,
    pub(crate) failed_handshakes: AtomicU64,
    pub(crate) refused: AtomicU64,
    pub(crate) retried: AtomicU64,
    pub(crate) evicted: AtomicU64,
    pub(crate) sent_datagrams: AtomicU64,
    pub(crate) sent_streams: AtomicU64,
    pub(crate) sent_bytes: AtomicU64,
    pub(crate) received_datagrams: AtomicU64,
    pub(crate) received_streams: AtomicU64,
    pub(crate) received_bytes: AtomicU64,
    pub(crate) oversized: AtomicU64,
}

impl Counters {
    pub(crate) fn snapshot(&self) -> QuicStats {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        QuicStats {
            dialled: read(&self.dialled),
            accepted: read(&self.accepted),
            failed_handshakes: read(&self.failed_handshakes),
            refused: read(&self.refused),
            retried: read(&self.retried),
            evicted: read(&self.evicted),
            sent_datagrams: read(&self.sent_datagrams),
            sent_streams: read(&self.sent_streams),
            sent_bytes: read(&self.sent_bytes),
            received_datagrams: read(&self.received_datagrams),
            received_streams: read(&self.received_streams),
            received_bytes: read(&self.received_bytes),
            oversized: read(&self.oversized),
        }
    }
}

/// Adds to a counter. Nothing is ordered by these.
pub(crate) fn count(counter: &AtomicU64, by: usize) {
    counter.fetch_add(by as u64, Ordering::Relaxed);
}
