//! Telehash over UDP, with batched system calls (transports.md, "udp").
//!
//! [`UdpTransport`] is one socket. A packet is a datagram, and nothing is done to it: cloaking is
//! the link core's. Runs of equal-sized packets for one peer leave in one system call where the
//! system can segment them (GSO on Linux), and up to 32 buffers of up to 64 packets each arrive in
//! one (GRO, `recvmmsg`); elsewhere it is one call a packet. Fragmentation is forbidden, so that a
//! size which gets through is proven.
//!
//! Unless it is bound to a loopback address, it also hears what endpoints of the local networks
//! announce, and announces when it is told to ("LAN discovery").
//!
//! ```
//! use telehash_transport::{Transmit, Transport, TransportExt};
//! use telehash_transport_udp::{UdpConfig, UdpTransport};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let anywhere_here = UdpConfig::at("127.0.0.1:0".parse()?);
//! let alice = UdpTransport::bind(&anywhere_here).await?;
//! let bob = UdpTransport::bind(&anywhere_here).await?;
//!
//! let to_bob = alice.dial(&bob.local_paths()[0]).await?;
//! alice.send(&Transmit::run(to_bob, b"one two 3", 4)).await?;
//!
//! let mut batch = bob.recv_batch();
//! let mut packets = Vec::new();
//! while packets.len() < 3 {
//!     bob.recv(&mut batch).await?;
//!     packets.extend(batch.packets().map(|packet| packet.contents.to_vec()));
//! }
//! assert_eq!(packets, [&b"one "[..], b"two ", b"3"]);
//! assert_eq!(alice.stats().sent_datagrams, 3);
//! # Ok(())
//! # }
//! ```

mod config;
mod discovery;
mod fragments;
mod gate;
mod recv;
mod send;
mod socket;
mod stats;
mod transport;

pub use config::{DEFAULT_PORT, SOCKET_BUFFER, UdpConfig};
pub use discovery::{DISCOVERY_GROUP_V4, DISCOVERY_GROUP_V6, DISCOVERY_PORT};
pub use socket::UdpSupport;
pub use stats::UdpStats;
pub use transport::UdpTransport;
