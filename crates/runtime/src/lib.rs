//! The tokio driver of a telehash mesh.
//!
//! A [`Mesh`] is one endpoint: an identity, its transports, and its [`Link`]s to others. A link
//! carries [`Channel`]s, each of a type that both ends understand; peers' channels go to the
//! [`ChannelHandler`] of their type. What the protocol decides is decided below, in crates that do
//! no I/O; this one moves packets between them and the transports, keeps time, and hands out the
//! handles. Channel types have crates of their own on top of it, and `telehash-mesh` puts
//! everything together.
//!
//! ```
//! use std::time::Duration;
//! use telehash_runtime::{Accept, IncomingChannel, Mesh, Open, Packet};
//! use telehash_transport::memory::MemoryNetwork;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
//! let network = MemoryNetwork::new(1);
//!
//! // One endpoint greets whoever opens a channel of the type `greeting`.
//! let ann = Mesh::builder()
//!     .transport(network.endpoint())
//!     .accept(Accept::All)
//!     .on_open("greeting", |channel: IncomingChannel| async move {
//!         let mut channel = channel.accept()?;
//!         while let Some(packet) = channel.recv().await? {
//!             let name = String::from_utf8_lossy(&packet.body).into_owned();
//!             channel.send(Packet::new(format!("hello, {name}"))).await?;
//!         }
//!         channel.end()?;
//!         Ok::<_, telehash_runtime::HandlerError>(())
//!     })
//!     .build()
//!     .await?;
//!
//! // Another one links to it and opens such a channel.
//! let bob = Mesh::builder().transport(network.endpoint()).build().await?;
//! let link = bob.link(ann.local_link_json()).await?;
//! link.wait_up(Duration::from_secs(10)).await?;
//!
//! let mut channel = link.open(Open::reliable("greeting")).await?;
//! channel.send(Packet::new("bob")).await?;
//! channel.end()?;
//! let answer = channel.recv().await?.expect("ann answers before she ends");
//! assert_eq!(&answer.body[..], b"hello, bob");
//!
//! bob.close().await;
//! ann.close().await;
//! # Ok(())
//! # }
//! ```
//!
//! # What runs where
//!
//! Two tasks per transport, one for the deadlines of all links, one per running handler; none per
//! link or channel. A batch of received packets is handled to the end where it was received, and a
//! writer sends its own data. Locks are held for the work on one link, never across an await or a
//! call into the application.
//!
//! # When something goes wrong
//!
//! A fault of ours while handling one link closes that link and no other
//! ([`MeshEvent::LinkPanicked`]). What becomes of a channel that nobody accepts and of a handler
//! that fails or panics is said at [`ChannelHandler`], of a slow subscriber at [`Events`].

mod accept;
mod builder;
mod channel;
mod clock;
mod connect;
mod convert;
mod credentials;
mod dial;
mod discovery;
mod driver;
mod error;
mod events;
mod handler;
mod hosts;
mod invite;
#[cfg(feature = "jwt")]
mod jwt;
mod lifecycle;
pub mod limits;
mod link;
mod mapping;
mod mesh;
mod ping;
mod places;
mod resolve;
mod routing;
mod shared;
pub mod state;
mod target;
mod watch;

#[cfg(feature = "jwt")]
pub use self::jwt::{JwtKey, JwtKeyError, JwtPolicy, JwtRefusal};
pub use telehash_channel_path::Share;
pub use telehash_link::{
    AckMode, ChannelError, ChannelId, ControllerKind, DownReason, EndpointStats, FlowConfig,
    HandshakeMessage, LinkState, LinkStats, MessageSet, Open, Packet, SendError, StrangerBudget,
    UnknownController,
};

pub use self::{
    accept::{Accept, AcceptFn, Decision, Stranger},
    builder::{Builder, generate_identity},
    channel::{Channel, ChannelReceiver, ChannelSender, IncomingChannel},
    credentials::ConnectOptions,
    discovery::Announcing,
    error::{
        BuildError, DiscoverError, InviteError, LinkError, OpenError, PingError, ShareError,
        TargetError, WaitError,
    },
    events::{Events, MeshEvent},
    handler::{ChannelHandler, HandlerError, HandlerOutcome},
    invite::InviteOptions,
    link::{Link, PipeStatus, StateWatch},
    mapping::{MappedPort, PortMapper, PortMapping, Surroundings},
    mesh::{Mesh, MeshStats},
    ping::PingReply,
    places::{Place, Places},
    resolve::{FindError, Resolver},
    routing::RouterSession,
    target::{IntoLinkTarget, LinkTarget},
};
