//! Routers: those that reach others for us, and what we do as one (channel-types.md, "peer,
//! connect").

mod awaited;
mod follow;
mod reflexive;
mod requests;
mod seek;
mod share;
mod uris;

use std::collections::BTreeSet;
use std::sync::{Arc, PoisonError, RwLock};

use telehash_hashname::{Hashname, LinkJson, Path};
use telehash_link::{LinkState, PathSource, PipeId};

use crate::credentials::Credentials;
use crate::driver::LinkDriver;
use crate::shared::Shared;

use self::awaited::Awaited;
use self::follow::Followed;
pub(crate) use self::requests::concerns;
pub(crate) use self::share::LastAnswer;
use self::share::Presentations;
pub use self::uris::RouterSession;
use self::uris::RouterUris;

/// The routers that we use.
#[derive(Debug, Default)]
pub(crate) struct Routing {
    /// For everybody, and told to peers as a way to us.
    defaults: RwLock<BTreeSet<Hashname>>,
    uris: RouterUris,
    presentations: Presentations,
    followed: Followed,
    awaited: Awaited,
}

impl Routing {
    pub(crate) fn defaults(&self) -> BTreeSet<Hashname> {
        let defaults = self.defaults.read();
        defaults.unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set(&self, router: Hashname, used: bool) {
        let mut defaults = self
            .defaults
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        if used {
            defaults.insert(router);
        } else {
            defaults.remove(&router);
        }
    }
}

impl Shared {
    /// Uses a router for everybody, or no longer. Whoever is told of it as a way to us is taken to it
    /// by us.
    pub(crate) fn set_default_router(self: &Arc<Self>, router: Hashname, used: bool) {
        self.routing.set(router, used);
        self.endpoint().router_policy().serve(router, used);
        self.tell_paths();
    }

    /// Uses the known links that are marked as routers.
    pub(crate) fn use_known_routers(self: &Arc<Self>) {
        for known in self.known.all().into_iter().filter(|known| known.router) {
            let router = known.link.hashname;
            if let Err(error) = self.connect(&known.link, Credentials::default()) {
                tracing::warn!(router = %router.short(), %error, "router not linked");
            }
            self.set_default_router(router, true);
        }
    }

    /// The default routers, as paths to us: those that we are linked to now.
    pub(crate) fn router_paths(&self) -> Vec<Path> {
        let up = |router: &Hashname| {
            let driver = self.link_by_name(router);
            driver.is_some_and(|driver| driver.status().borrow().state == LinkState::Up)
        };
        let routers = self.routing.defaults().into_iter().filter(up);
        routers.map(Path::peer).collect()
    }

    /// The paths to a target that can be dialled, and those through the default routers.
    pub(crate) fn ways_to(&self, target: &LinkJson) -> Vec<Path> {
        let usable = |path: &&Path| match path {
            Path::Peer { hn } => self.is_way(hn, &target.hashname),
            _ => self.port_for(path).is_some(),
        };
        let mut ways: Vec<Path> = target.paths.iter().filter(usable).cloned().collect();
        for router in self.routing.defaults() {
            let way = Path::peer(router);
            if self.is_way(&router, &target.hashname) && !ways.contains(&way) {
                ways.push(way);
            }
        }
        ways
    }

    fn is_way(&self, router: &Hashname, target: &Hashname) -> bool {
        router != target && *router != self.hashname
    }

    /// Goes to the peer of this link through a router.
    pub(crate) fn dial_router(
        self: &Arc<Self>,
        driver: &Arc<LinkDriver>,
        router: Hashname,
        source: PathSource,
    ) {
        if !self.is_way(&router, &driver.hashname()) {
            return;
        }
        let (path, pipe) = (Path::peer(router), PipeId::router(router));
        if source == PathSource::Dialed {
            self.link_router(router);
        } else if self.link_by_name(&router).is_none() {
            return self.follow_to_router(driver, router);
        }
        self.await_router(router);
        self.dialed(driver, &path, pipe, source);
    }

    /// Links to a router that is known, unless we are linked.
    fn link_router(self: &Arc<Self>, router: Hashname) {
        if self.link_by_name(&router).is_some() {
            return;
        }
        let linked = self
            .known
            .get(&router)
            .map(|known| self.connect(&known.link, Credentials::default()));
        if let Some(Err(error)) = linked {
            tracing::debug!(router = %router.short(), %error, "router not linked");
        }
    }

    /// Has the links that go by a router looked at once it comes up.
    fn await_router(&self, router: Hashname) {
        let link = self.link_by_name(&router);
        if link.is_some_and(|link| link.status().borrow().state == LinkState::Up) {
            return;
        }
        let has_link = |router: &Hashname| self.link_by_name(router).is_some();
        self.routing.awaited.add(router, has_link);
    }

    /// A link came up: where it is a router, whoever waits for it goes on at once.
    pub(crate) fn router_came_up(self: &Arc<Self>, driver: &Arc<LinkDriver>) {
        let router = driver.hashname();
        if self.routing.awaited.arrived(&router) {
            self.go_on_by(router);
        }
        if self.routing.defaults().contains(&router) {
            self.tell_paths();
        }
    }

    fn go_on_by(self: &Arc<Self>, router: Hashname) {
        let pipe = PipeId::router(router);
        for other in self.links() {
            if other.status().borrow().state == LinkState::Up {
                continue;
            }
            let waits = other.look(self, |core| core.link.pipes().any(|at| at.id == pipe));
            if waits == Ok(true) {
                let _ = other.run(self, |core, now| {
                    core.link.add_path(now, pipe, PathSource::Dialed);
                });
            }
        }
    }

    /// Tells every peer how we may be reached now.
    pub(crate) fn tell_paths(self: &Arc<Self>) {
        for driver in self.links() {
            self.announce_on(&driver);
        }
    }

    fn announce_on(self: &Arc<Self>, driver: &Arc<LinkDriver>) {
        let _ = driver.run(self, |core, now| {
            if core.link.state() == LinkState::Up {
                core.paths.announce(now, &mut core.link, &**self);
            }
        });
    }
}
