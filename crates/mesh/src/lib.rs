//! Private, encrypted links between endpoints that are named by their keys: telehash v3.
//!
//! An endpoint has an identity, which is a set of keys; its [`Hashname`] follows from them. A
//! [`Mesh`] is such an endpoint at work. It links to others, over whatever transport reaches them,
//! and a [`Link`] carries channels: streams of bytes or messages, and whatever an application
//! defines. Nothing is sent to anyone who did not prove an identity that the application accepts.
//!
//! ```
//! use mesh::prelude::*;
//! use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
//! // An endpoint that echoes every stream. Who may link to it is up to the accept policy.
//! let server = mesh::builder()
//!     .udp("127.0.0.1:0".parse()?)
//!     .accept(Accept::All)
//!     .on_stream(|stream: IncomingStream| async move {
//!         let (mut reader, mut writer) = stream.accept()?.into_split();
//!         tokio::io::copy(&mut reader, &mut writer).await?;
//!         writer.shutdown().await
//!     })
//!     .build()
//!     .await?;
//! let address = server.uri().to_string(); // To be handed to whoever is to link.
//!
//! // Another one, which could be anywhere.
//! let client = mesh::builder().udp("127.0.0.1:0".parse()?).build().await?;
//! let link = client.link(address).await?;
//! let mut stream = link.stream(StreamOptions::new()).await?;
//! stream.write_all(b"hello").await?;
//! stream.shutdown().await?;
//! let mut echo = Vec::new();
//! stream.read_to_end(&mut echo).await?;
//! assert_eq!(echo, b"hello");
//!
//! client.close().await;
//! server.close().await;
//! # Ok(())
//! # }
//! ```
//!
//! This crate composes: the parts are crates of their own, usable one by one, and no protocol logic
//! lives here. Start with [`builder`]; [`prelude`] brings the names that most programs need.
//!
//! # Features
//!
//! | feature | default | what it adds |
//! | --- | --- | --- |
//! | `udp`, `tcp`, `tls`, `quic` | yes | these transports, which [`builder`] then listens on |
//! | `files` | yes | the files channel: files and folders, resumed where they broke off |
//! | `memory` | yes | a transport within one process, over a network as bad as a test needs it |
//! | `portmap` | yes | port mapping at the gateway, for those who ask for it |
//! | `block` | yes | the block channel: large blocks that may be lost, each as a whole |
//! | `box` | yes | the box channels: letters for whoever is not there, and caches that keep them |
//! | `chat` | yes | the chat channel: rooms of people, for two or for many |
//! | `chat-disk` | no | a store on disk for them |
//! | `sock` | yes | the sock channel: TCP and UDP tunnels, and what peers may reach through us |
//! | `stream` | yes | the stream channel |
//! | `thtp-proxy` | no | HTTP proxies: to a local web server, and for browsers |
//! | `thtp` | yes | the thtp channel: HTTP over a link |
//! | `ws` | yes | the ws channel: WebSockets over a link |
//! | `ws-gateway` | no | between WebSockets over a link and those of local programs and servers |
//! | `dns`, `webfinger`, `jwks` | no | looking up whose a domain is, in these ways, in the order `webfinger`, `dns`, `jwks`; `BuilderLookUpExt` says to |
//! | `cs1a`, `cs1c`, `cs2a`, `cs3a`, `cs42` | yes | the cipher sets of these numbers |

#[cfg(any(feature = "dns", feature = "webfinger", feature = "jwks"))]
mod look_ups;
#[cfg(feature = "portmap")]
mod mapping;
mod transports;

