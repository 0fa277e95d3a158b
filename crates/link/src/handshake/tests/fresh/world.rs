//! Two endpoints whose cipher set has fresh ephemerals, and the network between them.
//!
//! No cryptography: a handshake is its `at`, its sender's ephemeral and the session it names; a
//! channel packet is a pair of ephemerals and a nonce, and an end takes it while it holds the
//! session of that pair, once. What the link does around the machine is done by [`End`].

use alloc::{vec, vec::Vec};
use core::time::Duration;

use telehash_e3x::{Instant, Order, Token};

use crate::{
    DownReason, PipeSlot,
    handshake::{
        Target,
        fresh::{Action, Channels, FreshRounds, Heard},
        limits::MAX_UNCONFIRMED,
        machine::{Arrived, Duplicate},
        tests::{
            PRESENT,
            model::search::Model,
            world::{ATTACKER, DIRECT, Ephemeral},
        },
    },
};

/// The time of day of an endpoint whose clock is right, in milliseconds.
pub(super) const CLOCK: u64 = 1_000_000;

/// A session: the ephemeral of the odd end and that of the even one.
pub(super) type Pair = (Ephemeral, Ephemeral);

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Packet {
    /// A handshake of `from`. An ephemeral seals one, so it names the bytes.
    Handshake {
        from: Ephemeral,
        at: u64,
        /// The sessions that it names.
        cont: [Option<Pair>; 2],
    },
    /// A channel packet of one session.
    Channel {
        from: Ephemeral,
        to: Ephemeral,
        /// The session that this one continues.
        resumed: Option<Pair>,
        kind: Kind,
        nonce: u8,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Kind {
    Ping,
    Pong,
    Data,
}

impl Packet {
    pub(super) fn sender(self) -> usize {
        match self {
            Self::Handshake { from, .. } | Self::Channel { from, .. } => usize::from(from.side),
        }
    }

    fn digest(self) -> [u8; 16] {
        let mut digest = [0; 16];
        if let Self::Handshake { from, .. } = self {
            digest[..2].copy_from_slice(&[from.side, from.count]);
        }
        digest
    }
}

/// A session as an end holds it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Held {
    ours: Ephemeral,
    theirs: Ephemeral,
    /// The session that it continues: part of its keys.
    resumed: Option<Pair>,
    sent: u8,
    /// Nonces that were let through.
    received: Vec<u8>,
    /// Its keys are erased.
    muted: bool,
    answer: Option<Packet>,
}

/// One endpoint: the machine, and what the link does around it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct End {
    pub(super) rounds: FreshRounds,
    side: u8,
    /// Ephemerals made so far, in all its lives.
    made: u8,
    clock: u64,
    /// What was persisted.
    stored: u64,
    round: Option<(Ephemeral, Packet)>,
    held: Vec<Held>,
    /// Where data goes.
    active: Option<Token>,
    confirmed: bool,
    heard: Option<Ephemeral>,
    validated: [bool; 2],
    /// How often channels were reset.
    pub(super) resets: u8,
    /// How often the link went down.
    pub(super) downs: u8,
}

impl End {
    fn new(side: u8, now: Instant, made: u8, clock: u64, stored: u64) -> Self {
        let order = if side == 0 { Order::Odd } else { Order::Even };
        let mut rounds = FreshRounds::new(now, order, u64::from(made), stored);
        rounds.pipe_added(now, DIRECT, Duration::from_secs(30));
        Self {
            rounds,
            side,
            made,
            clock,
            stored,
            round: None,
            held: Vec::new(),
            active: None,
            confirmed: false,
            heard: None,
            validated: [false; 2],
            resets: 0,
            downs: 0,
        }
    }

    fn fresh(&mut self) -> Ephemeral {
        self.made += 1;
        Ephemeral {
            side: self.side,
            count: self.made,
        }
    }

