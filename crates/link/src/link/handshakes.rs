//! Follows the machine for fresh ephemerals: rounds, answers, pings, sessions that come and go.

use alloc::{vec, vec::Vec};

use telehash_e3x::{Instant, SessionId, Token};
use telehash_lob::cloak;

use super::{Link, fresh_keys::LocalTokens, transmit::Queued};
use crate::{
    ChannelError, DownReason, Event, LinkState, PipeSlot,
    event::{ToEndpoint, TokenOwner},
    handshake::{
        Step, Target,
        renewal::{Action, Channels, PING, PONG},
    },
};

impl Link {
    /// Does what the machine asks for, until it asks no more.
    pub(super) fn follow_rounds(&mut self, now: Instant) {
        while let Some(step) = self.rounds.poll_action() {
            match step {
                Step::Kept(action) => self.follow_kept(now, action),
                Step::Fresh(action) => self.follow_fresh(now, action),
            }
        }
    }

    fn follow_fresh(&mut self, now: Instant, action: Action) {
        match action {
            Action::Begin { at, names } => self.begin_round(now, at, names),
            Action::SendRound { to } => self.send_round(to),
            Action::EraseRound => self.sessions.erase_round(),
            Action::Answer {
                remote,
                at,
                continues,
            } => self.answer(now, remote, at, continues),
            Action::SendAnswer { remote, to } => self.send_answer(remote, to),
            Action::Derive { remote, continues } => self.derive_answered(now, remote, continues),
            Action::Ping { remote, to } => self.send_bare(now, remote, to, PING),
            Action::Pong { remote, to } => {
                self.send_bare(now, remote, Target::PacketSource(to), PONG);
            }
            Action::Confirmed { remote, channels } => self.session_confirmed(now, remote, channels),
            Action::Mute { remote } => self.mute_session(remote),
            Action::Forget { remote } => self.forget_session(remote),
            Action::PipeAnswered(slot) => self.pipe_answered(now, slot),
            Action::Down(reason) => self.fresh_down(now, reason),
            Action::RecordAt(at) => self.push_event(Event::RememberAt(at)),
        }
    }

    fn ids_of(&self, names: [Option<Token>; 2]) -> [Option<SessionId>; 2] {
        names.map(|session| self.sessions.id_of(session?))
    }

    fn begin_round(&mut self, now: Instant, at: u64, names: [Option<Token>; 2]) {
        let Some(inner) = self.inner_packets(at, self.ids_of(names)) else {
            return;
        };
        self.round_sent = Some(now);
        self.sessions.begin_round(&inner, &mut self.rng);
        for (_, pipe) in self.pipes.iter_mut() {
            pipe.introduced = false;
        }
    }

    fn send_round(&mut self, to: Target) {
        if let Some(packets) = self.sessions.round().map(<[_]>::to_vec) {
            self.queue_handshake(to, &packets);
        }
    }

    fn answer(&mut self, now: Instant, remote: Token, at: u64, continues: Option<Token>) {
        let cont = self.ids_of([continues, None]);
        let Some(inner) = self.inner_packets(at, cont) else {
            return;
        };
        let offer = self.agreeable;
        let tokens = self
            .sessions
            .answer(remote, &inner, continues, offer, &mut self.rng);
        self.session_derived(now, remote, tokens);
    }

    fn send_answer(&mut self, remote: Token, to: Target) {
        if let Some(packets) = self.sessions.answer_to(remote).map(<[_]>::to_vec) {
            self.queue_handshake(to, &packets);
        }
    }

    fn derive_answered(&mut self, now: Instant, remote: Token, continues: Option<Token>) {
        let offer = self.agreeable;
        let tokens = self
            .sessions
            .derive_round(remote, continues, offer, &mut self.rng);
        self.session_derived(now, remote, tokens);
    }

    /// A new session receives. "Until it is confirmed data stays on the older session; without one
    /// it may go at once." A peer that cannot be agreed with gets none: it runs out.
    fn session_derived(&mut self, now: Instant, remote: Token, tokens: Option<LocalTokens>) {
        let Some(LocalTokens { full, head_only }) = tokens else {
            return;
        };
        self.tell_endpoint(ToEndpoint::AddToken(full, TokenOwner::Local));
        self.tell_endpoint(ToEndpoint::AddToken(head_only, TokenOwner::LocalHeadOnly));
        self.tell_endpoint(ToEndpoint::AddToken(remote, TokenOwner::Remote));
        if self.state != LinkState::Up {
            self.use_session(now, remote);
            self.push_event(Event::Agreed);
        }
    }

    fn session_confirmed(&mut self, now: Instant, remote: Token, channels: Channels) {
        if channels == Channels::Reset {
            self.flow.reset(now, ChannelError::Reset);
            self.push_event(Event::Restarted);
        }
        self.use_session(now, remote);
        self.stats.sessions += 1;
        self.sessions.drop_answer(remote);
        self.came_up();
    }

    /// Data goes by this session from now on.
    fn use_session(&mut self, now: Instant, remote: Token) {
        let Some(offer) = self.sessions.switch_to(remote) else {
            return;
        };
        self.flow.set_compression(offer.compression);
        self.head_only = offer.head_only;
        self.select_pipe(now);
    }

    /// Its packets are not taken any more.
    fn mute_session(&mut self, remote: Token) {
        let tokens = self.sessions.mute(remote);
        self.remove_tokens(tokens);
    }

    fn forget_session(&mut self, remote: Token) {
        let tokens = self.sessions.forget(remote);
        self.remove_tokens(tokens);
    }

    fn fresh_down(&mut self, now: Instant, reason: DownReason) {
        self.control.clear();
        let tokens = self.sessions.forget_all();
        self.remove_tokens(tokens);
        self.went_down(now, reason);
    }

    fn remove_tokens(&mut self, tokens: Vec<Token>) {
        for token in tokens {
            self.tell_endpoint(ToEndpoint::RemoveToken(token));
        }
    }

    /// Seals a ping or its answer in one session, for each pipe it goes to.
    fn send_bare(&mut self, now: Instant, remote: Token, to: Target, plaintext: &[u8]) {
        for slot in self.slots_of(to) {
            if let Some(packet) = self.seal_bare(now, remote, slot, plaintext) {
                self.queue(slot, Queued::Wire(packet, false));
            }
        }
    }

    fn seal_bare(
        &mut self,
        now: Instant,
        remote: Token,
        slot: PipeSlot,
        plaintext: &[u8],
    ) -> Option<Vec<u8>> {
        let pipe = self.pipes.get(slot)?;
        let (cloaks, routed) = (pipe.cloaks(), pipe.is_routed());
        let gap = if cloaks { cloak::NONCE_LEN } else { 0 };
        let (_, offered) = self.sessions.session_mut(remote)?;
        let head_only = offered && !routed;
        self.sessions.address(remote, head_only);
        let (session, _) = self.sessions.session_mut(remote)?;
        let overhead = session.overhead();
        let mut packet = vec![0; gap + overhead.head];
        packet.extend_from_slice(plaintext);
        packet.resize(packet.len() + overhead.tail, 0);
        session.seal(now, packet.get_mut(gap..)?).ok()?;
        if cloaks {
            self.write_nonce(&mut packet);
            match head_only {
                true => cloak::cloak_head_in_place(&mut packet),
                false => cloak::cloak_in_place(&mut packet),
            }
        }
        Some(packet)
    }
}
