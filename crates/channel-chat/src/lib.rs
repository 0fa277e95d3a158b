//! The chat channel: rooms of people, for two or for many (channel-types.md, "chat").
//!
//! One of those who take part leads the chat and lets the others in; everybody says everything to everybody
//! else, over a link with each. The ids of one participant's messages are a [`Chain`] of digests: so nobody
//! can slip in a message, and nobody can leave one out unnoticed. What is not right is refused, and the
//! application hears why ([`Refusal`]).
//!
//! The extension trait [`MeshChatExt`] adds [`Chats`] to meshes. A [`Conversation`] keeps up with everybody:
//! links and channels come again when they break, and what was missed comes with them. Reaching the others by
//! their hashnames alone takes a router, which the leader can be.
//!
//! ```
//! use telehash_channel_chat::{ChatEvent, MemoryStore, MeshChatExt as _, NewSeat};
//! use telehash_runtime::{Accept, Mesh};
//! use telehash_transport::memory::MemoryNetwork;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
//! let network = MemoryNetwork::new(1);
//! let store = || Box::new(MemoryStore::new());
//!
//! // Ann leads a chat. (The eight bytes have to be random.)
//! let ann = Mesh::builder().transport(network.endpoint()).accept(Accept::All).build().await?;
//! let anns = ann.chats().lead(&NewSeat::new(ann.hashname(), *b"a secret", "Ann"), store())?;
//! let mut news = anns.events();
//!
//! // Bob asks to take part.
//! let bob = Mesh::builder().transport(network.endpoint()).build().await?;
//! bob.link(ann.local_link_json()).await?;
//! let seat = NewSeat::new(bob.hashname(), *b"another!", "Bob");
//! let bobs = bob.chats().join(&seat, anns.id(), ann.hashname(), store())?;
//!
//! // Ann lets him in, and says something.
//! while let Ok(event) = news.recv().await {
//!     if let ChatEvent::Knock { who, .. } = event {
//!         anns.admit(who)?;
//!         break;
//!     }
//! }
//! let mut news = bobs.events();
//! anns.send("hello, Bob")?;
//! loop {
//!     if let ChatEvent::Message { id, .. } = news.recv().await? {
//!         assert_eq!(bobs.room().message(id).unwrap().text(), Some("hello, Bob"));
//!         break;
//!     }
//! }
//! # bob.close().await;
//! # ann.close().await;
//! # Ok(())
//! # }
//! ```
//!
//! With the feature `disk` there is a [`Store`] on disk, `DiskStore`.
//!
//! # Without I/O
//!
//! A [`Room`] is a chat as one of its participants sees it: it decides everything, and does no I/O but for its
//! [`Store`], which keeps the chat from one run to the next. The order of its [history](Room::history) is the
//! same for everybody who has the same messages, in whatever order they came.
//!
//! ```
//! use telehash_channel_chat::{MemoryStore, NewSeat, Received, Room};
//! use telehash_hashname::Hashname;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let [ann, bob] = [1, 2].map(|byte| Hashname::from_bytes([byte; 32]));
//! let store = || Box::new(MemoryStore::new());
//! let now = 1_394_162_554;
//! let mut anns = Room::lead(&NewSeat::new(ann, *b"a secret", "Ann"), now, store())?;
//! let mut bobs = Room::join(&NewSeat::new(bob, *b"another!", "Bob"), anns.id(), ann, store())?;
//! anns.admit(bob, bobs.profile().clone(), now)?;
//!
//! // Bob has nothing yet, so he gets everything.
//! let mut cursor = anns.cursor(bobs.last_from(&ann).unwrap()).unwrap();
//! for packet in anns.unsent(&mut cursor)? {
//!     bobs.receive(ann, &packet)?;
//! }
//!
//! // From now on everything is said to everybody.
//! let hello = bobs.send("hello", now + 1)?;
//! assert_eq!(anns.receive(bob, &hello.packet)?, Received::Message(hello.id));
//! assert_eq!(anns.name(&bob).unwrap(), "Bob");
//! # Ok(())
//! # }
//! ```

mod chain;
#[cfg(feature = "disk")]
mod disk;
mod driver;
mod error;
#[cfg(any(test, feature = "fuzzing"))]
pub mod fuzzing;
mod history;
mod id;
mod message;
mod room;
mod shares;
mod store;

#[cfg(feature = "disk")]
pub use self::disk::DiskStore;
pub use self::{
    chain::Chain,
    driver::{CHAT, ChatEvent, Chats, Conversation, Invite, MeshChatExt, PROFILE},
    error::{MessageError, ReceiveError, Refusal, RoomError, StoreError},
    history::{Content, Entry},
    id::{Id, IdError},
    message::{Ack, Activity, Alternate, Chat, Gap, Join, Message, Profile, Receipt},
    room::{Cursor, Draft, NewSeat, Outgoing, Participant, Received, Room},
    store::{MemoryStore, Record, Seat, Store},
};

/// What this crate bounds, each with what happens at the limit.
pub mod limits {
    pub use crate::chain::{MAX_CHAIN, MAX_WALK};
    #[cfg(feature = "disk")]
    pub use crate::disk::{MAX_ON_DISK, MAX_UNWRITTEN};
    pub use crate::driver::{
        MAX_EVENTS, MAX_INVITED, MAX_KNOCKING, MAX_LINES, MAX_RECEIPTS, MAX_REFUSALS,
    };
    pub use crate::message::{
        MAX_AKA, MAX_ALTS, MAX_MESSAGE, MAX_NAME, MAX_PROFILE, MAX_REF, MAX_REFS, MAX_TEXT,
    };
    pub use crate::room::MAX_PARTICIPANTS;
    pub use crate::shares::MAX_HISTORY;
}
