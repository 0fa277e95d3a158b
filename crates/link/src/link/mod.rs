//! A link: one private connection to one other endpoint.

mod beside;
mod control;
mod doubt;
mod failover;
mod fresh_keys;
mod handshakes;
mod pipes;
mod receive;
mod relay;
mod sessions;
mod size;
mod stats;
#[cfg(test)]
mod tests;
mod transmit;

use alloc::{collections::VecDeque, sync::Arc, vec::Vec};
use core::time::Duration;

use rand_chacha::ChaCha20Rng;
use telehash_e3x::{Exchange, Identity, Instant, Order};
use telehash_hashname::{Csid, Hashname, KeySet};

pub(crate) use self::receive::digest;
pub use self::{
    beside::MAX_BESIDE,
    pipes::{MAX_OFFERED_PROBES, PipeInfo},
    relay::MAX_RELAYED,
    stats::LinkStats,
    transmit::Transmit,
};
use self::{
    control::{Agreeable, Sealed},
    pipes::Pipes,
    relay::Relayed,
    sessions::Sessions,
    transmit::Queued,
};
use crate::{
    ChannelError, ChannelId, Config, EndpointEvent, Event, Flow, HandshakeMessage, LinkState, Open,
    OpenError, Packet, PathSource, PipeCapabilities, PipeId, PipeProfile, PipeSlot, SendError,
    config::{BASE_DATAGRAM, MAX_LINK_EVENTS},
    event::ToEndpoint,
    handshake::Machine,
    weak_mac::Patience,
};

/// A private, encrypted link to one other endpoint (links.md, channels.md).
///
/// It does no I/O and reads no clock. **Mutate once, then drain**: after any call that takes `&mut
/// self`, poll [`poll_endpoint_event`](Self::poll_endpoint_event),
/// [`poll_event`](Self::poll_event) and [`poll_transmit`](Self::poll_transmit) until they have
/// nothing, then arm a timer for [`poll_timeout`](Self::poll_timeout).
#[derive(Debug)]
pub struct Link {
    config: Arc<Config>,
    identity: Arc<Identity>,
    clock: Clock,
    rng: ChaCha20Rng,
    hashname: Hashname,
    keys: KeySet,
    sessions: Sessions,
    rounds: Machine,
    flow: Flow,
    pipes: Pipes,
    /// Sealed packets that wait for the transport: handshakes, and what did not fit a batch.
    control: VecDeque<(PipeSlot, Queued)>,
    /// Packets of others that we route for.
    relayed: Relayed,
    events: VecDeque<Event>,
    to_endpoint: VecDeque<EndpointEvent>,
    state: LinkState,
    sealed: Sealed,
    /// What goes out beside the `link` messages of our handshakes.
    beside: Vec<HandshakeMessage>,
    /// How many more forged handshakes there may be, where MACs are weak.
    patience: Patience,
    /// The keys of the session are used up: a new one is due.
    worn_out: Option<Instant>,
    /// When our newest round left, if it left once.
    round_sent: Option<Instant>,
    /// What both ends' newest handshakes offer; fixed once a session is agreed.
    agreeable: Agreeable,
    /// The peer showed that it is of our kind.
    peer_is_ours: bool,
    /// Channel packets of the present session are cloaked only at their head.
    head_only: bool,
    /// A packet was as large as its pipe carries: larger ones would help.
    fills_packets: bool,
    stats: LinkStats,
}

/// What a link needs from its application.
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct LinkOptions {
    /// Highest `at` of this link that was ever remembered ([`Event::RememberAt`]), or 0.
    pub last_at: u64,
}

impl LinkOptions {
    /// The same, with the stored `at`.
    #[must_use]
    pub fn last_at(mut self, at: u64) -> Self {
        self.last_at = at;
        self
    }
}

/// The time of day, carried along with the monotonic clock.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    at: Instant,
    unix: Duration,
}

impl Clock {
    pub(crate) fn new(at: Instant, unix: Duration) -> Self {
        Self { at, unix }
    }

    /// The time since 1970 at `now`.
    pub(crate) fn unix(&self, now: Instant) -> Duration {
        self.unix
            .saturating_add(now.saturating_duration_since(self.at))
    }
}

