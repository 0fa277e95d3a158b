//! Two endpoints, and between them a network that does what it is told.
//!
//! No cryptography: a handshake is its `at`, its sender's ephemeral and a number that stands for
//! its bytes; a channel packet is a pair of ephemerals and a nonce. What the link does around the
//! machine is done by [`End`]: it makes ephemerals, keeps the bytes of rounds and echoes, filters
//! replayed channel packets, knows which pipes are validated.

use alloc::{vec, vec::Vec};
use core::time::Duration;

use telehash_e3x::{Instant, Order, Token};

use super::{PRESENT, model::search::Model};
use crate::{
    DownReason, PipeSlot,
    handshake::{Action, Duplicate, SendKind, Target, limits::MAX_DERIVED, rounds::Rounds},
};

/// The pipe between the two endpoints.
pub(super) const DIRECT: PipeSlot = PipeSlot(0);
/// What comes in here comes from an attacker, and what goes out here only it receives.
pub(super) const ATTACKER: PipeSlot = PipeSlot(1);
/// The time of day of an endpoint whose clock is right.
pub(super) const CLOCK: u64 = 1_000;
pub(super) const SECOND: Duration = Duration::from_secs(1);

/// An ephemeral: whose, and the how manieth.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Ephemeral {
    pub(super) side: u8,
    pub(super) count: u8,
}

impl Ephemeral {
    pub(super) fn token(self) -> Token {
        let mut bytes = [0; Token::LEN];
        bytes[0] = self.side;
        bytes[1] = self.count;
        Token::from_bytes(bytes)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Packet {
    /// A handshake of `from`. Those with the same `at` and `seal` are the same bytes.
    Handshake { from: Ephemeral, at: u64, seal: u8 },
    /// A channel packet of the session of this pair.
    Channel {
        from: Ephemeral,
        to: Ephemeral,
        nonce: u8,
    },
}

impl Packet {
    pub(super) fn sender(self) -> usize {
        match self {
            Self::Handshake { from, .. } | Self::Channel { from, .. } => usize::from(from.side),
        }
    }

    fn digest(self) -> [u8; 16] {
        let mut digest = [0; 16];
        if let Self::Handshake { from, at, seal } = self {
            digest[..8].copy_from_slice(&at.to_be_bytes());
            digest[8..11].copy_from_slice(&[from.side, from.count, seal]);
        }
        digest
    }
}

/// One endpoint: the machine, and what the link does around it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct End {
    pub(super) rounds: Rounds,
    pub(super) ephemeral: Ephemeral,
    pub(super) unix: u64,
    /// What was persisted.
    pub(super) stored: u64,
    /// Sessions and candidates with the present ephemeral.
    derived: Vec<Token>,
    round: Option<Packet>,
    echo: Option<Packet>,
    /// Channel packets that were let through.
    received: Vec<Packet>,
    nonce: u8,
    validated: [bool; 2],
    /// What was reported, the newest last; `None` for `Confirmed`.
    pub(super) reports: Vec<Option<DownReason>>,
    keep_reports: bool,
    /// Handshakes say that their sender is of our own kind.
    kin: bool,
}

impl End {
    pub(super) fn new(
        order: Order,
        now: Instant,
        ephemeral: Ephemeral,
        unix: u64,
        stored: u64,
    ) -> Self {
        let mut rounds = Rounds::new(now, order, ephemeral.token(), stored);
        rounds.pipe_added(now, DIRECT, Duration::from_secs(30));
        Self {
            rounds,
            ephemeral,
            unix,
            stored,
            derived: Vec::new(),
            round: None,
            echo: None,
            received: Vec::new(),
            nonce: 0,
            validated: [false; 2],
            reports: Vec::new(),
            keep_reports: false,
            kin: false,
        }
    }

    /// The ephemeral's pair, if there is a session.
    pub(super) fn session(&self) -> Option<Token> {
        self.rounds.session()
    }

