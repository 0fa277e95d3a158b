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
//! | `memory` | yes | a transport within one process, over a network as bad as a test needs it |
//! | `stream` | yes | the stream channel |
//! | `cs1a`, `cs1c`, `cs2a`, `cs3a`, `cs42` | yes | the cipher sets of these numbers |

mod transports;

#[cfg(feature = "stream")]
pub use telehash_channel_stream as stream;
pub use telehash_e3x::{CipherSets, Identity, IdentityError};
pub use telehash_hashname::{Csid, Hashname, IdentityJson, KeySet, LinkJson, Path};
pub use telehash_runtime::{
    Accept, AckMode, Announcing, BuildError, Builder, Channel, ChannelError, ChannelHandler,
    ChannelId, ChannelReceiver, ChannelSender, ConnectOptions, Decision, DiscoverError, DownReason,
    EndpointStats, Events, FlowConfig, HandlerError, HandlerOutcome, IncomingChannel,
    IntoLinkTarget, InviteError, InviteOptions, Link, LinkError, LinkState, LinkStats, LinkTarget,
    Mesh, MeshEvent, MeshStats, Open, OpenError, Packet, PingError, PingReply, PipeStatus,
    Resolver, SendError, Share, StateWatch, Stranger, StrangerBudget, TargetError, WaitError,
    generate_identity, state,
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
pub use telehash_transport_udp::{UdpConfig, UdpTransport};
pub use telehash_uri::LinkUri;
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
    pub use crate::BuilderTransportExt as _;
    pub use crate::{
        Accept, Channel, ChannelHandler, Hashname, IncomingChannel, IntoLinkTarget, Link,
        LinkState, Mesh, MeshEvent, Open, Packet,
    };
    #[cfg(feature = "stream")]
    pub use telehash_channel_stream::{
        BuilderStreamExt as _, ByteStream, IncomingStream, LinkStreamExt as _, MeshStreamExt as _,
        Message, MessageStream, StreamOptions,
    };
}
