//! The stream channel: byte streams and message streams over a link (channel-types.md, "stream").
//!
//! A stream has two faces. A [`ByteStream`] is `AsyncRead + AsyncWrite`, as a TCP connection is: it
//! ends in each direction on its own, and a slow reader holds the writer back. A [`MessageStream`]
//! carries whole values, binary, JSON or LOB, each bounded in size, as a `futures` `Stream` and
//! `Sink`. The wire is the same, and so both faces talk to peers that have only one of them.
//!
//! The extension traits [`LinkStreamExt`], [`MeshStreamExt`] and [`BuilderStreamExt`] add `stream`
//! to links and `on_stream` to meshes.
//!
//! ```
//! use std::time::Duration;
//! use telehash_channel_stream::{
//!     BuilderStreamExt as _, IncomingStream, LinkStreamExt as _, StreamOptions,
//! };
//! use telehash_runtime::{Accept, Mesh};
//! use telehash_transport::memory::MemoryNetwork;
//! use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
//! let network = MemoryNetwork::new(1);
//!
//! // An echo server.
//! let server = Mesh::builder()
//!     .transport(network.endpoint())
//!     .accept(Accept::All)
//!     .on_stream(|incoming: IncomingStream| async move {
//!         let (mut reader, mut writer) = incoming.accept()?.into_split();
//!         tokio::io::copy(&mut reader, &mut writer).await?;
//!         writer.shutdown().await
//!     })
//!     .build()
//!     .await?;
//!
//! // Its client.
//! let client = Mesh::builder().transport(network.endpoint()).build().await?;
//! let link = client.link(server.local_link_json()).await?;
//! let mut stream = link.stream(StreamOptions::new()).await?;
//! stream.write_all(b"over and over").await?;
//! stream.shutdown().await?;
//! let mut echo = String::new();
//! stream.read_to_string(&mut echo).await?;
//! assert_eq!(echo, "over and over");
//! # client.close().await;
//! # server.close().await;
//! # Ok(())
//! # }
//! ```

mod assemble;
mod bytes_face;
mod error;
mod ext;
mod incoming;
mod message;
mod messages_face;
mod options;

pub use self::{
    bytes_face::{ByteReader, ByteStream, ByteWriter},
    error::{MessageError, io_error},
    ext::{BuilderStreamExt, LinkStreamExt, MeshStreamExt},
    incoming::IncomingStream,
    message::Message,
    messages_face::{DEFAULT_MAX_MESSAGE, MessageStream},
    options::{StreamOptions, TYPE},
};

/// What this crate bounds, each with what happens at the limit.
pub mod limits {
    pub use crate::bytes_face::READ_AHEAD_PACKETS;
    pub use crate::messages_face::DEFAULT_MAX_MESSAGE;
    pub use crate::options::MAX_OPTIONS;
}
