//! What stands behind the lock of a link.

use std::collections::HashMap;
use std::sync::Arc;
use std::task::Waker;

use telehash_channel_path::{PathAgent, PathConfig, PathEvent, PingId, Whereabouts as _};
use telehash_link::{
    ChannelError, ChannelEvent, ChannelId, Event, HandshakeMessage, Instant, Kind, Link, LinkKey,
    PipeId, PipeSlot, Remote, TransportId,
};
use tokio::sync::mpsc;

use super::channels::{ChannelSlot, Lingering};
use super::effects::{Effects, Opened};
use super::link_driver::LinkDriver;
use super::port::Parcel;
use super::timers::Armed;
use crate::events::MeshEvent;
use crate::limits::{MAX_SEGMENTS, MAX_TRANSMITS_IN_A_ROW};
use crate::ping::Pong;
use crate::routing;
use crate::shared::Shared;

/// The sans-IO core of a link, and what the driver keeps beside it.
#[derive(Debug)]
pub(crate) struct Core {
    pub(crate) link: Link,
    pub(crate) paths: PathAgent,
    pub(crate) channels: HashMap<ChannelId, ChannelSlot>,
    /// Of the channel that was entered last.
    pub(super) generation: u64,
    pub(super) lingering: Lingering,
    pub(crate) pings: Vec<(PingId, mpsc::Sender<Pong>)>,
    /// Tasks to be woken once the lock is released.
    pub(super) wakers: Vec<Waker>,
    connections: Vec<(PipeSlot, PipeId)>,
    /// Nobody has proved that the peer exists, so that the link ends unless it comes up.
    pub(crate) introduced: bool,
    /// Somebody sends for this link, or it waits for its turn to.
    sending: bool,
    armed: Armed,
}

impl Core {
    pub(crate) fn new(link: Link, paths: PathConfig) -> Self {
        Self {
            link,
            paths: PathAgent::new(paths),
            channels: HashMap::new(),
            generation: 0,
            lingering: Lingering::default(),
            pings: Vec::new(),
            wakers: Vec::new(),
            connections: Vec::new(),
            introduced: false,
            sending: false,
            armed: Armed::default(),
        }
    }

    pub(super) fn handle_timeout(&mut self, now: Instant, shared: &Shared) {
        self.armed.fired();
        self.link.handle_timeout(now);
        self.paths.handle_timeout(now, &mut self.link, shared);
        self.expire_lingering(now);
    }

    /// Drains the link's news: to the endpoint before anything is sent, to the state that everyone
    /// watches while the order is certain, the rest into `effects`.
    pub(super) fn settle(
        &mut self,
        now: Instant,
        shared: &Shared,
        driver: &LinkDriver,
        effects: &mut Effects,
    ) {
        while let Some(event) = self.link.poll_event() {
            if !self.paths.handle_event(now, &mut self.link, &event, shared) {
                self.handle_event(now, shared, driver, event, effects);
            }
        }
        while let Some(event) = self.paths.poll_event() {
            self.handle_path_event(event, effects);
        }
        effects.wakers.append(&mut self.wakers);
        if let Some(first) = self.link.poll_endpoint_event() {
            let mut endpoint = shared.endpoint();
            endpoint.handle_link_event(driver.key(), first);
            while let Some(event) = self.link.poll_endpoint_event() {
                endpoint.handle_link_event(driver.key(), event);
            }
        }
    }

    /// Whether the link has a connection of this transport.
    pub(crate) fn is_connected(&self, transport: TransportId) -> bool {
        let mut connections = self.connections.iter();
        connections.any(|(_, pipe)| pipe.transport == transport)
    }

    fn handle_event(
        &mut self,
        now: Instant,
        shared: &Shared,
        driver: &LinkDriver,
        event: Event,
        effects: &mut Effects,
    ) {
        match event {
            Event::Up => {
                effects.came_up = true;
                self.introduced = false;
                self.came_up(shared, driver);
            }
            Event::Handshake(message) => self.heard_beside(&message, shared, driver),
            Event::Down(reason) => {
                // A token is good for one link: whoever returns presents one again.
                effects.given_up = self.introduced || shared.demands_jwt();
                shared.publish_state(driver, Some(reason));
            }
            Event::Restarted => shared.events.publish(MeshEvent::LinkRestarted {
                hashname: driver.hashname(),
            }),
            Event::RememberAt(at) => shared.known.remember_at(driver.hashname(), at),
            Event::Channel(event) => self.handle_channel(now, event, effects),
            Event::PipeAdded(slot) => self.pipe_added(slot, shared, driver.key()),
            Event::PipeLost(slot) => self.pipe_lost(now, slot, shared, effects),
            Event::PipeSelected(slot) => self.traffic_moved(slot, shared, driver),
            Event::PipesDoubted => {
                tracing::debug!(peer = %driver.hashname().short(), "checking every pipe");
            }
            Event::PipeShrank(slot) => {
                let peer = driver.hashname();
                tracing::info!(peer = %peer.short(), ?slot, "the path carries smaller packets only");
            }
            _ => {}
        }
    }

