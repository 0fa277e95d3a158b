//! What the machine asks its link to do.

use telehash_e3x::Token;

use crate::{DownReason, PipeSlot, handshake::actions::Target};

/// One thing to do, in the order in which they come out of
/// [`FreshRounds::poll_action`](super::FreshRounds::poll_action).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Action {
    /// Begin a round: with a fresh ephemeral, which replaces that of any other round of ours, seal
    /// a handshake with this `at`. Keep its bytes.
    Begin {
        /// Its `at`.
        at: u64,
        /// The sessions that it names, newest first.
        names: [Option<Token>; 2],
    },
    /// Send the bytes of our round.
    SendRound {
        /// Where they go.
        to: Target,
    },
    /// Our round is over: erase its ephemeral.
    EraseRound,
    /// Answer the handshake that came in just now: with a fresh ephemeral seal a handshake, keep
    /// its bytes, and derive a session from the two ephemerals.
    Answer {
        /// Whose handshake it answers, and the session.
        remote: Token,
        /// The `at` of both.
        at: u64,
        /// The session that both name and this one continues.
        continues: Option<Token>,
    },
    /// Send the bytes of that answer.
    SendAnswer {
        /// Which.
        remote: Token,
        /// Where they go.
        to: Target,
    },
    /// The handshake that came in just now answers our round: derive a session from the two
    /// ephemerals.
    Derive {
        /// The session.
        remote: Token,
        /// The session that both name and this one continues.
        continues: Option<Token>,
    },
    /// Send a ping in this session.
    Ping {
        /// Which.
        remote: Token,
        /// Where it goes.
        to: Target,
    },
    /// Answer a ping, in the session and on the pipe it came by.
    Pong {
        /// Which.
        remote: Token,
        /// Where to.
        to: PipeSlot,
    },
    /// This session is the one from now on: data goes there, and nowhere else.
    Confirmed {
        /// Which.
        remote: Token,
        /// What becomes of the channels.
        channels: Channels,
    },
    /// Erase the keys of this session, and keep what another one continues it with.
    Mute {
        /// Which.
        remote: Token,
    },
    /// Erase this session, or what is left of it.
    Forget {
        /// Which.
        remote: Token,
    },
    /// The answer to our round, or the first packet of a session, came in here: the far end of this
    /// pipe is alive.
    PipeAnswered(PipeSlot),
    /// There is no session any more, or none came to be in time. Erase all there are.
    Down(DownReason),
    /// The `at` of the session that was confirmed. Persist it for the hashname.
    RecordAt(u64),
}

/// What becomes of the channels when a session is confirmed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Channels {
    /// There was no session: what was opened while none was confirmed goes on.
    First,
    /// The session continues the one before.
    Kept,
    /// The peer does not know the session before: its channels failed.
    Reset,
}

/// What a channel packet that authenticated was. "Neither is a LOB": pings come before any
/// compression and belong to no channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Heard {
    /// It asks for an answer.
    Ping,
    /// An answer to a ping.
    Pong,
    /// A packet of a channel.
    Data,
}

/// The plaintext of a ping.
pub(crate) const PING: &[u8] = &[0];

/// The plaintext of its answer.
pub(crate) const PONG: &[u8] = &[];

impl Heard {
    pub(crate) fn of(plaintext: &[u8]) -> Self {
        match plaintext {
            PING => Self::Ping,
            PONG => Self::Pong,
            _ => Self::Data,
        }
    }
}
