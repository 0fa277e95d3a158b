//! An endpoint: decides whose packet it is, and who may become a link.

mod half_open;
mod strangers;
#[cfg(test)]
mod tests;

use alloc::{boxed::Box, collections::BTreeSet, sync::Arc, vec::Vec};
use core::time::Duration;

use hashbrown::HashMap;
use rand_chacha::ChaCha20Rng;
use rand_core::{Rng, SeedableRng};
use telehash_e3x::{Exchange, Identity, Instant, Token};
use telehash_hashname::{Csid, Hashname, KeySet};
use telehash_lob::{
    Lob,
    cloak::{self, CloakError, Peek, WorkBudget},
};

use self::{
    half_open::{HalfOpen, HalfOpenTable, Identified},
    strangers::Strangers,
};
use crate::{
    AcceptError, Config, ConnectError, Dispatch, DropReason, EndpointEvent, HandshakeMessage,
    Incoming, Input, Link, LinkOptions, PipeId, Ticket,
    config::MAX_HANDSHAKE_PACKET,
    event::{InputKind, OpenedMessage, ToEndpoint, TokenOwner},
    handshake::{Kind, MessageSet},
    link::{Clock, Parts, digest},
    router::Router,
    weak_mac::Claims,
};

/// Names a link within its endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LinkKey(pub(crate) u64);

/// One identity in the mesh: finds the link of each packet, and meets strangers.
///
/// It does no I/O and reads no clock. **Hand in a packet, follow its [`Dispatch`], drain the link.**
/// It never produces a packet by itself, so a stranger that nobody accepted gets no answer.
#[derive(Debug)]
pub struct Endpoint {
    config: Arc<Config>,
    pub(crate) identity: Arc<Identity>,
    clock: Clock,
    pub(crate) rng: ChaCha20Rng,
    pub(crate) tokens: HashMap<Token, (LinkKey, TokenOwner)>,
    pub(crate) links: HashMap<LinkKey, Record>,
    pub(crate) names: HashMap<Hashname, LinkKey>,
    half_open: HalfOpenTable,
    pub(crate) strangers: Strangers,
    pub(crate) router: Router,
    /// Pipes through routers, of all links together.
    routed: usize,
    /// Forged handshakes in cipher sets with weak MACs.
    claims: Claims,
    pub(crate) welcome: Welcome,
    next_key: u64,
    stats: EndpointStats,
}

/// Who pays for a handshake that a router handed us: the router, and the friend whom it names.
pub(crate) type Payer = (Hashname, Option<Hashname>);

/// What the endpoint keeps of a link.
#[derive(Debug)]
pub(crate) struct Record {
    pub(crate) hashname: Hashname,
    tokens: Vec<Token>,
    pub(crate) pipes: Vec<PipeId>,
    /// How many of the pipes lead through routers.
    pub(crate) routed: usize,
}

/// Which strangers are worth the work of authentication.
#[derive(Clone, Debug, Default)]
pub enum Welcome {
    /// All of them: the application decides about each.
    #[default]
    Anyone,
    /// Only these; others are dropped before their MAC is checked.
    Only(BTreeSet<Hashname>),
    /// These, and whoever sends a `uri` message beside its `link` message: it may be invited.
    Invited(BTreeSet<Hashname>),
}

/// Counters of an endpoint since it was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct EndpointStats {
    /// Packets handed in.
    pub packets: u64,
    /// Of them, dropped.
    pub dropped: u64,
    /// Of them, handshakes beyond the budget of their source.
    pub throttled: u64,
    /// Public-key operations that strangers caused.
    pub agreements: u64,
    /// Links alive.
    pub links: usize,
    /// Handshakes that wait for a message or a decision.
    pub half_open: usize,
    /// Sources of strangers' packets whose work is counted.
    pub sources: usize,
    /// Tokens that are bridged for others.
    pub bridges: usize,
    /// Pairs whose requests are counted.
    pub pairs: usize,
    /// Requests of others that went on to their targets.
    pub relayed: u64,
    /// Requests of others that did not.
    pub not_relayed: u64,
    /// Packets between others that went on.
    pub forwarded: u64,
}

