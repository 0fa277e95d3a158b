//! Building a mesh.

use std::collections::BTreeSet;
use std::fmt;
use std::future::Future;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, RwLock};
use std::time::Duration;

use futures::future::BoxFuture;
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng as _;
use telehash_channel_path::{PathConfig, Share};
use telehash_e3x::{CipherSets, Identity};
use telehash_hashname::{Csid, Hashname};
use telehash_link::{Config, ControllerKind, Endpoint, FlowConfig, StrangerBudget, TransportId};
use telehash_transport::{Remote, Transport, TransportError};
use tokio::runtime::Handle;

use crate::accept::{Accept, Door};
use crate::clock::Clock;
use crate::convert;
use crate::discovery::{ANNOUNCE_INTERVAL, Discovery};
use crate::driver::Port;
use crate::error::BuildError;
use crate::handler::{ChannelHandler, Handlers};
use crate::lifecycle::Lifecycle;
use crate::limits::{MAX_LINKS, MAX_TRANSPORTS};
use crate::mapping::PortMapper;
use crate::mesh::Mesh;
use crate::resolve::{FromKnownLinks, Resolver};
use crate::shared::Shared;
use crate::state::{KnownLinks, StateDir, create_identity};

/// A transport that is opened when the mesh is built.
type Opening = BoxFuture<'static, Result<Arc<dyn Transport>, TransportError>>;

/// Whether UDP sockets of this system send in fragments what is told to be sent so: elsewhere they
/// refuse what is larger than the path carries.
const FRAGMENTS: bool = cfg!(any(target_os = "linux", target_os = "android"));

/// Describes a mesh to be built; made by [`Mesh::builder`].
#[must_use = "nothing happens until `build`"]
pub struct Builder {
    identity: Option<Identity>,
    cipher_sets: CipherSets,
    new_identity: Option<Vec<Csid>>,
    transports: Vec<Opening>,
    default_transports: Vec<Opening>,
    state_dir: Option<PathBuf>,
    accept: Accept,
    allowed: BTreeSet<Hashname>,
    handlers: Handlers,
    resolvers: Vec<Arc<dyn Resolver>>,
    config: Config,
    path_config: PathConfig,
    max_links: usize,
    discover: bool,
    router: bool,
    announce_interval: Duration,
    #[cfg(feature = "jwt")]
    jwt: Option<crate::jwt::JwtPolicy>,
    port_mapper: Option<Box<dyn PortMapper>>,
}

impl Builder {
    pub(crate) fn new() -> Self {
        Self {
            identity: None,
            cipher_sets: CipherSets::default(),
            new_identity: None,
            transports: Vec::new(),
            default_transports: Vec::new(),
            state_dir: None,
            accept: Accept::default(),
            allowed: BTreeSet::new(),
            handlers: Handlers::default(),
            resolvers: Vec::new(),
            config: Config::default(),
            path_config: PathConfig::default(),
            max_links: MAX_LINKS,
            discover: false,
            router: false,
            announce_interval: ANNOUNCE_INTERVAL,
            #[cfg(feature = "jwt")]
            jwt: None,
            port_mapper: None,
        }
    }

    /// Uses this identity. Without one it is that of the state directory, and without that a new
    /// one, kept in the state directory if there is one.
    pub fn identity(mut self, identity: Identity) -> Self {
        self.identity = Some(identity);
        self
    }

    /// Supports these cipher sets, in place of those of the enabled features.
    pub fn cipher_sets(mut self, sets: CipherSets) -> Self {
        self.cipher_sets = sets;
        self
    }

    /// If a new identity is made, it has keys of these cipher sets, instead of all supported ones.
    pub fn new_identity(mut self, csids: impl IntoIterator<Item = Csid>) -> Self {
        self.new_identity = Some(csids.into_iter().collect());
        self
    }

    /// Uses this transport, which is open already.
    pub fn transport(self, transport: impl Transport) -> Self {
        self.open_transport(async move { Ok(transport) })
    }

    /// Uses the transport that this opens when the mesh is built.
    pub fn open_transport<T: Transport>(
        mut self,
        open: impl Future<Output = Result<T, TransportError>> + Send + 'static,
    ) -> Self {
        self.transports.push(opening(open));
        self
    }

