//! A network in memory.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

use crate::{
    TransportError,
    impair::{Conditions, Counters},
};

use super::{MemoryStreamTransport, MemoryTransport, address::Kind, hub::Hub};

/// A network in memory: gives out endpoints and rules what happens between them.
///
/// A cheap handle: clones are the same network. Everything that happens follows from the seed and
/// from what the endpoints send in which order and at which times.
#[derive(Clone, Debug)]
pub struct MemoryNetwork {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    origin: OnceLock<Instant>,
    hub: Mutex<Hub>,
}

impl MemoryNetwork {
    /// A perfect network without endpoints.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        let hub = Mutex::new(Hub::new(seed));
        Self {
            shared: Arc::new(Shared {
                origin: OnceLock::new(),
                hub,
            }),
        }
    }

    /// A datagram endpoint with a new address: `10.0.0.1:42424`, `10.0.0.2:42424` and so on.
    #[must_use]
    pub fn endpoint(&self) -> MemoryTransport {
        let address = self.open_anywhere(Kind::Datagram);
        MemoryTransport::new(self.clone(), address)
    }

    /// A datagram endpoint at this address.
    ///
    /// # Errors
    /// [`TransportError::PortInUse`] if another endpoint of the network has the address.
    pub fn endpoint_at(&self, address: SocketAddr) -> Result<MemoryTransport, TransportError> {
        self.open_at(address, Kind::Datagram)?;
        Ok(MemoryTransport::new(self.clone(), address))
    }

    /// An endpoint for connections with a new address.
    #[must_use]
    pub fn stream_endpoint(&self) -> MemoryStreamTransport {
        let address = self.open_anywhere(Kind::Stream);
        MemoryStreamTransport::new(self.clone(), address)
    }

    /// An endpoint for connections at this address.
    ///
    /// # Errors
    /// [`TransportError::PortInUse`] if another endpoint of the network has the address.
    pub fn stream_endpoint_at(
        &self,
        address: SocketAddr,
    ) -> Result<MemoryStreamTransport, TransportError> {
        self.open_at(address, Kind::Stream)?;
        Ok(MemoryStreamTransport::new(self.clone(), address))
    }

    /// Changes the conditions of every direction, now and to come. What is under way keeps its
    /// arrival. Of connections, only rate, delay and jitter apply.
    pub fn set_conditions(&self, conditions: &Conditions) {
        self.hub().lanes.set_conditions(conditions);
    }

    /// Changes the conditions of the direction from one address to another.
    pub fn set_direction(&self, from: SocketAddr, to: SocketAddr, conditions: Conditions) {
        self.hub().lanes.lane(from, to).set_conditions(conditions);
    }

    /// Stops one direction: datagrams are lost, connections refuse packets until
    /// [`unblock`](Self::unblock).
    pub fn block(&self, from: SocketAddr, to: SocketAddr) {
        self.hub().lanes.lane(from, to).set_blocked(true);
    }

    /// Opens a direction again.
    pub fn unblock(&self, from: SocketAddr, to: SocketAddr) {
        let mut wakers = Vec::new();
        let mut hub = self.hub();
        hub.lanes.lane(from, to).set_blocked(false);
        hub.streams.resume(from, to, &mut wakers);
        drop(hub);
        for waker in wakers {
            waker.wake();
        }
    }

    /// What happened in one direction so far.
    #[must_use]
    pub fn counters(&self, from: SocketAddr, to: SocketAddr) -> Counters {
        self.hub().lanes.counters(from, to)
    }

    fn open_anywhere(&self, kind: Kind) -> SocketAddr {
        let mut hub = self.hub();
        let address = hub.free_address();
        hub.open(address, kind);
        address
    }

    fn open_at(&self, address: SocketAddr, kind: Kind) -> Result<(), TransportError> {
        if self.hub().open(address, kind) {
            return Ok(());
        }
        Err(TransportError::PortInUse {
            transport: kind.name(),
            address,
        })
    }

    pub(super) fn hub(&self) -> MutexGuard<'_, Hub> {
        self.shared
            .hub
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Time since the network was first used.
    pub(super) fn now(&self) -> Duration {
        Instant::now().saturating_duration_since(self.origin())
    }

    /// The moment `time` after the network was first used; an hour from now for times beyond what
    /// the clock can say.
    pub(super) fn instant(&self, time: Duration) -> Instant {
        let far = || Instant::now() + Duration::from_secs(3_600);
        self.origin().checked_add(time).unwrap_or_else(far)
    }

    fn origin(&self) -> Instant {
        *self.shared.origin.get_or_init(Instant::now)
    }
}