/// What the endpoint gives a new link.
pub(crate) struct Parts {
    pub(crate) config: Arc<Config>,
    pub(crate) identity: Arc<Identity>,
    pub(crate) clock: Clock,
    pub(crate) rng: ChaCha20Rng,
    pub(crate) hashname: Hashname,
    pub(crate) keys: KeySet,
    pub(crate) exchange: alloc::boxed::Box<dyn Exchange>,
}

impl Link {
    pub(crate) fn new(now: Instant, parts: Parts, options: LinkOptions) -> Self {
        let Parts {
            config,
            identity,
            clock,
            rng,
            hashname,
            keys,
            exchange,
        } = parts;
        let order = exchange.order();
        Self {
            rounds: Machine::new(now, &*exchange, options.last_at),
            flow: Flow::new(config.flow.clone(), order),
            sessions: Sessions::new(&identity, hashname, exchange),
            config,
            identity,
            clock,
            rng,
            hashname,
            keys,
            pipes: Pipes::default(),
            control: VecDeque::new(),
            relayed: Relayed::default(),
            events: VecDeque::new(),
            to_endpoint: VecDeque::new(),
            state: LinkState::Down,
            sealed: Sealed::default(),
            beside: Vec::new(),
            patience: Patience::new(now),
            worn_out: None,
            round_sent: None,
            agreeable: Agreeable::default(),
            peer_is_ours: false,
            head_only: false,
            fills_packets: false,
            stats: LinkStats::default(),
        }
    }

    /// The time of day changed: at `now` it is `unix`, the time since 1970.
    pub fn set_clock(&mut self, now: Instant, unix: Duration) {
        self.clock = Clock::new(now, unix);
    }

    /// The peer.
    #[must_use]
    pub fn hashname(&self) -> Hashname {
        self.hashname
    }

    /// Its keys, as far as known.
    #[must_use]
    pub fn keys(&self) -> &KeySet {
        &self.keys
    }

    /// The agreed cipher set.
    #[must_use]
    pub fn csid(&self) -> Csid {
        self.sessions.exchange().csid()
    }

    /// Whether the peer showed that it is of our kind, by what only such ends offer.
    #[must_use]
    pub fn is_of_our_kind(&self) -> bool {
        self.peer_is_ours
    }

    /// Whether this end opens channels with odd or even ids.
    #[must_use]
    pub fn order(&self) -> Order {
        self.sessions.exchange().order()
    }

    /// The state now.
    #[must_use]
    pub fn state(&self) -> LinkState {
        self.state
    }

    /// The pipe table.
    pub fn pipes(&self) -> impl Iterator<Item = PipeInfo> {
        self.pipes.infos()
    }

    /// The pipe that sends.
    #[must_use]
    pub fn active_pipe(&self) -> Option<PipeSlot> {
        self.pipes.active()
    }