    pub(super) fn receive(&mut self, now: Instant, pipe: PipeSlot, packet: Packet) {
        match packet {
            Packet::Handshake { from, at, .. } => {
                let digest = packet.digest();
                if self.kin {
                    self.rounds.peer_is_ours();
                }
                if self.rounds.on_duplicate(now, Some(pipe), digest) == Duplicate::No {
                    self.rounds
                        .on_message(now, self.unix, pipe, at, from.token(), digest);
                }
            }
            Packet::Channel { from, to, .. } => {
                let known = to == self.ephemeral && self.derived.contains(&from.token());
                if known && !self.received.contains(&packet) {
                    self.received.push(packet);
                    self.validate(pipe);
                    self.rounds.on_channel_packet(now, pipe, from.token());
                }
            }
        }
    }

    /// Does what the machine wants. Returns what goes out on which pipe.
    pub(super) fn follow(&mut self, now: Instant) -> Vec<(PipeSlot, Packet)> {
        let mut out = Vec::new();
        let mut erased = false;
        while let Some(action) = self.rounds.poll_action() {
            let fresh = matches!(action, Action::FreshEphemeral | Action::RememberAt(_));
            assert!(fresh || !erased, "the ephemeral outlives its session");
            erased = matches!(action, Action::Down(_)) && !self.derived.is_empty();
            match action {
                Action::Send { at, to, kind } => self.send(now, at, to, kind, &mut out),
                Action::Candidate { remote } => {
                    assert!(self.session().is_none(), "a candidate beside a session");
                    self.derive(remote);
                }
                Action::Agreed { remote } | Action::ReplaceSession { remote } => {
                    self.derive(remote);
                }
                Action::Confirmed => self.report(None),
                Action::Down(reason) => self.report(Some(reason)),
                Action::PipeAnswered(pipe) => self.validate(pipe),
                Action::FreshEphemeral => {
                    self.ephemeral.count += 1;
                    self.derived.clear();
                    self.received.clear();
                    self.round = None;
                    self.echo = None;
                    self.nonce = 0;
                }
                Action::RememberAt(at) => {
                    assert!(at > self.stored, "`at` goes back");
                    self.stored = at;
                }
            }
        }
        out
    }

    fn send(
        &mut self,
        now: Instant,
        at: u64,
        to: Target,
        kind: SendKind,
        out: &mut Vec<(PipeSlot, Packet)>,
    ) {
        let fresh = self.seal(at);
        let packet = match kind {
            SendKind::Round | SendKind::Keepalive => *self.round.insert(fresh),
            SendKind::Echo => *self.echo.insert(fresh),
            SendKind::Resend => self.round.expect("a round is kept for its repetitions"),
            SendKind::Stored => self.echo.expect("an echo is kept for its repetitions"),
        };
        assert_eq!(packet.sender(), usize::from(self.ephemeral.side));
        let validated: &[PipeSlot] = match self.validated {
            [false, false] => &[],
            [true, false] => &[DIRECT],
            [false, true] => &[ATTACKER],
            [true, true] => &[DIRECT, ATTACKER],
        };
        let pipes: &[PipeSlot] = match &to {
            Target::AllPipes => &[DIRECT],
            Target::ValidatedPipes => validated,
            Target::Pipe(pipe) | Target::PacketSource(pipe) => core::slice::from_ref(pipe),
        };
        for pipe in pipes {
            self.rounds.on_sent(now, *pipe);
            out.push((*pipe, packet));
        }
    }

    /// A message of this `at`, in other bytes than the last one if that had the same.
    fn seal(&self, at: u64) -> Packet {
        let from = self.ephemeral;
        let first = Packet::Handshake { from, at, seal: 0 };
        let taken = [self.round, self.echo].contains(&Some(first));
        Packet::Handshake {
            from,
            at,
            seal: u8::from(taken),
        }
    }

    fn derive(&mut self, remote: Token) {
        if !self.derived.contains(&remote) {
            self.derived.push(remote);
        }
        assert!(
            self.derived.len() <= MAX_DERIVED,
            "too many pairs for one ephemeral"
        );
    }

    fn validate(&mut self, pipe: PipeSlot) {
        self.validated[usize::from(pipe.0)] = true;
        self.rounds.pipe_validated(pipe);
    }

