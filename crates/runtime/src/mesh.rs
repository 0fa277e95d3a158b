//! The mesh, as the application holds it.

use std::fmt;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use telehash_channel_path::Whereabouts as _;
use telehash_hashname::{Hashname, KeySet, LinkJson, Path};
use telehash_link::{EndpointStats, LinkState};
use telehash_uri::limits::MAX_URI_PATHS;
use telehash_uri::{Fragment, LinkUri, Secret};

use crate::builder::Builder;
use crate::credentials::ConnectOptions;
use crate::discovery::{self, Announcing};
use crate::error::{DiscoverError, LinkError, TargetError};
use crate::events::{Events, MeshEvent};
use crate::handler::ChannelHandler;
use crate::hosts::paths_of_host;
use crate::lifecycle::Phase;
use crate::link::Link;
use crate::mapping::PortMapping;
use crate::resolve;
use crate::shared::Shared;
use crate::state::KnownLinks;
use crate::target::{IntoLinkTarget, LinkTarget};

/// An endpoint in the mesh: its identity, its transports, its links. A cheap clone.
///
/// [`close`](Self::close) ends it in order. So does dropping the last clone, in the background and
/// as long as the tokio runtime goes on; links and channels that are still held fail then. A
/// handler that holds a clone keeps the mesh alive until it is closed.
#[derive(Clone)]
pub struct Mesh {
    handle: Arc<MeshHandle>,
}

/// Closes the mesh when the last clone is dropped.
struct MeshHandle {
    shared: Arc<Shared>,
}

impl Drop for MeshHandle {
    fn drop(&mut self) {
        self.shared.lifecycle.close();
    }
}

/// Counters of a mesh and its present figures.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct MeshStats {
    /// Links, whatever their state.
    pub links: usize,
    /// Of them, up.
    pub links_up: usize,
    /// What the endpoint counted.
    pub endpoint: EndpointStats,
}

/// What a target comes to.
struct Found {
    link: LinkJson,
    /// That it holds.
    invite: Option<Secret>,
    /// It leads through the one of `link`, a router, to whoever shared this.
    share: Option<(LinkUri, Fragment)>,
}