impl Endpoint {
    /// An endpoint of `identity`.
    ///
    /// `unix` is the time of day at `now`, since 1970; `seed` must be secret and never used before:
    /// all randomness of the endpoint and its links comes from it.
    #[must_use]
    pub fn new(
        config: Config,
        identity: Identity,
        now: Instant,
        unix: Duration,
        seed: [u8; 32],
    ) -> Self {
        let strangers = Strangers::new(config.strangers, now);
        Self {
            config: Arc::new(config),
            identity: Arc::new(identity),
            clock: Clock::new(now, unix),
            rng: ChaCha20Rng::from_seed(seed),
            tokens: HashMap::new(),
            links: HashMap::new(),
            names: HashMap::new(),
            half_open: HalfOpenTable::default(),
            strangers,
            router: Router::default(),
            routed: 0,
            claims: Claims::default(),
            welcome: Welcome::default(),
            next_key: 0,
            stats: EndpointStats::default(),
        }
    }

    /// The name of this endpoint.
    #[must_use]
    pub fn hashname(&self) -> Hashname {
        self.identity.hashname()
    }

    /// Its keys.
    #[must_use]
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// The time of day changed: at `now` it is `unix`, the time since 1970. Tell the links too.
    pub fn set_clock(&mut self, now: Instant, unix: Duration) {
        self.clock = Clock::new(now, unix);
    }

    /// Which strangers reach [`Dispatch::Incoming`].
    pub fn set_welcome(&mut self, welcome: Welcome) {
        self.welcome = welcome;
    }

    /// Says whose packet this is. Peels only its first block, unless it is a stranger's handshake.
    pub fn handle(&mut self, now: Instant, pipe: PipeId, packet: &mut [u8]) -> Dispatch {
        self.handle_for(now, pipe, None, packet)
    }

    /// The same, of a packet that a router handed us: it pays, or the friend whom it names.
    pub(crate) fn handle_for(
        &mut self,
        now: Instant,
        pipe: PipeId,
        payer: Option<Payer>,
        packet: &mut [u8],
    ) -> Dispatch {
        self.stats.packets += 1;
        match self.dispatch(now, pipe, payer, packet) {
            Ok(dispatch) => dispatch,
            Err(reason) => {
                self.stats.packets -= 1;
                self.drop_packet(reason)
            }
        }
    }

    /// Counts a packet that nothing comes of.
    pub(crate) fn drop_packet(&mut self, reason: DropReason) -> Dispatch {
        self.stats.packets += 1;
        self.stats.dropped += 1;
        self.stats.throttled += u64::from(reason == DropReason::Throttled);
        Dispatch::Drop(reason)
    }

    /// Makes a link to the endpoint with these keys. It stays down until it has a path.
    ///
    /// # Errors
    /// The target is ourselves, linked already, or lacks a usable key; see [`ConnectError`].
    pub fn connect(
        &mut self,
        now: Instant,
        keys: &KeySet,
        options: LinkOptions,
    ) -> Result<(LinkKey, Link), ConnectError> {
        let hashname = keys.hashname().ok_or(ConnectError::NoKeys)?;
        if hashname == self.hashname() {
            return Err(ConnectError::OwnHashname);
        }
        if let Some(key) = self.names.get(&hashname) {
            return Err(ConnectError::AlreadyLinked(*key));
        }
        let csid = self
            .identity
            .keys()
            .agreed(keys)
            .ok_or(ConnectError::NoCommonCipherSet(hashname))?;
        let remote = keys.key(csid).ok_or(ConnectError::KeyMissing(csid))?;
        let local = self
            .identity
            .local(csid)
            .ok_or(ConnectError::KeyMissing(csid))?;
        let exchange = local.exchange(remote, &mut self.rng)?;
        Ok(self.register(now, hashname, keys.clone(), exchange, options))
    }

    /// Accepts a stranger: makes the link that answers its handshake.
    ///
    /// # Errors
    /// The ticket expired, or there is a link to that hashname by now.
    pub fn accept(
        &mut self,
        now: Instant,
        ticket: Ticket,
        options: LinkOptions,
    ) -> Result<(LinkKey, Link), AcceptError> {
        let (entry, who) = self.half_open.redeem(ticket).ok_or(AcceptError::Expired)?;
        if let Some(key) = self.names.get(&who.hashname) {
            return Err(AcceptError::AlreadyLinked(*key));
        }
        let (key, mut link) = self.register(now, who.hashname, who.keys, who.exchange, options);
        for message in entry.messages {
            link.handle_opened(now, entry.pipe, message);
        }
        Ok((key, link))
    }

