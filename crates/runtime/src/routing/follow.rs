//! Reaching whoever shared a URI that leads through a router (uri.md, "Router URI").

use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use telehash_channel_connect::{Introduction, Presented};
use telehash_channel_peer::{PeerOpen, ask};
use telehash_hashname::{Hashname, KeySet, LinkJson, Path};
use telehash_link::{HandshakeMessage, Incoming, LinkState};
use telehash_uri::{Fragment, LinkUri};
use tokio::sync::oneshot;
use tokio::time::{Instant, timeout_at};

use crate::connect::Guest;
use crate::credentials::Credentials;
use crate::driver::LinkDriver;
use crate::error::LinkError;
use crate::invite::{said_in, saying, uri_of};
use crate::limits::{MAX_FOLLOWED_URIS, SEEK_PAUSE, SEEK_TIMEOUT};
use crate::shared::Shared;
use crate::state::Trust;

/// The URIs whose answers we wait for.
#[derive(Debug, Default)]
pub(crate) struct Followed(Mutex<Vec<Awaited>>);

#[derive(Debug)]
struct Awaited {
    router: Hashname,
    fragment: Fragment,
    answered: oneshot::Sender<LinkJson>,
}

impl Followed {
    fn expect(
        &self,
        router: Hashname,
        fragment: Fragment,
    ) -> Result<oneshot::Receiver<LinkJson>, LinkError> {
        let (answered, answer) = oneshot::channel();
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|awaited| !awaited.answered.is_closed());
        if all.len() >= MAX_FOLLOWED_URIS {
            return Err(LinkError::TooManyUris {
                limit: MAX_FOLLOWED_URIS,
            });
        }
        all.push(Awaited {
            router,
            fragment,
            answered,
        });
        Ok(answer)
    }

    /// Who waits for this answer, through this router if that is known.
    fn answered(
        &self,
        router: Option<Hashname>,
        peer: &Hashname,
        answer: &Fragment,
    ) -> Option<Awaited> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|awaited| !awaited.answered.is_closed());
        let at = all.iter().position(|awaited| {
            router.is_none_or(|router| router == awaited.router)
                && awaited.fragment.is_answered_by(answer, peer)
        })?;
        Some(all.swap_remove(at))
    }
}

impl Shared {
    /// Has the router of this URI reach whoever shared it, and waits for an answer that proves to be of
    /// that one. The router is linked for it, and stays so.
    ///
    /// Cancel-safe: no answer is waited for any more, and nothing else remains.
    pub(crate) async fn follow(
        self: &Arc<Self>,
        router: &LinkJson,
        uri: &LinkUri,
        fragment: Fragment,
    ) -> Result<LinkJson, LinkError> {
        let base = uri.without_fragment();
        let mut answer = self.routing.followed.expect(router.hashname, fragment)?;
        self.door.hear_uris();
        let driver = self.connect_with(router, |driver| {
            // Whoever is linked is let in already.
            if driver.status().borrow().state != LinkState::Up {
                self.present(driver, Credentials::saying(saying(&base)));
            }
        })?;
        let bodies = self.bodies(uri);
        let open = PeerOpen::by_uri(base.to_string());
        let mut states = driver.status().subscribe();
        let deadline = Instant::now() + SEEK_TIMEOUT;
        let up = states.wait_for(|status| status.state == LinkState::Up || status.gone);
        let _ = timeout_at(deadline, up).await;
        let (mut pause, mut next) = (SEEK_PAUSE, Instant::now());
        while next < deadline {
            if self.lifecycle.is_closing() {
                return Err(LinkError::Closed);
            }
            self.ask_by_uri(&driver, &open, &bodies);
            next += pause;
            pause *= 2;
            if let Ok(Ok(link)) = timeout_at(next.min(deadline), &mut answer).await {
                return Ok(link);
            }
        }
        Err(LinkError::NotShared {
            router: router.hashname,
            linked: driver.status().borrow().state == LinkState::Up,
        })
    }

    /// The URI, and who we are, once for each of our keys: the target takes the one that both use.
    fn bodies(&self, uri: &LinkUri) -> Vec<Bytes> {
        let at = self.clock.unix().as_secs();
        let presented = Presented::new(uri.to_string(), at).to_bytes().ok();
        let introductions = Introduction::of_each(&self.keys).filter_map(|mut introduction| {
            introduction.at = Some(at);
            introduction.to_bytes().ok()
        });
        presented
            .into_iter()
            .chain(introductions)
            .map(Bytes::from)
            .collect()
    }

