//! The data plane of a link: channels, acks, windows, loss, congestion (channels.md;
//! architecture.md, "How packets flow"). [`Flow`] is its face. How it is put together:
//!
//! - A [`Channel`](channel::Channel) has a stage of life and two halves. The
//!   [receiving half](reliable) puts packets in order, holds them for the reader within a window,
//!   and decides when to acknowledge. The sending half holds bytes from `write` to their ack, cuts
//!   packets when they leave, and judges from acks and their absence what was lost.
//! - A [`Lane`](lane::Lane) is a pipe as seen from here: round trip, congestion controller, pacer,
//!   and the ledger of what is under way on it. Acks credit the pipe that carried the packet.
//! - Queues of channels ([`ready`]) say whose turn it is: acks and errors, opens, retransmissions,
//!   then fresh content, round robin by bytes.
//! - Whatever touches a channel ends with [`Flow::settle`], which derives its place in the queues
//!   and its timer from its state. Nothing else sets them.

mod api;
mod channel;
mod config;
mod congestion;
mod error;
#[cfg(any(test, feature = "fuzzing"))]
mod fuzz;
mod grave;
mod ids;
mod lane;
mod lanes;
mod ledger;
mod pacer;
mod pinned;
mod rate;
mod ready;
mod receive;
mod reliable;
mod rtt;
mod stall;
mod table;
#[cfg(test)]
mod tests;
mod timeout;
mod timers;
mod transmit;
mod types;
mod unreliable;
mod wire;

use alloc::{collections::VecDeque, sync::Arc};
use core::time::Duration;

use telehash_e3x::{Instant, Order};
use telehash_lob::Compression;

#[cfg(any(test, feature = "fuzzing"))]
pub use self::fuzz::fuzz_flow;
pub use self::{
    api::MAX_POSTED,
    channel::ChannelStats,
    config::{
        ControllerKind, DEFAULT_PEER_WINDOW, ENDED_LINGER, FIRST_RECV_PACKETS, FlowConfig, GIVE_UP,
        LINK_RECV_BYTES, MAX_CHANNELS, OPEN_TIMEOUT, RECV_BYTES, RECV_PACKETS, SEND_BYTES,
        UNRELIABLE_BYTES, UNRELIABLE_PACKETS, UNSENT_BYTES, UNSENT_PACKETS, UnknownController,
    },
    congestion::{Controller, Departure, LostPacket, MAX_WINDOW, RateSample},
    error::{ChannelError, OpenError, PacketError, SendError},
    grave::MAX_ERRS,
    ids::UNORDERED_OPENS,
    lane::PipeStats,
    pinned::MAX_PINNED,
    reliable::{MAX_IN_FLIGHT, MAX_PEER_WINDOW},
    rtt::RttEstimate,
    types::{AckMode, ChannelEvent, ChannelId, Open, Packet, PipeProfile, PipeSlot, Sent},
};
use self::{
    channel::{Channel, Context, Flavor, Stage},
    ids::Ids,
    lanes::Lanes,
    ready::{Ready, Turn},
    table::{Key, Table},
    timers::Timers,
};

/// Limit: refusals of channels beyond [`MAX_CHANNELS`] that wait to be sent; more are not sent.
pub const MAX_REFUSALS: usize = 32;

/// Inner plaintexts are taken to hold this many bytes until a pipe says otherwise.
const FIRST_MAX_PLAIN: usize = 1100;

/// The data plane of one link: everything above a session.
///
/// Decrypted inner packets go in ([`handle_packet`](Self::handle_packet)), inner plaintexts come out
/// ([`poll_packet`](Self::poll_packet)); it knows neither keys nor sockets nor clocks. **Mutate once,
/// then drain**: after any call that takes `&mut self`, poll `poll_packet` and
/// [`poll_event`](Self::poll_event) until they have nothing (events last: a packet that leaves may
/// make room for a blocked writer), then arm a timer for [`poll_timeout`](Self::poll_timeout).
///
/// ```
/// use telehash_link::{
///     ChannelEvent, Flow, FlowConfig, Instant, Open, Order, PipeProfile, PipeSlot,
/// };
///
/// let (now, slot) = (Instant::from_micros(0), PipeSlot(0));
/// let [mut ours, mut theirs] = [Order::Odd, Order::Even].map(|order| {
///     let mut flow = Flow::new(FlowConfig::default(), order);
///     flow.pipe_opened(now, slot, PipeProfile::default());
///     flow.pipe_selected(now, slot);
///     flow
/// });
/// let id = ours.open(now, Open::reliable("stream"))?;
/// ours.write(now, id, b"hello")?;
/// loop {
///     let mut plain = Vec::new();
///     if ours.poll_packet(now, slot, 1100, &mut plain).is_none() {
///         break;
///     }
///     // Sealed, sent, received and opened in between.
///     theirs.handle_packet(now, slot, &plain)?;
/// }
/// assert!(matches!(theirs.poll_event(), Some(ChannelEvent::Opened { .. })));
/// theirs.accept(now, id)?;
/// let packet = theirs.read(now, id)?.expect("it arrived");
/// assert_eq!(&packet.body[..], b"hello");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Flow {
    config: Arc<FlowConfig>,
    z: Compression,
    ids: Ids,
    table: Table,
    /// Channels in the table that we opened, and that the peer did.
    opened: [usize; 2],
    ready: Ready,
    timers: Timers,
    lanes: Lanes,
    events: VecDeque<ChannelEvent>,
    /// Channels of the peer that are refused without ever having been in the table.
    refusals: VecDeque<ChannelId>,
    /// What all channels hold for their readers, in bytes.
    held: usize,
    max_plain: usize,
    /// The most that it was. Who was told so may still send as much.
    most_plain: usize,
}