    fn report(&mut self, news: Option<DownReason>) {
        if self.keep_reports {
            self.reports.push(news);
        }
    }
}

/// Two endpoints and the packets between them.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct World {
    pub(super) now: Instant,
    pub(super) ends: [End; 2],
    /// Ephemerals made so far by the endpoint on each side, in all its lives.
    made: [u8; 2],
    /// On the way, oldest first.
    pub(super) flights: Vec<Packet>,
    /// All handshakes that were ever sent, and all channel packets that were not delivered: what an
    /// attacker can replay to some effect.
    pub(super) recorded: Vec<Packet>,
    /// Handshakes sent, repetitions included.
    pub(super) sent: u32,
}

impl World {
    /// The endpoint on side 0 is odd, that on side 1 is even. Nobody dials yet.
    pub(super) fn new() -> Self {
        let end = |side, order| End::new(order, PRESENT, Ephemeral { side, count: 0 }, CLOCK, 0);
        Self {
            now: PRESENT,
            ends: [end(0, Order::Odd), end(1, Order::Even)],
            made: [0; 2],
            flights: vec![],
            recorded: vec![],
            sent: 0,
        }
    }

    /// For tests that look at what was reported; the model does not, to have fewer states.
    pub(super) fn keep_reports(mut self) -> Self {
        self.ends.iter_mut().for_each(|end| end.keep_reports = true);
        self
    }

    /// Handshakes carry `z`: the ends repeat theirs as they do toward their own kind.
    pub(super) fn of_one_kind(mut self, kin: bool) -> Self {
        self.ends.iter_mut().for_each(|end| end.kin = kin);
        self
    }

    pub(super) fn dial(&mut self, side: usize) {
        self.act(side, Rounds::start);
    }

    /// The application of one side does something.
    pub(super) fn act(&mut self, side: usize, act: impl Fn(&mut Rounds, Instant, u64)) {
        let end = &mut self.ends[side];
        act(&mut end.rounds, self.now, end.unix);
        self.follow(side);
    }

    /// Delivers the packet at this place among those on the way.
    pub(super) fn deliver(&mut self, place: usize) {
        let packet = self.flights.remove(place);
        if matches!(packet, Packet::Channel { .. }) {
            self.recorded.retain(|other| *other != packet);
        }
        self.inject(packet, DIRECT);
    }

    /// Delivers everything, and what it causes, oldest first. Returns how many packets that were.
    pub(super) fn deliver_all(&mut self) -> usize {
        let mut delivered = 0;
        while !self.flights.is_empty() {
            self.deliver(0);
            delivered += 1;
            assert!(
                delivered < 40,
                "the two never stop answering each other: {self:?}"
            );
        }
        delivered
    }

    /// Hands a packet to its recipient as if it came by `pipe`.
    pub(super) fn inject(&mut self, packet: Packet, pipe: PipeSlot) {
        let side = 1 - packet.sender();
        self.ends[side].receive(self.now, pipe, packet);
        self.follow(side);
    }

    /// Sends a channel packet, if there is a session.
    pub(super) fn talk(&mut self, side: usize) {
        let end = &mut self.ends[side];
        let Some(remote) = end.session() else { return };
        let [to_side, to_count, ..] = *remote.as_bytes();
        let to = Ephemeral {
            side: to_side,
            count: to_count,
        };
        end.nonce += 1;
        end.rounds.on_sent(self.now, DIRECT);
        let packet = Packet::Channel {
            from: end.ephemeral,
            to,
            nonce: end.nonce,
        };
        self.flights.push(packet);
        self.record(packet);
    }