    fn came_up(&mut self, shared: &Shared, driver: &LinkDriver) {
        shared.keep_issuer(driver, self.link.keys());
        shared.keep_guest(driver, self.link.keys());
        // It said what it had to, once. A token is needed again should the peer forget us; it fitted
        // before.
        let messages = driver.credentials().come_up();
        let _ = self.link.set_beside(messages);
        shared.publish_state(driver, None);
    }

    /// The peer is a link already, and says what led it here.
    fn heard_beside(&self, message: &HandshakeMessage, shared: &Shared, driver: &LinkDriver) {
        if message.kind != Kind::Uri {
            return;
        }
        if let Some(uri) = message.extra.get("uri").and_then(|uri| uri.as_str()) {
            shared.given_uri(driver.hashname(), uri);
        }
        if !shared.heard_answer(driver.hashname(), self.link.keys(), message) {
            let active = self.link.active_pipe();
            let pipe = self.link.pipes().find(|pipe| Some(pipe.slot) == active);
            let path = pipe.and_then(|pipe| shared.path_of(pipe.id));
            shared.redeem(driver.hashname(), self.link.keys(), path, message);
        }
    }

    /// Connections are the link's own: they close with their pipe.
    fn pipe_added(&mut self, slot: PipeSlot, shared: &Shared, key: LinkKey) {
        let id = self
            .link
            .pipes()
            .find(|pipe| pipe.slot == slot)
            .map(|pipe| pipe.id);
        if let Some(id) = id.filter(|id| matches!(id.remote, Remote::Connection(_))) {
            self.connections.push((slot, id));
            shared.connection_used(id, key);
        }
    }

    fn traffic_moved(&self, slot: PipeSlot, shared: &Shared, driver: &LinkDriver) {
        if let Some(info) = self.link.pipes().find(|pipe| pipe.slot == slot) {
            let (peer, pipe) = (driver.hashname(), info.id);
            tracing::debug!(peer = %peer.short(), %pipe, rtt = ?info.rtt, "traffic goes by");
            shared.events.publish(MeshEvent::PathSelected {
                hashname: peer,
                path: shared.path_of(pipe),
            });
        }
    }

    fn pipe_lost(&mut self, now: Instant, slot: PipeSlot, shared: &Shared, effects: &mut Effects) {
        if self.link.pipes().next().is_none() {
            // Nothing can be sent or heard: the link gives its peer the usual time, then it is
            // down.
            self.link.network_changed(now);
        }
        effects.pipe_lost = true;
        self.connections.retain(|(used, id)| {
            let lost = *used == slot;
            if lost {
                shared.connection_unused(*id);
            }
            !lost
        });
    }

    fn handle_channel(&mut self, now: Instant, event: ChannelEvent, effects: &mut Effects) {
        match event {
            ChannelEvent::Opened {
                id,
                kind,
                reliable,
                packet,
            } if routing::concerns(&kind) => {
                self.link.forget(id);
                effects.routing.push(Opened {
                    id,
                    generation: 0,
                    kind,
                    reliable,
                    packet,
                });
            }
            ChannelEvent::Opened {
                id,
                kind,
                reliable,
                packet,
            } => {
                let generation = self.enter(id, ChannelSlot::incoming());
                effects.opened.push(Opened {
                    id,
                    generation,
                    kind,
                    reliable,
                    packet,
                });
            }
            ChannelEvent::Established(id) => self.with_slot(id, ChannelSlot::established),
            ChannelEvent::Readable(id) if self.lingering.contains(id) => self.discard(now, id),
            ChannelEvent::Readable(id) => self.with_slot(id, ChannelSlot::readable),
            ChannelEvent::Writable(id) => self.with_slot(id, ChannelSlot::writable),
            ChannelEvent::Finished(id) => self.with_slot(id, ChannelSlot::finished),
            ChannelEvent::Closed(id) => self.channel_over(id, Ok(()), effects),
            ChannelEvent::Failed { id, error } => self.channel_over(id, Err(error), effects),
            _ => {}
        }
    }