    /// Refuses a stranger, in silence.
    pub fn refuse(&mut self, ticket: Ticket) {
        drop(self.half_open.redeem(ticket));
    }

    /// Takes what [`Link::poll_endpoint_event`] returned.
    pub fn handle_link_event(&mut self, key: LinkKey, event: EndpointEvent) {
        let Some(record) = self.links.get_mut(&key) else {
            return;
        };
        match event.0 {
            ToEndpoint::AddToken(token, owner) => {
                // The first registrant keeps a token: nobody takes over another link's.
                if !self.tokens.contains_key(&token) {
                    self.tokens.insert(token, (key, owner));
                    record.tokens.push(token);
                }
            }
            ToEndpoint::RemoveToken(token) => {
                if let Some(at) = record.tokens.iter().position(|known| *known == token) {
                    record.tokens.swap_remove(at);
                    self.tokens.remove(&token);
                }
            }
            ToEndpoint::AddPipe(pipe) => {
                let routed = usize::from(pipe.through().is_some());
                record.routed += routed;
                self.routed += routed;
                record.pipes.push(pipe);
                self.strangers.befriend(pipe);
            }
            ToEndpoint::RemovePipe(pipe) => {
                if let Some(at) = record.pipes.iter().position(|known| *known == pipe) {
                    record.pipes.swap_remove(at);
                    let routed = usize::from(pipe.through().is_some());
                    record.routed -= routed;
                    self.routed -= routed;
                    self.strangers.unfriend(pipe);
                }
            }
        }
    }

    /// Forgets a link: its packets are a stranger's from now on.
    pub fn remove(&mut self, key: LinkKey) {
        let Some(record) = self.links.remove(&key) else {
            return;
        };
        self.names.remove(&record.hashname);
        self.router.forget(key);
        self.routed -= record.routed;
        for token in &record.tokens {
            self.tokens.remove(token);
        }
        for pipe in record.pipes {
            self.strangers.unfriend(pipe);
        }
    }

    /// The link to this hashname.
    #[must_use]
    pub fn link_to(&self, hashname: &Hashname) -> Option<LinkKey> {
        self.names.get(hashname).copied()
    }

