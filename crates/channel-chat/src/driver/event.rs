//! What the application hears of a chat.

use std::sync::Arc;

use telehash_hashname::Hashname;

use crate::error::{Refusal, StoreError};
use crate::id::Id;
use crate::message::{Activity, Profile, Receipt};

/// Limit: events of a chat, and invitations, that wait for a subscriber; whoever is too slow loses the
/// oldest, and is told how many.
pub const MAX_EVENTS: usize = 1024;

/// What happens in a chat.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum ChatEvent {
    /// Somebody else said something.
    Message {
        /// Who.
        from: Hashname,
        /// The message.
        id: Id,
    },
    /// Somebody else put another text in place of what was said.
    Edited {
        /// Who.
        from: Hashname,
        /// The message.
        id: Id,
    },
    /// Somebody else is doing something else, and has said nothing new.
    Activity {
        /// Who.
        from: Hashname,
        /// What they are doing now.
        activity: Activity,
    },
    /// The leader has let somebody in, perhaps us.
    Joined(Hashname),
    /// Somebody asks to be let in: [`Conversation::admit`](crate::Conversation::admit) does so.
    Knock {
        /// Who.
        who: Hashname,
        /// Their profile.
        profile: Profile,
    },
    /// What became of a message of ours.
    Receipt {
        /// Who says so.
        from: Hashname,
        /// What.
        receipt: Receipt,
    },
    /// Messages of somebody are missing for good.
    Missing {
        /// Of whom.
        from: Hashname,
        /// How many.
        count: u32,
    },
    /// What somebody sent was refused.
    Refused {
        /// Who sent it.
        from: Hashname,
        /// Why.
        refusal: Arc<Refusal>,
    },
    /// Somebody is there.
    Present(Hashname),
    /// Somebody is not there any more. They may come back.
    Absent(Hashname),
    /// The store failed, and so the chat has ended: it has to be [restored](crate::Chats::restore).
    StoreFailed(Arc<StoreError>),
}