    fn get(&self, remote: Token) -> Option<&Held> {
        self.held.iter().find(|held| held.theirs.token() == remote)
    }

    /// Sessions that it takes packets of.
    pub(super) fn sessions(&self) -> usize {
        self.held.iter().filter(|held| !held.muted).count()
    }

    /// Whether it takes packets of this session.
    fn takes(&self, ours: Ephemeral, theirs: Ephemeral, resumed: Option<Pair>) -> bool {
        self.held.iter().any(|held| {
            !held.muted && held.ours == ours && held.theirs == theirs && held.resumed == resumed
        })
    }

    /// The session of this pair, if it is held.
    fn holding(&self, sought: Pair) -> Option<Token> {
        let mut held = self.held.iter();
        let found = held.find(|held| pair(held.ours, held.theirs) == sought)?;
        Some(found.theirs.token())
    }

    /// The session that both name when they renew it.
    fn named(&self) -> Option<Pair> {
        self.pair_of(self.active.filter(|_| self.confirmed)?)
    }

    fn pair_of(&self, remote: Token) -> Option<Pair> {
        let held = self.get(remote)?;
        Some(pair(held.ours, held.theirs))
    }

    fn receive(&mut self, now: Instant, pipe: PipeSlot, packet: Packet) {
        match packet {
            Packet::Handshake { from, at, cont } => {
                let digest = packet.digest();
                if self.rounds.on_duplicate(now, Some(pipe), digest) != Duplicate::No {
                    return;
                }
                self.heard = Some(from);
                let arrived = Arrived {
                    pipe,
                    at,
                    remote: from.token(),
                    digest,
                    names: cont.map(|cont| self.holding(cont?)),
                };
                self.rounds.on_message(now, self.clock, arrived);
            }
            Packet::Channel {
                from,
                to,
                resumed,
                kind,
                nonce,
            } => {
                let is_it = |held: &&mut Held| {
                    !held.muted && held.ours == to && held.theirs == from && held.resumed == resumed
                };
                let Some(held) = self.held.iter_mut().find(is_it) else {
                    return;
                };
                if held.received.contains(&nonce) {
                    return;
                }
                held.received.push(nonce);
                let heard = match kind {
                    Kind::Ping => Heard::Ping,
                    Kind::Pong => Heard::Pong,
                    Kind::Data => Heard::Data,
                };
                self.validate(pipe);
                self.rounds
                    .on_channel_packet(now, pipe, from.token(), heard);
            }
        }
    }

    /// Does what the machine wants. Returns what goes out on which pipe.
    fn follow(&mut self, now: Instant) -> Vec<(PipeSlot, Packet)> {
        let mut out = Vec::new();
        while let Some(action) = self.rounds.poll_action() {
            match action {
                Action::Begin { at, names } => self.begin(at, names),
                Action::SendRound { to } => {
                    let (_, packet) = self.round.expect("a round that is sent was begun");
                    self.send(now, to, packet, &mut out);
                }
                Action::EraseRound => self.round = None,
                Action::Answer {
                    remote,
                    at,
                    continues,
                } => self.answer(remote, at, continues),
                Action::SendAnswer { remote, to } => {
                    let answer = self.get(remote).and_then(|held| held.answer);
                    let packet = answer.expect("an answer is kept until it is confirmed");
                    self.send(now, to, packet, &mut out);
                }
                Action::Derive { remote, continues } => self.derive(remote, continues),
                Action::Ping { remote, to } => self.bare(now, remote, to, Kind::Ping, &mut out),
                Action::Pong { remote, to } => {
                    self.bare(now, remote, Target::PacketSource(to), Kind::Pong, &mut out);
                }
                Action::Confirmed { remote, channels } => self.confirm(remote, channels),
                Action::Mute { remote } => self.mute(remote),
                Action::Forget { remote } => self.forget(remote),
                Action::PipeAnswered(pipe) => self.validate(pipe),
                Action::Down(reason) => self.down(reason),
                Action::RecordAt(at) => {
                    assert!(at > self.stored, "`at` goes back");
                    self.stored = at;
                }
            }
        }
        self.heard = None;
        out
    }