    fn ask_by_uri(self: &Arc<Self>, driver: &Arc<LinkDriver>, open: &PeerOpen, bodies: &[Bytes]) {
        let asked = driver.run(self, |core, _| {
            let mut bodies = bodies.iter();
            bodies.try_for_each(|body| ask(&mut core.link, open, body.clone()))
        });
        if let Ok(Err(error)) = asked {
            tracing::debug!(router = %driver.hashname().short(), %error, "router not asked");
        }
    }

    /// Whether a stranger is whoever shared a URI that we follow: it answers with the fragment that
    /// nobody else could. If so it is linked, known and trusted.
    pub(crate) fn is_followed(self: &Arc<Self>, incoming: &Incoming) -> bool {
        let Some(router) = incoming.pipe.through() else {
            return false;
        };
        let message = uri_of(&incoming.round);
        let Some(awaited) =
            message.and_then(|message| self.awaited_by(Some(router), &incoming.hashname, message))
        else {
            return false;
        };
        self.admit(incoming.hashname, Guest::Handshake(incoming.ticket));
        self.found(awaited, incoming.hashname, &incoming.keys);
        true
    }

    /// The same on a link that there is already.
    pub(crate) fn heard_answer(
        &self,
        peer: Hashname,
        keys: &KeySet,
        message: &HandshakeMessage,
    ) -> bool {
        let awaited = self.awaited_by(None, &peer, message);
        let is_answer = awaited.is_some();
        if let Some(awaited) = awaited {
            self.found(awaited, peer, keys);
        }
        is_answer
    }

    fn awaited_by(
        &self,
        router: Option<Hashname>,
        peer: &Hashname,
        message: &HandshakeMessage,
    ) -> Option<Awaited> {
        if self.known.trust(peer) == Trust::Blocked {
            return None;
        }
        let answer = said_in(message)?.share().ok()??;
        self.routing.followed.answered(router, peer, &answer)
    }

    fn found(&self, awaited: Awaited, hashname: Hashname, keys: &KeySet) {
        let router = awaited.router;
        tracing::info!(peer = %hashname.short(), router = %router.short(), "shared URI answered");
        let mut link = LinkJson::named(hashname);
        link.keys = keys.clone();
        link.paths.push(Path::peer(router));
        if let Err(error) = self.known.remember_issuer(link.clone()) {
            tracing::warn!(%error, "who shared the URI cannot be remembered");
        }
        // Whoever does not wait any more has a link all the same.
        let _ = awaited.answered.send(link);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_uris_are_followed_at_once_than_the_limit() {
        let (followed, [router, peer]) = (Followed::default(), [1, 2].map(name));
        let fragment = Fragment::new(&peer, b"custom").unwrap();
        let follow = || followed.expect(router, fragment.clone());
        let mut waiting: Vec<_> = (0..MAX_FOLLOWED_URIS).map(|_| follow().unwrap()).collect();
        assert!(matches!(follow(), Err(LinkError::TooManyUris { .. })));
        waiting.pop();
        assert!(follow().is_ok(), "who waits no more makes room");
    }

    #[test]
    fn only_the_answer_of_whoever_shared_the_uri_through_that_router_counts() {
        let (followed, [router, peer, other]) = (Followed::default(), [1, 2, 3].map(name));
        let whole = Fragment::new(&peer, b"custom").unwrap();
        for fragment in [whole.clone(), whole.digest_only()] {
            let _waiting = followed.expect(router, fragment.clone()).unwrap();
            let answered = |router, peer, answer: &Fragment| {
                followed.answered(Some(router), &peer, answer).is_some()
            };
            assert!(!answered(router, other, &whole), "another's");
            assert!(!answered(other, peer, &whole), "by another way");
            assert!(!answered(router, peer, &whole.digest_only()), "no proof");
            let wrong = Fragment::new(&peer, b"another").unwrap();
            assert!(!answered(router, peer, &wrong), "for another URI");
            assert!(answered(router, peer, &whole));
            assert!(!answered(router, peer, &whole), "once");
        }
    }

    fn name(n: u8) -> Hashname {
        Hashname::from_bytes([n; 32])
    }
}
