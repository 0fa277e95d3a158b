//! A transport of the mesh, and the links that wait for room in it.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use telehash_hashname::Hashname;
use telehash_link::{PipeId, Transmit, TransportId};
use telehash_transport::{Remote, Transport, TransportEvent, Writable};
use tokio::sync::Notify;

use super::LinkDriver;
use crate::convert;
use crate::shared::Shared;

/// A transport in use, until the mesh closes.
pub(crate) struct Port {
    id: TransportId,
    name: &'static str,
    transport: RwLock<Option<Arc<dyn Transport>>>,
    queue: Mutex<Queue>,
    changed: Notify,
}

/// Links that have something to send.
#[derive(Debug, Default)]
struct Queue {
    /// Parcels that wait until the transport has room for their pipe: one at most for each.
    blocked: VecDeque<Waiter>,
    /// Links that wait for their turn, and parcels whose pipe has room again.
    ready: VecDeque<(Cause, Waiter)>,
}

#[derive(Debug)]
struct Waiter {
    driver: Arc<LinkDriver>,
    parcel: Parcel,
}

/// Why a parcel was in the queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cause {
    /// Its link had used up its quota, and is still the one that sends.
    Turn,
    /// Its pipe was blocked. Meanwhile the link may send by others.
    Blocked,
}

/// A transmit in its buffer, on its way out.
#[derive(Debug)]
pub(crate) struct Parcel {
    pipe: Option<PipeId>,
    segment_size: Option<usize>,
    fragment: bool,
    buffer: Vec<u8>,
    /// Bytes that the transport has taken already.
    taken: usize,
}

/// The pipe of a parcel has no room; what is left of the parcel waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Blocked(pub(crate) PipeId);

impl Port {
    pub(crate) fn new(id: TransportId, transport: Arc<dyn Transport>) -> Self {
        Self {
            id,
            name: transport.name(),
            transport: RwLock::new(Some(transport)),
            queue: Mutex::default(),
            changed: Notify::new(),
        }
    }

