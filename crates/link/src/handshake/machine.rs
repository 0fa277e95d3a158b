//! The machine of a link, whichever its cipher set needs.

use core::time::Duration;

use telehash_e3x::{self as e3x, Exchange, Instant, Token};

use super::{
    fresh::{self, FreshRounds, Heard},
    rounds::Rounds,
};
use crate::PipeSlot;

/// Decides what to send and believe. `unix` is the time of day, zero if there is none.
#[derive(Clone, Debug)]
pub(crate) enum Machine {
    /// One ephemeral serves all rounds of a session.
    Kept(Rounds),
    /// Every round has a fresh one.
    Fresh(FreshRounds),
}

/// What a machine asks for.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Step {
    Kept(super::Action),
    Fresh(fresh::Action),
}

/// A `link` handshake of the peer, authenticated.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Arrived {
    pub(crate) pipe: PipeSlot,
    pub(crate) at: u64,
    /// Stands for the peer's ephemeral.
    pub(crate) remote: Token,
    /// Stands for all its bytes.
    pub(crate) digest: [u8; 16],
    /// The sessions that it names, newest first, of those that are held here.
    pub(crate) names: [Option<Token>; 2],
}

/// Whether a handshake is one that came in before, byte for byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Duplicate {
    /// It is not.
    No,
    /// It is, and the answer to it goes out again.
    Answered,
    /// It is, and nothing comes of it.
    Known,
}

impl Machine {
    /// The machine for this exchange; `last_at` is the highest `at` that was ever to be persisted
    /// for its peer, or 0.
    pub(crate) fn new(now: Instant, exchange: &dyn Exchange, last_at: u64) -> Self {
        let (order, token) = (exchange.order(), exchange.token());
        match exchange.rounds() {
            e3x::Rounds::FreshEphemeral => {
                let [a, b, c, d, e, f, g, h, ..] = *token.as_bytes();
                let seed = u64::from_le_bytes([a, b, c, d, e, f, g, h]);
                Self::Fresh(FreshRounds::new(now, order, seed, last_at))
            }
            _ => Self::Kept(Rounds::new(now, order, token, last_at)),
        }
    }

    pub(crate) fn poll_action(&mut self) -> Option<Step> {
        match self {
            Self::Kept(rounds) => rounds.poll_action().map(Step::Kept),
            Self::Fresh(rounds) => rounds.poll_action().map(Step::Fresh),
        }
    }

    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        match self {
            Self::Kept(rounds) => rounds.poll_timeout(),
            Self::Fresh(rounds) => rounds.poll_timeout(),
        }
    }

    pub(crate) fn handle_timeout(&mut self, now: Instant, unix: Duration) {
        match self {
            Self::Kept(rounds) => rounds.handle_timeout(now, unix.as_secs()),
            Self::Fresh(rounds) => rounds.handle_timeout(now, millis(unix)),
        }
    }

    pub(crate) fn start(&mut self, now: Instant, unix: Duration) {
        match self {
            Self::Kept(rounds) => rounds.start(now, unix.as_secs()),
            Self::Fresh(rounds) => rounds.start(now, millis(unix)),
        }
    }

    pub(crate) fn close(&mut self, now: Instant) {
        match self {
            Self::Kept(rounds) => rounds.close(now),
            Self::Fresh(rounds) => rounds.close(now),
        }
    }

    pub(crate) fn network_changed(&mut self, now: Instant, unix: Duration) {
        match self {
            Self::Kept(rounds) => rounds.network_changed(now, unix.as_secs()),
            Self::Fresh(rounds) => rounds.network_changed(now, millis(unix)),
        }
    }

    /// The keys of the session are used up. Where ephemerals are fresh that takes 2^63 packets.
    pub(crate) fn worn_out(&mut self, now: Instant, unix: Duration) {
        match self {
            Self::Kept(rounds) => rounds.worn_out(now, unix.as_secs()),
            Self::Fresh(rounds) => rounds.network_changed(now, millis(unix)),
        }
    }

    /// Whoever has a set with fresh ephemerals is of our kind anyway.
    pub(crate) fn peer_is_ours(&mut self) {
        if let Self::Kept(rounds) = self {
            rounds.peer_is_ours();
        }
    }

    pub(crate) fn pipe_added(&mut self, now: Instant, slot: PipeSlot, keepalive: Duration) {
        match self {
            Self::Kept(rounds) => rounds.pipe_added(now, slot, keepalive),
            Self::Fresh(rounds) => rounds.pipe_added(now, slot, keepalive),
        }
    }

    pub(crate) fn pipe_removed(&mut self, slot: PipeSlot) {
        match self {
            Self::Kept(rounds) => rounds.pipe_removed(slot),
            Self::Fresh(rounds) => rounds.pipe_removed(slot),
        }
    }

    pub(crate) fn pipe_validated(&mut self, slot: PipeSlot) {
        match self {
            Self::Kept(rounds) => rounds.pipe_validated(slot),
            Self::Fresh(rounds) => rounds.pipe_validated(slot),
        }
    }

    pub(crate) fn on_sent(&mut self, now: Instant, slot: PipeSlot) {
        match self {
            Self::Kept(rounds) => rounds.on_sent(now, slot),
            Self::Fresh(rounds) => rounds.on_sent(now, slot),
        }
    }

    pub(crate) fn on_message(&mut self, now: Instant, unix: Duration, arrived: Arrived) {
        match self {
            Self::Kept(rounds) => {
                let Arrived {
                    pipe,
                    at,
                    remote,
                    digest,
                    ..
                } = arrived;
                rounds.on_message(now, unix.as_secs(), pipe, at, remote, digest);
            }
            Self::Fresh(rounds) => rounds.on_message(now, millis(unix), arrived),
        }
    }

    #[must_use = "a duplicate needs no decryption"]
    pub(crate) fn on_duplicate(
        &mut self,
        now: Instant,
        pipe: Option<PipeSlot>,
        digest: [u8; 16],
    ) -> Duplicate {
        match self {
            Self::Kept(rounds) => rounds.on_duplicate(now, pipe, digest),
            Self::Fresh(rounds) => rounds.on_duplicate(now, pipe, digest),
        }
    }

    /// A channel packet authenticated. Returns whether its plaintext is for the channels.
    pub(crate) fn on_channel_packet(
        &mut self,
        now: Instant,
        slot: PipeSlot,
        remote: Token,
        plaintext: &[u8],
    ) -> bool {
        match self {
            Self::Kept(rounds) => {
                rounds.on_channel_packet(now, slot, remote);
                true
            }
            Self::Fresh(rounds) => {
                let heard = Heard::of(plaintext);
                rounds.on_channel_packet(now, slot, remote, heard);
                heard == Heard::Data
            }
        }
    }
}

fn millis(unix: Duration) -> u64 {
    u64::try_from(unix.as_millis()).unwrap_or(u64::MAX)
}
