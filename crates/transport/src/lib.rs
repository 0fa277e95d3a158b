//! What carries telehash packets: the interface of transports, and two transports in memory.
//!
//! A [`Transport`] moves whole packets between pipes and knows nothing of links (transports.md). It
//! is dyn-safe, has no tasks and no callbacks, receives in batches, sends in runs of equal-sized
//! packets, and says what its pipes can do: [`Capabilities`]. UDP is in a crate of its own,
//! `telehash-transport-udp`; others can be written outside of this project.
//!
//! [`memory`] joins any number of endpoints in one process, with seeded loss, duplication,
//! reordering, delay and so on, for tests of programs that use telehash. The model behind it,
//! [`impair`], is free of I/O and serves simulations in virtual time as well.
//!
//! ```
//! use std::time::Duration;
//! use telehash_transport::{
//!     Transmit, Transport, TransportExt,
//!     impair::{Conditions, Loss},
//!     memory::MemoryNetwork,
//! };
//!
//! # #[tokio::main(flavor = "current_thread", start_paused = true)]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! // A network that loses every second packet and takes 40 ms for the others.
//! let network = MemoryNetwork::new(7);
//! network.set_conditions(
//!     &Conditions::perfect().with_loss(Loss::Periodic(2)).with_delay(Duration::from_millis(40)),
//! );
//! let (alice, bob) = (network.endpoint(), network.endpoint());
//!
//! // Paths go into link JSON; dialling one gives the name of a pipe.
//! let to_bob = alice.dial(&bob.local_paths()[0]).await?;
//! let sent = alice.try_send(&Transmit::run(to_bob, b"one two 3", 4))?;
//! assert_eq!(sent, 9);
//!
//! let mut batch = bob.recv_batch();
//! assert_eq!(bob.recv(&mut batch).await?, 2);
//! let packets: Vec<_> = batch.packets().map(|packet| packet.contents.to_vec()).collect();
//! assert_eq!(packets, [&b"one "[..], b"3"]);
//! # Ok(())
//! # }
//! ```

mod batch;
mod capabilities;
mod error;
mod ext;
pub mod impair;
#[cfg(feature = "ip")]
pub mod ip;
#[cfg(feature = "memory")]
pub mod memory;
mod readiness;
#[cfg(feature = "tls")]
pub mod tls;
mod transmit;
mod transport;

pub use batch::{Filled, Received, RecvBatch};
pub use capabilities::{Capabilities, CloakPolicy};
pub use error::TransportError;
pub use ext::TransportExt;
pub use readiness::Readiness;
pub use transmit::{Ecn, Remote, Transmit};
pub use transport::{CloseReason, Transport, TransportEvent, Writable};