impl Flow {
    /// The data plane of a new session, in which we have this order. Without channels it takes a
    /// few hundred bytes, and as much again for each pipe.
    #[must_use]
    pub fn new(config: impl Into<Arc<FlowConfig>>, order: Order) -> Self {
        Self {
            config: config.into(),
            z: Compression::None,
            ids: Ids::new(order),
            table: Table::default(),
            opened: [0; 2],
            ready: Ready::default(),
            timers: Timers::default(),
            lanes: Lanes::default(),
            events: VecDeque::new(),
            refusals: VecDeque::new(),
            held: 0,
            max_plain: FIRST_MAX_PLAIN,
            most_plain: FIRST_MAX_PLAIN,
        }
    }

    /// The payload compression that both handshakes agreed on.
    pub fn set_compression(&mut self, z: Compression) {
        self.z = z;
    }

    /// A new session begins: every channel fails with `reason`, ids start anew, pipes stay.
    pub fn reset(&mut self, now: Instant, reason: ChannelError) {
        for (key, error) in self
            .table
            .keys()
            .into_iter()
            .zip(core::iter::repeat(reason))
        {
            let Some(channel) = self.remove(key) else {
                continue;
            };
            if !matches!(channel.stage, Stage::Closed { .. } | Stage::Failed(_)) {
                self.events.push_back(ChannelEvent::Failed {
                    id: channel.id,
                    error,
                });
            }
        }
        self.ids = Ids::new(self.ids.order());
        self.refusals.clear();
        self.lanes.iter_mut().for_each(|lane| lane.pinned.clear());
        self.lanes.settle(now);
    }

    /// The next piece of news.
    pub fn poll_event(&mut self) -> Option<ChannelEvent> {
        self.events.pop_front()
    }
}

/// Pipes.
impl Flow {
    /// The link has a new pipe. It carries nothing but pinned packets until it is selected.
    pub fn pipe_opened(&mut self, now: Instant, slot: PipeSlot, profile: PipeProfile) {
        self.lanes.open(now, slot, profile, self.config.controller);
    }

    /// A pipe is gone: what was under way on it goes by the next one that is selected.
    pub fn pipe_closed(&mut self, now: Instant, slot: PipeSlot) {
        self.lanes.close(slot);
        self.resend(now, slot);
    }

    /// Nothing that is under way on this pipe will arrive: that goes by the one that is selected.
    pub fn pipe_given_up(&mut self, now: Instant, slot: PipeSlot) {
        if let Some(lane) = self.lanes.get_mut(slot) {
            lane.on_given_up();
        }
        self.resend(now, slot);
    }

    /// The pipe proved that it works, though what is under way on it got no answer.
    pub fn pipe_proved(&mut self, now: Instant, slot: PipeSlot) {
        if let Some(lane) = self.lanes.get_mut(slot) {
            lane.on_proof(now);
        }
    }

    /// A round trip by this pipe takes so long. Packets are spread by it as long as none was acknowledged.
    pub fn assume_rtt(&mut self, slot: PipeSlot, rtt: Duration) {
        if let Some(lane) = self.lanes.get_mut(slot) {
            lane.assume_rtt(rtt);
        }
    }

    /// Whether the pipe that sends became suspect of carrying nothing any more: several timeouts
    /// passed without an answer, or on a reliable pipe a long time. Says so once, until something
    /// arrives or [`pipe_proved`](Self::pipe_proved).
    pub fn take_suspicion(&mut self) -> bool {
        let current = self.lanes.current_mut();
        current.is_some_and(lane::Lane::take_suspicion)
    }

    /// Has every reliable channel send again what is under way on a pipe, and its last ack.
    fn resend(&mut self, now: Instant, slot: PipeSlot) {
        for key in self.table.keys() {
            if let Some(Channel {
                flavor: Flavor::Reliable(reliable),
                ..
            }) = self.table.get_mut(key)
            {
                reliable.outbound.on_pipe_lost(slot);
                reliable.inbound.on_pipe_lost();
                self.settle(now, key);
            }
        }
    }

