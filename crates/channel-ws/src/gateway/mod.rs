//! WebSockets on a link and WebSockets on TCP, joined.
//!
//! [`to_link`] takes the request of a local program or browser, and carries its WebSocket to a peer.
//! [`LocalServer::take`] takes a peer's WebSocket, and carries it to a local server:
//!
//! ```no_run
//! use telehash_channel_ws::gateway::LocalServer;
//! use telehash_channel_ws::{IncomingWs, WsRoutes};
//!
//! # fn main() -> Result<(), telehash_channel_ws::gateway::GatewayError> {
//! let server = LocalServer::new("ws://127.0.0.1:3000")?;
//! let routes = WsRoutes::new().under("/", move |incoming: IncomingWs| {
//!     let server = server.clone();
//!     async move { server.take(incoming).await }
//! });
//! # let _ = routes;
//! # Ok(())
//! # }
//! ```

mod frames;
mod from_link;
mod handshake;
mod relay;
mod to_link;

pub use from_link::{GatewayError, LocalServer};
pub use handshake::is_upgrade;
pub use to_link::{Bridge, to_link};
