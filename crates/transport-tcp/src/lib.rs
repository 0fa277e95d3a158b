//! Telehash over TCP, and over TLS with the feature `tls` (transports.md, "tcp" and "tls").
//!
//! [`TcpTransport`] is one listener and its connections. Packets are chunked (packets.md,
//! "Chunking") and otherwise left alone: cloaking is the link core's. All that waits for a peer
//! leaves in one write, one read takes in as many packets as have come, and a connection has no task
//! and no timer of its own: polling the transport serves those that can go on.
//!
//! Strangers are bounded. A connection that no link uses yet must show a whole packet soon and be
//! taken into use soon after, holds little memory, and makes room for the next one rather than for
//! itself; nothing is answered on it that the link does not answer.
//!
//! ```
//! use telehash_transport::{Transmit, Transport, TransportExt};
//! use telehash_transport_tcp::{TcpConfig, TcpTransport};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let anywhere_here = TcpConfig::at("127.0.0.1:0".parse()?);
//! let alice = TcpTransport::bind(&anywhere_here).await?;
//! let bob = TcpTransport::bind(&anywhere_here).await?;
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
//! assert_eq!(alice.stats().write_calls, 1);
//! # Ok(())
//! # }
//! ```
//!
//! # Features
//!
//! | feature | default | what it adds |
//! | --- | --- | --- |
//! | `tls` | no | [`TcpTransport::bind_tls`](TcpTransport), on rustls with ring |
//! | `fuzzing` | no | the bodies of the fuzz targets |

mod accept;
mod batch;
mod close;
mod config;
mod connection;
mod crowd;
mod deadlines;
#[cfg(any(test, feature = "fuzzing"))]
pub mod fuzzing;
mod half;
mod inbound;
mod inner;
mod layer;
mod limits;
mod mailbox;
mod outbound;
mod receive;
mod socket;
mod stats;
#[cfg(feature = "tls")]
mod tls;
mod token;
mod transport;

pub use config::{DEFAULT_PORT, TcpConfig};
pub use limits::{
    CLOSE_TIMEOUT, FIRST_PACKET_TIMEOUT, IDLE_TIMEOUT, MAX_CONNECTIONS, MAX_STRANGER_PACKET,
    MAX_STRANGER_UNSENT, MAX_STRANGERS, MAX_STRANGERS_PER_HOST, MAX_UNSENT, PACKET_TIMEOUT,
    STRANGER_TIMEOUT,
};
pub use stats::TcpStats;
#[cfg(feature = "tls")]
pub use tls::{ALPN, TlsConfig};
pub use transport::TcpTransport;
