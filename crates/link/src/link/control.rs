//! Follows the machine for kept ephemerals: seals what it sends, derives what it agrees on, reports
//! what it says.

use alloc::vec::Vec;

use telehash_e3x::{Instant, RemoteEphemeral, SessionId, Token};
use telehash_lob::Compression;

use super::{Link, beside, pipes::Pipe, transmit::Queued};
use crate::{
    ChannelError, DownReason, Event, HandshakeMessage, LinkState, PipeSlot,
    event::{EndpointEvent, ToEndpoint, TokenOwner},
    handshake::{Action, SendKind, Target},
};

/// What both ends' newest handshakes offer (packets.md: `z`, `hc`).
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Agreeable {
    pub(super) compression: Compression,
    pub(super) head_only: bool,
}

/// Handshakes as they were sealed, for repetitions with the same bytes.
#[derive(Debug, Default)]
pub(super) struct Sealed {
    /// With their `at`; 0 before there are any.
    round: (u64, beside::Sealed),
    echo: (u64, beside::Sealed),
}

impl Link {
    /// Does what the machine for kept ephemerals asks for.
    pub(super) fn follow_kept(&mut self, now: Instant, action: Action) {
        match action {
            Action::Send { at, to, kind } => self.send_handshake(now, at, to, kind),
            Action::Candidate { remote } => self.derive(remote),
            Action::Agreed { remote } => self.agreed(now, remote),
            Action::ReplaceSession { remote } => self.replaced(now, remote),
            Action::Confirmed => self.came_up(),
            Action::PipeAnswered(slot) => self.pipe_answered(now, slot),
            Action::Down(reason) => self.went_down(now, reason),
            Action::FreshEphemeral => self.fresh_ephemeral(),
            Action::RememberAt(at) => self.push_event(Event::RememberAt(at)),
        }
    }

    /// Keeps an authenticated ephemeral of the peer; its handshakes take the fast lane from now on.
    pub(super) fn learn(&mut self, ephemeral: &RemoteEphemeral) {
        if self.sessions.uses_fresh() {
            return self.sessions.hear(ephemeral);
        }
        let token = ephemeral.token();
        if self.sessions.knows(token) {
            return;
        }
        if let Some(evicted) = self.sessions.learn(ephemeral) {
            self.tell_endpoint(ToEndpoint::RemoveToken(evicted));
        }
        if self.sessions.knows(token) {
            self.tell_endpoint(ToEndpoint::AddToken(token, TokenOwner::Remote));
        }
    }

    /// What the peer's handshake offers; fixed for the life of the session it leads to.
    pub(super) fn note_offer(&mut self, message: &HandshakeMessage) {
        let offered = message.z.and_then(Compression::from_z);
        let both = offered.filter(|offered| *offered == self.config.compression);
        let compression = both.unwrap_or(Compression::None);
        let head_only = message.hc && self.config.head_only_cloak;
        self.agreeable = Agreeable {
            compression,
            head_only,
        };
        if message.z.is_some() || message.hc || self.sessions.uses_fresh() {
            self.peer_is_ours = true;
            self.rounds.peer_is_ours();
        }
    }

    pub(super) fn tell_endpoint(&mut self, event: ToEndpoint) {
        self.to_endpoint.push_back(EndpointEvent(event));
    }

    fn send_handshake(&mut self, now: Instant, at: u64, to: Target, kind: SendKind) {
        match kind {
            SendKind::Round => self.round_sent = Some(now),
            // Which of the copies is answered nobody can tell.
            SendKind::Resend => self.round_sent = None,
            SendKind::Echo | SendKind::Stored | SendKind::Keepalive => {}
        }
        let Some(packets) = self.handshake_bytes(at, kind) else {
            return;
        };
        self.queue_handshake(to, &packets);
    }

    /// Queues a sealed handshake for each pipe that it goes to.
    pub(super) fn queue_handshake(&mut self, to: Target, packets: &[Vec<u8>]) {
        for slot in self.slots_of(to) {
            self.stats.handshakes_sent += 1;
            for packet in packets {
                self.queue(slot, Queued::Plain(packet.clone()));
            }
        }
    }

    /// The pipes of a target.
    pub(super) fn slots_of(&self, to: Target) -> Vec<PipeSlot> {
        match to {
            Target::Pipe(slot) | Target::PacketSource(slot) => Vec::from([slot]),
            Target::AllPipes => self.pipes.iter().map(|(slot, _)| slot).collect(),
            Target::ValidatedPipes => {
                let validated = self.pipes.iter().filter(|(_, pipe)| pipe.validated());
                validated.map(|(slot, _)| slot).collect()
            }
        }
    }

    /// The bytes of a handshake: kept ones where the machine asks for a repetition.
    fn handshake_bytes(&mut self, at: u64, kind: SendKind) -> Option<beside::Sealed> {
        let kept = match kind {
            SendKind::Resend => Some(&self.sealed.round),
            SendKind::Stored => Some(&self.sealed.echo),
            SendKind::Round | SendKind::Echo | SendKind::Keepalive => None,
        };
        // Bytes of another `at` are another round's.
        if let Some((_, packets)) = kept.filter(|(sealed_at, _)| *sealed_at == at) {
            return Some(packets.clone());
        }
        let inner = self.inner_packets(at, [None; 2])?;
        let packets = self.sessions.seal_messages(&inner, &mut self.rng).ok()?;
        match kind {
            SendKind::Round | SendKind::Resend | SendKind::Keepalive => {
                self.sealed.round = (at, packets.clone());
            }
            SendKind::Echo | SendKind::Stored => self.sealed.echo = (at, packets.clone()),
        }
        Some(packets)
    }

