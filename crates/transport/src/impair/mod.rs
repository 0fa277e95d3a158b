//! A seeded model of what a network does to packets, without I/O and without a clock.
//!
//! [`Conditions`] describe one direction between two places; a [`Lane`] is such a direction with
//! its memory, and [`Lanes`] are all directions of a network; what they let through waits in
//! [`Flights`] for its arrival. The in-memory transport runs this in real (or tokio's paused) time,
//! the `netsim` crate in virtual time. The fate of every packet follows from the seed, the
//! conditions and the packets that went the same way before: the same run has the same losses.
//!
//! A packet passes, in this order: the MTU, the queue before the bottleneck, the bottleneck (rate),
//! loss, corruption, delay with jitter and reordering, duplication.

mod bottleneck;
mod conditions;
mod fate;
mod flights;
mod lane;
mod lanes;
mod loss;

pub use conditions::{Conditions, Queue, Reorder};
pub use fate::{Arrival, Counters, Fate, LostTo};
pub use flights::Flights;
pub use lane::Lane;
pub use lanes::Lanes;
pub use loss::Loss;