    /// Time passes until something is due on either side; false if nothing ever is.
    pub(super) fn pass(&mut self) -> bool {
        let due = self
            .ends
            .iter()
            .filter_map(|end| end.rounds.poll_timeout())
            .min();
        let Some(due) = due else { return false };
        self.now = self.now.max(due);
        self.timeouts();
        true
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

    pub(super) fn next_timeout(&self) -> Option<Instant> {
        self.ends
            .iter()
            .filter_map(|end| end.rounds.poll_timeout())
            .min()
    }

    /// The endpoint of this side starts anew with another ephemeral, with or without what it
    /// persisted, with this clock.
    pub(super) fn restart(&mut self, side: usize, keeps_state: bool, unix: u64, dials: bool) {
        let old = &self.ends[side];
        let stored = if keeps_state { old.stored } else { 0 };
        let number = u8::from(side == 1);
        self.made[side] = self.made[side].max(old.ephemeral.count) + 1;
        let order = if side == 0 { Order::Odd } else { Order::Even };
        let ephemeral = Ephemeral {
            side: number,
            count: self.made[side],
        };
        let (keep_reports, kin) = (old.keep_reports, old.kin);
        let new = End::new(order, self.now, ephemeral, unix, stored);
        self.ends[side] = End {
            keep_reports,
            kin,
            ..new
        };
        if dials {
            self.dial(side);
        }
    }

    /// Both have the same session: the pair of their present ephemerals.
    pub(super) fn agrees(&self) -> bool {
        let [a, b] = &self.ends;
        a.session() == Some(b.ephemeral.token()) && b.session() == Some(a.ephemeral.token())
    }

    /// A round of either waits for its answer.
    pub(super) fn is_waiting(&self) -> bool {
        self.ends.iter().any(|end| end.rounds.is_waiting())
    }

    /// They agree, and both reported it.
    pub(super) fn is_confirmed(&self) -> bool {
        self.agrees() && self.ends.iter().all(|end| end.rounds.is_confirmed())
    }

    /// The handshakes of one side that are on the way, as (`at`, bytes).
    pub(super) fn handshakes(&self, side: usize) -> Vec<(u64, u8)> {
        let of_side = |packet: &Packet| match *packet {
            Packet::Handshake { from, at, seal } if usize::from(from.side) == side => {
                Some((at, seal))
            }
            _ => None,
        };
        self.flights.iter().filter_map(of_side).collect()
    }

    fn timeouts(&mut self) {
        for side in 0..2 {
            let end = &mut self.ends[side];
            if end.rounds.poll_timeout().is_some_and(|due| due <= self.now) {
                end.rounds.handle_timeout(self.now, end.unix);
                self.follow(side);
            }
        }
    }

    fn follow(&mut self, side: usize) {
        for (pipe, packet) in self.ends[side].follow(self.now) {
            self.sent += 1;
            if pipe == DIRECT {
                self.flights.push(packet);
            }
            self.record(packet);
        }
    }

    fn record(&mut self, packet: Packet) {
        if !self.recorded.contains(&packet) {
            self.recorded.push(packet);
        }
    }

    /// Moves all times so that states which differ only in them are equal.
    pub(super) fn rebase(&mut self) {
        self.ends
            .iter_mut()
            .for_each(|end| end.rounds.rebase(self.now));
        self.now = PRESENT;
    }
}

impl Model for World {
    type Packet = Packet;

    const CLOCKS: [u64; 3] = [CLOCK, CLOCK - 60, CLOCK - 500];

    fn begin(kin: bool) -> Self {
        Self::new().of_one_kind(kin)
    }

    fn dial(&mut self, side: usize) {
        self.dial(side);
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
        self.deliver(place);
    }

    fn deliver_all(&mut self) -> usize {
        self.deliver_all()
    }

    fn inject(&mut self, packet: Packet, pipe: PipeSlot) {
        self.inject(packet, pipe);
    }

    fn restart(&mut self, side: usize, keeps_state: bool, clock: u64, dials: bool) {
        self.restart(side, keeps_state, clock, dials);
    }

    fn talk(&mut self, side: usize) {
        self.talk(side);
    }

    fn pass(&mut self) -> bool {
        self.pass()
    }

    fn agrees(&self) -> bool {
        self.agrees()
    }

    fn is_waiting(&self) -> bool {
        self.is_waiting()
    }

    fn rebase(&mut self) {
        self.rebase();
    }
}

/// A link that `dialer` dialed and in which channel packets went both ways.
pub(super) fn linked(dialer: usize) -> World {
    let mut world = World::new().keep_reports();
    world.dial(dialer);
    world.deliver_all();
    world.talk(0);
    world.talk(1);
    world.deliver_all();
    assert!(world.is_confirmed());
    world
}

/// The first handshake that `side` ever sent.
pub(super) fn first_of(world: &World, side: usize) -> Packet {
    let is_of =
        |packet: &&Packet| matches!(packet, Packet::Handshake { .. }) && packet.sender() == side;
    *world.recorded.iter().find(is_of).expect("it sent one")
}

pub(super) fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}
