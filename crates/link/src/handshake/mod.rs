//! Handshakes of a link: the inner packet, and the machine that decides what to send and believe
//! (links.md, "Handshake").
//!
//! [`HandshakeMessage`] is the decrypted content of one message, [`MessageSet`] all messages of one
//! round. [`Rounds`] is the state machine for cipher sets that keep one ephemeral key per exchange
//! (1a, 1c, 2a, 3a): it sees no keys and no bytes, only `at` values, the tokens that stand for
//! ephemeral keys, and pipes. Everything it is told about has been authenticated before.
//!
//! # What the machine promises
//!
//! Both ends come to the same session, that is the same pair of ephemerals, or to no session at
//! all; and nothing that an attacker replays takes a session from two ends that share it. The
//! second follows from one rule, stricter than links.md, "Freshness": **a session is only ever
//! replaced by the echo of a challenge**, a round of ours that we begin when a handshake with
//! another ephemeral comes in. Such an echo proves that its sender received the challenge, while a
//! handshake with a high `at` may be old: it was never delivered, and the peer has lost its state
//! since. A handshake with another ephemeral and a higher `at` is therefore adopted and echoed as
//! the page says, but a challenge goes out with the echo, and its echo replaces the session.
//!
//! If we have lost our state too and our clock is behind, we come by values that we used before,
//! and an attacker may have recorded echoes of them. So the value of a challenge is not the next
//! one but one of the next [`CHALLENGE_SPREAD`](limits::CHALLENGE_SPREAD): only by chance is it one
//! that was recorded. With our state kept no value comes twice, and nothing is left to chance.
//!
//! The proof, to its bound, is the model in `tests/model.rs`.

mod actions;
mod at;
mod attached;
mod forced;
mod fresh;
mod inner;
mod jitter;
mod keepalive;
mod limits;
mod machine;
mod message_set;
mod resend;
mod rounds;
mod targets;
#[cfg(test)]
mod tests;

pub(crate) use self::{
    actions::{Action, SendKind, Target},
    machine::{Arrived, Duplicate, Machine, Step},
};
pub(crate) mod renewal {
    //! What the machine for fresh ephemerals asks for.

    pub(crate) use super::fresh::{Action, Channels, PING, PONG};
}
pub use self::{
    at::MAX_AT,
    inner::{
        HandshakeError, HandshakeMessage, Kind, MAX_EXTRA_FIELDS, MAX_INNER_PACKET, MAX_TYPE_LEN,
    },
    message_set::{Insertion, MAX_ROUND_MESSAGES, MessageSet},
};
