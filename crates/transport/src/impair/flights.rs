//! What is under way.

use std::{cmp::Ordering, collections::BinaryHeap};

/// Things that arrive at a time each, earliest first; those of the same time in the order in which
/// they were added.
#[derive(Clone, Debug)]
pub struct Flights<T, X> {
    heap: BinaryHeap<Flight<T, X>>,
    departures: u64,
}

#[derive(Clone, Debug)]
struct Flight<T, X> {
    at: T,
    number: u64,
    cargo: X,
}

impl<T: Copy + Ord, X> Flights<T, X> {
    /// Nothing under way.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            heap: BinaryHeap::new(),
            departures: 0,
        }
    }

    /// Adds `cargo`, which arrives at `at`.
    pub fn add(&mut self, at: T, cargo: X) {
        self.departures += 1;
        self.heap.push(Flight {
            at,
            number: self.departures,
            cargo,
        });
    }

    /// Takes the earliest that has arrived by `now`, with its time.
    pub fn pop(&mut self, now: T) -> Option<(T, X)> {
        if self.next()? > now {
            return None;
        }
        self.heap.pop().map(|flight| (flight.at, flight.cargo))
    }

    /// When the earliest arrives.
    #[must_use]
    pub fn next(&self) -> Option<T> {
        self.heap.peek().map(|flight| flight.at)
    }

    /// How many are under way.
    #[must_use]
    pub fn len(&self) -> usize {
        self.heap.len()
    }

    /// Whether nothing is under way.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.heap.is_empty()
    }
}

impl<T: Copy + Ord, X> Default for Flights<T, X> {
    fn default() -> Self {
        Self::new()
    }
}

// The greatest flight is the one that arrives first: `BinaryHeap` is a max-heap.
impl<T: Ord, X> Ord for Flight<T, X> {
    fn cmp(&self, other: &Self) -> Ordering {
        other
            .at
            .cmp(&self.at)
            .then_with(|| other.number.cmp(&self.number))
    }
}

impl<T: Ord, X> PartialOrd for Flight<T, X> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<T: Ord, X> PartialEq for Flight<T, X> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl<T: Ord, X> Eq for Flight<T, X> {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_earliest_comes_first_and_equals_keep_their_order() {
        let mut flights = Flights::new();
        for (at, name) in [(2, "b"), (1, "a"), (2, "c"), (3, "d")] {
            flights.add(at, name);
        }
        assert_eq!(flights.next(), Some(1));
        assert_eq!(flights.pop(0), None);
        let arrived: Vec<_> = std::iter::from_fn(|| flights.pop(2)).collect();
        assert_eq!(arrived, [(1, "a"), (2, "b"), (2, "c")]);
        assert_eq!(flights.len(), 1);
    }
}