    /// Traffic goes by this pipe from now on. A move forgets the round trip and the congestion
    /// window that the pipe had before.
    pub fn pipe_selected(&mut self, now: Instant, slot: PipeSlot) {
        self.lanes.select(now, slot, self.config.controller);
    }

    /// The round trip of a pipe, if it was measured.
    #[must_use]
    pub fn rtt(&self, slot: PipeSlot) -> Option<RttEstimate> {
        self.lanes.get(slot)?.rtt().estimate()
    }

    /// Figures of a pipe; all zero if there is no such pipe.
    #[must_use]
    pub fn pipe_stats(&self, slot: PipeSlot) -> PipeStats {
        self.lanes
            .get(slot)
            .map(lane::Lane::stats)
            .unwrap_or_default()
    }

    /// Whether packets wait that may leave only by a certain pipe, selected or not.
    #[must_use]
    pub fn has_pinned(&self) -> bool {
        self.lanes.iter().any(|lane| !lane.pinned.is_empty())
    }

    /// Whether packets wait that may leave by this pipe only.
    #[must_use]
    pub(crate) fn has_pinned_on(&self, slot: PipeSlot) -> bool {
        let lane = self.lanes.get(slot);
        lane.is_some_and(|lane| !lane.pinned.is_empty())
    }

    /// Whether anything waits to be sent, though perhaps not now.
    #[must_use]
    pub fn has_pending(&self) -> bool {
        !self.ready.is_empty() || !self.refusals.is_empty() || self.has_pinned()
    }

    /// Channels that are neither closed nor failed.
    #[must_use]
    pub fn channels(&self) -> usize {
        self.table
            .iter()
            .filter(|(_, channel)| !channel.is_over())
            .count()
    }

    /// Figures of a channel; nothing once it is forgotten.
    #[must_use]
    pub fn channel_stats(&self, id: ChannelId) -> Option<ChannelStats> {
        Some(self.table.get(self.table.find(id)?)?.stats())
    }

    /// Whether something of ours may still be on its way on this channel: to be sent, or to be sent again.
    #[must_use]
    pub fn is_delivering(&self, id: ChannelId) -> bool {
        let channel = self.table.find(id).and_then(|key| self.table.get(key));
        channel.is_some_and(Channel::is_delivering)
    }
}

/// What every change of a channel goes through.
impl Flow {
    /// Lets `with` change a channel, and settles it.
    fn change<R>(
        &mut self,
        now: Instant,
        key: Key,
        with: impl FnOnce(&mut Channel, &mut Context<'_>) -> R,
    ) -> Option<R> {
        let Self {
            config,
            table,
            lanes,
            events,
            held,
            ..
        } = self;
        let channel = table.get_mut(key)?;
        let spare = config.link_recv_bytes.saturating_sub(*held);
        let before = channel.cost();
        let result = with(
            channel,
            &mut Context {
                now,
                config,
                lanes,
                events,
                spare,
            },
        );
        *held = *held - before + channel.cost();
        self.settle(now, key);
        Some(result)
    }

    /// Derives a channel's place in the queues, and its timer, from its state.
    fn settle(&mut self, now: Instant, key: Key) {
        let Self {
            config,
            table,
            ready,
            timers,
            lanes,
            ..
        } = self;
        let Some(channel) = table.get_mut(key) else {
            return;
        };
        ready.set(Turn::Control, key, channel.wants_control());
        ready.set(Turn::Open, key, channel.wants_open());
        ready.set(Turn::Lost, key, channel.wants_lost());
        ready.set(Turn::Fresh, key, channel.wants_fresh());
        if let Some(at) = channel.deadline(lanes.timing(), config) {
            timers.fire_by(key, at.max(now + Duration::from_micros(1)));
        }
    }

    fn insert(&mut self, now: Instant, channel: Channel) -> Key {
        self.opened[usize::from(!channel.ours)] += 1;
        let key = self.table.insert(channel);
        self.settle(now, key);
        key
    }

    /// Forgets a channel.
    fn remove(&mut self, key: Key) -> Option<Channel> {
        let channel = *self.table.remove(key)?;
        self.opened[usize::from(!channel.ours)] -= 1;
        self.held -= channel.cost();
        self.ready.forget(key);
        self.timers.cancel(key);
        if let Flavor::Reliable(reliable) = &channel.flavor {
            reliable.outbound.withdraw(&mut self.lanes);
        }
        Some(channel)
    }

    /// Whether one more channel may be opened by us or by the peer; one that is over makes room.
    fn has_room(&mut self, ours: bool) -> bool {
        if self.opened[usize::from(!ours)] < self.config.max_channels {
            return true;
        }
        let over = |channel: &Channel| channel.ours == ours && channel.is_over();
        let oldest = self.table.iter().find(|(_, channel)| over(channel));
        let Some((key, _)) = oldest else { return false };
        self.remove(key).is_some()
    }
}
