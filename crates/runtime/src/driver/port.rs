//! A transport of the mesh, and the links that wait for room in it.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

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

/// Links that have something to send, each in at most one place.
#[derive(Debug, Default)]
struct Queue {
    /// Until the transport has room.
    blocked: VecDeque<Waiter>,
    /// Until it is their turn.
    ready: VecDeque<Waiter>,
}

#[derive(Debug)]
struct Waiter {
    driver: Arc<LinkDriver>,
    parcel: Parcel,
}

/// A transmit in its buffer, on its way out.
#[derive(Debug)]
pub(crate) struct Parcel {
    pipe: Option<PipeId>,
    segment_size: Option<usize>,
    buffer: Vec<u8>,
    /// Bytes that the transport has taken already.
    taken: usize,
}

/// A parcel that did not go out now.
#[derive(Debug)]
pub(crate) struct Unsent {
    parcel: Parcel,
    blocked: bool,
}

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

    /// Puts a link into the queue; it is served by [`serve`].
    pub(crate) fn park(&self, driver: Arc<LinkDriver>, unsent: Unsent) {
        let Unsent { parcel, blocked } = unsent;
        let mut queue = self.queue();
        let line = if blocked {
            &mut queue.blocked
        } else {
            &mut queue.ready
        };
        line.push_back(Waiter { driver, parcel });
        drop(queue);
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
            let line = if freed { &mut *ready } else { &mut *blocked };
            line.push_back(waiter);
        }
    }

    /// Parcels for this pipe go nowhere: their links go on with what comes next.
    fn release_closed(&self, remote: Remote) {
        self.release(Writable::Only(remote));
    }

    fn next_ready(&self) -> Option<Waiter> {
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
        (self.pipe, self.segment_size) = (Some(transmit.pipe), transmit.segment_size);
    }

    pub(super) fn into_buffer(self) -> Vec<u8> {
        self.buffer
    }

    fn remote(&self) -> Option<Remote> {
        self.pipe.map(|pipe| convert::to_transport(pipe.remote))
    }

    fn rest(&self) -> &[u8] {
        self.buffer.get(self.taken..).unwrap_or_default()
    }
}

impl Unsent {
    pub(super) fn quota_used(parcel: Parcel) -> Self {
        Self {
            parcel,
            blocked: false,
        }
    }
}

impl Shared {
    /// Hands a parcel to its transport. Afterwards it is empty, but for one that has to wait.
    ///
    /// # Errors
    /// The transport has no room for all of it.
    pub(crate) fn post(
        self: &Arc<Self>,
        driver: &Arc<LinkDriver>,
        parcel: &mut Parcel,
    ) -> Result<(), Unsent> {
        let Some(pipe) = parcel.pipe else {
            return Ok(());
        };
        let transport = self.port(pipe.transport).and_then(|port| port.transport());
        let Some(transport) = transport else {
            return Ok(());
        };
        let remote = convert::to_transport(pipe.remote);
        let stride = parcel.segment_size.unwrap_or(parcel.buffer.len());
        while !parcel.rest().is_empty() {
            let transmit = telehash_transport::Transmit::run(remote, parcel.rest(), stride);
            match transport.try_send(&transmit) {
                Ok(taken) => parcel.taken += taken,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    let parcel = std::mem::replace(parcel, Parcel::new(Vec::new()));
                    return Err(Unsent {
                        parcel,
                        blocked: true,
                    });
                }
                Err(error) => {
                    self.parcel_lost(driver, pipe, &error);
                    break;
                }
            }
        }
        Ok(())
    }

    /// The packets count as lost on the way; a pipe that is gone is taken off its link.
    fn parcel_lost(self: &Arc<Self>, driver: &Arc<LinkDriver>, pipe: PipeId, error: &io::Error) {
        tracing::trace!(peer = %driver.hashname().short(), %pipe, %error, "not sent");
        if error.kind() == io::ErrorKind::NotConnected {
            let _ = driver.run(self, |core, now| core.link.pipe_closed(now, pipe));
        }
    }

    /// Lets a link wait for the transport of its unsent parcel.
    pub(super) fn park(&self, driver: &Arc<LinkDriver>, unsent: Unsent) {
        let port = unsent
            .parcel
            .pipe
            .and_then(|pipe| self.port(pipe.transport));
        if let Some(port) = port {
            port.park(driver.clone(), unsent);
        }
    }
}

/// Serves the links that wait for a transport, and hears its news, until it fails or is closed.
pub(crate) async fn serve(shared: Arc<Shared>, port: Arc<Port>) {
    let Some(transport) = port.transport() else {
        return;
    };
    loop {
        while let Some(Waiter { driver, parcel }) = port.next_ready() {
            if let Err(unsent) = driver.send(&shared, parcel) {
                shared.park(&driver, unsent);
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
            _ => {}
        }
    }
}
