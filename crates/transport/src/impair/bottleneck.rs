//! The slowest place of a direction, and the queue before it.

use std::{collections::VecDeque, num::NonZeroU64, time::Duration};

use super::Queue;

/// Passes bytes at a fixed rate, in order.
///
/// Departures are counted from the beginning of each busy period, so that rounding never adds up:
/// `n` bytes take `n / rate` seconds, to the nanosecond.
#[derive(Clone, Debug, Default)]
pub(super) struct Bottleneck {
    rate: Option<NonZeroU64>,
    busy_since: Duration,
    busy_bytes: u64,
    /// When each packet in the queue has left, and its size.
    queue: VecDeque<(Duration, usize)>,
    queued_bytes: usize,
}

impl Bottleneck {
    /// When a packet of `len` bytes that comes at `now` has left; `None` if the queue is full.
    pub(super) fn admit(
        &mut self,
        now: Duration,
        len: usize,
        rate: Option<NonZeroU64>,
        room: Queue,
    ) -> Option<Duration> {
        self.drain(now);
        if !self.fits(len, room) {
            return None;
        }
        let free_at = self.queue.back().map_or(now, |&(departure, _)| departure);
        if self.queue.is_empty() || rate != self.rate {
            (self.rate, self.busy_since, self.busy_bytes) = (rate, free_at, 0);
        }
        self.busy_bytes = self.busy_bytes.saturating_add(len as u64);
        let departure = rate.map_or(free_at, |rate| self.departure(rate));
        if departure > now {
            self.queue.push_back((departure, len));
            self.queued_bytes += len;
        }
        Some(departure)
    }

    fn drain(&mut self, now: Duration) {
        while let Some(&(departure, len)) = self.queue.front() {
            if departure > now {
                break;
            }
            self.queued_bytes -= len;
            self.queue.pop_front();
        }
    }

    fn fits(&self, len: usize, room: Queue) -> bool {
        self.queue.is_empty()
            || (self.queue.len() < room.packets.max(1)
                && self.queued_bytes.saturating_add(len) <= room.bytes)
    }

    fn departure(&self, rate: NonZeroU64) -> Duration {
        const NANOS: u128 = 1_000_000_000;
        let nanos = (u128::from(self.busy_bytes) * NANOS).div_ceil(u128::from(rate.get()));
        let seconds = u64::try_from(nanos / NANOS).unwrap_or(u64::MAX);
        self.busy_since
            .saturating_add(Duration::new(seconds, (nanos % NANOS) as u32))
    }
}