    fn begin(&mut self, at: u64, names: [Option<Token>; 2]) {
        let from = self.fresh();
        let cont = names.map(|session| self.pair_of(session?));
        self.round = Some((from, Packet::Handshake { from, at, cont }));
    }

    fn answer(&mut self, remote: Token, at: u64, continues: Option<Token>) {
        let ours = self.fresh();
        let cont = [continues.and_then(|session| self.pair_of(session)), None];
        let answer = Packet::Handshake {
            from: ours,
            at,
            cont,
        };
        self.hold(ours, remote, continues, Some(answer));
    }

    fn derive(&mut self, remote: Token, continues: Option<Token>) {
        let (ours, _) = self.round.take().expect("only a round of ours is answered");
        self.hold(ours, remote, continues, None);
    }

    fn hold(
        &mut self,
        ours: Ephemeral,
        remote: Token,
        continues: Option<Token>,
        answer: Option<Packet>,
    ) {
        let theirs = self.heard.take().expect("a handshake came in");
        assert_eq!(theirs.token(), remote);
        let resumed = continues.and_then(|session| self.pair_of(session));
        assert_eq!(
            continues.is_some(),
            resumed.is_some(),
            "nothing to continue"
        );
        self.held.push(Held {
            ours,
            theirs,
            resumed,
            sent: 0,
            received: Vec::new(),
            muted: false,
            answer,
        });
        // Confirmed, renewed, unconfirmed.
        assert!(self.held.len() <= 2 + MAX_UNCONFIRMED, "too many sessions");
        if !self.confirmed {
            self.active = Some(remote);
        }
    }

    fn confirm(&mut self, remote: Token, channels: Channels) {
        assert_eq!(channels == Channels::First, !self.confirmed);
        assert!(self.get(remote).is_some(), "a session that is erased");
        self.resets += u8::from(channels == Channels::Reset);
        self.active = Some(remote);
        self.confirmed = true;
    }

    fn mute(&mut self, remote: Token) {
        let is_it = |held: &&mut Held| held.theirs.token() == remote;
        let held = self.held.iter_mut().find(is_it).expect("it is held");
        assert!(!core::mem::replace(&mut held.muted, true), "erased twice");
    }

    fn forget(&mut self, remote: Token) {
        let is_it = |held: &Held| held.theirs.token() == remote;
        assert!(self.held.iter().any(is_it), "erased twice");
        self.held.retain(|held| !is_it(held));
        if self.active == Some(remote) {
            self.active = self.held.last().map(|held| held.theirs.token());
        }
    }

    fn down(&mut self, reason: DownReason) {
        assert_ne!(reason, DownReason::Closed);
        self.downs += 1;
        self.held.clear();
        self.round = None;
        self.active = None;
        self.confirmed = false;
    }

    fn bare(
        &mut self,
        now: Instant,
        remote: Token,
        to: Target,
        kind: Kind,
        out: &mut Vec<(PipeSlot, Packet)>,
    ) {
        if let Some(packet) = self.seal(remote, kind) {
            self.send(now, to, packet, out);
        }
    }

    fn seal(&mut self, remote: Token, kind: Kind) -> Option<Packet> {
        let is_it = |held: &&mut Held| held.theirs.token() == remote;
        let held = self.held.iter_mut().find(is_it)?;
        assert!(!held.muted, "sealed with keys that are erased");
        held.sent += 1;
        Some(Packet::Channel {
            from: held.ours,
            to: held.theirs,
            resumed: held.resumed,
            kind,
            nonce: held.sent,
        })
    }