    /// When [`handle_timeout`](Self::handle_timeout) wants to be called.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        let bridges = self.router.poll_timeout();
        self.half_open.expiry().into_iter().chain(bridges).min()
    }

    /// Forgets half-open handshakes that waited too long, and bridges that were idle. Spurious calls are harmless.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.half_open.expire(now);
        self.router.handle_timeout(now);
    }

    /// Counters and table sizes.
    #[must_use]
    pub fn stats(&self) -> EndpointStats {
        let mut stats = EndpointStats {
            links: self.links.len(),
            half_open: self.half_open.len(),
            sources: self.strangers.sources(),
            ..self.stats
        };
        self.router.count(&mut stats);
        stats
    }

    fn dispatch(
        &mut self,
        now: Instant,
        pipe: PipeId,
        payer: Option<Payer>,
        packet: &mut [u8],
    ) -> Result<Dispatch, DropReason> {
        let peek = self.peek(now, pipe, packet)?;
        match *peek.head() {
            [0, 0, ..] => self.dispatch_channel(now, pipe, packet.len(), peek),
            [0, 1, csid, ..] => {
                let csid = Csid::new(csid).ok_or(DropReason::Malformed)?;
                self.dispatch_message(now, (pipe, payer), packet, csid, peek)
            }
            _ => Err(DropReason::Malformed),
        }
    }

    /// Peels the first block. The first round is free, further ones draw on the source's budget.
    fn peek(&mut self, now: Instant, pipe: PipeId, packet: &[u8]) -> Result<Peek, DropReason> {
        match cloak::peek(packet, &mut WorkBudget::new(cloak::HEAD_LEN)) {
            Ok(peek) => return Ok(peek),
            Err(CloakError::WorkExhausted { .. }) => {}
            Err(_) => return Err(DropReason::Malformed),
        }
        let allowed = self.strangers.keystream(now, pipe);
        let mut work = WorkBudget::new(allowed);
        let peek = cloak::peek(packet, &mut work);
        self.strangers
            .spend_keystream(now, pipe, allowed - work.remaining());
        peek.map_err(|error| match error {
            CloakError::WorkExhausted { .. } => DropReason::TooManyRounds,
            _ => DropReason::Malformed,
        })
    }

    fn dispatch_channel(
        &mut self,
        now: Instant,
        pipe: PipeId,
        bytes: usize,
        peek: Peek,
    ) -> Result<Dispatch, DropReason> {
        let token = token_at(&peek, 2)?;
        match self.tokens.get(&token) {
            Some((key, owner @ (TokenOwner::Local | TokenOwner::LocalHeadOnly))) => {
                let head_only = *owner == TokenOwner::LocalHeadOnly;
                let pipe = match self.routed {
                    0 => None,
                    _ => self.routed_pipe(*key, pipe),
                };
                let kind = InputKind::Channel { peek, head_only };
                Ok(Dispatch::Link(*key, Input { kind, pipe }))
            }
            Some(_) => Err(DropReason::UnknownToken),
            None if peek.rounds() < 2 => self.dispatch_bridged(now, pipe, token, bytes),
            None => Err(DropReason::UnknownToken),
        }
    }

    /// links.md, "Order of checks": the cheapest first.
    fn dispatch_message(
        &mut self,
        now: Instant,
        (pipe, payer): (PipeId, Option<Payer>),
        packet: &mut [u8],
        csid: Csid,
        peek: Peek,
    ) -> Result<Dispatch, DropReason> {
        if packet.len() > MAX_HANDSHAKE_PACKET {
            return Err(DropReason::Malformed);
        }
        let body_start = token_at(&peek, 3)?;
        if let Some((key, TokenOwner::Remote)) = self.tokens.get(&body_start) {
            return Ok(Dispatch::Link(*key, InputKind::Message(peek).into()));
        }
        let waiting = self.half_open.get(&body_start);
        let waiting = waiting.and_then(|entry| entry.identified.as_ref());
        // Unless we linked to it ourselves in the meantime: then this may be its answer.
        if waiting.is_some_and(|who| !self.names.contains_key(&who.hashname)) {
            return Err(DropReason::Pending);
        }
        let Some(local) = self.identity.local(csid).cloned() else {
            return Err(DropReason::UnknownCipherSet);
        };
        let admitted = match payer {
            None => self.strangers.admit(now, pipe),
            Some((router, friend)) => self.strangers.admit_routed(now, router, friend),
        };
        if !admitted {
            return Err(DropReason::Throttled);
        }
        self.stats.agreements += 1;
        let cloaked = peek.rounds() > 0;
        let bytes = packet.len();
        let plain = cloak::finish(packet, &peek, false);
        let digest = digest(plain);
        let body = Lob::parse(plain).map_err(|_| DropReason::Malformed)?.body();
        let opened = local.open(body).map_err(|_| DropReason::Forged)?;
        let message =
            HandshakeMessage::parse(&opened.inner, csid).map_err(|_| DropReason::Malformed)?;
        let message = OpenedMessage {
            opened,
            message,
            body: body.into(),
            cloaked,
            digest,
            bytes,
        };
        self.meet(now, pipe, csid, body_start, message)
    }

    /// An opened message of an ephemeral that no link knows: of a known hashname, or a stranger's.
    fn meet(
        &mut self,
        now: Instant,
        pipe: PipeId,
        csid: Csid,
        token: Token,
        message: OpenedMessage,
    ) -> Result<Dispatch, DropReason> {
        let Kind::Link { keys } = &message.message.kind else {
            // Waits for the `link` message of its round: that one names the sender.
            self.half_open.entry(now, token, pipe).push(message);
            return Err(DropReason::Pending);
        };
        let hashname = keys.hashname().ok_or(DropReason::Malformed)?;
        if hashname == self.hashname() {
            return Err(DropReason::OwnIdentity);
        }
        // No downgrade: the agreed set follows from everything the hashname commits to.
        if self.identity.keys().agreed(keys) != Some(csid) {
            return Err(DropReason::Downgrade);
        }
        if let Some(key) = self.names.get(&hashname) {
            // What came before it in the same round waits here.
            let earlier = self.half_open.remove(&token);
            let mut messages = earlier.map_or_else(Vec::new, |entry| entry.messages);
            messages.retain(|earlier| !matches!(earlier.message.kind, Kind::Link { .. }));
            messages.push(message);
            return Ok(Dispatch::Link(*key, InputKind::Opened(messages).into()));
        }
        if !self.is_welcome(&hashname, &token) {
            self.half_open.remove(&token);
            return Err(DropReason::Unwelcome);
        }
        let keys = keys.clone();
        let mut exchange = self.begin(csid, &keys)?;
        let is_weak = exchange.weak_mac();
        if is_weak && !self.claims.admits(now, &hashname) {
            return Err(DropReason::Throttled);
        }
        self.stats.agreements += 1;
        if exchange.verify(&message.body, &message.opened).is_err() {
            if is_weak {
                self.claims.failed(now, hashname);
            }
            return Err(DropReason::Forged);
        }
        Ok(self.introduce(now, pipe, token, message, hashname, keys, exchange))
    }

    fn is_welcome(&self, hashname: &Hashname, token: &Token) -> bool {
        let is_invited = || {
            let waiting = self.half_open.get(token);
            waiting.is_some_and(HalfOpen::has_uri)
        };
        match &self.welcome {
            Welcome::Anyone => true,
            Welcome::Only(expected) => expected.contains(hashname),
            Welcome::Invited(expected) => expected.contains(hashname) || is_invited(),
        }
    }

    fn begin(&mut self, csid: Csid, keys: &KeySet) -> Result<Box<dyn Exchange>, DropReason> {
        let local = self
            .identity
            .local(csid)
            .cloned()
            .ok_or(DropReason::UnknownCipherSet)?;
        let remote = keys.key(csid).ok_or(DropReason::Malformed)?;
        local
            .exchange(remote, &mut self.rng)
            .map_err(|_| DropReason::Forged)
    }

    #[expect(
        clippy::too_many_arguments,
        reason = "the parts of one handshake, moved once"
    )]
    fn introduce(
        &mut self,
        now: Instant,
        pipe: PipeId,
        token: Token,
        message: OpenedMessage,
        hashname: Hashname,
        keys: KeySet,
        mut exchange: Box<dyn Exchange>,
    ) -> Dispatch {
        let ticket = self.half_open.ticket();
        let csid = exchange.csid();
        let entry = self.half_open.entry(now, token, pipe);
        entry.pipe = pipe;
        entry
            .messages
            .retain(|other| exchange.verify(&other.body, &other.opened).is_ok());
        let mut round = MessageSet::new(token);
        for other in entry.messages.iter().chain([&message]) {
            round.insert(token, other.message.clone());
        }
        // The `link` message decides: it is replayed into the link last.
        entry.messages.push(message);
        entry.identified = Some(Identified {
            ticket,
            hashname,
            keys: keys.clone(),
            exchange,
        });
        Dispatch::Incoming(Incoming {
            ticket,
            hashname,
            keys,
            csid,
            round,
            pipe,
        })
    }

    fn register(
        &mut self,
        now: Instant,
        hashname: Hashname,
        keys: KeySet,
        exchange: Box<dyn Exchange>,
        options: LinkOptions,
    ) -> (LinkKey, Link) {
        self.next_key += 1;
        let key = LinkKey(self.next_key);
        let tokens = [
            (exchange.token(), TokenOwner::Local),
            (exchange.head_only_token(), TokenOwner::LocalHeadOnly),
        ];
        self.tokens
            .extend(tokens.map(|(token, owner)| (token, (key, owner))));
        let tokens = tokens.map(|(token, _)| token).to_vec();
        let pipes = Vec::new();
        self.links.insert(
            key,
            Record {
                hashname,
                tokens,
                pipes,
                routed: 0,
            },
        );
        self.names.insert(hashname, key);
        let mut seed = [0; 32];
        self.rng.fill_bytes(&mut seed);
        let link = Link::new(
            now,
            Parts {
                config: self.config.clone(),
                identity: self.identity.clone(),
                clock: self.clock,
                rng: ChaCha20Rng::from_seed(seed),
                hashname,
                keys,
                exchange,
            },
            options,
        );
        (key, link)
    }
}

/// The token that the 16 bytes at `offset` of a peeled head stand for: a TOKEN itself in a channel
/// packet (offset 2), the hash of a message's BODY start (offset 3).
fn token_at(peek: &Peek, offset: usize) -> Result<Token, DropReason> {
    let bytes = peek
        .head()
        .get(offset..offset + 16)
        .ok_or(DropReason::Malformed)?;
    let bytes: &[u8; 16] = bytes.try_into().map_err(|_| DropReason::Malformed)?;
    Ok(if offset == 2 {
        Token::from_bytes(*bytes)
    } else {
        Token::of_prefix(bytes)
    })
}