    /// Uses the transport that this opens, if no other one is added.
    pub fn default_transport<T: Transport>(
        mut self,
        open: impl Future<Output = Result<T, TransportError>> + Send + 'static,
    ) -> Self {
        self.default_transports.push(opening(open));
        self
    }

    /// Keeps the identity and known links in this directory, which is made if it does not exist.
    /// One running mesh uses it at a time.
    pub fn state_dir(mut self, path: impl Into<PathBuf>) -> Self {
        self.state_dir = Some(path.into());
        self
    }

    /// Who may link to us without our asking; [`Accept::Known`] by default.
    pub fn accept(mut self, policy: Accept) -> Self {
        self.accept = policy;
        self
    }

    /// Lets this endpoint link to us, whatever the policy; unless it is blocked.
    pub fn allow(mut self, hashname: Hashname) -> Self {
        self.allowed.insert(hashname);
        self
    }

    /// Demands a JSON web token of everybody who asks for a link, before anything else decides:
    /// trusted, allowed and invited ones, too, unless
    /// [the policy spares them](crate::JwtPolicy::spare_trusted). Who has none that is good gets no
    /// answer, as any stranger; [`MeshEvent::JwtRefused`](crate::MeshEvent::JwtRefused) says why.
    /// Who has one still has to be accepted: [`accept`](Self::accept) says by whom, and
    /// [`Accept::All`] lets everybody with a token in.
    ///
    /// A token is checked when a link comes to be. The link may outlive it: close it if it must not.
    /// A link that goes down is forgotten, and needs a token that is good then. Nothing is demanded
    /// of those to whom we link ourselves. Nobody can be introduced by a router, since that proves
    /// nothing: whoever comes through one has to know our keys.
    ///
    /// ```
    /// use telehash_runtime::{Accept, JwtKey, JwtPolicy, Mesh};
    ///
    /// let secret = [7; 32]; // what the issuer signs with
    /// let policy = JwtPolicy::new([JwtKey::hs256(&secret)?])?.bound_to_sender(true);
    /// let builder = Mesh::builder().accept(Accept::All).demand_jwt(policy);
    /// # drop(builder);
    /// # Ok::<(), telehash_runtime::JwtKeyError>(())
    /// ```
    #[cfg(feature = "jwt")]
    pub fn demand_jwt(mut self, policy: crate::jwt::JwtPolicy) -> Self {
        self.jwt = Some(policy);
        self
    }

    /// Hands channels of this type that peers open to `handler`; see [`Mesh::on_open`].
    pub fn on_open(self, kind: impl Into<String>, handler: impl ChannelHandler) -> Self {
        self.handlers.insert(kind.into(), handler);
        self
    }

    /// Asks this one, too, when the keys or paths of a target are missing. Known links come first,
    /// the others in the order in which they were added.
    pub fn resolver(mut self, resolver: impl Resolver) -> Self {
        self.resolvers.push(Arc::new(resolver));
        self
    }

    /// Which of our paths linked peers are told; all by default.
    pub fn share_paths(mut self, share: Share) -> Self {
        self.path_config.share = share;
        self
    }

    /// Tries what peers offer on the loopback interface, even if they came through a router: for
    /// programs that have several endpoints on one machine. Off by default, since whoever uses a router
    /// on this machine could aim us at services here.
    pub fn probe_loopback(mut self, on: bool) -> Self {
        self.path_config.loopback = on;
        self
    }

    /// Sets the limits and algorithms of channels and congestion control.
    pub fn flow(mut self, flow: FlowConfig) -> Self {
        self.config.flow = flow;
        self
    }

    /// Sets how pipes without congestion control of their own are controlled: CUBIC by default, or BBR
    /// for paths that lose packets without being full. Part of [`flow`](Self::flow), which replaces it.
    pub fn congestion(mut self, controller: ControllerKind) -> Self {
        self.config.flow.controller = controller;
        self
    }

    /// Cloaks channel packets only at their head between ends that both offer it, the rest of which
    /// looks random anyway; on by default. Off, every packet is cloaked in full, which takes more work.
    pub fn head_only_cloak(mut self, on: bool) -> Self {
        self.config.head_only_cloak = on;
        self
    }

    /// Sets how much work strangers may cause.
    pub fn strangers(mut self, budget: StrangerBudget) -> Self {
        self.config.strangers = budget;
        self
    }

