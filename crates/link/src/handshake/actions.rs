//! What the round machine asks its link to do.

use telehash_e3x::Token;

use crate::{DownReason, PipeSlot};

/// One thing to do, in the order in which they come out of
/// [`Rounds::poll_action`](super::Rounds::poll_action).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Action {
    /// Send a handshake with the exchange's present ephemeral.
    Send {
        /// Its `at`.
        at: u64,
        /// Where it goes.
        to: Target,
        /// Which bytes.
        kind: SendKind,
    },
    /// Without a session: the peer may be using this ephemeral and may send channel packets at
    /// once (JS does). Derive a session that only receives, and report what authenticates in it.
    /// At most [`MAX_DERIVED`](super::limits::MAX_DERIVED)` - 1` are asked for per ephemeral of ours.
    Candidate {
        /// The peer's ephemeral.
        remote: Token,
    },
    /// The `at` is agreed: our ephemeral and this one are the session. Derive it, or keep it if it
    /// is the one there is (a keepalive, or a candidate).
    Agreed {
        /// The peer's ephemeral.
        remote: Token,
    },
    /// The peer restarted: our ephemeral and this one are the session from now on, in place of the
    /// one there is. Its channels fail. Keep the old session's counters and replay filter until
    /// [`FreshEphemeral`](Self::FreshEphemeral) if it could ever be derived again.
    ReplaceSession {
        /// The peer's new ephemeral.
        remote: Token,
    },
    /// The session may be reported as `Up`. Comes once for each session.
    Confirmed,
    /// The echo of our newest round came in here: the far end of this pipe is alive.
    PipeAnswered(PipeSlot),
    /// There is no session any more, or none came to be in time.
    Down(DownReason),
    /// Erase all sessions and candidates, and our ephemeral: later messages need a new one.
    FreshEphemeral,
    /// The highest `at` that this link has seen so far. Persist it for the hashname.
    RememberAt(u64),
}

/// Where a handshake goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Target {
    /// Every pipe, within what it may be sent.
    AllPipes,
    /// Every validated pipe.
    ValidatedPipes,
    /// One pipe of the link.
    Pipe(PipeSlot),
    /// The pipe that the packet which is answered came from, validated or not.
    PacketSource(PipeSlot),
}

/// Which bytes a handshake is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum SendKind {
    /// Seal a message. Keep the bytes for [`Resend`](Self::Resend).
    Round,
    /// The bytes of the last [`Round`](Self::Round) or [`Keepalive`](Self::Keepalive) of this `at`
    /// once more; seal anew if they are gone.
    Resend,
    /// Seal an answer. Keep the bytes for [`Stored`](Self::Stored).
    Echo,
    /// The bytes of the last echo once more.
    Stored,
    /// As [`Round`](Self::Round), bytes kept and all, but only to keep a pipe alive.
    Keepalive,
}
