//! The paths that are measured.

use std::{fmt, time::Duration};

use mesh::transport::impair::{Conditions, Loss, Queue};

/// What IP and UDP add to a datagram; it takes room on the path, too.
pub const HEADERS: usize = 28;

/// The largest packet, as everywhere on the internet.
const MTU: usize = 1500;

/// A queue has room for so many packets at least, however slow the path.
const LEAST_QUEUE: usize = 32;

/// A path: data goes forth by its bottleneck, answers come back at any rate.
#[derive(Clone, Copy, Debug)]
pub struct Path {
    /// Thousands of bits a second.
    pub kbit: u64,
    /// The round trip in milliseconds, without a queue.
    pub rtt_ms: u64,
    /// Of a hundred packets so many get lost, each way.
    pub loss: f64,
    /// Round trips that the queue holds; what does not fit is lost.
    pub queue: usize,
}

impl Path {
    /// A path whose queue holds one round trip.
    pub const fn new(kbit: u64, rtt_ms: u64, loss: f64) -> Self {
        Self {
            kbit,
            rtt_ms,
            loss,
            queue: 1,
        }
    }

    /// Without a queue.
    pub const fn rtt(&self) -> Duration {
        Duration::from_millis(self.rtt_ms)
    }

    /// What data meets.
    pub fn forth(&self) -> Conditions {
        let bytes = usize::try_from(self.kbit * self.rtt_ms / 8).unwrap_or(usize::MAX);
        self.back().with_rate(self.kbit * 125).with_queue(Queue {
            bytes: (self.queue * bytes).max(LEAST_QUEUE * MTU),
            packets: usize::MAX,
        })
    }

    /// What answers meet.
    pub fn back(&self) -> Conditions {
        let path = Conditions::perfect()
            .with_mtu(MTU)
            .with_delay(self.rtt() / 2)
            .with_queue(Queue::UNLIMITED);
        if self.loss == 0.0 {
            return path;
        }
        path.with_loss(Loss::Random(self.loss / 100.0))
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mbit = self.kbit as f64 / 1000.0;
        write!(f, "{mbit}M/{}ms/{}%", self.rtt_ms, self.loss)
    }
}
