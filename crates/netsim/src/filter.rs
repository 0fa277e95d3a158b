//! Filters: loss, delay and changes that are aimed.
//!
//! A filter sees every packet before the conditions of its direction apply. Filters of a network
//! form a chain, in the order in which they were added; the first that loses a packet ends it.
//! Closures are filters:
//!
//! ```
//! use std::net::SocketAddr;
//! use telehash_netsim::{Instant, Network, Packet, Verdict, filter};
//!
//! let alice: SocketAddr = "10.0.0.1:1".parse()?;
//! let bob: SocketAddr = "10.0.0.2:1".parse()?;
//! let mut network = Network::new(1);
//! network.add_filter(filter::on(alice, bob, filter::lose_numbered([2])));
//! network.add_filter(|packet: &mut Packet| {
//!     if packet.bytes.len() > 100 { Verdict::Lose } else { Verdict::Pass }
//! });
//!
//! let now = Instant::from_micros(0);
//! for packet in [&b"one"[..], b"two", b"three", &[0; 101]] {
//!     network.send(now, alice, bob, packet);
//! }
//! let arrived: Vec<_> = std::iter::from_fn(|| network.poll_delivery(now)).collect();
//! let arrived: Vec<_> = arrived.iter().map(|packet| &packet.bytes[..]).collect();
//! assert_eq!(arrived, [&b"one"[..], b"three"]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use std::{collections::BTreeSet, net::SocketAddr, time::Duration};

use crate::Packet;

/// What becomes of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It goes on.
    Pass,
    /// It is lost.
    Lose,
    /// It goes on, and arrives this much later; later packets may pass it.
    Delay(Duration),
}

/// Decides about packets, and may change them.
pub trait Filter: Send {
    /// Decides about one packet.
    fn judge(&mut self, packet: &mut Packet) -> Verdict;
}

impl<F: FnMut(&mut Packet) -> Verdict + Send> Filter for F {
    fn judge(&mut self, packet: &mut Packet) -> Verdict {
        self(packet)
    }
}

/// Applies `inner` to one direction only.
pub fn on(from: SocketAddr, to: SocketAddr, mut inner: impl Filter) -> impl Filter {
    move |packet: &mut Packet| {
        if (packet.from, packet.to) == (from, to) {
            inner.judge(packet)
        } else {
            Verdict::Pass
        }
    }
}

/// Loses the packets of these numbers, counted from 1.
pub fn lose_numbered(numbers: impl IntoIterator<Item = u64>) -> impl Filter {
    let numbers: BTreeSet<_> = numbers.into_iter().collect();
    let mut seen = 0;
    move |_: &mut Packet| {
        seen += 1;
        if numbers.contains(&seen) {
            Verdict::Lose
        } else {
            Verdict::Pass
        }
    }
}

/// Loses the first `count` packets.
pub fn lose_first(count: u64) -> impl Filter {
    let mut seen = 0;
    move |_: &mut Packet| {
        seen += 1;
        if seen <= count {
            Verdict::Lose
        } else {
            Verdict::Pass
        }
    }
}

/// Loses the packets that `condition` holds for.
pub fn lose_if(mut condition: impl FnMut(&Packet) -> bool + Send) -> impl Filter {
    move |packet: &mut Packet| {
        if condition(packet) {
            Verdict::Lose
        } else {
            Verdict::Pass
        }
    }
}

/// Delays the packets of these numbers, counted from 1.
pub fn delay_numbered(numbers: impl IntoIterator<Item = u64>, delay: Duration) -> impl Filter {
    let numbers: BTreeSet<_> = numbers.into_iter().collect();
    let mut seen = 0;
    move |_: &mut Packet| {
        seen += 1;
        if numbers.contains(&seen) {
            Verdict::Delay(delay)
        } else {
            Verdict::Pass
        }
    }
}
