//! The thtp channel: HTTP over a link (channel-types.md, "thtp").
//!
//! A client has a link and an [`http::Request`]; [`LinkThtpExt::request`] gives the
//! [`http::Response`]. A server is any [`tower_service::Service`], so that an axum `Router` is one as
//! it is; [`BuilderThtpExt::serve_thtp`] puts it to work. Bodies stream in both directions at once
//! and are never held in memory as a whole: a slow reader holds the writer back.
//!
//! ```
//! use axum::{Extension, Router, routing::get};
//! use http_body_util::BodyExt as _;
//! use telehash_channel_thtp::{Body, BuilderThtpExt as _, LinkThtpExt as _, Peer};
//! use telehash_runtime::{Accept, Mesh};
//! use telehash_transport::memory::MemoryNetwork;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
//! let network = MemoryNetwork::new(1);
//!
//! // Who asks is known for certain.
//! async fn hello(Extension(Peer(hashname)): Extension<Peer>) -> String {
//!     format!("Hello, {hashname}!")
//! }
//! let server = Mesh::builder()
//!     .transport(network.endpoint())
//!     .accept(Accept::All)
//!     .serve_thtp(Router::new().route("/hello", get(hello)))
//!     .build()
//!     .await?;
//!
//! let client = Mesh::builder().transport(network.endpoint()).build().await?;
//! let link = client.link(server.local_link_json()).await?;
//! let request = http::Request::get("/hello").body(Body::empty())?;
//! let response = link.request(request).await?;
//! assert_eq!(response.status(), 200);
//! let body = response.into_body().collect().await?.to_bytes();
//! assert_eq!(body, format!("Hello, {}!", client.hashname()));
//! # client.close().await;
//! # server.close().await;
//! # Ok(())
//! # }
//! ```
//!
//! # What is carried, and what is not
//!
//! - Of a request's URI the path and the query are sent: the peer is the authority. `host` goes as any
//!   other header and says nothing about who is meant; more than one is refused.
//! - Headers about one connection ([`strip_hop_by_hop`]) stay behind at either end. So do trailers,
//!   whether or not `te` asks for them, and informational responses (1xx).
//! - An upgrade is not possible: WebSockets have a channel of their own.
//! - A body ends where the peer ended it. One that broke off, or has another length than
//!   `content-length` said, is an error.
//! - A link carries as many requests at once as it lets channels be open, 1024 by default; one more
//!   fails with [`ThtpError::Open`].
//!
//! # Features
//!
//! | feature | default | what it adds |
//! | --- | --- | --- |
//! | `fuzzing` | no | the body of the fuzz target |
//! | `proxy` | no | `proxy`: to a local web server, and for browsers |

mod body;
mod client;
mod error;
#[cfg(any(test, feature = "fuzzing"))]
pub mod fuzzing;
pub mod head;
mod headers;
#[cfg(feature = "proxy")]
pub mod proxy;
mod read;
mod send;
mod server;

pub use self::{
    body::Body,
    client::LinkThtpExt,
    error::{BodyError, HeadError, ThtpError},
    headers::{IDENTITY_HEADER, strip_hop_by_hop},
    server::{BuilderThtpExt, MeshThtpExt, Peer, ThtpService},
};

/// The `type` of the channel.
pub const TYPE: &str = "thtp";

/// What this crate bounds, each with what happens at the limit.
pub mod limits {
    pub use crate::head::{MAX_HEAD, MAX_HEADER_NAME, MAX_HEADER_VALUE, MAX_HEADERS};
    pub use crate::read::HEAD_TIMEOUT;
    pub use crate::send::UNREAD_TIMEOUT;
}