    /// The next piece of news for the application.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events
            .pop_front()
            .or_else(|| self.flow.poll_event().map(Event::Channel))
    }

    /// The next piece of news for the endpoint. Drain it before transmits go out, or answers to
    /// them find no link.
    pub fn poll_endpoint_event(&mut self) -> Option<EndpointEvent> {
        self.to_endpoint.pop_front()
    }

    /// When [`handle_timeout`](Self::handle_timeout) wants to be called; asked again after any call.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        let sessions = self.sessions.poll_timeout();
        [
            self.rounds.poll_timeout(),
            self.flow.poll_timeout(),
            sessions,
            self.worn_out,
            self.pipes.review_at(),
        ]
        .into_iter()
        .flatten()
        .min()
    }

    /// Time passed. Spurious calls are harmless.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.sessions.handle_timeout(now);
        self.flow.handle_timeout(now);
        if self.flow.take_suspicion() {
            self.doubt_pipes(now);
        }
        if self.pipes.review_at().is_some_and(|at| at <= now) {
            self.select_pipe(now);
        }
        let unix = self.clock.unix(now);
        if self.worn_out.take().is_some() {
            self.rounds.worn_out(now, unix);
            self.follow_rounds(now);
        }
        self.rounds.handle_timeout(now, unix);
        self.follow_rounds(now);
        if self.flow.trim() {
            self.events.shrink_to_fit();
            self.to_endpoint.shrink_to_fit();
            self.control.shrink_to_fit();
        }
    }

    /// Adds a place where the peer may be. One that is [dialed](PathSource::Dialed) says that the
    /// link is wanted: a handshake begins, or the one under way goes there too.
    ///
    /// Returns its slot, or `None` when the table is full of validated pipes.
    pub fn add_path(&mut self, now: Instant, id: PipeId, source: PathSource) -> Option<PipeSlot> {
        let slot = match self.pipes.find(id) {
            Some(slot) => slot,
            None => self.insert_pipe(now, id, source)?,
        };
        // What the peer offers does not make us want the link.
        if source == PathSource::Dialed {
            self.dial(slot);
            let unix = self.clock.unix(now);
            self.rounds.start(now, unix);
            self.follow_rounds(now);
            self.send_again(now);
        }
        Some(slot)
    }

    /// A pipe that was known before is one that the application names from now on.
    fn dial(&mut self, slot: PipeSlot) {
        let Some(pipe) = self.pipes.get_mut(slot) else {
            return;
        };
        if pipe.dial() && !pipe.validated() && self.state == LinkState::Up {
            self.push_event(Event::PipeCandidate(slot));
        }
    }

    /// The transport lost this pipe; what was under way on it goes by the next one.
    pub fn pipe_closed(&mut self, now: Instant, id: PipeId) {
        if let Some(slot) = self.pipes.find(id) {
            self.stats.doubts += u64::from(self.pipes.active() == Some(slot));
            self.remove_pipe(now, slot);
            self.select_pipe(now);
        }
    }

    /// The network of this machine changed: handshakes go to every pipe at once, and each has to
    /// prove itself anew.
    pub fn network_changed(&mut self, now: Instant) {
        self.doubt_pipes(now);
        let unix = self.clock.unix(now);
        self.rounds.network_changed(now, unix);
        self.follow_rounds(now);
    }

    /// Ends the link: every channel fails, the session is erased, nothing more is sent.
    pub fn close(&mut self, now: Instant) {
        self.rounds.close(now);
        self.follow_rounds(now);
    }

    /// Opens a channel; see [`Open`].
    ///
    /// # Errors
    /// The link is down, or a bound is reached; see [`OpenError`].
    pub fn open(&mut self, now: Instant, open: Open) -> Result<ChannelId, OpenError> {
        self.flow.open(now, open)
    }

    /// Accepts a channel that the peer opened: only now is its open acknowledged.
    ///
    /// # Errors
    /// The channel is gone.
    pub fn accept(&mut self, now: Instant, id: ChannelId) -> Result<(), ChannelError> {
        self.flow.accept(now, id)
    }

    /// Refuses a channel that the peer opened, saying why.
    pub fn refuse(&mut self, now: Instant, id: ChannelId, error: &str) {
        self.flow.refuse(now, id, error);
    }

    /// Sends the opening packet of an unreliable channel that nothing will come back on; see
    /// [`Flow::post`].
    ///
    /// # Errors
    /// The link is down, or the packet too large.
    pub fn post(&mut self, open: Open) -> Result<(), OpenError> {
        self.flow.post(open)
    }

    /// Drops a channel without a word to the peer.
    pub fn forget(&mut self, id: ChannelId) {
        self.flow.forget(id);
    }

    /// Sends one packet on a channel.
    ///
    /// # Errors
    /// It is full (the packet comes back), the packet too large, the channel ended or gone.
    pub fn send(&mut self, now: Instant, id: ChannelId, packet: Packet) -> Result<(), SendError> {
        self.flow.send(now, id, packet)
    }

    /// Writes bytes to a reliable channel; they are cut into packets when they leave.
    /// Returns how many were taken: 0 means full, wait for `Writable`.
    ///
    /// # Errors
    /// The channel ended or is gone.
    pub fn write(&mut self, now: Instant, id: ChannelId, data: &[u8]) -> Result<usize, SendError> {
        self.flow.write(now, id, data)
    }

    /// Bytes that [`write`](Self::write) would take now.
    #[must_use]
    pub fn writable(&self, id: ChannelId) -> usize {
        self.flow.writable(id)
    }

    /// Packets of this many body bytes that an unreliable channel queues without dropping earlier ones.
    #[must_use]
    pub fn queue_room(&self, id: ChannelId, body: usize) -> usize {
        self.flow.queue_room(id, body)
    }

    /// The next packet of a channel, in order if it is reliable.
    ///
    /// # Errors
    /// The channel failed or is gone.
    pub fn read(&mut self, now: Instant, id: ChannelId) -> Result<Option<Packet>, ChannelError> {
        self.flow.read(now, id)
    }

    /// Ends our direction of a channel, after what is queued. Receiving goes on.
    ///
    /// # Errors
    /// The channel failed or is gone.
    pub fn end(&mut self, now: Instant, id: ChannelId) -> Result<(), ChannelError> {
        self.flow.end(now, id)
    }

    /// Fails a channel: the peer is told why, buffers are dropped.
    pub fn fail(&mut self, now: Instant, id: ChannelId, error: &str) {
        self.flow.fail(now, id, error);
    }

    /// Body bytes that fit one packet of this channel now.
    #[must_use]
    pub fn quota(&self, id: ChannelId) -> usize {
        self.flow.quota(id, self.max_plain())
    }

    fn insert_pipe(&mut self, now: Instant, id: PipeId, source: PathSource) -> Option<PipeSlot> {
        let capabilities = self.capabilities_of(id)?;
        let (slot, replaced) = self.pipes.add(now, id, capabilities, source)?;
        if let Some(old) = replaced {
            self.pipe_left(now, slot, old);
        }
        self.open_in_flow(now, slot, None);
        self.rounds.pipe_added(now, slot, capabilities.keepalive);
        self.tell_endpoint(ToEndpoint::AddPipe(id));
        self.push_event(Event::PipeAdded(slot));
        Some(slot)
    }

    /// Makes the flow's side of a pipe, or makes it anew with a round trip that was measured.
    fn open_in_flow(&mut self, now: Instant, slot: PipeSlot, initial_rtt: Option<Duration>) {
        let Some(pipe) = self.pipes.get(slot) else {
            return;
        };
        let PipeCapabilities {
            reliable,
            own_congestion_control,
            ..
        } = pipe.capabilities;
        let profile = PipeProfile {
            reliable,
            own_congestion_control,
            initial_rtt,
        };
        self.flow.pipe_opened(now, slot, profile);
    }

    fn remove_pipe(&mut self, now: Instant, slot: PipeSlot) {
        if let Some(pipe) = self.pipes.remove(slot) {
            self.pipe_left(now, slot, pipe.id);
        }
    }

    fn pipe_left(&mut self, now: Instant, slot: PipeSlot, id: PipeId) {
        self.flow.pipe_closed(now, slot);
        self.rounds.pipe_removed(slot);
        self.control.retain(|(to, _)| *to != slot);
        self.tell_endpoint(ToEndpoint::RemovePipe(id));
        self.push_event(Event::PipeLost(slot));
    }

    fn mark_validated(&mut self, now: Instant, slot: PipeSlot) {
        let Some(pipe) = self.pipes.get_mut(slot) else {
            return;
        };
        if pipe.validate() {
            self.rounds.pipe_validated(slot);
            self.push_event(Event::PipeValidated(slot));
        }
        self.select_pipe(now);
    }

    fn push_event(&mut self, event: Event) {
        // What the channels reported so far comes first: ids begin again with a new session, and
        // news of the old one must not be taken for the new one's.
        while let Some(event) = self.flow.poll_event() {
            self.events.push_back(Event::Channel(event));
        }
        let vital = matches!(
            event,
            Event::Agreed
                | Event::Up
                | Event::Down(_)
                | Event::Restarted
                | Event::RememberAt(_)
                | Event::PacketsFull
        );
        // Who hears of a pipe may open channels, whose ids begin again: by then all that was of the
        // former session must have been heard.
        let ends_session = matches!(event, Event::Restarted | Event::Down(_));
        let mut later = VecDeque::new();
        if ends_session {
            let events = core::mem::take(&mut self.events);
            (later, self.events) = events.into_iter().partition(Event::is_of_pipes);
        }
        if vital || self.events.len() < MAX_LINK_EVENTS {
            self.events.push_back(event);
        }
        self.events.extend(later);
    }

    /// Plaintext bytes of the largest packet for the active pipe.
    fn max_plain(&self) -> usize {
        let active = self.pipes.active();
        let datagram = active.map_or(BASE_DATAGRAM, |slot| self.packet_size(slot));
        let overhead = self.sessions.overhead();
        datagram.saturating_sub(overhead + telehash_lob::cloak::NONCE_LEN)
    }
}