    pub(crate) fn name(&self) -> &'static str {
        self.name
    }

    pub(crate) fn transport(&self) -> Option<Arc<dyn Transport>> {
        self.transport
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Gives the transport back, so that it closes when its last user is done.
    pub(crate) fn detach(&self) -> Option<Arc<dyn Transport>> {
        self.transport
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .take()
    }

    pub(crate) fn id(&self) -> TransportId {
        self.id
    }

    /// Lets a link wait for its turn; it is served by [`serve`].
    fn wait_for_turn(&self, waiter: Waiter) {
        self.queue().ready.push_back((Cause::Turn, waiter));
        self.changed.notify_one();
    }

    /// Has a parcel tried once more before it waits for room: by whoever hears of room, so that
    /// what it heard since the parcel was refused is not missed.
    fn try_again(&self, waiter: Waiter) {
        self.queue().ready.push_back((Cause::Blocked, waiter));
        self.changed.notify_one();
    }

    /// Lets a parcel wait for room. Only for whoever hears of room: others might be late.
    fn wait_for_room(&self, waiter: Waiter) {
        self.queue().blocked.push_back(waiter);
        self.changed.notify_one();
    }

    /// Lets links whose pipes have room again queue up for their turn.
    fn release(&self, writable: Writable) {
        let mut guard = self.queue();
        let Queue { blocked, ready } = &mut *guard;
        for waiter in std::mem::take(blocked) {
            let freed = match writable {
                Writable::All => true,
                Writable::Only(remote) => waiter.parcel.remote() == Some(remote),
            };
            if freed {
                ready.push_back((Cause::Blocked, waiter));
            } else {
                blocked.push_back(waiter);
            }
        }
    }

    /// Parcels for this pipe go nowhere: their links go on with what comes next.
    fn release_closed(&self, remote: Remote) {
        self.release(Writable::Only(remote));
    }

    fn next_ready(&self) -> Option<(Cause, Waiter)> {
        self.queue().ready.pop_front()
    }

    fn has_blocked(&self) -> bool {
        !self.queue().blocked.is_empty()
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for Port {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Port")
            .field("id", &self.id)
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

impl Parcel {
    pub(super) fn new(buffer: Vec<u8>) -> Self {
        Self {
            pipe: None,
            segment_size: None,
            fragment: false,
            buffer,
            taken: 0,
        }
    }

    /// The empty buffer, for the next transmit.
    pub(super) fn clear(&mut self) -> &mut Vec<u8> {
        (self.pipe, self.taken) = (None, 0);
        self.buffer.clear();
        &mut self.buffer
    }

    pub(super) fn address(&mut self, transmit: Transmit) {
        let Transmit {
            pipe,
            segment_size,
            fragment,
        } = transmit;
        (self.pipe, self.segment_size, self.fragment) = (Some(pipe), segment_size, fragment);
    }

    pub(super) fn into_buffer(self) -> Vec<u8> {
        self.buffer
    }

    fn remote(&self) -> Option<Remote> {
        self.pipe
            .and_then(|pipe| convert::to_transport(pipe.remote))
    }

    fn rest(&self) -> &[u8] {
        self.buffer.get(self.taken..).unwrap_or_default()
    }
}

impl Shared {
    /// Hands a parcel to its transport.
    ///
    /// # Errors
    /// The transport has no room for all of it; the rest is still in the parcel.
    pub(crate) fn post(
        self: &Arc<Self>,
        driver: &Arc<LinkDriver>,
        parcel: &mut Parcel,
    ) -> Result<(), Blocked> {
        let Some(pipe) = parcel.pipe else {
            return Ok(());
        };
        if let Some(router) = pipe.through() {
            self.carry(driver, router, parcel);
            return Ok(());
        }
        let transport = self.port(pipe.transport).and_then(|port| port.transport());
        let Some((transport, remote)) = transport.zip(convert::to_transport(pipe.remote)) else {
            return Ok(());
        };
        let stride = parcel.segment_size.unwrap_or(parcel.buffer.len());
        while !parcel.rest().is_empty() {
            let mut transmit = telehash_transport::Transmit::run(remote, parcel.rest(), stride);
            transmit.fragment = parcel.fragment;
            match transport.try_send(&transmit) {
                Ok(taken) => parcel.taken += taken,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    return Err(Blocked(pipe));
                }
                Err(error) => {
                    self.parcel_lost(driver, pipe, &error);
                    break;
                }
            }
        }
        Ok(())
    }

    /// Hands the packets of a parcel to the link with a router. What it cannot take is lost on the
    /// way, as far as the sender can tell.
    fn carry(self: &Arc<Self>, driver: &Arc<LinkDriver>, router: Hashname, parcel: &Parcel) {
        let Some(by) = self.link_by_name(&router) else {
            return;
        };
        let stride = parcel.segment_size.unwrap_or(parcel.buffer.len()).max(1);
        let target = driver.hashname();
        let _ = by.run(self, |core, _| {
            for packet in parcel.buffer.chunks(stride) {
                if let Err(error) = telehash_channel_peer::carry(&mut core.link, target, packet) {
                    tracing::trace!(peer = %target.short(), router = %router.short(), %error);
                }
            }
        });
    }

    /// The packets count as lost on the way; a pipe that is gone is taken off its link.
    fn parcel_lost(self: &Arc<Self>, driver: &Arc<LinkDriver>, pipe: PipeId, error: &io::Error) {
        tracing::trace!(peer = %driver.hashname().short(), %pipe, %error, "not sent");
        if error.kind() == io::ErrorKind::NotConnected {
            let _ = driver.run(self, |core, now| core.link.pipe_closed(now, pipe));
        }
    }

    /// Lets a link wait for its turn at the transport of its next parcel.
    pub(super) fn wait_for_turn(&self, driver: &Arc<LinkDriver>, parcel: Parcel) {
        if let Some((port, waiter)) = self.waiter(driver, parcel) {
            port.wait_for_turn(waiter);
        }
    }

    /// Lets a parcel that was refused wait until its pipe has room.
    pub(super) fn try_again(&self, driver: &Arc<LinkDriver>, parcel: Parcel) {
        if let Some((port, waiter)) = self.waiter(driver, parcel) {
            port.try_again(waiter);
        }
    }

    fn wait_for_room(&self, driver: &Arc<LinkDriver>, parcel: Parcel) {
        if let Some((port, waiter)) = self.waiter(driver, parcel) {
            port.wait_for_room(waiter);
        }
    }

    fn waiter(&self, driver: &Arc<LinkDriver>, parcel: Parcel) -> Option<(&Arc<Port>, Waiter)> {
        let pipe = parcel.pipe?;
        // What goes through a router takes its turn anywhere.
        let port = match pipe.through() {
            Some(_) => self.ports.first()?,
            None => self.port(pipe.transport)?,
        };
        let driver = driver.clone();
        Some((port, Waiter { driver, parcel }))
    }

    /// Sends the rest of a parcel that had to wait, and lets its link use the pipe again.
    fn post_rest(self: &Arc<Self>, driver: &Arc<LinkDriver>, mut parcel: Parcel) {
        match self.post(driver, &mut parcel) {
            Err(Blocked(_)) => self.wait_for_room(driver, parcel),
            Ok(()) => {
                let pipe = parcel.pipe;
                self.pool.give(parcel.into_buffer());
                if let Some(pipe) = pipe {
                    driver.unblock(self, pipe);
                }
            }
        }
    }
}

/// Serves the links that wait for a transport, and hears its news, until it fails or is closed.
pub(crate) async fn serve(shared: Arc<Shared>, port: Arc<Port>) {
    let Some(transport) = port.transport() else {
        return;
    };
    loop {
        while let Some((cause, Waiter { driver, parcel })) = port.next_ready() {
            match cause {
                Cause::Turn => driver.send(&shared, parcel),
                Cause::Blocked => shared.post_rest(&driver, parcel),
            }
            tokio::task::consume_budget().await;
        }
        tokio::select! {
            event = poll_fn(|cx| transport.poll_event(cx)) => port.handle_event(&shared, event),
            writable = poll_fn(|cx| transport.poll_writable(cx)), if port.has_blocked() => {
                match writable {
                    Ok(writable) => port.release(writable),
                    // The receive task reports why.
                    Err(_) => return,
                }
            }
            () = port.changed.notified() => {}
        }
    }
}

impl Port {
    fn handle_event(&self, shared: &Arc<Shared>, event: TransportEvent) {
        match event {
            TransportEvent::PipeClosed(remote, reason) => {
                let pipe = PipeId {
                    transport: self.id,
                    remote: convert::to_link(remote),
                };
                tracing::debug!(%pipe, %reason, "pipe closed");
                shared.pipe_closed(pipe);
                self.release_closed(remote);
            }
            TransportEvent::NetworkChanged => {
                tracing::debug!(transport = self.name, "network changed");
                shared.network_changed();
            }
            TransportEvent::Announcement { from, packet } => {
                shared.announcement_heard(self, from, &packet);
            }
            _ => {}
        }
    }
}
