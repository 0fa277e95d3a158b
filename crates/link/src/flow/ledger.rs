//! What is under way on one pipe, in the order it was sent.
//!
//! A channel remembers the content of each packet until its cumulative ack; the ledger remembers
//! what a pipe must know: how many bytes are under way, and the stamp for the rate sample. A record
//! leaves it once its packet arrived, was lost, or must have left the network either way.

use alloc::collections::VecDeque;

use telehash_e3x::Instant;

use super::rate::Stamp;

/// One packet under way.
#[derive(Clone, Copy, Debug)]
pub(super) struct Record {
    pub(super) bytes: u64,
    pub(super) sent_at: Instant,
    pub(super) stamp: Stamp,
}

/// The records of one pipe. Packets are numbered in the order they were sent.
#[derive(Debug)]
pub(super) struct Ledger {
    /// The number of the first record.
    first: u64,
    records: VecDeque<Option<Record>>,
    in_flight: u64,
}

impl Ledger {
    /// An empty ledger whose first packet gets this number.
    pub(super) const fn new(first: u64) -> Self {
        Self {
            first,
            records: VecDeque::new(),
            in_flight: 0,
        }
    }

    /// Bytes under way.
    pub(super) const fn in_flight(&self) -> u64 {
        self.in_flight
    }

    /// Gives back what past packets needed.
    pub(super) fn release(&mut self) {
        self.records.shrink_to_fit();
    }

    /// The number of the oldest packet under way, or of the next one.
    pub(super) const fn first(&self) -> u64 {
        self.first
    }

    /// The number that the next packet gets.
    pub(super) fn next_number(&self) -> u64 {
        self.first + self.records.len() as u64
    }

    /// A packet that is under way.
    pub(super) fn get(&self, number: u64) -> Option<&Record> {
        let index = usize::try_from(number.checked_sub(self.first)?).ok()?;
        self.records.get(index)?.as_ref()
    }

    /// Books a packet and numbers it.
    pub(super) fn push(&mut self, record: Record) -> u64 {
        let number = self.next_number();
        self.in_flight += record.bytes;
        self.records.push_back(Some(record));
        number
    }

    /// Takes out a packet that arrived or was lost; nothing if it left before.
    pub(super) fn take(&mut self, number: u64) -> Option<Record> {
        let index = usize::try_from(number.checked_sub(self.first)?).ok()?;
        let record = self.records.get_mut(index)?.take()?;
        self.in_flight -= record.bytes;
        self.trim();
        Some(record)
    }

    /// Lets go of all packets sent before `then`: later ones arrived, these have left the network.
    /// Returns the bytes of those that are not newer than `guess`.
    pub(super) fn release_before(&mut self, then: Instant, guess: Option<u64>) -> u64 {
        let mut guessed = 0;
        while let Some(Some(record)) = self.records.front() {
            if record.sent_at >= then {
                break;
            }
            self.in_flight -= record.bytes;
            if Some(self.first) <= guess {
                guessed += record.bytes;
            }
            self.records.pop_front();
            self.first += 1;
            self.trim();
        }
        guessed
    }

    /// Lets go of everything.
    pub(super) fn release_all(&mut self) {
        self.first = self.next_number();
        self.records.clear();
        self.in_flight = 0;
    }

    /// Drops empty records at the front.
    fn trim(&mut self) {
        while let Some(None) = self.records.front() {
            self.records.pop_front();
            self.first += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{super::rate::Deliveries, *};

    fn record(at: u64, bytes: u64) -> Record {
        let sent_at = Instant::from_micros(at);
        Record {
            bytes,
            sent_at,
            stamp: Deliveries::new(sent_at).on_sent(sent_at, bytes, 0),
        }
    }

    #[test]
    fn packets_leave_in_any_order_but_once() {
        let mut ledger = Ledger::new(0);
        let numbers: alloc::vec::Vec<u64> = (0..5).map(|at| ledger.push(record(at, 10))).collect();
        assert_eq!(
            (ledger.in_flight(), numbers.as_slice()),
            (50, &[0, 1, 2, 3, 4][..])
        );
        assert!(ledger.take(3).is_some());
        assert!(ledger.take(3).is_none());
        assert!(ledger.take(0).is_some());
        assert!(ledger.take(9).is_none());
        assert_eq!(ledger.in_flight(), 30);
        assert_eq!(ledger.push(record(6, 1)), 5);
        for number in [1, 2, 4, 5] {
            assert!(ledger.take(number).is_some());
        }
        assert_eq!((ledger.in_flight(), ledger.records.len()), (0, 0));
    }

    #[test]
    fn old_packets_are_released_up_to_a_time() {
        let mut ledger = Ledger::new(0);
        (0..10).for_each(|at| _ = ledger.push(record(at, 10)));
        ledger.take(1);
        assert_eq!(ledger.release_before(Instant::from_micros(4), Some(2)), 20);
        assert_eq!(ledger.in_flight(), 60);
        assert!(ledger.take(3).is_none());
        assert!(ledger.take(4).is_some());
        ledger.release_all();
        assert_eq!((ledger.in_flight(), ledger.next_number()), (0, 10));
    }
}
