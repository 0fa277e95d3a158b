//! The box channels: letters for whoever is not there (channel-types.md, "box").
//!
//! A [`Mailbox`] sends a letter to its recipient if that one is linked, and otherwise to caches that
//! both can reach. A cache ([`MeshBoxExt::cache_boxes`]) keeps it in memory, within a [`Quota`], and
//! tells the recipient as soon as it is there. Letters are E3X messages, encrypted from end to end:
//! a cache sees who has something for whom, how much and when, and can neither read nor change it. It
//! can drop it, which is why there may be several; the recipient takes each letter once, whichever way
//! and however often it comes, and only then is it removed from a cache.
//!
//! ```
//! use telehash_channel_box::{MeshBoxExt as _, Quota, SendOptions};
//! use telehash_e3x::CipherSets;
//! use telehash_hashname::Csid;
//! use telehash_runtime::{Accept, Mesh, generate_identity};
//! use telehash_transport::memory::MemoryNetwork;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
//! let network = MemoryNetwork::new(1);
//!
//! // Somebody who is always there.
//! let server = Mesh::builder()
//!     .transport(network.endpoint())
//!     .accept(Accept::All)
//!     .build()
//!     .await?;
//! let cache = server.cache_boxes(Quota::new())?;
//!
//! // Ann writes to Bob, of whom she has nothing but his keys.
//! let sets = CipherSets::default();
//! let [ann, bob] = [(); 2].map(|()| generate_identity(&sets, [Csid::CS3A]).expect("keys"));
//! let anns = Mesh::builder().identity(ann.clone()).transport(network.endpoint()).build().await?;
//! let link = anns.link(server.local_link_json()).await?;
//! let mailbox = anns.mailbox(ann.clone())?;
//! let sent = mailbox.send(bob.keys(), "see you at noon", &SendOptions::new().cache(&link)).await?;
//! assert_eq!(sent.caches, [server.hashname()]);
//! assert_eq!(cache.stats().messages, 1);
//! anns.close().await;
//!
//! // Later he is there, and she is not.
//! let bobs = Mesh::builder().identity(bob.clone()).transport(network.endpoint()).build().await?;
//! let mailbox = bobs.mailbox(bob)?;
//! bobs.link(server.local_link_json()).await?;
//! let letter = mailbox.recv().await.expect("a letter");
//! assert_eq!((letter.from, &letter.body[..]), (ann.hashname(), &b"see you at noon"[..]));
//! # Ok(())
//! # }
//! ```

mod cache;
mod error;
mod ext;
#[cfg(any(test, feature = "fuzzing"))]
pub mod fuzzing;
mod handler;
mod id;
mod letter;
pub mod limits;
mod log;
mod mailbox;
mod outgoing;
mod pieces;
mod seen;
mod wire;

pub use self::{
    cache::{BoxCache, CacheStats, Quota},
    error::BoxError,
    ext::MeshBoxExt,
    id::{BoxId, IdError, MessageId},
    letter::{Letter, SealError},
    mailbox::{Arrived, Mailbox, MailboxOptions, SendOptions, Sent},
    wire::{BOXES, INBOX, OUTBOX},
};
