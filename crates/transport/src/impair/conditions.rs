//! What one direction of a network is like.

use std::{num::NonZeroU64, time::Duration};

use super::Loss;

/// What one direction between two places does to packets. Perfect unless told otherwise.
///
/// Probabilities are per packet, from 0.0 (never) to 1.0 (always).
///
/// ```
/// use std::time::Duration;
/// use telehash_transport::impair::{Conditions, Loss};
///
/// let mobile = Conditions::perfect()
///     .with_loss(Loss::Random(0.01))
///     .with_loss(Loss::bursts(0.02, 8.0))
///     .with_delay(Duration::from_millis(60))
///     .with_jitter(Duration::from_millis(20))
///     .with_rate(1_250_000)
///     .with_mtu(1_400);
/// assert!(mobile.corrupt == 0.0);
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Conditions {
    /// Ways in which packets get lost behind the bottleneck. A packet has to survive all of them.
    pub loss: Vec<Loss>,
    /// Probability that one bit of a packet flips.
    pub corrupt: f64,
    /// Probability that a packet arrives twice.
    pub duplicate: f64,
    /// How packets fall behind their successors.
    pub reorder: Reorder,
    /// Time that every packet is under way, after the bottleneck.
    pub delay: Duration,
    /// Largest additional delay; each packet's share is drawn evenly. Jitter alone does not
    /// reorder: a packet waits for its predecessors.
    pub jitter: Duration,
    /// Bytes a second that the bottleneck passes; `None` for no bottleneck.
    pub rate: Option<NonZeroU64>,
    /// Room before the bottleneck.
    pub queue: Queue,
    /// Largest packet in bytes; larger ones vanish without a word, as in a black hole.
    pub mtu: usize,
}

/// How packets fall behind their successors.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Reorder {
    /// Probability that a packet is held back.
    pub probability: f64,
    /// For how long it is held back; its successors pass it meanwhile.
    pub delay: Duration,
}

/// Room before the bottleneck: packets that wait or are being sent. What does not fit is lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Queue {
    /// Most bytes in the queue. A single packet fits even if it is larger.
    pub bytes: usize,
    /// Most packets in the queue; 0 counts as 1.
    pub packets: usize,
}

impl Queue {
    /// Bytes in a queue that nothing else was said about. What does not fit is lost.
    pub const DEFAULT_BYTES: usize = 256 * 1024;

    /// Packets in a queue that nothing else was said about. What does not fit is lost.
    pub const DEFAULT_PACKETS: usize = 1_000;

    /// Room for everything.
    pub const UNLIMITED: Self = Self {
        bytes: usize::MAX,
        packets: usize::MAX,
    };
}

impl Default for Queue {
    fn default() -> Self {
        Self {
            bytes: Self::DEFAULT_BYTES,
            packets: Self::DEFAULT_PACKETS,
        }
    }
}

impl Default for Conditions {
    fn default() -> Self {
        Self::perfect()
    }
}

impl Conditions {
    /// No loss, no delay, no limits.
    #[must_use]
    pub const fn perfect() -> Self {
        Self {
            loss: Vec::new(),
            corrupt: 0.0,
            duplicate: 0.0,
            reorder: Reorder {
                probability: 0.0,
                delay: Duration::ZERO,
            },
            delay: Duration::ZERO,
            jitter: Duration::ZERO,
            rate: None,
            queue: Queue {
                bytes: Queue::DEFAULT_BYTES,
                packets: Queue::DEFAULT_PACKETS,
            },
            mtu: usize::MAX,
        }
    }

    /// Adds a way of losing packets to those already there.
    #[must_use]
    pub fn with_loss(mut self, loss: Loss) -> Self {
        self.loss.push(loss);
        self
    }

    /// Flips one bit of a packet with this probability.
    #[must_use]
    pub const fn with_corruption(mut self, probability: f64) -> Self {
        self.corrupt = probability;
        self
    }

    /// Delivers a packet twice with this probability.
    #[must_use]
    pub const fn with_duplication(mut self, probability: f64) -> Self {
        self.duplicate = probability;
        self
    }

    /// Holds a packet back by `delay` with this probability.
    #[must_use]
    pub const fn with_reordering(mut self, probability: f64, delay: Duration) -> Self {
        self.reorder = Reorder { probability, delay };
        self
    }

    /// Every packet is under way for `delay`.
    #[must_use]
    pub const fn with_delay(mut self, delay: Duration) -> Self {
        self.delay = delay;
        self
    }

    /// Every packet is under way for up to `jitter` more.
    #[must_use]
    pub const fn with_jitter(mut self, jitter: Duration) -> Self {
        self.jitter = jitter;
        self
    }

    /// Passes this many bytes a second; 0 lifts the limit.
    #[must_use]
    pub const fn with_rate(mut self, bytes_per_second: u64) -> Self {
        self.rate = NonZeroU64::new(bytes_per_second);
        self
    }

    /// Keeps at most this much before the bottleneck.
    #[must_use]
    pub const fn with_queue(mut self, queue: Queue) -> Self {
        self.queue = queue;
        self
    }

    /// Loses packets of more than `mtu` bytes.
    #[must_use]
    pub const fn with_mtu(mut self, mtu: usize) -> Self {
        self.mtu = mtu;
        self
    }
}
