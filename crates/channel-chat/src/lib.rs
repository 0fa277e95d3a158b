//! The chat channel: rooms of people, for two or for many (channel-types.md, "chat").
//!
//! A [`Room`] is a chat as one of its participants sees it. One of them leads it and lets the others in;
//! everybody says everything to everybody else, over a link with each. The ids of one participant's
//! messages are a [`Chain`] of digests: so nobody can slip in a message, and nobody can leave one out
//! unnoticed. What comes is checked by [`Room::receive`], which refuses what is not right and says why
//! ([`Refusal`]).
//!
//! The order of the [history](Room::history) is the same for everybody who has the same messages, in
//! whatever order they came. A [`Store`] keeps it from one run to the next.
//!
//! This is without I/O: bytes come in, and bytes come out.
//!
//! ```
//! use telehash_channel_chat::{MemoryStore, NewSeat, Received, Room};
//! use telehash_hashname::Hashname;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let [ann, bob] = [1, 2].map(|byte| Hashname::from_bytes([byte; 32]));
//! let store = || Box::new(MemoryStore::new());
//! let now = 1_394_162_554;
//!
//! // Ann leads, and lets Bob in. (The eight bytes have to be random.)
//! let mut anns = Room::lead(&NewSeat::new(ann, *b"a secret", "Ann"), now, store())?;
//! let mut bobs = Room::join(&NewSeat::new(bob, *b"another!", "Bob"), anns.id(), ann, store())?;
//! anns.admit(bob, bobs.profile().clone(), now)?;
//!
//! // Bob has nothing yet, so he gets everything.
//! let mut cursor = anns.cursor(bobs.last_from(&ann).unwrap()).unwrap();
//! for packet in anns.unsent(&mut cursor)? {
//!     bobs.receive(ann, &packet)?;
//! }
//! assert!(bobs.is_joined());
//!
//! // From now on everything is said to everybody.
//! let hello = bobs.send("hello", now + 1)?;
//! assert_eq!(anns.receive(bob, &hello.packet)?, Received::Message(hello.id));
//! let texts: Vec<_> = anns.history().filter_map(|entry| entry.text()).collect();
//! assert_eq!(texts, ["hello"]);
//! assert_eq!(anns.name(&bob).unwrap(), "Bob");
//! # Ok(())
//! # }
//! ```

mod chain;
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
    pub use crate::driver::{MAX_APART, MAX_EVENTS, MAX_KNOCKING, MAX_LINES, MAX_REFUSALS};
    pub use crate::message::{
        MAX_AKA, MAX_ALTS, MAX_MESSAGE, MAX_NAME, MAX_PROFILE, MAX_REF, MAX_REFS, MAX_TEXT,
    };
    pub use crate::room::MAX_PARTICIPANTS;
    pub use crate::shares::MAX_HISTORY;
}