#[cfg(any(feature = "dns", feature = "webfinger", feature = "jwks"))]
pub use look_ups::BuilderLookUpExt;
#[cfg(feature = "portmap")]
pub use mapping::BuilderPortMappingExt;
#[cfg(feature = "block")]
pub use telehash_channel_block as block;
#[cfg(feature = "box")]
pub use telehash_channel_box as boxes;
#[cfg(feature = "chat")]
pub use telehash_channel_chat as chat;
#[cfg(feature = "files")]
pub use telehash_channel_files as files;
#[cfg(feature = "sock")]
pub use telehash_channel_sock as sock;
#[cfg(feature = "stream")]
pub use telehash_channel_stream as stream;
#[cfg(feature = "thtp")]
pub use telehash_channel_thtp as thtp;
#[cfg(feature = "ws")]
pub use telehash_channel_ws as ws;
pub use telehash_e3x::{CipherSets, Identity, IdentityError};
pub use telehash_hashname::{Csid, Hashname, IdentityJson, KeySet, LinkJson, Path};
#[cfg(feature = "portmap")]
pub use telehash_portmap as portmap;
#[cfg(any(feature = "dns", feature = "webfinger", feature = "jwks"))]
pub use telehash_resolve as resolve;
#[cfg(any(feature = "dns", feature = "webfinger", feature = "jwks"))]
pub use telehash_resolve::LookUps;
pub use telehash_runtime::{
    Accept, AckMode, Announcing, BuildError, Builder, Channel, ChannelError, ChannelHandler,
    ChannelId, ChannelReceiver, ChannelSender, ConnectOptions, ControllerKind, Decision,
    DiscoverError, DownReason, EndpointStats, Events, FindError, FlowConfig, HandlerError,
    HandlerOutcome, IncomingChannel, IntoLinkTarget, InviteError, InviteOptions, Link, LinkError,
    LinkState, LinkStats, LinkTarget, MappedPort, Mesh, MeshEvent, MeshStats, Open, OpenError,
    Packet, PingError, PingReply, PipeStatus, PortMapper, PortMapping, Resolver, RouterSession,
    SendError, Share, ShareError, StateWatch, Stranger, StrangerBudget, TargetError,
    UnknownController, WaitError, generate_identity, state,
};
#[cfg(feature = "jwt")]
pub use telehash_runtime::{JwtKey, JwtKeyError, JwtPolicy, JwtRefusal};
pub use telehash_transport as transport;
#[cfg(feature = "quic")]
pub use telehash_transport_quic::{QuicConfig, QuicTransport};
#[cfg(feature = "tls")]
pub use telehash_transport_tcp::TlsConfig;
#[cfg(feature = "tcp")]
pub use telehash_transport_tcp::{TcpConfig, TcpTransport};
#[cfg(feature = "udp")]
pub use telehash_transport_udp::{UdpConfig, UdpSupport, UdpTransport};
pub use telehash_uri::{LinkUri, Secret as UriSecret};
pub use transports::BuilderTransportExt;

/// Describes an endpoint to be built, with every transport of the enabled features.
///
/// A transport that is added explicitly takes the place of the default ones. By default each listens
/// on every address: UDP and TCP on port 42424, QUIC on 42425, TLS on any; or on another port if that
/// one is taken. UDP also hears on port 42420 who announces itself on the local networks
/// ([`Mesh::on_discover`]). Without an identity a new one is made; with [`Builder::state_dir`] it is
/// kept.
pub fn builder() -> Builder {
    transports::by_default(Mesh::builder())
}

/// What most programs need: `use mesh::prelude::*`.
pub mod prelude {
    #[cfg(any(feature = "dns", feature = "webfinger", feature = "jwks"))]
    pub use crate::BuilderLookUpExt as _;
    #[cfg(feature = "portmap")]
    pub use crate::BuilderPortMappingExt as _;
    pub use crate::BuilderTransportExt as _;
    pub use crate::{
        Accept, Channel, ChannelHandler, Hashname, IncomingChannel, IntoLinkTarget, Link,
        LinkState, Mesh, MeshEvent, Open, Packet,
    };
    #[cfg(feature = "block")]
    pub use telehash_channel_block::{
        BlockReceiver, BlockSender, BuilderBlockExt as _, IncomingBlocks, LinkBlockExt as _,
        MeshBlockExt as _,
    };
    #[cfg(feature = "box")]
    pub use telehash_channel_box::{Mailbox, MeshBoxExt as _, Quota, SendOptions};
    #[cfg(feature = "chat")]
    pub use telehash_channel_chat::{
        ChatEvent, Conversation, MemoryStore, MeshChatExt as _, NewSeat,
    };
    #[cfg(feature = "files")]
    pub use telehash_channel_files::{
        BuilderFilesExt as _, IncomingFiles, LinkFilesExt as _, MeshFilesExt as _,
    };
    #[cfg(feature = "sock")]
    pub use telehash_channel_sock::{
        BuilderSockExt as _, Destination, LinkSockExt as _, MeshSockExt as _, SockDatagrams,
        SockListener, SockPolicy, SockStream,
    };
    #[cfg(feature = "stream")]
    pub use telehash_channel_stream::{
        BuilderStreamExt as _, ByteStream, IncomingStream, LinkStreamExt as _, MeshStreamExt as _,
        Message, MessageStream, StreamOptions,
    };
    #[cfg(feature = "thtp")]
    pub use telehash_channel_thtp::{
        BuilderThtpExt as _, LinkThtpExt as _, MeshThtpExt as _, Peer,
    };
    #[cfg(feature = "ws")]
    pub use telehash_channel_ws::{
        BuilderWsExt as _, IncomingWs, LinkWsExt as _, MeshWsExt as _, WebSocket, WsRoutes,
    };
}