    fn send(
        &mut self,
        now: Instant,
        to: Target,
        packet: Packet,
        out: &mut Vec<(PipeSlot, Packet)>,
    ) {
        let pipes = match to {
            Target::AllPipes => vec![DIRECT],
            Target::ValidatedPipes => {
                let all = [DIRECT, ATTACKER].into_iter().zip(self.validated);
                all.filter_map(|(pipe, is)| is.then_some(pipe)).collect()
            }
            Target::Pipe(pipe) | Target::PacketSource(pipe) => vec![pipe],
        };
        for pipe in pipes {
            self.rounds.on_sent(now, pipe);
            out.push((pipe, packet));
        }
    }

    fn validate(&mut self, pipe: PipeSlot) {
        self.validated[usize::from(pipe.0)] = true;
        self.rounds.pipe_validated(pipe);
    }
}

fn pair(a: Ephemeral, b: Ephemeral) -> Pair {
    if a.side == 0 { (a, b) } else { (b, a) }
}

/// Two endpoints and the packets between them.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct World {
    pub(super) now: Instant,
    pub(super) ends: [End; 2],
    /// On the way, oldest first.
    pub(super) flights: Vec<Packet>,
    /// All handshakes that were ever sent, and all channel packets that were not delivered.
    pub(super) recorded: Vec<Packet>,
    sent: u32,
    /// An end lost its session, by starting anew or because its link went down: channels may be
    /// reset.
    pub(super) lost: bool,
}

impl World {
    /// The endpoint on side 0 is odd, that on side 1 is even. Nobody dials yet.
    pub(super) fn new() -> Self {
        Self {
            now: PRESENT,
            ends: [0, 1].map(|side| End::new(side, PRESENT, 0, CLOCK, 0)),
            flights: vec![],
            recorded: vec![],
            sent: 0,
            lost: false,
        }
    }

    /// Two ends that have been linked for long enough to renew their session.
    pub(super) fn linked() -> Self {
        let mut world = Self::new();
        world.dial(0);
        world.deliver_all();
        world.run(Duration::from_secs(32));
        assert!(world.is_confirmed());
        world.rebase();
        world
    }

    /// The application of one side does something.
    pub(super) fn act(&mut self, side: usize, act: impl Fn(&mut FreshRounds, Instant, u64)) {
        let end = &mut self.ends[side];
        act(&mut end.rounds, self.now, end.clock);
        self.follow(side);
    }

    /// Time passes, and everybody's packets arrive at once.
    pub(super) fn run(&mut self, duration: Duration) {
        let end = self.now + duration;
        self.deliver_all();
        while self.next_timeout().is_some_and(|due| due <= end) {
            self.pass();
            self.deliver_all();
        }
        self.now = end;
    }

    /// Time passes, and nothing arrives.
    pub(super) fn run_without_network(&mut self, duration: Duration) {
        let end = self.now + duration;
        self.flights.clear();
        while self.next_timeout().is_some_and(|due| due <= end) {
            self.pass();
            self.flights.clear();
        }
        self.now = end;
    }

    /// Both hold the same confirmed session.
    pub(super) fn is_confirmed(&self) -> bool {
        let [a, b] = &self.ends;
        a.named().is_some() && a.named() == b.named()
    }

    /// The session both hold.
    pub(super) fn session(&self) -> Option<Pair> {
        self.ends[0].named().filter(|_| self.is_confirmed())
    }

    fn next_timeout(&self) -> Option<Instant> {
        let timeouts = self.ends.iter().map(|end| end.rounds.poll_timeout());
        timeouts.flatten().min()
    }

    fn follow(&mut self, side: usize) {
        let downs = self.ends[side].downs;
        let sent = self.ends[side].follow(self.now);
        self.lost |= self.ends[side].downs > downs;
        for (pipe, packet) in sent {
            self.sent += 1;
            if pipe == DIRECT {
                self.flights.push(packet);
            }
            if !self.recorded.contains(&packet) {
                self.recorded.push(packet);
            }
        }
    }
}

impl Model for World {
    type Packet = Packet;

