//! Reliable channels: in order, acknowledged, retransmitted (channels.md, Reliable channels).

mod acks;
mod evidence;
mod inbound;
mod outbound;
mod peer_window;
mod recv_window;
mod segment;
mod send_buffer;
mod sequence;

use alloc::vec::Vec;

use telehash_e3x::Instant;
use telehash_lob::{ChannelHeader, Compression};

use self::{
    inbound::Inbound,
    outbound::{Ack, Outbound},
    recv_window::Advert,
};
use super::{
    config::FlowConfig,
    lanes::{Lanes, Timing},
    types::{AckMode, ChannelId},
    wire,
};

pub(super) use self::{
    inbound::{Content, Fate},
    outbound::Outlet,
};
pub use self::{outbound::MAX_IN_FLIGHT, peer_window::MAX_PEER_WINDOW};

/// Both halves of a reliable channel.
#[derive(Debug)]
pub(super) struct Reliable {
    pub(super) inbound: Inbound,
    pub(super) outbound: Outbound,
    /// The peer opened it.
    remote: bool,
}

impl Reliable {
    /// A channel that we open.
    pub(super) fn opener(now: Instant, mode: AckMode, config: &FlowConfig) -> Self {
        let outbound = Outbound::new(now, false, config);
        Self {
            inbound: Inbound::opener(now, mode),
            outbound,
            remote: false,
        }
    }

    /// A channel that the peer opened, with a packet that perhaps was an `end` too.
    pub(super) fn opened(now: Instant, end: bool, config: &FlowConfig) -> Self {
        let outbound = Outbound::new(now, true, config);
        Self {
            inbound: Inbound::opened(now, end),
            outbound,
            remote: true,
        }
    }

    /// Whether both directions have ended, and the peer knows.
    pub(super) fn is_closed(&self) -> bool {
        self.inbound.is_finished() && self.outbound.is_finished()
    }

    /// Whether the opening packet was never sent.
    pub(super) fn wants_open(&self) -> bool {
        !self.remote && self.outbound.is_unopened()
    }

    /// Sends the next packet for the first time; returns its length.
    pub(super) fn emit_fresh(
        &mut self,
        outlet: Outlet<'_>,
        spare: usize,
        config: &FlowConfig,
    ) -> Option<usize> {
        // The first packets of an answer say that the channel is open, whichever of them arrives.
        let first = self.remote && self.outbound.acked() == 0;
        let asks = first || self.outbound.wants_answer(outlet.lane);
        let advert = self.advert(asks, spare, config);
        let emitted = self.outbound.emit_fresh(outlet, self.ack(advert))?;
        self.note(emitted.with_ack, advert);
        Some(emitted.len)
    }

    /// Retransmits the next lost packet; returns its length.
    pub(super) fn emit_lost(
        &mut self,
        outlet: Outlet<'_>,
        spare: usize,
        config: &FlowConfig,
    ) -> Option<usize> {
        // Whether it arrived is wanted soon.
        let advert = self.advert(true, spare, config);
        let emitted = self.outbound.emit_lost(outlet, self.ack(advert))?;
        self.note(emitted.with_ack, advert);
        Some(emitted.len)
    }

    /// Sends an ack of its own; returns its length.
    pub(super) fn emit_ack(
        &mut self,
        id: ChannelId,
        z: Compression,
        max: usize,
        out: &mut Vec<u8>,
        spare: usize,
        config: &FlowConfig,
    ) -> Option<usize> {
        let advert = self.advert(false, spare, config)?;
        let mut header = ChannelHeader::new(id.get());
        header.ack = Some(advert.ack);
        header.miss = self.inbound.misses(advert);
        if wire::len(&header, 0, z) > max {
            header.miss = None;
        }
        let len = wire::append(out, &header, &[], z)?;
        self.inbound.on_ack_sent(advert);
        Some(len)
    }

    /// What the next packet says of what we received, if an ack is due or `wanted`.
    fn advert(&self, wanted: bool, spare: usize, config: &FlowConfig) -> Option<Advert> {
        let acks = self.inbound.acks();
        let may = !acks.withheld() && self.outbound.is_heard();
        (may && (wanted || acks.due())).then(|| self.inbound.advert(spare, config))
    }

    fn ack(&self, advert: Option<Advert>) -> Option<Ack> {
        let advert = advert?;
        Some(Ack {
            ack: advert.ack,
            misses: self.inbound.misses(advert),
        })
    }

    fn note(&mut self, sent: bool, advert: Option<Advert>) {
        if let Some(advert) = advert.filter(|_| sent) {
            self.inbound.on_ack_sent(advert);
        }
    }
}

/// Timers.
impl Reliable {
    pub(super) fn deadline(&self, timing: Timing, config: &FlowConfig) -> Option<Instant> {
        let timers = [
            self.inbound.acks().deadline(),
            self.outbound.deadline(timing),
            self.given_up_at(config),
            self.abandoned_at(config),
            // At once: there is nothing to wait for.
            self.outbound.is_exhausted().then(Instant::default),
        ];
        timers.into_iter().flatten().min()
    }

    pub(super) fn handle_timeout(&mut self, now: Instant, lanes: &mut Lanes) {
        self.inbound.handle_timeout(now);
        self.outbound.handle_timeout(now, lanes);
    }

    /// When the peer has been silent for too long.
    pub(super) fn given_up_at(&self, config: &FlowConfig) -> Option<Instant> {
        Some(self.outbound.unanswered_since()? + config.give_up)
    }

    /// When the ack of our `end` need not be waited for any longer: the peer has ended too, and
    /// forgets the channel without answering duplicates if it is an old one.
    pub(super) fn abandoned_at(&self, config: &FlowConfig) -> Option<Instant> {
        let since = self
            .outbound
            .end_unanswered_since()
            .filter(|_| self.inbound.is_finished());
        Some(since? + config.ended_linger)
    }
}
