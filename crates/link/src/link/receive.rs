//! Packets in: a handshake goes to the round machine, a channel packet to the flow.

use sha2::{Digest, Sha256};
use telehash_e3x::{Instant, OpenError};
use telehash_lob::{
    Lob,
    cloak::{self, Peek},
};

use super::{Link, pipes::Pipe};
use crate::{
    Event, HandshakeMessage, Input, LinkState, PathSource, PipeId, PipeSlot,
    event::{InputKind, OpenedMessage},
    handshake::{Arrived, Duplicate, Kind},
};

impl Link {
    /// Takes a packet that [`Endpoint::handle`](crate::Endpoint::handle) found to be this link's.
    pub fn handle(&mut self, now: Instant, pipe: PipeId, input: Input, packet: &mut [u8]) {
        self.stats.datagrams_received += 1;
        self.stats.bytes_received += packet.len() as u64;
        let pipe = input.pipe.unwrap_or(pipe);
        match input.kind {
            InputKind::Channel { peek, head_only } => {
                let cloaked = peek.rounds() > 0;
                let bytes = packet.len();
                let plain = cloak::finish(packet, &peek, head_only);
                self.handle_channel(now, pipe, plain, bytes, cloaked);
            }
            InputKind::Message(peek) => self.handle_message(now, pipe, &peek, packet),
            InputKind::Opened(messages) => {
                for message in messages {
                    self.handle_opened(now, pipe, message);
                }
            }
        }
    }

    fn handle_channel(
        &mut self,
        now: Instant,
        id: PipeId,
        plain: &mut [u8],
        bytes: usize,
        cloaked: bool,
    ) {
        let (side, range) = match self.sessions.open_channel(now, plain) {
            Ok(opened) => opened,
            Err(OpenError::Replayed) => return self.stats.replayed += 1,
            Err(_) => {
                self.stats.rejected += 1;
                return self.note_wear(now);
            }
        };
        let Some(slot) = self.pipe_of(now, id, bytes, cloaked) else {
            return;
        };
        self.authenticated(now, slot);
        let plaintext = &plain[range];
        let is_data = self.rounds.on_channel_packet(now, slot, side, plaintext);
        self.follow_rounds(now);
        if is_data {
            self.compare_with_active(now, slot);
        }
        if is_data
            && self.sessions.carries(side)
            && self.flow.handle_packet(now, slot, plaintext).is_err()
        {
            self.stats.rejected += 1;
        }
    }

    /// A message of an ephemeral that this link knows.
    fn handle_message(&mut self, now: Instant, id: PipeId, peek: &Peek, packet: &mut [u8]) {
        let (bytes, cloaked) = (packet.len(), peek.rounds() > 0);
        let plain = cloak::finish(packet, peek, false);
        // Before the link is up a copy by another way is news: the way back of the first one may be
        // dead.
        let known = self.pipes.find(id);
        let is_news = known.is_none() && self.state != LinkState::Up;
        if is_news && self.sessions.uses_fresh() {
            return self.hear_elsewhere(now, id, bytes, cloaked, digest(plain));
        }
        if !is_news {
            match self.rounds.on_duplicate(now, known, digest(plain)) {
                Duplicate::No => {}
                // Unproven copies count for nothing, not even toward what the address may be sent.
                Duplicate::Known => return,
                Duplicate::Answered => {
                    // But for the answer to this one, or a few lost ones would use that up.
                    let pipe = known.and_then(|slot| self.pipes.get_mut(slot));
                    pipe.into_iter().for_each(|pipe| pipe.credit(bytes));
                    return self.follow_rounds(now);
                }
            }
        }
        let Ok(lob) = Lob::parse(plain) else {
            return self.stats.rejected += 1;
        };
        // No MAC covers the head.
        if lob.head() != [self.csid().as_u8()] {
            return self.stats.rejected += 1;
        }
        let Ok(opened) = self.sessions.open_message(lob.body()) else {
            return self.stats.rejected += 1;
        };
        let Ok(message) = HandshakeMessage::parse(&opened.inner, self.csid()) else {
            return self.stats.rejected += 1;
        };
        let digest = digest(plain);
        let body = lob.body().into();
        let message = OpenedMessage {
            opened,
            message,
            body,
            cloaked,
            digest,
            bytes,
        };
        self.handle_opened(now, id, message);
    }

