//! What all handles and tasks of a mesh share.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use telehash_channel_path::{PathConfig, RouterUri, Whereabouts};
use telehash_hashname::{Hashname, KeySet, Path};
use telehash_link::{DownReason, Endpoint, LinkKey, LinkState, PipeId, TransportId};
use telehash_transport::Transport;

use crate::accept::Door;
use crate::clock::{Clock, Drift};
use crate::convert;
use crate::discovery::Discovery;
use crate::driver::{BufferPool, LinkDriver, Port, Timers};
use crate::events::{EventHub, MeshEvent};
use crate::handler::Handlers;
use crate::invite::Guesses;
use crate::lifecycle::Lifecycle;
use crate::mapping::Mappings;
use crate::resolve::Resolver;
use crate::routing::Routing;
use crate::state::{KnownLinks, StateDir};

/// The mesh itself. Locks are taken in the order link, endpoint, directory.
pub(crate) struct Shared {
    /// Names this endpoint in logs.
    pub(crate) span: tracing::Span,
    pub(crate) clock: Clock,
    pub(crate) hashname: Hashname,
    pub(crate) keys: KeySet,
    pub(crate) endpoint: Mutex<Endpoint>,
    pub(crate) directory: RwLock<Directory>,
    pub(crate) ports: Vec<Arc<Port>>,
    pub(crate) timers: Timers,
    pub(crate) pool: BufferPool,
    pub(crate) events: EventHub,
    pub(crate) known: Arc<KnownLinks>,
    pub(crate) state: Mutex<Option<StateDir>>,
    pub(crate) door: Door,
    pub(crate) guesses: Guesses,
    #[cfg(feature = "jwt")]
    pub(crate) jwt: Option<crate::jwt::JwtPolicy>,
    pub(crate) handlers: Handlers,
    pub(crate) discovery: Discovery,
    pub(crate) routing: Routing,
    pub(crate) mappings: Mappings,
    pub(crate) resolvers: Vec<Arc<dyn Resolver>>,
    pub(crate) lifecycle: Lifecycle,
    pub(crate) path_config: PathConfig,
    pub(crate) max_links: usize,
    /// Which link uses a connection of a stream transport.
    pub(crate) connections: Mutex<HashMap<PipeId, LinkKey>>,
}

/// The links of a mesh.
#[derive(Debug, Default)]
pub(crate) struct Directory {
    by_key: HashMap<LinkKey, Arc<LinkDriver>>,
    by_name: HashMap<Hashname, LinkKey>,
    /// Links that went down and that nobody asked for, oldest first; they make room.
    idle: VecDeque<LinkKey>,
}

impl Directory {
    pub(crate) fn insert(&mut self, driver: Arc<LinkDriver>) {
        self.by_name.insert(driver.hashname(), driver.key());
        self.by_key.insert(driver.key(), driver);
    }

    pub(crate) fn remove(&mut self, key: LinkKey) -> Option<Arc<LinkDriver>> {
        let driver = self.by_key.remove(&key)?;
        self.by_name.remove(&driver.hashname());
        Some(driver)
    }

    pub(crate) fn by_name(&self, hashname: &Hashname) -> Option<&Arc<LinkDriver>> {
        self.by_key.get(self.by_name.get(hashname)?)
    }

    pub(crate) fn len(&self) -> usize {
        self.by_key.len()
    }

    pub(crate) fn all(&self) -> Vec<Arc<LinkDriver>> {
        self.by_key.values().cloned().collect()
    }

    pub(crate) fn went_down(&mut self, key: LinkKey) {
        // A link may be queued more than once, and be gone by now.
        if self.idle.len() > 2 * self.by_key.len() {
            let (by_key, mut seen) = (&self.by_key, HashSet::new());
            self.idle
                .retain(|key| by_key.contains_key(key) && seen.insert(*key));
        }
        self.idle.push_back(key);
    }

    /// The link that is down longest and that nobody asked for.
    pub(crate) fn expendable(&mut self) -> Option<Arc<LinkDriver>> {
        while let Some(key) = self.idle.pop_front() {
            let expendable = |driver: &&Arc<LinkDriver>| {
                !driver.is_wanted() && driver.status().borrow().state != LinkState::Up
            };
            if let Some(driver) = self.by_key.get(&key).filter(expendable) {
                return Some(driver.clone());
            }
        }
        None
    }
}

impl Shared {
    pub(crate) fn endpoint(&self) -> MutexGuard<'_, Endpoint> {
        // A panic in the endpoint leaves at worst one packet or link half handled.
        self.endpoint.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn directory(&self) -> RwLockReadGuard<'_, Directory> {
        self.directory
            .read()
            .unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn directory_mut(&self) -> RwLockWriteGuard<'_, Directory> {
        self.directory
            .write()
            .unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn link_by_key(&self, key: LinkKey) -> Option<Arc<LinkDriver>> {
        self.directory().by_key.get(&key).cloned()
    }

    pub(crate) fn link_by_name(&self, hashname: &Hashname) -> Option<Arc<LinkDriver>> {
        self.directory().by_name(hashname).cloned()
    }

    pub(crate) fn links(&self) -> Vec<Arc<LinkDriver>> {
        self.directory().all()
    }

    pub(crate) fn port(&self, id: TransportId) -> Option<&Arc<Port>> {
        self.ports.get(usize::from(id.0))
    }