    fn channel_over(
        &mut self,
        id: ChannelId,
        outcome: Result<(), ChannelError>,
        effects: &mut Effects,
    ) {
        self.lingering.over(id);
        effects.channel_over = true;
        self.with_slot(id, |slot, wakers| slot.over(outcome, wakers));
    }

    fn with_slot(&mut self, id: ChannelId, change: impl FnOnce(&mut ChannelSlot, &mut Vec<Waker>)) {
        if let Some(slot) = self.channels.get_mut(&id) {
            change(slot, &mut self.wakers);
        }
    }

    fn handle_path_event(&mut self, event: PathEvent, effects: &mut Effects) {
        match event {
            PathEvent::Dial(path) => effects.dials.push(path),
            PathEvent::Pong { ping, pipe, rtt } => {
                let id = self.link.pipes().find(|info| info.slot == pipe);
                let waiting = self.pings.iter().find(|(id, _)| *id == ping);
                if let (Some(info), Some((_, sender))) = (id, waiting) {
                    // Full only if more pipes answered than a link can have.
                    let _ = sender.try_send(Pong {
                        pipe: info.id,
                        rtt,
                        active: info.active,
                    });
                }
            }
            PathEvent::PingOver(ping) => self.pings.retain(|(id, _)| *id != ping),
            PathEvent::RouterUri(uri) => effects.given_uri = Some(uri),
            PathEvent::SeenAs { path, .. } => effects.seen_as.push(path),
            _ => {}
        }
    }

    /// Whether the caller is to send for this link from now on.
    pub(super) fn start_sending(&mut self) -> bool {
        !std::mem::replace(&mut self.sending, true)
    }

    /// The first transmit, in a buffer from the pool.
    pub(super) fn next_parcel(&mut self, now: Instant, shared: &Shared) -> Option<Parcel> {
        let mut parcel = Parcel::new(shared.pool.take());
        if self.refill(now, &mut parcel, MAX_SEGMENTS) {
            return Some(parcel);
        }
        shared.pool.give(parcel.into_buffer());
        None
    }

    /// Puts the next transmit into the parcel; false if there is none, and nobody sends any more.
    pub(super) fn refill(&mut self, now: Instant, parcel: &mut Parcel, segments: usize) -> bool {
        let buffer = parcel.clear();
        let transmit = self.link.poll_transmit(now, buffer, segments);
        self.sending = transmit.is_some();
        transmit.is_some_and(|transmit| {
            parcel.address(transmit);
            true
        })
    }

    /// Ends the link. What it has left to say (acknowledgements, and to every channel that it fails)
    /// comes back, since whoever sends for this link now would find it silent.
    pub(crate) fn close(&mut self, now: Instant, error: &str) -> Vec<Parcel> {
        self.fail_all(now, error);
        let mut last_words = Vec::new();
        for _ in 0..MAX_TRANSMITS_IN_A_ROW {
            let mut parcel = Parcel::new(Vec::new());
            if !self.refill(now, &mut parcel, MAX_SEGMENTS) {
                break;
            }
            last_words.push(parcel);
        }
        self.link.close(now);
        last_words
    }

    pub(super) fn arm(&mut self, shared: &Shared, driver: &Arc<LinkDriver>) {
        let deadlines = [
            self.link.poll_timeout(),
            self.paths.poll_timeout(),
            self.lingering.poll_timeout(),
        ];
        shared.timers.arm(
            driver,
            &mut self.armed,
            deadlines.into_iter().flatten().min(),
        );
    }

    /// Gives back what the link holds outside of its lock, before it goes.
    pub(super) fn detach(&mut self, shared: &Shared, key: LinkKey) {
        shared.timers.disarm(key, &mut self.armed);
        for (_, id) in self.connections.drain(..) {
            shared.connection_unused(id);
        }
    }

    /// Everyone who waits for a channel of this link.
    pub(super) fn into_wakers(self) -> impl Iterator<Item = Waker> {
        self.channels
            .into_values()
            .flat_map(ChannelSlot::into_wakers)
    }
}
