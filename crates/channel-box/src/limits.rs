//! Every bound of this crate, and what happens at it. How much a cache keeps is up to its
//! [`Quota`](crate::Quota).

use std::time::Duration;

/// Bytes of one message as it travels, encrypted. A larger one is not sent; the channel of one that
/// comes fails with `too large`.
pub const MAX_MESSAGE: usize = 256 * 1024;

/// Messages that a recipient remembers, so as not to take them twice. At the limit the sender of whom
/// most are remembered gives up its oldest: what it sent before that is refused from then on, as
/// perhaps a replay, and left where it is.
pub const MAX_REMEMBERED: usize = 65_536;

/// Senders whose messages a recipient remembers. At the limit the one who has been silent for longest
/// is forgotten: what anybody unknown sent before its last message is refused from then on, and left where it is.
pub const MAX_SENDERS: usize = 4096;

/// How far the clock of a sender may be ahead of a recipient's. What says that it was sent later than
/// that is refused until then, and left where it is; directly its sender hears `clock`.
pub const MAX_AHEAD: Duration = Duration::from_secs(3600);

/// Letters that wait for the application. At the limit nothing more is fetched, and whoever delivers
/// one directly waits.
pub const QUEUE_CAPACITY: usize = 64;

/// Boxes that are to be fetched from one cache. More that it names are ignored; it names them again
/// when its link comes up again.
pub const MAX_BOXES: usize = 4096;

/// Boxes that are fetched from one cache at once; further ones wait.
pub const MAX_FETCHES: usize = 8;

/// Boxes of one cache about which it said nothing [in time](FETCH_TIMEOUT), until it is given up, with
/// whatever else it named.
pub const MAX_SILENT: usize = 16;

/// Messages in one box that are not in order: changed, of somebody else, empty, or once more the same.
/// With one more the box is emptied, with whatever else is in it.
pub const MAX_FORGED: usize = 64;

/// Outboxes that one peer may have open here at once; one more is refused with `busy`. Each may hold
/// a message that is not complete.
pub const MAX_OUTBOXES_PER_PEER: usize = 16;

/// Inboxes that one peer may have open here at once; one more is refused with `busy`.
pub const MAX_INBOXES_PER_PEER: usize = 16;

/// Caches that are given one letter; further ones are not.
pub const MAX_CACHES: usize = 8;

/// Limit: how long the recipient or a cache may take for each step of a delivery: to let one more packet
/// go, and to take the whole letter. Then it counts as not delivered there.
pub const DELIVERY_TIMEOUT: Duration = Duration::from_secs(10);

/// Limit: how long a cache may say nothing while a box is fetched; then the next box's turn comes.
pub const FETCH_TIMEOUT: Duration = Duration::from_secs(30);
