//! Finding an endpoint by nothing but its name, through routers.

use std::sync::Arc;

use telehash_channel_connect::Introduction;
use telehash_channel_peer::{PeerOpen, ask};
use telehash_hashname::{Hashname, LinkJson, Path};
use tokio::time::{Instant, timeout_at};

use crate::accept::Verdict;
use crate::driver::LinkDriver;
use crate::error::LinkError;
use crate::events::{Events, MeshEvent};
use crate::limits::{SEEK_PAUSE, SEEK_TIMEOUT};
use crate::shared::Shared;

impl Shared {
    /// Has routers introduce us to an endpoint whose keys are not known, and waits for its
    /// handshake, which makes the link.
    ///
    /// Cancel-safe: the endpoint stays welcome, and nothing else remains.
    pub(crate) async fn seek(self: &Arc<Self>, target: &LinkJson) -> Result<(), LinkError> {
        let hashname = target.hashname;
        let is_router = |path: Path| match path {
            Path::Peer { hn } => Some(hn),
            _ => None,
        };
        let routers: Vec<Hashname> = self
            .ways_to(target)
            .into_iter()
            .filter_map(is_router)
            .collect();
        if routers.is_empty() {
            return Err(LinkError::KeysUnknown(hashname));
        }
        self.door.allow(hashname);
        let _sought = self.door.seek(hashname);
        let mut events = self.events.subscribe();
        let deadline = Instant::now() + SEEK_TIMEOUT;
        let (mut pause, mut next) = (SEEK_PAUSE, Instant::now());
        while next < deadline {
            if self.link_by_name(&hashname).is_some() {
                return Ok(());
            }
            for router in &routers {
                self.link_router(*router);
                if let Some(driver) = self.link_by_name(router) {
                    self.introduce(&driver, hashname);
                }
            }
            next += pause;
            pause *= 2;
            let _ = timeout_at(next.min(deadline), added(&mut events, hashname)).await;
            if self.lifecycle.is_closing() {
                return Err(LinkError::Closed);
            }
        }
        if self.link_by_name(&hashname).is_some() {
            return Ok(());
        }
        Err(LinkError::NotFound {
            hashname,
            routers: routers.len(),
        })
    }

    /// Asks the peer of this link to hand our keys to `target`.
    fn introduce(self: &Arc<Self>, driver: &Arc<LinkDriver>, target: Hashname) {
        let bodies = Introduction::of_each(&self.keys).filter_map(|one| one.to_bytes().ok());
        let bodies: Vec<_> = bodies.collect();
        let asked = driver.run(self, |core, _| {
            let open = PeerOpen::to(target);
            let mut bodies = bodies.into_iter();
            bodies.try_for_each(|body| ask(&mut core.link, &open, body.into()))
        });
        let router = driver.hashname();
        if let Ok(Err(error)) = asked {
            tracing::debug!(router = %router.short(), %error, "router not asked");
        }
    }

    /// The peer of this link names a router that we are not linked to: it takes us there, if that
    /// one may link to us.
    pub(super) fn follow_to_router(self: &Arc<Self>, driver: &Arc<LinkDriver>, router: Hashname) {
        if matches!(self.door.verdict(&router, &self.known), Verdict::Accept) {
            self.introduce(driver, router);
        }
    }
}

/// Waits until there may be a link to this endpoint, or the mesh closes.
async fn added(events: &mut Events, wanted: Hashname) {
    while let Some(event) = events.next().await {
        match event {
            MeshEvent::LinkAdded { hashname, .. } if hashname == wanted => return,
            // It may have been among those.
            MeshEvent::Lagged { .. } => return,
            _ => {}
        }
    }
}