    const CLOCKS: [u64; 3] = [CLOCK, CLOCK - 60_000, CLOCK - 500_000];

    fn begin(kin: bool) -> Self {
        match kin {
            true => Self::linked(),
            false => Self::new(),
        }
    }

    fn dial(&mut self, side: usize) {
        if self.ends[side].confirmed {
            self.act(side, FreshRounds::network_changed);
            // What it asks for is due.
            self.act(side, FreshRounds::handle_timeout);
        } else {
            self.act(side, FreshRounds::start);
        }
    }

    fn flights(&mut self) -> &mut Vec<Packet> {
        &mut self.flights
    }

    fn recorded(&mut self) -> &mut Vec<Packet> {
        &mut self.recorded
    }

    fn sent(&mut self) -> &mut u32 {
        &mut self.sent
    }

    fn now(&self) -> Instant {
        self.now
    }

    fn deliver(&mut self, place: usize) {
        let packet = self.flights.remove(place);
        if matches!(packet, Packet::Channel { .. }) {
            self.recorded.retain(|other| *other != packet);
        }
        self.inject(packet, DIRECT);
    }

    fn deliver_all(&mut self) -> usize {
        let mut delivered = 0;
        while !self.flights.is_empty() {
            self.deliver(0);
            delivered += 1;
            assert!(
                delivered < 60,
                "the two never stop answering each other: {self:?}"
            );
        }
        delivered
    }

    fn inject(&mut self, packet: Packet, pipe: PipeSlot) {
        let side = 1 - packet.sender();
        self.ends[side].receive(self.now, pipe, packet);
        self.follow(side);
    }

    fn restart(&mut self, side: usize, keeps_state: bool, clock: u64, dials: bool) {
        let old = &self.ends[side];
        let stored = if keeps_state { old.stored } else { 0 };
        self.ends[side] = End::new(side as u8, self.now, old.made, clock, stored);
        self.lost = true;
        if dials {
            self.dial(side);
        }
    }

    fn talk(&mut self, side: usize) {
        let end = &mut self.ends[side];
        let Some(remote) = end.active else { return };
        let Some(packet) = end.seal(remote, Kind::Data) else {
            return;
        };
        end.rounds.on_sent(self.now, DIRECT);
        self.flights.push(packet);
        self.recorded.push(packet);
    }

    fn pass(&mut self) -> bool {
        let Some(due) = self.next_timeout() else {
            return false;
        };
        self.now = self.now.max(due);
        for side in 0..2 {
            let end = &mut self.ends[side];
            if end.rounds.poll_timeout().is_some_and(|due| due <= self.now) {
                end.rounds.handle_timeout(self.now, end.clock);
                self.follow(side);
            }
        }
        true
    }

    /// Both have confirmed a session, and each takes what the other sends.
    fn agrees(&self) -> bool {
        let hears = |to: &End, from: &End| {
            let active = from.active.filter(|_| from.confirmed);
            let held = active.and_then(|remote| from.get(remote));
            held.is_some_and(|held| to.takes(held.theirs, held.ours, held.resumed))
        };
        let [a, b] = &self.ends;
        hears(a, b) && hears(b, a)
    }

    fn is_waiting(&self) -> bool {
        self.ends.iter().any(|end| end.rounds.is_waiting())
    }

    fn rebase(&mut self) {
        for end in &mut self.ends {
            end.rounds.rebase(self.now);
            end.rename();
        }
        self.now = PRESENT;
    }

    fn broken(&self, after: &Self, _restarted: bool) -> Option<&'static str> {
        let resets = |world: &Self| world.ends.iter().map(|end| end.resets).sum::<u8>();
        let lost = resets(after) > resets(self) && !after.lost;
        lost.then_some("channels are reset although nobody lost the session")
    }
}

impl End {
    /// Counters that only ever rise make no other state.
    fn rename(&mut self) {
        self.downs = 0;
    }
}