    /// The inner packet of a `link` message with what we offer.
    pub(super) fn link_message(&self, at: u64, cont: [Option<SessionId>; 2]) -> Option<Vec<u8>> {
        let mut message = HandshakeMessage::link(at, self.identity.keys().clone());
        let z = self.config.compression.z();
        message.z = (z != 0).then_some(z);
        message.hc = self.config.head_only_cloak;
        message.cont = cont;
        message.to_bytes(self.csid()).ok()
    }

    /// The echo of our round came in by this pipe. Before there is a session that measures its round
    /// trip.
    pub(super) fn pipe_answered(&mut self, now: Instant, slot: PipeSlot) {
        let sent = self
            .round_sent
            .take()
            .filter(|_| self.sessions.active_token().is_none());
        if let Some(sent) = sent {
            self.open_in_flow(now, slot, Some(now.saturating_duration_since(sent)));
        }
        // A router that relays handshakes need not relay what follows them: C's do not.
        let routed = self.pipes.get(slot).is_some_and(Pipe::is_routed);
        if self.knows_only_from(slot) && !routed {
            self.mark_validated(now, slot);
        } else {
            self.push_event(Event::PipeCandidate(slot));
        }
    }

    fn derive(&mut self, remote: Token) {
        // A peer whose ephemeral cannot be agreed with gets no session: the round runs out.
        let _ = self.sessions.derive(remote, &mut self.rng);
    }

    fn agreed(&mut self, now: Instant, remote: Token) {
        if self.sessions.active_token() == Some(remote) {
            return;
        }
        self.activate(now, remote);
        self.push_event(Event::Agreed);
    }

    fn replaced(&mut self, now: Instant, remote: Token) {
        self.flow.reset(now, ChannelError::Reset);
        self.push_event(Event::Restarted);
        self.activate(now, remote);
    }

    fn activate(&mut self, now: Instant, remote: Token) {
        if self.sessions.activate(remote, &mut self.rng).is_err() {
            return;
        }
        self.stats.sessions += 1;
        self.flow.set_compression(self.agreeable.compression);
        self.head_only = self.agreeable.head_only;
        self.select_pipe(now);
    }

    /// The session may be reported.
    pub(super) fn came_up(&mut self) {
        if self.state != LinkState::Up {
            self.state = LinkState::Up;
            self.push_event(Event::Up);
        }
    }

    pub(super) fn went_down(&mut self, now: Instant, reason: DownReason) {
        self.flow.reset(now, ChannelError::LinkDown);
        self.state = LinkState::Down;
        self.push_event(Event::Down(reason));
    }

    fn fresh_ephemeral(&mut self) {
        self.sealed = Sealed::default();
        self.control.clear();
        for (_, pipe) in self.pipes.iter_mut() {
            pipe.introduced = false;
        }
        let Ok(gone) = self.sessions.fresh(&mut self.rng) else {
            return;
        };
        for token in gone {
            self.tell_endpoint(ToEndpoint::RemoveToken(token));
        }
        let exchange = self.sessions.exchange();
        let (token, head_only) = (exchange.token(), exchange.head_only_token());
        self.tell_endpoint(ToEndpoint::AddToken(token, TokenOwner::Local));
        self.tell_endpoint(ToEndpoint::AddToken(head_only, TokenOwner::LocalHeadOnly));
    }
}

#[cfg(test)]
mod tests {
    use core::time::Duration;

    use rand_chacha::ChaCha20Rng;
    use rand_core::SeedableRng;
    use telehash_e3x::{CipherSets, Identity};
    use telehash_hashname::Csid;

    use super::*;
    use crate::{Config, Endpoint, LinkOptions};

    #[test]
    fn a_lost_keepalive_is_resent_as_itself_and_not_as_an_older_round() {
        let mut rng = ChaCha20Rng::seed_from_u64(1);
        let mut identity =
            || Identity::generate(&CipherSets::default(), &[Csid::CS3A], &mut rng).unwrap();
        let (ours, theirs) = (identity(), identity());
        let now = Instant::from_micros(1);
        let unix = Duration::from_secs(1_800_000_000);
        let mut endpoint = Endpoint::new(Config::default(), ours, now, unix, [7; 32]);
        let options = LinkOptions::default();
        let (_, mut link) = endpoint.connect(now, theirs.keys(), options).unwrap();

        let round = link.handshake_bytes(11, SendKind::Round).unwrap();
        assert_eq!(link.handshake_bytes(11, SendKind::Resend).unwrap(), round);
        let keepalive = link.handshake_bytes(13, SendKind::Keepalive).unwrap();
        assert_ne!(keepalive, round);
        assert_eq!(
            link.handshake_bytes(13, SendKind::Resend).unwrap(),
            keepalive
        );
    }
}
