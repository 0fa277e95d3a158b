//! URIs that lead through a router: those that we give out as one, and those that we are given
//! (uri.md, "Router URI").

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use telehash_channel_path::limits::MAX_TOLD_URI;
use telehash_channel_path::{RouterUri, Whereabouts as _};
use telehash_hashname::{Hashname, LinkJson};
use telehash_link::{Incoming, SessionId};
use telehash_uri::{LinkUri, Secret};

use crate::invite::{said_in, uri_of};
use crate::limits::MAX_ROUTER_URIS;
use crate::shared::Shared;
use crate::state::Trust;
use crate::{Mesh, MeshEvent};

/// The URIs that routers gave us.
#[derive(Debug, Default)]
pub(crate) struct RouterUris(Mutex<BTreeMap<Hashname, LinkUri>>);

impl RouterUris {
    pub(super) fn of(&self, router: &Hashname) -> Option<LinkUri> {
        let uris = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        uris.get(router).cloned()
    }

    pub(super) fn routers(&self) -> Vec<Hashname> {
        let uris = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        uris.keys().copied().collect()
    }

    /// Keeps the URI of a router; whether it is another than before. One that was `chosen` gets the
    /// place of one that was not.
    fn keep(&self, router: Hashname, uri: LinkUri, chosen: impl Fn(&Hashname) -> bool) -> bool {
        let mut uris = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if uris.len() >= MAX_ROUTER_URIS && !uris.contains_key(&router) {
            let other = uris.keys().find(|known| !chosen(known)).copied();
            let Some(other) = other.filter(|_| chosen(&router)) else {
                return false;
            };
            uris.remove(&other);
        }
        uris.insert(router, uri.clone()) != Some(uri)
    }
}

/// A peer whom we, as a router, gave a URI to share.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RouterSession {
    /// The peer.
    pub hashname: Hashname,
    /// The first characters of the session in its URI, by which it is revoked.
    pub handle: String,
}

impl Mesh {
    /// The peers whom we, as a router, gave URIs to share, by hashname.
    #[must_use]
    pub fn router_sessions(&self) -> Vec<RouterSession> {
        let shared = self.shared();
        let sessions = shared.endpoint().sessions(shared.clock.now());
        let session = |(hashname, id)| RouterSession {
            hashname,
            handle: Secret::from_bytes(id).handle(),
        };
        let mut sessions: Vec<_> = sessions.into_iter().map(session).collect();
        sessions.sort_by_key(|session| session.hashname);
        sessions
    }

    /// Revokes the session of a peer: every URI that it shared through us leads to nobody. It gets
    /// another URI at once, if it is served and linked. Whether there was one.
    pub fn revoke_session(&self, hashname: &Hashname) -> bool {
        let shared = self.shared();
        let revoked = shared.endpoint().revoke_session(hashname);
        if revoked {
            tracing::info!(peer = %hashname.short(), "session revoked");
            shared.tell_paths_to(hashname);
        }
        revoked
    }
}

impl Shared {
    /// The URI that we give to a peer whom we route for. Our own routers are not given any: what we ask
    /// of them is no service to them.
    pub(crate) fn router_uri_for(&self, peer: &Hashname) -> Option<RouterUri> {
        if self.routing.defaults().contains(peer) {
            return None;
        }
        let session = self.endpoint().session_for(self.clock.now(), peer)?;
        self.door.hear_uris();
        let uri = self.uri_with(&session)?;
        Some(RouterUri {
            router: self.hashname,
            uri,
        })
    }

    /// Our own URI with a session, and as many paths as fit.
    fn uri_with(&self, session: &SessionId) -> Option<String> {
        let mut link = LinkJson::named(self.hashname);
        link.keys = self.keys.clone();
        link.paths = self.local_paths();
        link.paths.truncate(telehash_uri::limits::MAX_URI_PATHS);
        loop {
            let uri = LinkUri::for_link(&link).ok()?;
            let uri = uri.with_session(&Secret::from_bytes(*session)).ok()?;
            let text = uri.to_string();
            if text.len() <= MAX_TOLD_URI {
                return Some(text);
            }
            if link.paths.pop().is_none() {
                tracing::debug!("our keys leave no room for a URI that peers could share");
                return None;
            }
        }
    }

    /// A peer gives us a URI of its own to share.
    pub(crate) fn given_uri(&self, router: Hashname, uri: &str) {
        let Ok(uri) = LinkUri::parse_strict(uri) else {
            return;
        };
        if uri.hashname() == Some(router) && uri.is_of_router() {
            let uri = uri.without_fragment().without_invite();
            let defaults = self.routing.defaults();
            let chosen = |name: &Hashname| {
                defaults.contains(name) || self.known.trust(name) == Trust::Trusted
            };
            if self.routing.uris.keep(router, uri, chosen) {
                tracing::debug!(router = %router.short(), "router gives a URI to share");
                self.events
                    .publish(MeshEvent::RouterUri { hashname: router });
            }
        }
    }

    /// Whether a stranger comes with a URI of ours whose session is good: it wants to reach that peer,
    /// and may link to us for it.
    pub(crate) fn comes_by_session(&self, incoming: &Incoming) -> bool {
        if !self.door.takes_invites() || self.known.trust(&incoming.hashname) == Trust::Blocked {
            return false;
        }
        let said = uri_of(&incoming.round).and_then(said_in);
        let session = said.and_then(|uri| self.session_in(&uri));
        let now = self.clock.now();
        let good =
            session.is_some_and(|session| self.endpoint().session_peer(now, &session).is_some());
        if good {
            tracing::debug!(peer = %incoming.hashname.short(), "comes by a URI of ours");
        }
        good
    }

    /// The session in a URI of ours.
    pub(super) fn session_in(&self, uri: &LinkUri) -> Option<SessionId> {
        let is_ours = uri.hashname() == Some(self.hashname);
        let session = uri.session().filter(|_| is_ours)?;
        Some(*session.as_bytes())
    }

    /// Tells a peer how we may be reached now, and its URI.
    pub(crate) fn tell_paths_to(self: &Arc<Self>, peer: &Hashname) {
        if let Some(driver) = self.link_by_name(peer) {
            self.announce_on(&driver);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_uris_of_routers_are_kept_than_the_limit() {
        let uris = RouterUris::default();
        let name = |n: usize| {
            let mut bytes = [0; 32];
            bytes[..8].copy_from_slice(&n.to_le_bytes());
            Hashname::from_bytes(bytes)
        };
        let other = || LinkUri::new().with_scheme("other").unwrap();
        for n in 0..MAX_ROUTER_URIS {
            assert!(uris.keep(name(n), LinkUri::new(), |_| false));
        }
        assert!(!uris.keep(name(MAX_ROUTER_URIS), LinkUri::new(), |_| false));
        let again = || uris.keep(name(0), other(), |_| false);
        assert!(again() && !again());
        assert_eq!(uris.of(&name(0)), Some(other()));
        let of_choice = |router: &Hashname| *router == name(MAX_ROUTER_URIS);
        assert!(uris.keep(name(MAX_ROUTER_URIS), LinkUri::new(), of_choice));
        assert_eq!(uris.routers().len(), MAX_ROUTER_URIS);
    }
}
