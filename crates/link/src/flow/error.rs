//! What can go wrong, split by whose fault it is.

use alloc::string::String;

use telehash_lob::{HeaderError, compress::CompressError};

use super::types::{ChannelId, Packet};

/// Why a channel failed: the end of it, in both directions.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ChannelError {
    /// The peer sent an `err`: it failed or refused the channel.
    #[error("the peer failed the channel: {0}")]
    Peer(String),
    /// Nothing came from the peer for too long.
    #[error("the peer did not answer in time")]
    Timeout,
    /// The link began a new session, which has channels of its own.
    #[error("the link was set up anew; open the channel again")]
    Reset,
    /// The link went down.
    #[error("the link went down")]
    LinkDown,
    /// We refused or failed the channel.
    #[error("the channel was failed on this side: {0}")]
    Local(String),
    /// One direction used up its sequence numbers.
    #[error("the channel used up its sequence numbers; open another one")]
    Exhausted,
    /// There is no such channel: it never was, or it is over and forgotten.
    #[error("there is no such channel, or it is over")]
    Unknown,
}

/// Why a channel could not be opened. All are local.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// As many channels of ours as allowed are open.
    #[error("{limit} channels are open already; close some first")]
    TooMany {
        /// The configured limit.
        limit: usize,
    },
    /// Every channel id of this session was used: the link needs a new one.
    #[error("this session has used all its channel ids; the link must be set up anew")]
    IdsExhausted,
    /// The opening packet does not fit.
    #[error("the body of the opening packet is too large: {quota} bytes fit")]
    TooLarge {
        /// Body bytes that fit beside this type and head.
        quota: usize,
    },
    /// A reliable channel may be retransmitted on any pipe, so it cannot be pinned to one.
    #[error("a reliable channel cannot be pinned to a pipe")]
    Pinned,
    /// The pipe it is pinned to does not exist.
    #[error("there is no such pipe")]
    NoSuchPipe,
}

/// Why a packet could not be sent. All but the channel's failure are local.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum SendError {
    /// The channel's buffers are full; the packet comes back. Wait for
    /// [`ChannelEvent::Writable`](super::ChannelEvent::Writable).
    #[error("the channel is full; wait until it is writable")]
    Blocked(Packet),
    /// The body does not fit one packet.
    #[error("the packet is too large: {quota} body bytes fit")]
    TooLarge {
        /// Body bytes that fit beside this head.
        quota: usize,
    },
    /// We ended our direction already.
    #[error("this side has ended the channel")]
    Ended,
    /// The peer opened this channel and it was not accepted yet.
    #[error("the channel must be accepted before anything is sent on it")]
    NotAccepted,
    /// An unreliable channel carries packets, not a byte stream.
    #[error("an unreliable channel carries packets, not a stream of bytes")]
    NotAStream,
    /// A packet of a reliable channel cannot be pinned to a pipe.
    #[error("a packet of a reliable channel cannot be pinned to a pipe")]
    Pinned,
    /// The pipe it is pinned to does not exist.
    #[error("there is no such pipe")]
    NoSuchPipe,
    /// The channel is gone.
    #[error(transparent)]
    Channel(#[from] ChannelError),
}

/// Why a received packet was dropped. It was authenticated, so this is the peer's mistake, or an
/// echo of the past; the flow's state is as before.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PacketError {
    /// Not a channel packet.
    #[error(transparent)]
    Header(#[from] HeaderError),
    /// Not compressed as agreed.
    #[error(transparent)]
    Compression(#[from] CompressError),
    /// No such channel, and the packet opens none.
    #[error("channel {0} is not open")]
    UnknownChannel(ChannelId),
    /// The peer opened a channel with an id that is ours to choose.
    #[error("channel {0} is not the peer's to open")]
    WrongParity(ChannelId),
    /// The id was used before in this session, or is too far behind.
    #[error("channel {0} was used before")]
    UsedChannel(ChannelId),
    /// There are too many channels; the open was refused.
    #[error("too many channels are open to accept channel {0}")]
    TooManyChannels(ChannelId),
    /// A `seq` on an unreliable channel, none on a reliable one, or 0.
    #[error(
        "channel {0} got a packet without the `seq` its kind needs, or with one it cannot have"
    )]
    BadSeq(ChannelId),
    /// An `ack` or `miss` of what was never sent.
    #[error("channel {0} got an acknowledgement of what was never sent")]
    AckBeyondSent(ChannelId),
    /// Content after the `end`.
    #[error("channel {0} got content after its end")]
    AfterEnd(ChannelId),
    /// More than there was room for.
    #[error("channel {0} got more than its window")]
    BeyondWindow(ChannelId),
}