    fn transport_of(&self, pipe: PipeId) -> Option<Arc<dyn Transport>> {
        self.port(pipe.transport)?.transport()
    }

    /// A link changed its state. Called under its lock, so that watchers see changes in order.
    pub(crate) fn publish_state(&self, driver: &LinkDriver, reason: Option<DownReason>) {
        let state = if reason.is_some() {
            LinkState::Down
        } else {
            LinkState::Up
        };
        let hashname = driver.hashname();
        driver.status().send_modify(|status| status.state = state);
        tracing::info!(peer = %hashname.short(), ?state, ?reason, "link");
        self.events.publish(MeshEvent::LinkState {
            hashname,
            state,
            reason,
        });
        if state == LinkState::Down && !driver.is_wanted() {
            self.directory_mut().went_down(driver.key());
        }
    }

    /// Without the feature nobody needs a token.
    #[cfg(not(feature = "jwt"))]
    #[expect(clippy::unused_self, reason = "as with the feature")]
    pub(crate) fn passes_jwt(&self, _: Hashname, _: Option<&telehash_link::MessageSet>) -> bool {
        true
    }

    /// Whether whoever links to us has to present a token.
    pub(crate) fn demands_jwt(&self) -> bool {
        #[cfg(feature = "jwt")]
        return self.jwt.is_some();
        #[cfg(not(feature = "jwt"))]
        false
    }

    pub(crate) fn seen_as(self: &Arc<Self>, driver: &LinkDriver, path: Path) {
        let hashname = driver.hashname();
        tracing::debug!(peer = %hashname.short(), %path, "the peer sees us at");
        self.router_sees_us(driver, &path);
        self.events.publish(MeshEvent::SeenAs { hashname, path });
    }

    /// A link uses this connection: it is a stranger's no more.
    pub(crate) fn connection_used(&self, pipe: PipeId, key: LinkKey) {
        self.connections().insert(pipe, key);
        let remote = convert::to_transport(pipe.remote);
        if let Some((transport, remote)) = self.transport_of(pipe).zip(remote) {
            transport.keep(&remote);
        }
    }

    /// The link does without this connection: it is closed.
    pub(crate) fn connection_unused(&self, pipe: PipeId) {
        self.connections().remove(&pipe);
        let remote = convert::to_transport(pipe.remote);
        if let Some((transport, remote)) = self.transport_of(pipe).zip(remote) {
            transport.close_pipe(&remote);
        }
    }

    /// A transport lost a pipe.
    pub(crate) fn pipe_closed(self: &Arc<Self>, pipe: PipeId) {
        let key = self.connections().get(&pipe).copied();
        if let Some(driver) = key.and_then(|key| self.link_by_key(key)) {
            let _ = driver.run(self, |core, now| core.link.pipe_closed(now, pipe));
        }
    }

    /// Where our transports listen.
    pub(crate) fn direct_paths(&self) -> Vec<Path> {
        let transports = self.ports.iter().filter_map(|port| port.transport());
        transports
            .flat_map(|transport| transport.local_paths())
            .collect()
    }

    /// How we may be reached without a mapping at the gateway.
    pub(crate) fn unmapped_paths(&self) -> Vec<Path> {
        let mut paths = self.direct_paths();
        for path in self.reflexive_paths() {
            if !paths.contains(&path) {
                paths.push(path);
            }
        }
        paths.extend(self.router_paths());
        paths
    }

    /// The addresses of this host changed, or it woke up.
    pub(crate) fn network_changed(self: &Arc<Self>) {
        self.mappings.network_changed();
        for driver in self.links() {
            let _ = driver.run(self, |core, now| {
                core.link.network_changed(now);
                core.paths.announce(now, &mut core.link, &**self);
            });
        }
    }

    /// Follows the time of day, which may have been set anew, or have gone on while we slept.
    pub(crate) fn follow_clock(self: &Arc<Self>) {
        let Some(Drift { now, unix, woke_up }) = self.clock.drift() else {
            return;
        };
        tracing::debug!(?unix, woke_up, "the time of day changed");
        self.endpoint().set_clock(now, unix);
        for driver in self.links() {
            let _ = driver.run(self, |core, _| core.link.set_clock(now, unix));
        }
        if woke_up {
            self.network_changed();
        }
    }

    pub(crate) fn endpoint_timeout(&self) {
        let mut endpoint = self.endpoint();
        endpoint.handle_timeout(self.clock.now());
        self.timers.arm_endpoint(endpoint.poll_timeout());
    }

    fn connections(&self) -> MutexGuard<'_, HashMap<PipeId, LinkKey>> {
        self.connections
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl Whereabouts for Shared {
    fn local_paths(&self) -> Vec<Path> {
        // The mapped ones first: for most of the world they are the only ones, and a URI has room for few.
        let mut paths = self.mapped_paths();
        for path in self.unmapped_paths() {
            if !paths.contains(&path) {
                paths.push(path);
            }
        }
        paths
    }

    fn uri_for(&self, peer: &Hashname) -> Option<RouterUri> {
        self.router_uri_for(peer)
    }

    fn path_of(&self, pipe: PipeId) -> Option<Path> {
        if let Some(router) = pipe.through() {
            return Some(Path::peer(router));
        }
        let transport = self.transport_of(pipe)?;
        transport.remote_path(&convert::to_transport(pipe.remote)?)
    }
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared")
            .field("hashname", &self.hashname)
            .finish_non_exhaustive()
    }
}
