//! What a transport did so far.

use std::sync::atomic::{AtomicU64, Ordering};

/// Defines the counters twice: as the public snapshot, and while they count.
macro_rules! counters {
    ($($(#[$documentation:meta])* $name:ident,)*) => {
        /// What a transport did so far and what it has now, from
        /// [`TcpTransport::stats`](crate::TcpTransport::stats).
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        #[non_exhaustive]
        pub struct TcpStats {
            /// Connections there are now, TLS handshakes of peers included.
            pub connections: usize,
            /// Those of them that were accepted and that no link uses yet.
            pub strangers: usize,
            $($(#[$documentation])* pub $name: u64,)*
        }

        /// The same, while it counts.
        #[derive(Debug, Default)]
        pub(crate) struct Counters {
            $(pub(crate) $name: AtomicU64,)*
        }

        impl Counters {
            pub(crate) fn snapshot(&self, connections: usize, strangers: usize) -> TcpStats {
                TcpStats {
                    connections,
                    strangers,
                    $($name: self.$name.load(Ordering::Relaxed),)*
                }
            }
        }
    };
}

counters! {
    /// Connections that we made.
    dialled,
    /// Connections that peers made and that were let in.
    accepted,
    /// Connections of peers that were turned away because there were too many.
    refused,
    /// Silent strangers that were closed to make room.
    displaced,
    /// TLS handshakes of peers that failed.
    handshakes_failed,
    /// Times that the system could not accept a connection.
    accept_errors,
    /// Connections that the peer closed in order.
    closed_by_peer,
    /// Connections that we gave up in order.
    closed_by_us,
    /// Connections closed because the peer was silent or slow.
    timed_out,
    /// Connections that broke, or whose peer sent nonsense.
    failed,
    /// Packets accepted for sending.
    sent_packets,
    /// Bytes in them.
    sent_bytes,
    /// Calls that wrote, or tried to.
    write_calls,
    /// Packets received.
    received_packets,
    /// Bytes in them.
    received_bytes,
    /// Calls that read something.
    read_calls,
    /// Single zeros sent in answer.
    acks,
}

/// Adds to a counter. Nothing is ordered by these.
pub(crate) fn count(counter: &AtomicU64, by: usize) {
    counter.fetch_add(by as u64, Ordering::Relaxed);
}
