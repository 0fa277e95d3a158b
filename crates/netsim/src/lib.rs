//! A seeded network and a virtual clock, to test telehash endpoints in.
//!
//! Nothing here waits, opens a socket or draws on outside chance: packets go into a [`Network`] at a
//! moment of a virtual [`Clock`] and come out at a later one, lost, late, doubled or changed as the
//! [`Conditions`] of their direction say. The same seed and the same packets have the same fate, so
//! that a failure found once is found again.
//!
//! **Send, then jump to the next delivery.** A simulation is a loop: deliver what has arrived, let
//! the endpoints answer, advance the clock to whatever comes next.
//!
//! ```
//! use std::{net::SocketAddr, time::Duration};
//! use telehash_netsim::{Clock, Conditions, Loss, Network};
//!
//! let alice: SocketAddr = "10.0.0.1:42424".parse()?;
//! let bob: SocketAddr = "10.0.0.2:42424".parse()?;
//! let mut clock = Clock::new();
//! let mut network = Network::new(7);
//! network.set_conditions(
//!     &Conditions::perfect().with_loss(Loss::Random(0.2)).with_delay(Duration::from_millis(40)),
//! );
//!
//! // Alice sends twenty pings; Bob answers those that he gets.
//! for n in 0..20 {
//!     network.send(clock.now(), alice, bob, vec![n]);
//! }
//! let mut pongs = 0;
//! while let Some(next) = network.next_delivery() {
//!     clock.advance_to(next);
//!     while let Some(packet) = network.poll_delivery(clock.now()) {
//!         match packet.to {
//!             to if to == bob => network.send(clock.now(), bob, packet.from, packet.bytes),
//!             _ => pongs += 1,
//!         }
//!     }
//! }
//! assert_eq!(clock.now().as_micros(), 80_000);
//! assert_eq!(pongs, 20 - network.total().lost);
//! assert!(pongs < 20);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! What random loss cannot aim at, a [`filter`] can ("the third packet from Bob"), and a [`trace`]
//! shows what happened.

mod clock;
pub mod filter;
mod network;
pub mod trace;
mod world;

pub use clock::{Clock, Instant};
pub use filter::{Filter, Verdict};
pub use network::{MAX_IN_FLIGHT, Network, Packet};
pub use telehash_transport::impair::{Conditions, Counters, Loss, LostTo, Queue, Reorder};
pub use trace::{PacketLog, TextTrace, Trace};
pub use world::{App, NodeId, World};
