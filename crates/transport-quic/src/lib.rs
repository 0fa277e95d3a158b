//! Telehash over QUIC (transports.md, "quic").
//!
//! [`QuicTransport`] is one UDP socket with any number of QUIC connections, dialled and accepted. A
//! packet is a QUIC datagram, or, if it is too large for one, a unidirectional stream of its own.
//! Datagrams may be lost, as on UDP, but QUIC controls congestion and refuses packets while the path
//! takes no more. Packets leave uncloaked, since QUIC encrypts: with certificates that say nothing,
//! because it is E3X that finds out who is there ([`QuicConfig::verification`] adds others).
//!
//! ```
//! use telehash_transport::{Transmit, Transport, TransportExt};
//! use telehash_transport_quic::{QuicConfig, QuicTransport};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let anywhere_here = QuicConfig::at("127.0.0.1:0".parse()?);
//! let alice = QuicTransport::bind(&anywhere_here).await?;
//! let bob = QuicTransport::bind(&anywhere_here).await?;
//! let path_of_bob = bob.local_paths().remove(0);
//!
//! // Whoever is dialled has to be receiving.
//! let listening = tokio::spawn(async move {
//!     let mut batch = bob.recv_batch();
//!     let mut packets = Vec::new();
//!     while packets.len() < 3 {
//!         bob.recv(&mut batch).await?;
//!         packets.extend(batch.packets().map(|packet| packet.contents.to_vec()));
//!     }
//!     Ok::<_, std::io::Error>(packets)
//! });
//!
//! let to_bob = alice.dial(&path_of_bob).await?;
//! alice.send(&Transmit::run(to_bob, b"one two 3", 4)).await?;
//! assert_eq!(listening.await??, [&b"one "[..], b"two ", b"3"]);
//! assert_eq!(alice.stats().sent_datagrams, 3);
//! # Ok(())
//! # }
//! ```
//!
//! # Which packets are datagrams
//!
//! A UDP payload of 1240 bytes is taken to pass from the start, of which [`datagram_room`] leaves
//! 1202 for a packet: the 1200 bytes that a link sends everywhere fit. QUIC then probes for up to
//! 1452 bytes (room for 1414), and on the loopback interface for 6500, so that several packets share
//! one. Where not even 1240 bytes pass, it falls back to 1200, and packets that do not fit go on
//! streams: they arrive, at a higher price.
//!
//! # Strangers
//!
//! A connection that was accepted is a stranger's until a link uses it
//! ([`Transport::keep`](telehash_transport::Transport::keep)). Strangers are few, have little time
//! ([`FIRST_PACKET_TIMEOUT`], [`STRANGER_TIMEOUT`]) and may have few streams under way. Datagrams of
//! theirs that nobody receives take as much memory as those of others, [`RECEIVE_BUFFER`]: quinn
//! cannot change that later.
//!
//! What is no QUIC gets no answer. What is, gets QUIC's: a handshake, or, if it is a handshake of a
//! version to come, a list of versions.
//!
//! [`datagram_room`]: QuicTransport::datagram_room

mod config;
mod door;
#[cfg(any(test, feature = "fuzzing"))]
pub mod fuzzing;
mod inbox;
mod limits;
mod news;
mod outbox;
mod outgoing;
mod packer;
mod parameters;
mod pipe;
mod pipes;
mod socket;
mod stats;
mod strangers;
#[cfg(test)]
mod tests;
mod tls;
mod transport;

pub use config::{DEFAULT_PORT, QuicConfig};
pub use limits::{
    FIRST_PACKET_TIMEOUT, HANDSHAKE_TIMEOUT, MAX_CONNECTIONS, MAX_HANDSHAKES, MAX_STRANGER_STREAMS,
    MAX_STRANGERS, MAX_STRANGERS_PER_HOST, MAX_STREAMS, STRANGER_TIMEOUT, UNVALIDATED_HANDSHAKES,
};
pub use parameters::{RECEIVE_BUFFER, SEND_BUFFER};
pub use pipe::CLOSE_TIMEOUT;
/// The TLS that [`QuicConfig::verification`] takes.
pub use rustls;
pub use stats::QuicStats;
pub use transport::QuicTransport;
