//! Files and folders over a link, resumed where they broke off (files.md).
//!
//! A [`Sending`] is what is to be sent; a [`Folder`] is where received files go. Nothing is received unless the
//! application says so, nothing is replaced unless it says that as well, and no name leads out of the folder. Whatever
//! breaks, a link, a program or a disk: what arrived is kept, and the same transfer goes on from there, if what is
//! there and what the sender has agree in their BLAKE3. A file has its name once all of it is right and on the disk.
//!
//! The extension traits [`LinkFilesExt`], [`MeshFilesExt`] and [`BuilderFilesExt`] add `send_files` to links and
//! `on_files` to meshes. Disks and hashes are waited for on other threads; a transfer holds two blocks of 512 KiB.
//!
//! ```
//! use telehash_channel_files::{BuilderFilesExt as _, Folder, IncomingFiles, LinkFilesExt as _, Sending};
//! use telehash_runtime::{Accept, Mesh};
//! use telehash_transport::memory::MemoryNetwork;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
//! let network = MemoryNetwork::new(1);
//! # let (here, there) = (tempfile::tempdir()?, tempfile::tempdir()?);
//!
//! // A receiver, which replaces nothing.
//! let folder = Folder::open(there.path())?;
//! let receiver = Mesh::builder()
//!     .transport(network.endpoint())
//!     .accept(Accept::All)
//!     .on_files(move |incoming: IncomingFiles| {
//!         let folder = folder.clone();
//!         async move { incoming.receive(&folder).await.map(drop) }
//!     })
//!     .build()
//!     .await?;
//!
//! // A sender.
//! let sender = Mesh::builder().transport(network.endpoint()).build().await?;
//! let link = sender.link(receiver.local_link_json()).await?;
//! std::fs::write(here.path().join("notes.txt"), "remember the milk")?;
//! let mut sending = Sending::new([here.path().join("notes.txt")]).await?;
//! link.send_files(&mut sending).await?;
//! assert_eq!(sending.outcome().stored, 1);
//! assert_eq!(std::fs::read(there.path().join("notes.txt"))?, b"remember the milk");
//! # sender.close().await;
//! # receiver.close().await;
//! # Ok(())
//! # }
//! ```

mod block;
mod error;
mod ext;
mod folder;
mod frame;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
mod incoming;
mod message;
mod name;
mod outcome;
mod part;
mod quota;
mod receive;
mod refusal;
mod send;
mod sending;
mod settle;
mod writing;

pub use self::{
    error::FilesError,
    ext::{BuilderFilesExt, LinkFilesExt, MeshFilesExt, TYPE},
    folder::Folder,
    incoming::IncomingFiles,
    name::{NameError, PARTS_FOLDER},
    outcome::{LeftOut, Outcome, Progress},
    sending::Sending,
};

/// What this crate bounds, each with what happens at the limit.
pub mod limits {
    pub use crate::ext::{MAX_OFFERS, MAX_TRANSFERS_PER_PEER};
    pub use crate::frame::{MAX_DATA, MAX_MESSAGE};
    pub use crate::name::{MAX_DEPTH, MAX_NAME, MAX_PATH};
    pub use crate::outcome::MAX_NAMED;
    pub use crate::part::BUSY_TIMEOUT;
    pub use crate::sending::MAX_ENTRIES;
}