    /// Sets how many links there may be, [`MAX_LINKS`] by default. At
    /// the limit the link that is down longest and that nobody asked for makes room.
    pub fn max_links(mut self, limit: usize) -> Self {
        self.max_links = limit;
        self
    }

    /// Announces this endpoint to the local networks from the start; see [`Mesh::discover`]. Off by
    /// default.
    pub fn discover(mut self, on: bool) -> Self {
        self.discover = on;
        self
    }

    /// Routes for everybody who is linked to us; see [`Mesh::router`]. Off by default.
    pub fn router(mut self, on: bool) -> Self {
        self.router = on;
        self
    }

    /// Time between two announcements, while [`Mesh::discover`] is on; 10 s by default, and never
    /// shorter than [`MIN_ANNOUNCE_INTERVAL`](crate::limits::MIN_ANNOUNCE_INTERVAL).
    pub fn announce_every(mut self, interval: Duration) -> Self {
        self.announce_interval = interval;
        self
    }

    /// Has this keep our ports mapped at the gateway of the network. The facade brings one.
    pub fn port_mapper(mut self, mapper: impl PortMapper) -> Self {
        self.port_mapper = Some(Box::new(mapper));
        self
    }

    /// Opens the transports and starts the mesh. Call it inside a tokio runtime.
    ///
    /// Not cancel-safe in one respect: a new identity may have been written to the state directory.
    ///
    /// # Errors
    /// A transport cannot be opened, or the state directory or identity not be used; see
    /// [`BuildError`].
    pub async fn build(mut self) -> Result<Mesh, BuildError> {
        let runtime = Handle::try_current().map_err(|_| BuildError::NoRuntime)?;
        let mut rng = system_rng()?;
        let state = self.open_state().await?;
        let identity = self.find_identity(state.as_ref(), &mut rng)?;
        let known = match &state {
            Some(state) => state.known_links()?,
            None => KnownLinks::default(),
        };
        let ports = self.open_transports().await?;
        let (discover, router) = (self.discover, self.router);
        let mesh = self.start(runtime, &mut rng, identity, state, Arc::new(known), ports);
        mesh.router(router);
        if discover {
            mesh.discover(true).await?;
        }
        Ok(mesh)
    }

