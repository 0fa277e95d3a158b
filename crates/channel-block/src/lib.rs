//! The block channel: large blocks that may be lost, each as a whole (channel-types.md, "block").
//!
//! For frames of a picture, states of a game, readings: what is larger than a packet, and of no use
//! once the next one is there. A [`BlockSender`] cuts each block into packets and never waits; a
//! [`BlockReceiver`] hands out those of which every packet came. A lost packet costs its block and no
//! other; so does a packet of a newer block before the last one of an older.
//!
//! The extension traits [`LinkBlockExt`], [`MeshBlockExt`] and [`BuilderBlockExt`] add `blocks` to
//! links and `on_blocks` to meshes.
//!
//! ```
//! use telehash_channel_block::{BlockError, BuilderBlockExt as _, IncomingBlocks, LinkBlockExt as _};
//! use telehash_runtime::{Accept, Mesh};
//! use telehash_transport::memory::MemoryNetwork;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
//! let network = MemoryNetwork::new(1);
//! let (tell, mut told) = tokio::sync::mpsc::channel(1);
//!
//! // An endpoint that takes blocks.
//! let screen = Mesh::builder()
//!     .transport(network.endpoint())
//!     .accept(Accept::All)
//!     .on_blocks(move |incoming: IncomingBlocks| {
//!         let tell = tell.clone();
//!         async move {
//!             let mut blocks = incoming.accept().await?;
//!             while let Some(block) = blocks.recv().await? {
//!                 let _ = tell.send((block.number, block.bytes.len())).await;
//!             }
//!             Ok::<_, BlockError>(())
//!         }
//!     })
//!     .build()
//!     .await?;
//!
//! // One that sends them.
//! let camera = Mesh::builder().transport(network.endpoint()).build().await?;
//! let link = camera.link(screen.local_link_json()).await?;
//! let mut blocks = link.blocks().await?;
//! blocks.send(vec![0x80; 9_000]).await?;
//! assert_eq!(told.recv().await, Some((1, 9_000)));
//! # camera.close().await;
//! # screen.close().await;
//! # Ok(())
//! # }
//! ```

mod assemble;
mod error;
mod ext;
#[cfg(any(test, feature = "fuzzing"))]
pub mod fuzzing;
mod incoming;
pub mod limits;
mod receiver;
mod runs;
mod sender;
mod wire;

pub use self::{
    assemble::Block,
    error::BlockError,
    ext::{BuilderBlockExt, LinkBlockExt, MeshBlockExt},
    incoming::IncomingBlocks,
    receiver::BlockReceiver,
    sender::BlockSender,
    wire::TYPE,
};
