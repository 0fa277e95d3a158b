//! The ws channel: WebSockets over a link (channel-types.md, "ws").
//!
//! A [`WebSocket`] is a `Stream` and a `Sink` of [`Message`]s, as tokio-tungstenite's: text and bytes,
//! pings that are answered by themselves, and closes with a code and a reason. A [`PieceSocket`] carries
//! the same in pieces, for messages of any size. Backpressure goes from end to end.
//!
//! The extension traits [`LinkWsExt`], [`MeshWsExt`] and [`BuilderWsExt`] add `ws` to links and `on_ws`
//! to meshes. With the feature `gateway` the module `gateway` joins WebSockets on a link and those on
//! TCP, so that browsers and local servers take part.
//!
//! ```
//! use telehash_channel_ws::{BuilderWsExt as _, IncomingWs, LinkWsExt as _, Message, WsRoutes};
//! use telehash_runtime::{Accept, Mesh};
//! use telehash_transport::memory::MemoryNetwork;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
//! let network = MemoryNetwork::new(1);
//!
//! // A server that answers in capitals.
//! let routes = WsRoutes::new().path("/loud", async |incoming: IncomingWs| {
//!     let mut ws = incoming.accept().await?;
//!     while let Some(message) = ws.recv().await? {
//!         if let Message::Text(text) = message {
//!             ws.send(text.to_uppercase()).await?;
//!         }
//!     }
//!     Ok::<_, telehash_channel_ws::WsError>(())
//! });
//! let server = Mesh::builder()
//!     .transport(network.endpoint())
//!     .accept(Accept::All)
//!     .on_ws(routes)
//!     .build()
//!     .await?;
//!
//! // Its client.
//! let client = Mesh::builder().transport(network.endpoint()).build().await?;
//! let link = client.link(server.local_link_json()).await?;
//! let mut ws = link.ws("/loud").await?;
//! ws.send("over and over").await?;
//! assert_eq!(ws.recv().await?, Some(Message::text("OVER AND OVER")));
//! ws.close(None).await?;
//! # client.close().await;
//! # server.close().await;
//! # Ok(())
//! # }
//! ```

mod assemble;
mod close;
mod config;
mod decode;
mod encode;
mod error;
mod ext;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
#[cfg(feature = "gateway")]
pub mod gateway;
mod incoming;
mod keepalive;
mod message;
mod outgoing;
mod piece;
mod pieces;
mod request;
mod routes;
mod socket;
mod utf8;

pub use self::{
    close::{CloseCode, CloseFrame},
    config::WsConfig,
    error::WsError,
    ext::{BuilderWsExt, LinkWsExt, MeshWsExt},
    incoming::IncomingWs,
    message::Message,
    piece::{Data, Piece},
    pieces::PieceSocket,
    request::{OTHER_TYPE, TYPE, WsRequest},
    routes::WsRoutes,
    socket::WebSocket,
};

/// What this crate bounds, each with what happens at the limit.
pub mod limits {
    pub use crate::close::MAX_REASON;
    pub use crate::config::{ANSWER_TIMEOUT, DEFAULT_MAX_MESSAGE, MAX_SOCKETS_PER_PEER};
    pub use crate::piece::MAX_CONTROL;
    pub use crate::request::MAX_REQUEST;
}
