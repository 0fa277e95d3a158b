//! What happens to packets, one by one and in sum.

use std::{ops::Add, time::Duration};

/// What happens to a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It arrives, perhaps twice or changed.
    Arrives(Arrival),
    /// It does not.
    Lost(LostTo),
}

/// How a packet arrives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arrival {
    /// When. Packets that arrive at the same time keep the order in which they were sent.
    pub at: Duration,
    /// It arrives a second time right after.
    pub duplicated: bool,
    /// It was held back, so that later packets may arrive before it.
    pub reordered: bool,
    /// One of its bits was flipped.
    pub corrupted: bool,
}

/// What a packet was lost to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum LostTo {
    /// The direction is blocked.
    Block,
    /// It was larger than the MTU.
    Mtu,
    /// The queue before the bottleneck was full.
    Queue,
    /// One of the [`Loss`](super::Loss) models.
    Loss,
    /// The receiver, who had no room for it.
    Receiver,
}

/// What happened in one direction so far, in packets unless stated.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counters {
    /// Packets handed in.
    pub sent: u64,
    /// Bytes handed in.
    pub sent_bytes: u64,
    /// Packets that arrive, duplicates not counted.
    pub arriving: u64,
    /// Second copies that arrive.
    pub duplicated: u64,
    /// Held back.
    pub reordered: u64,
    /// Changed in one bit.
    pub corrupted: u64,
    /// Lost because the direction was blocked.
    pub blocked: u64,
    /// Lost because they were larger than the MTU.
    pub too_large: u64,
    /// Lost because the queue was full.
    pub queue_full: u64,
    /// Lost to a loss model.
    pub lost: u64,
    /// Lost because the receiver had no room.
    pub receiver_full: u64,
}

impl Counters {
    pub(super) const fn count_sent(&mut self, len: usize) {
        self.sent += 1;
        self.sent_bytes += len as u64;
    }

    pub(super) fn count_arrival(&mut self, arrival: Arrival) {
        self.arriving += 1;
        self.duplicated += u64::from(arrival.duplicated);
        self.reordered += u64::from(arrival.reordered);
        self.corrupted += u64::from(arrival.corrupted);
    }

    pub(super) const fn count_loss(&mut self, cause: LostTo) {
        let counter = match cause {
            LostTo::Block => &mut self.blocked,
            LostTo::Mtu => &mut self.too_large,
            LostTo::Queue => &mut self.queue_full,
            LostTo::Loss => &mut self.lost,
            LostTo::Receiver => &mut self.receiver_full,
        };
        *counter += 1;
    }
}

impl Add for Counters {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            sent: self.sent + other.sent,
            sent_bytes: self.sent_bytes + other.sent_bytes,
            arriving: self.arriving + other.arriving,
            duplicated: self.duplicated + other.duplicated,
            reordered: self.reordered + other.reordered,
            corrupted: self.corrupted + other.corrupted,
            blocked: self.blocked + other.blocked,
            too_large: self.too_large + other.too_large,
            queue_full: self.queue_full + other.queue_full,
            lost: self.lost + other.lost,
            receiver_full: self.receiver_full + other.receiver_full,
        }
    }
}