impl Mesh {
    /// Describes a mesh to be built.
    pub fn builder() -> Builder {
        Builder::new()
    }

    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        Self {
            handle: Arc::new(MeshHandle { shared }),
        }
    }

    /// Our name.
    #[must_use]
    pub fn hashname(&self) -> Hashname {
        self.shared().hashname
    }

    /// Our public keys.
    #[must_use]
    pub fn keys(&self) -> &KeySet {
        &self.shared().keys
    }

    /// How we may be reached, as our transports know it. Empty once closed.
    #[must_use]
    pub fn local_paths(&self) -> Vec<Path> {
        self.shared().local_paths()
    }

    /// What others need to link to us: hashname, keys and paths.
    #[must_use]
    pub fn local_link_json(&self) -> LinkJson {
        let mut link = LinkJson::named(self.hashname());
        link.keys = self.keys().clone();
        link.paths = self.local_paths();
        link
    }

    /// The same as a URI. Paths beyond [`MAX_URI_PATHS`] are left out.
    #[must_use]
    pub fn uri(&self) -> LinkUri {
        let mut link = self.local_link_json();
        link.paths.truncate(MAX_URI_PATHS);
        LinkUri::for_link(&link).expect("an identity has all its keys, and the paths fit")
    }

    /// Links to another endpoint, or adds paths to the link that there is. With an
    /// [invite](Self::invite) the other side lets us in, and once the link is up it is a known and
    /// trusted one.
    ///
    /// Completes once the target is resolved and its paths are being dialled, without waiting for
    /// an answer; see [`Link::wait_up`]. The mesh then keeps trying, until [`Link::close`].
    ///
    /// Routers are ways to it, too: those among its paths, and [those that we
    /// use](Self::use_router). If nothing but its hashname is known they are asked to introduce us,
    /// and this completes once it answers, within
    /// [`SEEK_TIMEOUT`](crate::limits::SEEK_TIMEOUT).
    ///
    /// A URI that [leads through a router](Self::share_uri) has that one reach whoever shared it, and
    /// completes once an answer proves to be of that one, within the same time.
    ///
    /// Cancel-safe: if the future is dropped, there may be a link already, and nothing else.
    ///
    /// # Errors
    /// The target cannot be understood or resolved, is ourselves, or cannot be reached by any of
    /// our transports; see [`LinkError`].
    pub async fn link(&self, to: impl IntoLinkTarget) -> Result<Link, LinkError> {
        self.link_with(to, ConnectOptions::new()).await
    }

    /// The same, with more to say to the other side: a token that it demands, say.
    ///
    /// A handshake that is under way goes on as it is. If there is a link that is not up, close it
    /// first, and the token goes out at once.
    ///
    /// ```no_run
    /// # async fn example(mesh: telehash_runtime::Mesh) -> Result<(), Box<dyn std::error::Error>> {
    /// use telehash_runtime::ConnectOptions;
    ///
    /// let token = std::fs::read_to_string("token.jwt")?;
    /// let link = mesh.link_with("office", ConnectOptions::new().jwt(token.trim())).await?;
    /// # drop(link);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`link`](Self::link), and [`LinkError::JwtTooLong`].
    pub async fn link_with(
        &self,
        to: impl IntoLinkTarget,
        options: ConnectOptions,
    ) -> Result<Link, LinkError> {
        let credentials = options.credentials()?;
        let Found {
            mut link,
            invite,
            share,
        } = self.resolved(to.into_link_target()?).await?;
        let shared = self.shared();
        if let Some((uri, fragment)) = share {
            link = shared.follow(&link, &uri, fragment).await?;
            if link.hashname == shared.hashname {
                return Err(LinkError::OwnHashname);
            }
            resolve::complete(&mut link, &shared.resolvers).await;
        }
        if link.keys.is_empty() && shared.link_by_name(&link.hashname).is_none() {
            shared.seek(&link).await?;
        }
        let driver = shared.connect(&link, credentials.with_invite(invite))?;
        Ok(Link::new(shared.clone(), driver))
    }

    /// What is known of a target, or can be found out without linking to it: who it is, its keys and
    /// its paths, as far as resolvers know them. Routers are not asked: of a URI that leads through one,
    /// this tells of the router.
    ///
    /// Cancel-safe.
    ///
    /// # Errors
    /// The target cannot be understood or found, or is ourselves; see [`LinkError`].
    pub async fn resolve(&self, to: impl IntoLinkTarget) -> Result<LinkJson, LinkError> {
        Ok(self.resolved(to.into_link_target()?).await?.link)
    }

    /// A target with whatever resolvers add.
    async fn resolved(&self, target: LinkTarget) -> Result<Found, LinkError> {
        let shared = self.shared();
        let mut share = None;
        let (mut link, uri, invite, domain) = match target {
            LinkTarget::Link(link) => (link, None, None, None),
            LinkTarget::Name(name) => {
                let hashname = shared.known.find(&name).map_err(TargetError::from)?;
                (LinkJson::named(hashname), None, None, None)
            }
            LinkTarget::Uri { link, uri } => {
                share = uri.share().ok().flatten();
                let invite = uri.invite().filter(|_| share.is_none());
                (link, Some(uri), invite, None)
            }
            LinkTarget::Domain(domain) => {
                let (link, uri) = resolve::find(&domain, &shared.resolvers).await?;
                (link, uri, None, Some(domain))
            }
        };
        if let Some(uri) = &uri {
            link.paths.extend(paths_of_host(uri).await);
        }
        if link.hashname == shared.hashname {
            return Err(LinkError::OwnHashname);
        }
        resolve::complete(&mut link, &shared.resolvers).await;
        // Whose it is was said, but not where: the domain itself is the place to try.
        if let Some(domain) = domain.filter(|_| link.paths.is_empty()) {
            link.paths = paths_of_host(&domain).await;
        }
        Ok(Found {
            link,
            invite,
            share: uri.zip(share),
        })
    }

    /// Links to a router and uses it for everybody from now on: to reach those whose own paths do not
    /// answer or of whom only the hashname is known, and to be reached by those whom our peers tell of
    /// it. The router has to serve one of both ends; see [`router`](Self::router).
    ///
    /// Cancel-safe, as [`link`](Self::link) is.
    ///
    /// # Errors
    /// As [`link`](Self::link).
    pub async fn use_router(&self, to: impl IntoLinkTarget) -> Result<Link, LinkError> {
        let link = self.link(to).await?;
        self.shared().set_default_router(link.hashname(), true);
        Ok(link)
    }

    /// Uses this router for everybody no longer. Links that go through it stay as they are.
    pub fn forget_router(&self, router: &Hashname) {
        self.shared().set_default_router(*router, false);
    }

    /// The routers that we use for everybody.
    #[must_use]
    pub fn routers(&self) -> Vec<Hashname> {
        self.shared().routing.defaults().into_iter().collect()
    }

    /// Routes for everybody who is linked to us, or only for those whom
    /// [`Link::router`] names, which is nobody by default.
    ///
    /// A router hands handshakes from one of its links to another and carries the packets of the
    /// link that comes of it, as long as the two have no direct way. It sees who talks with whom and
    /// how much, and can neither read nor alter it.
    pub fn router(&self, on: bool) {
        self.shared().endpoint().router_policy().everyone = on;
        if on {
            self.shared().tell_paths();
        }
    }

    /// Asks `decide` about each request to route that is not helped anyway: whether the first may be
    /// helped to reach the second. Both directions of a link are requests of their own.
    ///
    /// It is called while packets wait, so it has to be quick, and may not call the mesh. If it panics
    /// the request is not helped.
    ///
    /// ```no_run
    /// # fn example(mesh: &telehash_runtime::Mesh, team: std::collections::BTreeSet<telehash_hashname::Hashname>) {
    /// mesh.on_route(move |from, to| team.contains(from) && team.contains(to));
    /// # }
    /// ```
    pub fn on_route(&self, decide: impl Fn(&Hashname, &Hashname) -> bool + Send + Sync + 'static) {
        let decide = move |from: &Hashname, to: &Hashname| {
            // What concerns one request is contained there: other packets wait behind it.
            let decided = catch_unwind(AssertUnwindSafe(|| decide(from, to)));
            decided.unwrap_or_else(|_panic| {
                let (from, to) = (from.short(), to.short());
                tracing::error!(%from, %to, "a fault in the decision about a request refused it");
                false
            })
        };
        self.shared().endpoint().router_policy().decide_by(decide);
    }

    /// The link to this endpoint, if there is one.
    #[must_use]
    pub fn get(&self, hashname: &Hashname) -> Option<Link> {
        let driver = self.shared().link_by_name(hashname)?;
        Some(Link::new(self.shared().clone(), driver))
    }

    /// All links, in no particular order.
    #[must_use]
    pub fn links(&self) -> Vec<Link> {
        let link = |driver| Link::new(self.shared().clone(), driver);
        self.shared().links().into_iter().map(link).collect()
    }

    /// Hands channels of this type that peers open to `handler`, in place of an earlier handler.
    ///
    /// Register handlers before links come up, with [`Builder::on_open`], where it matters that no
    /// channel is refused.
    pub fn on_open(&self, kind: impl Into<String>, handler: impl ChannelHandler) {
        self.shared().handlers.insert(kind.into(), handler);
    }

    /// The handler of this type of channel: the one there is, or else a new one. `None` if there is
    /// one of another kind than `H`.
    #[must_use]
    pub fn handler<H: ChannelHandler>(
        &self,
        kind: &str,
        new: impl FnOnce() -> H,
    ) -> Option<Arc<H>> {
        self.shared().handlers.get_or_insert(kind, new)
    }

    /// Refuses channels of this type from now on. Whether there was a handler. Channels that it has
    /// go on.
    pub fn remove_handler(&self, kind: &str) -> bool {
        self.shared().handlers.remove(kind)
    }

    /// Calls `callback` whenever a link goes up or down.
    ///
    /// It runs in a task of its own, one call at a time. If it is too slow for the news, it is
    /// called with the state of every link as it is then. A panic ends it, and nothing else.
    pub fn on_link(&self, mut callback: impl FnMut(Link, LinkState) + Send + 'static) {
        let mut events = self.events();
        let shared = Arc::downgrade(self.shared());
        self.shared().spawn(async move {
            while let Some(event) = events.next().await {
                let Some(shared) = shared.upgrade() else {
                    return;
                };
                let changed = match event {
                    MeshEvent::LinkState {
                        hashname, state, ..
                    } => shared
                        .link_by_name(&hashname)
                        .map(|driver| (driver, state))
                        .into_iter()
                        .collect(),
                    MeshEvent::Lagged { .. } => {
                        let with_state = |driver: Arc<crate::driver::LinkDriver>| {
                            let state = driver.status().borrow().state;
                            (driver, state)
                        };
                        shared.links().into_iter().map(with_state).collect()
                    }
                    _ => Vec::new(),
                };
                for (driver, state) in changed {
                    callback(Link::new(shared.clone(), driver), state);
                }
            }
        });
    }

    /// Announces this endpoint to the local networks, at once and then every 10 s, or stops that at
    /// once: when the future is done, nothing more is sent.
    ///
    /// Everyone nearby learns our hashname, keys and address, and may try to link; who may is up to
    /// the accept policy, as ever. Switch it on to be found, not for good. Others are heard whether
    /// we announce or not; see [`on_discover`](Self::on_discover).
    ///
    /// ```no_run
    /// # async fn example(mesh: &telehash_runtime::Mesh) -> Result<(), Box<dyn std::error::Error>> {
    /// mesh.discover(true).await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`DiscoverError`]: no transport takes part in LAN discovery, our keys are too long for it,
    /// or the mesh is closing. Turning it off never fails. That there is no network now is no error.
    pub async fn discover(&self, on: bool) -> Result<(), DiscoverError> {
        self.shared().set_announcing(on)
    }

    /// Announces this endpoint as [`discover`](Self::discover) does, until what this returns is
    /// dropped: for one of several users of a mesh, of whom none may stop the others.
    ///
    /// # Errors
    /// As [`discover`](Self::discover).
    pub fn announce(&self) -> Result<Announcing, DiscoverError> {
        Announcing::begin(self.shared().clone())
    }

    /// Whether this endpoint announces itself now.
    #[must_use]
    pub fn is_discoverable(&self) -> bool {
        self.shared().is_announcing()
    }

    /// Calls `callback` whenever an endpoint announces itself on a local network: for the first
    /// time, from somewhere else, or after a while ([`MeshEvent::Discovered`]). Nothing proves that
    /// it is there, and nothing is sent to it. To get to know it, hand what the callback gets to
    /// [`link`](Self::link).
    ///
    /// It runs in a task of its own, one call at a time. If it is too slow for the news, it is
    /// called with everyone who is present then. A panic ends it, and nothing else.
    ///
    /// ```no_run
    /// # fn example(mesh: &telehash_runtime::Mesh) {
    /// mesh.on_discover(|from| println!("{} is here: {from}", from.hashname.short()));
    /// # }
    /// ```
    pub fn on_discover(&self, mut callback: impl FnMut(LinkJson) + Send + 'static) {
        let mut events = self.events();
        let shared = Arc::downgrade(self.shared());
        self.shared().spawn(async move {
            while let Some(event) = events.next().await {
                match event {
                    MeshEvent::Discovered {
                        hashname,
                        keys,
                        paths,
                    } => callback(discovery::link_json(hashname, keys, paths)),
                    MeshEvent::Lagged { .. } => {
                        let Some(shared) = shared.upgrade() else {
                            return;
                        };
                        shared.neighbours().into_iter().for_each(&mut callback);
                    }
                    _ => {}
                }
            }
        });
    }

    /// Everyone who announced itself on a local network within the last minute.
    #[must_use]
    pub fn discovered(&self) -> Vec<LinkJson> {
        self.shared().neighbours()
    }

    /// Everything that happens from now on, for one more subscriber.
    #[must_use]
    pub fn events(&self) -> Events {
        self.shared().events.subscribe()
    }

    /// Who is known, and what we make of them.
    #[must_use]
    pub fn known(&self) -> &Arc<KnownLinks> {
        &self.shared().known
    }

    /// Lets this endpoint link to us as long as this mesh runs, whatever the policy; unless it is
    /// blocked.
    pub fn allow(&self, hashname: Hashname) {
        self.shared().door.allow(hashname);
    }

    /// Says that the network of this machine changed, so that every link checks its ways at once. We
    /// look ourselves every few seconds; a program that is told by its system knows sooner.
    pub fn network_changed(&self) {
        self.shared().network_changed();
    }

    /// Which of our ports are mapped at the gateway; `None` unless a mapper was asked for
    /// ([`Builder::port_mapper`](crate::Builder::port_mapper)).
    #[must_use]
    pub fn port_mapping(&self) -> Option<PortMapping> {
        self.shared().port_mapping()
    }

    /// Counters and present figures.
    #[must_use]
    pub fn stats(&self) -> MeshStats {
        let links = self.shared().links();
        let up = |driver: &&Arc<crate::driver::LinkDriver>| {
            driver.status().borrow().state == LinkState::Up
        };
        MeshStats {
            links: links.len(),
            links_up: links.iter().filter(up).count(),
            endpoint: self.shared().endpoint().stats(),
        }
    }

    /// Writes what is known of others to the state directory, if there is one, and waits until it is written. Changes
    /// are written anyway, a little later: this is for whoever is about to rely on it. Whether nothing is left to be
    /// written; if it fails there is a [`MeshEvent::StateNotSaved`] too, and it is tried again.
    ///
    /// Cancel-safe.
    pub async fn save(&self) -> bool {
        self.shared().save().await
    }

    /// Closes the mesh and waits until everything is released: what was written and ended is
    /// delivered ([`DRAIN_TIMEOUT`](crate::limits::DRAIN_TIMEOUT) at most), handlers shut down,
    /// links and transports close, known links are saved.
    ///
    /// Cancel-safe: the mesh closes even if the future is dropped.
    pub async fn close(&self) {
        self.shared().lifecycle.close();
        self.closed().await;
    }

    /// Waits until the mesh is closed, by whoever does so.
    ///
    /// Cancel-safe.
    pub fn closed(&self) -> impl Future<Output = ()> + Send + use<> {
        self.shared().lifecycle.reached(Phase::Closed)
    }

    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.handle.shared
    }
}

impl fmt::Debug for Mesh {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mesh")
            .field("hashname", &self.hashname())
            .finish_non_exhaustive()
    }
}
