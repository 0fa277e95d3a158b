//! The pipes of a link, and which of them sends.

use alloc::{boxed::Box, vec::Vec};
use core::time::Duration;

use telehash_e3x::Instant;

use super::{
    config::ControllerKind,
    lane::Lane,
    rtt::Rtt,
    types::{PipeProfile, PipeSlot},
};

/// Pipes that follow one another in a slot number their packets this far apart, so that no packet
/// of one is taken for a packet of another.
const NUMBERS: u64 = 1 << 40;

/// What the timers of channels go by.
#[derive(Clone, Copy, Debug)]
pub(super) struct Timing {
    /// How long an ack may take that the peer sends at once.
    pub(super) probe: Duration,
    /// The smoothed round trip.
    pub(super) rtt: Duration,
}

/// All pipes by slot.
#[derive(Debug, Default)]
pub(super) struct Lanes {
    /// The number that the first packet of the next pipe gets.
    next_number: u64,
    slots: Vec<Option<Box<Lane>>>,
    selected: Option<PipeSlot>,
}

impl Lanes {
    pub(super) fn open(
        &mut self,
        now: Instant,
        slot: PipeSlot,
        profile: PipeProfile,
        controller: ControllerKind,
    ) {
        let lane = Lane::new(now, profile, controller, self.next_number);
        self.next_number = self.next_number.wrapping_add(NUMBERS);
        let index = usize::from(slot.0);
        if index >= self.slots.len() {
            self.slots.resize_with(index + 1, || None);
        }
        if let Some(place) = self.slots.get_mut(index) {
            *place = Some(Box::new(lane));
        }
    }

    pub(super) fn close(&mut self, slot: PipeSlot) {
        if let Some(place) = self.slots.get_mut(usize::from(slot.0)) {
            *place = None;
        }
        if self.selected == Some(slot) {
            self.selected = None;
        }
    }

    /// Traffic moves to this pipe; what was learnt of it earlier no longer counts.
    pub(super) fn select(&mut self, now: Instant, slot: PipeSlot, controller: ControllerKind) {
        if self.selected == Some(slot) {
            return;
        }
        if self.get(slot).is_none() {
            self.open(now, slot, PipeProfile::default(), controller);
        } else if let Some(lane) = self.get_mut(slot) {
            lane.restart(now, controller);
        }
        self.selected = Some(slot);
    }

    pub(super) const fn selected(&self) -> Option<PipeSlot> {
        self.selected
    }

    pub(super) fn get(&self, slot: PipeSlot) -> Option<&Lane> {
        self.slots.get(usize::from(slot.0))?.as_deref()
    }

    pub(super) fn get_mut(&mut self, slot: PipeSlot) -> Option<&mut Lane> {
        self.slots.get_mut(usize::from(slot.0))?.as_deref_mut()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Lane> {
        self.slots.iter().filter_map(Option::as_deref)
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Lane> {
        self.slots.iter_mut().filter_map(Option::as_deref_mut)
    }

    pub(super) fn current(&self) -> Option<&Lane> {
        self.get(self.selected?)
    }

    pub(super) fn current_mut(&mut self) -> Option<&mut Lane> {
        self.get_mut(self.selected?)
    }

    /// What the timers of channels go by.
    pub(super) fn timing(&self) -> Timing {
        let probe = self
            .current()
            .map_or_else(|| Rtt::new(None).probe_timeout(), Lane::probe_timeout);
        Timing {
            probe,
            rtt: self.smoothed_rtt(),
        }
    }

    /// The smoothed round trip of the sending pipe.
    pub(super) fn smoothed_rtt(&self) -> Duration {
        self.current()
            .map_or_else(|| Rtt::new(None).smoothed(), |lane| lane.rtt().smoothed())
    }

    /// Ends the batches of one received packet.
    pub(super) fn settle(&mut self, now: Instant) {
        let settle = |urgent, lane: &mut Lane| lane.settle(now) | urgent;
        let urgent = self.iter_mut().fold(false, settle);
        if let Some(lane) = self.current_mut().filter(|_| urgent) {
            lane.hurry();
        }
    }
}