    /// A copy, by a new way, of a message whose ephemeral is used up: it cannot be opened again, but
    /// the same bytes prove the same.
    fn hear_elsewhere(
        &mut self,
        now: Instant,
        id: PipeId,
        bytes: usize,
        cloaked: bool,
        digest: [u8; 16],
    ) {
        if self.rounds.on_duplicate(now, None, digest) == Duplicate::No {
            return self.stats.rejected += 1;
        }
        if let Some(slot) = self.pipe_of(now, id, bytes, cloaked) {
            let _ = self.rounds.on_duplicate(now, Some(slot), digest);
            self.follow_rounds(now);
        }
    }

    /// A message that was opened: checks its sender, then moves the round machine.
    pub(crate) fn handle_opened(&mut self, now: Instant, id: PipeId, message: OpenedMessage) {
        let OpenedMessage {
            opened,
            message,
            body,
            cloaked,
            digest,
            bytes,
        } = message;
        // What the session's own ephemeral sends needs no guess.
        let is_guess = self.sessions.exchange().weak_mac()
            && self.sessions.active_token() != Some(opened.token());
        if is_guess && !self.patience.admits(now) {
            return self.stats.rejected += 1;
        }
        if self.sessions.verify(&body, &opened).is_err() {
            if is_guess {
                self.patience.failed();
            }
            return self.stats.rejected += 1;
        }
        self.stats.handshakes_received += 1;
        let Some(slot) = self.pipe_of(now, id, bytes, cloaked) else {
            return;
        };
        let Kind::Link { keys } = &message.kind else {
            return self.push_event(Event::Handshake(message));
        };
        // Both sets make the same hashname: the newer one can only say more.
        let _ = self.keys.merge(keys);
        let arrived = Arrived {
            pipe: slot,
            at: message.at,
            remote: opened.token(),
            digest,
            names: { message.cont }.map(|id| self.sessions.named(id?)),
        };
        self.learn(&opened.remote);
        self.note_offer(&message);
        let unix = self.clock.unix(now);
        self.rounds.on_message(now, unix, arrived);
        self.follow_rounds(now);
        self.sessions.forget_heard();
    }

    /// The slot of the pipe that an authenticated packet came by; new ones join the table.
    fn pipe_of(
        &mut self,
        now: Instant,
        id: PipeId,
        bytes: usize,
        cloaked: bool,
    ) -> Option<PipeSlot> {
        let slot = match self.pipes.find(id) {
            Some(slot) => slot,
            None => self.insert_pipe(now, id, PathSource::Arrived)?,
        };
        self.pipes.get_mut(slot)?.heard(now, bytes, cloaked);
        Some(slot)
    }

    /// A channel packet authenticated on this pipe.
    fn authenticated(&mut self, now: Instant, slot: PipeSlot) {
        let active = self.pipes.active();
        let is_first = active.is_none() || active == Some(slot);
        let proves = is_first && self.knows_only_from(slot);
        let Some(pipe) = self.pipes.get_mut(slot) else {
            return;
        };
        if pipe.validated() {
            return;
        }
        if proves {
            self.mark_validated(now, slot);
        } else if !core::mem::replace(&mut pipe.roamed, true) {
            self.push_event(Event::PipeCandidate(slot));
            self.send_again(now);
        }
    }

    /// Has the session replaced, as soon as the time comes, if its keys are used up.
    pub(super) fn note_wear(&mut self, now: Instant) {
        let session = self.sessions.active();
        if session.is_some_and(|session| session.exhausted()) {
            self.worn_out.get_or_insert(now);
        }
    }

    /// Whether who holds our present ephemeral must have received it by this pipe: the application
    /// named the place, or our handshakes went nowhere else.
    pub(super) fn knows_only_from(&self, slot: PipeSlot) -> bool {
        let elsewhere = |(other, pipe): (PipeSlot, &Pipe)| other != slot && pipe.introduced;
        let went_elsewhere = self.pipes.iter().any(elsewhere);
        let receives = |pipe: &Pipe| pipe.introduced && (pipe.is_dialed() || !went_elsewhere);
        self.pipes.get(slot).is_some_and(receives)
    }
}

/// Identifies a handshake packet, byte for byte.
pub(crate) fn digest(packet: &[u8]) -> [u8; 16] {
    let hash: [u8; 32] = Sha256::digest(packet).into();
    let [short @ .., _, _, _, _, _, _, _, _, _, _, _, _, _, _, _, _] = hash;
    short
}
