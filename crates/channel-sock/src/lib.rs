//! The sock channel: TCP and UDP tunnels over a link (channel-types.md, "sock").
//!
//! [`LinkSockExt`] asks a peer for a TCP connection to a destination that it can reach
//! ([`connect`](LinkSockExt::connect)), for datagrams to one ([`datagrams`](LinkSockExt::datagrams)),
//! or for a port of its own whose connections come here ([`bind`](LinkSockExt::bind)). What a peer
//! may ask of us is up to a [`SockPolicy`], which allows nothing unless it is told to;
//! [`BuilderSockExt`] and [`MeshSockExt`] put one in force. [`splice`] joins a tunnel and a TCP
//! connection: backpressure, ends of each direction and resets go through.
//!
//! ```
//! use telehash_channel_sock::{BuilderSockExt as _, LinkSockExt as _, SockPolicy};
//! use telehash_runtime::{Accept, Mesh};
//! use telehash_transport::memory::MemoryNetwork;
//! use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
//! // Some server, on TCP.
//! let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
//! let address = listener.local_addr()?;
//! tokio::spawn(async move {
//!     let (mut tcp, _) = listener.accept().await?;
//!     tcp.write_all(b"welcome").await
//! });
//!
//! // An endpoint that lets its peers connect to it, and to nothing else.
//! let network = MemoryNetwork::new(1);
//! let policy = SockPolicy::new().allow(address.to_string().parse()?);
//! let server = Mesh::builder()
//!     .transport(network.endpoint())
//!     .accept(Accept::All)
//!     .serve_sock(policy)
//!     .build()
//!     .await?;
//!
//! // A peer, which could be anywhere.
//! let client = Mesh::builder().transport(network.endpoint()).build().await?;
//! let link = client.link(server.local_link_json()).await?;
//! let mut tunnel = link.connect(address.into()).await?;
//! tunnel.shutdown().await?;
//! let mut text = String::new();
//! tunnel.read_to_string(&mut text).await?;
//! assert_eq!(text, "welcome");
//!
//! let elsewhere = "127.0.0.1:1".parse()?;
//! assert!(link.connect(elsewhere).await.is_err());
//! # client.close().await;
//! # server.close().await;
//! # Ok(())
//! # }
//! ```

mod blocks;
mod datagrams;
mod destination;
mod error;
mod ext;
#[cfg(any(test, feature = "fuzzing"))]
pub mod fuzzing;
mod handler;
pub mod limits;
mod listener;
mod policy;
mod resolve;
mod rules;
mod serve;
mod splice;
mod stream;
mod wire;

pub use self::{
    datagrams::SockDatagrams,
    destination::{Destination, DestinationError, Host},
    error::SockError,
    ext::{BuilderSockExt, LinkSockExt, MeshSockExt},
    listener::SockListener,
    policy::{Denial, SockPolicy},
    rules::{AllowRule, BindRule, RuleError},
    splice::{Spliced, splice},
    stream::SockStream,
    wire::TYPE,
};
