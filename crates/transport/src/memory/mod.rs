//! Transports within one process, over a network that can be made as bad as a test needs it.
//!
//! A [`MemoryNetwork`] joins two kinds of endpoints: [`MemoryTransport`] sends datagrams, as UDP
//! does; [`MemoryStreamTransport`] makes connections that deliver everything in order and refuse
//! packets while the peer does not take them, as TCP does. Each endpoint has an address of its own;
//! its path says `{"type":"memory",…}` or `{"type":"memory-stream",…}`.
//!
//! Time is tokio's: with its clock paused, a test with seconds of delay takes no time. Arrivals are
//! as fine as tokio's timer, one millisecond; their order is exact. Endpoints with delays need a
//! tokio runtime with time enabled.

mod address;
mod alarm;
mod datagram;
mod hub;
mod network;
mod stream;
mod streams;

pub use datagram::MemoryTransport;
pub use hub::MAX_INBOX_BYTES;
pub use network::MemoryNetwork;
pub use stream::MemoryStreamTransport;
pub use streams::{MAX_CONNECTIONS, STREAM_WINDOW};