    async fn open_state(&mut self) -> Result<Option<StateDir>, BuildError> {
        let Some(path) = self.state_dir.clone() else {
            return Ok(None);
        };
        let opened = tokio::task::spawn_blocking(move || StateDir::open(path)).await;
        // It cannot be aborted, and a panic in there is one here.
        let opened = opened.map_err(|failed| match failed.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(_aborted) => BuildError::NoRuntime,
        })?;
        Ok(Some(opened?))
    }

    fn find_identity(
        &mut self,
        state: Option<&StateDir>,
        rng: &mut ChaCha20Rng,
    ) -> Result<Identity, BuildError> {
        if let Some(identity) = self.identity.take() {
            return Ok(identity);
        }
        if let Some(kept) = state.map(StateDir::identity).transpose()?.flatten() {
            return Ok(Identity::from_json(&self.cipher_sets, &kept)?);
        }
        let csids = self
            .new_identity
            .take()
            .unwrap_or_else(|| self.cipher_sets.recommended().collect());
        if csids.is_empty() {
            return Err(BuildError::NoCipherSet);
        }
        let identity = Identity::generate(&self.cipher_sets, &csids, rng)?;
        if let Some(state) = state {
            create_identity(state.identity_path(), &identity.to_json())?;
        }
        Ok(identity)
    }

    async fn open_transports(&mut self) -> Result<Vec<Arc<Port>>, BuildError> {
        let openings = match self.transports.is_empty() {
            true => std::mem::take(&mut self.default_transports),
            false => std::mem::take(&mut self.transports),
        };
        if openings.is_empty() {
            return Err(BuildError::NoTransport);
        }
        let count = openings.len();
        let mut ports = Vec::with_capacity(count);
        for (number, opening) in openings.into_iter().enumerate() {
            let id = u8::try_from(number)
                .ok()
                .filter(|id| usize::from(*id) < MAX_TRANSPORTS);
            let id = id.ok_or(BuildError::TooManyTransports { count })?;
            ports.push(Arc::new(Port::new(TransportId(id), opening.await?)));
        }
        Ok(ports)
    }

    fn start(
        mut self,
        runtime: Handle,
        rng: &mut ChaCha20Rng,
        identity: Identity,
        state: Option<StateDir>,
        known: Arc<KnownLinks>,
        ports: Vec<Arc<Port>>,
    ) -> Mesh {
        let transports = ports.iter().filter_map(|port| port.transport());
        self.config.transports = transports
            .map(|transport| convert::capabilities(&transport.capabilities(&anywhere())))
            .collect();
        self.config.fragments = FRAGMENTS;
        let (hashname, keys) = (identity.hashname(), identity.keys().clone());
        let clock = Clock::new();
        let mut seed = [0; 32];
        rand_core::Rng::fill_bytes(rng, &mut seed);
        let endpoint = Endpoint::new(
            self.config,
            identity,
            clock.now(),
            clock.unix_at_origin(),
            seed,
        );
        self.resolvers
            .insert(0, Arc::new(FromKnownLinks(known.clone())));
        let discovery = Discovery::new(hashname, clock.now(), self.announce_interval);
        let shared = Arc::new(Shared {
            span: tracing::info_span!("mesh", me = %hashname.short()),
            clock,
            hashname,
            keys,
            endpoint: Mutex::new(endpoint),
            directory: RwLock::default(),
            ports,
            timers: Default::default(),
            pool: Default::default(),
            events: Default::default(),
            known,
            state: Mutex::new(state),
            door: Door::new(self.accept, self.allowed),
            guesses: Default::default(),
            #[cfg(feature = "jwt")]
            jwt: self.jwt,
            handlers: self.handlers,
            discovery,
            routing: Default::default(),
            mappings: Default::default(),
            resolvers: self.resolvers,
            lifecycle: Lifecycle::new(runtime),
            path_config: self.path_config,
            max_links: self.max_links,
            connections: Mutex::default(),
        });
        shared.start();
        shared.use_known_routers();
        if let Some(mapper) = self.port_mapper {
            shared.start_mapper(mapper);
        }
        tracing::debug!(me = %hashname.short(), transports = shared.ports.len(), "started");
        Mesh::new(shared)
    }
}

impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder")
            .field("identity", &self.identity)
            .field("transports", &self.transports.len())
            .field("state_dir", &self.state_dir)
            .field("accept", &self.accept)
            .finish_non_exhaustive()
    }
}

fn opening<T: Transport>(
    open: impl Future<Output = Result<T, TransportError>> + Send + 'static,
) -> Opening {
    Box::pin(async move { Ok(Arc::new(open.await?) as Arc<dyn Transport>) })
}

/// Makes a new identity with a key for each of these cipher sets, out of the system's randomness.
///
/// # Errors
/// [`BuildError::Identity`] for a cipher set that is not supported or none at all,
/// [`BuildError::Randomness`].
pub fn generate_identity(
    sets: &CipherSets,
    csids: impl IntoIterator<Item = Csid>,
) -> Result<Identity, BuildError> {
    let csids: Vec<Csid> = csids.into_iter().collect();
    Ok(Identity::generate(sets, &csids, &mut system_rng()?)?)
}

/// The system's randomness, stretched.
fn system_rng() -> Result<ChaCha20Rng, BuildError> {
    let mut seed = [0; 32];
    getrandom::fill(&mut seed).map_err(BuildError::Randomness)?;
    Ok(ChaCha20Rng::from_seed(seed))
}

/// A remote that stands for any: what its transport can do there holds for all its pipes.
const fn anywhere() -> Remote {
    Remote::Socket(SocketAddr::new(
        std::net::IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        0,
    ))
}

#[cfg(test)]
mod tests {
    use crate::Mesh;

    #[test]
    fn a_mesh_can_be_built_in_a_spawned_task() {
        fn spawnable(_: impl Future<Output: Send> + Send + 'static) {}
        spawnable(Mesh::builder().build());
    }

    #[test]
    fn whether_only_heads_are_cloaked_is_up_to_the_builder() {
        for on in [true, false] {
            let builder = Mesh::builder().head_only_cloak(on);
            assert_eq!(builder.config.head_only_cloak, on);
        }
    }
}
