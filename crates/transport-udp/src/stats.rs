//! What a socket did so far.

use std::sync::atomic::{AtomicU64, Ordering};

/// What a socket did so far, from [`UdpTransport::stats`](crate::UdpTransport::stats).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct UdpStats {
    /// Datagrams that the system took.
    pub sent_datagrams: u64,
    /// Bytes in them.
    pub sent_bytes: u64,
    /// System calls that sent or tried to.
    pub send_calls: u64,
    /// Datagrams that arrived.
    pub received_datagrams: u64,
    /// Bytes in them.
    pub received_bytes: u64,
    /// System calls that received or tried to.
    pub receive_calls: u64,
    /// Datagrams dropped because they were larger than UDP or the interface carries.
    pub oversized: u64,
    /// System calls for sending that failed otherwise, a full buffer not counted.
    pub send_errors: u64,
    /// Errors that receiving reported, most often on behalf of an unreachable peer.
    pub receive_errors: u64,
    /// Runs that the system would not segment, so that we did.
    pub segmented_here: u64,
}

/// The same, while it counts.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) sent_datagrams: AtomicU64,
    pub(crate) sent_bytes: AtomicU64,
    pub(crate) send_calls: AtomicU64,
    pub(crate) received_datagrams: AtomicU64,
    pub(crate) received_bytes: AtomicU64,
    pub(crate) receive_calls: AtomicU64,
    pub(crate) oversized: AtomicU64,
    pub(crate) send_errors: AtomicU64,
    pub(crate) receive_errors: AtomicU64,
    pub(crate) segmented_here: AtomicU64,
}

impl Counters {
    pub(crate) fn snapshot(&self) -> UdpStats {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        UdpStats {
            sent_datagrams: read(&self.sent_datagrams),
            sent_bytes: read(&self.sent_bytes),
            send_calls: read(&self.send_calls),
            received_datagrams: read(&self.received_datagrams),
            received_bytes: read(&self.received_bytes),
            receive_calls: read(&self.receive_calls),
            oversized: read(&self.oversized),
            send_errors: read(&self.send_errors),
            receive_errors: read(&self.receive_errors),
            segmented_here: read(&self.segmented_here),
        }
    }
}

/// Adds to a counter. Nothing is ordered by these.
pub(crate) fn count(counter: &AtomicU64, by: usize) {
    counter.fetch_add(by as u64, Ordering::Relaxed);
}
