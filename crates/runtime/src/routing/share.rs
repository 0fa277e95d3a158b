//! Sharing a URI that leads through a router, and letting in whoever presents it (uri.md, "Router
//! URI").

use std::sync::{Arc, Mutex, PoisonError};

use telehash_channel_connect::{Introduction, Pairing, Presented};
use telehash_hashname::{Hashname, KeySet, LinkJson, Path};
use telehash_link::{HandshakeMessage, Instant, LinkState, PathSource, PipeId};
use telehash_uri::{Fragment, LinkUri, Secret};

use crate::accept::Verdict;
use crate::connect::Guest;
use crate::credentials::Credentials;
use crate::driver::LinkDriver;
use crate::error::ShareError;
use crate::events::MeshEvent;
use crate::invite::{InviteOptions, new_secret, saying};
use crate::limits::ANSWER_PAUSE;
use crate::mesh::Mesh;
use crate::shared::Shared;
use crate::state::{Grant, Trust};

/// What waits until it is known who presents a URI of ours.
#[derive(Debug, Default)]
pub(crate) struct Presentations(Mutex<Pairing<Good>>);

/// When a shared URI was last answered on a link.
#[derive(Debug, Default)]
pub(crate) struct LastAnswer(Mutex<Option<Instant>>);

impl LastAnswer {
    /// Whether one may be answered again; then it is.
    fn again(&self, now: Instant) -> bool {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let may = last.is_none_or(|last| now >= last + ANSWER_PAUSE);
        if may {
            *last = Some(now);
        }
        may
    }
}

/// A URI of ours that is good.
#[derive(Debug)]
struct Good {
    secret: Secret,
    whole: Fragment,
}

impl Mesh {
    /// Makes a URI by which others reach us through a router, which does not say who we are: it has the
    /// router's keys and address, a random value by which the router knows us, and a fragment by which
    /// we are recognised. Whoever [links](Mesh::link) with it is let in as with an
    /// [invite](Self::invite), and both sides remember and trust each other from then on.
    ///
    /// The router is `via`, or one that gave us a URI and that we [use](Self::use_router) or trust. It
    /// sees the fragment when somebody presents it, so it has to be one that may let in others.
    ///
    /// ```no_run
    /// # async fn example(mesh: &telehash_runtime::Mesh) -> Result<(), Box<dyn std::error::Error>> {
    /// use telehash_runtime::InviteOptions;
    ///
    /// println!("give this to bob: {}", mesh.share_uri(InviteOptions::new(), None)?);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// No such router gave us a URI, nobody is let in at all, or the alias cannot be one; see
    /// [`ShareError`].
    pub fn share_uri(
        &self,
        options: InviteOptions,
        via: Option<&Hashname>,
    ) -> Result<LinkUri, ShareError> {
        let shared = self.shared();
        if !shared.door.takes_invites() {
            return Err(crate::InviteError::NobodyAccepted.into());
        }
        let (router, base) = shared.base_uri(via)?;
        let secret = new_secret()?;
        let fragment = Fragment::new(&shared.hashname, secret.as_bytes());
        let fragment = fragment.expect("16 bytes can be a custom part");
        let uri = base.with_share(&fragment)?;
        shared.give_out(secret, options, Some(router))?;
        Ok(uri)
    }
}

impl Shared {
    fn base_uri(&self, via: Option<&Hashname>) -> Result<(Hashname, LinkUri), ShareError> {
        let given = |router: &Hashname| Some((*router, self.routing.uris.of(router)?));
        if let Some(router) = via {
            return given(router).ok_or(ShareError::NotFromRouter(*router));
        }
        let defaults = self.routing.defaults().into_iter();
        // Whoever is no more than linked has to be named: it could use the URI itself.
        let is_trusted = |router: &Hashname| self.known.trust(router) == Trust::Trusted;
        let others = self.routing.uris.routers().into_iter().filter(is_trusted);
        let mut routers = defaults.chain(others);
        let found = routers.find_map(|router| given(&router));
        found.ok_or(ShareError::NoRouter)
    }

    /// Somebody presents a URI through a router.
    pub(super) fn presented(
        self: &Arc<Self>,
        router: Hashname,
        sender: Hashname,
        presented: &Presented,
    ) {
        let good = LinkUri::parse_strict(&presented.uri).ok();
        let good = good.and_then(|uri| self.share_in(&uri));
        let Some(good) = good else {
            tracing::debug!(router = %router.short(), "a shared URI that is not good");
            return;
        };
        let (now, origin) = (self.clock.now(), (router, sender));
        let pair = self.pairing(|pairing| pairing.presented(now, origin, presented.at, good));
        if let Some((introduction, good)) = pair {
            self.let_in(router, introduction, &good);
        }
    }

    /// Somebody was introduced by a router, and may present a URI of ours. Whether that is all there is
    /// to it.
    pub(super) fn introduced_with_uri(
        self: &Arc<Self>,
        router: Hashname,
        sender: Hashname,
        introduction: &Introduction,
    ) -> bool {
        if !self.door.takes_invites() || !self.known.has_invites() {
            return false;
        }
        let (now, origin) = (self.clock.now(), (router, sender));
        let pair = self.pairing(|pairing| pairing.introduced(now, origin, introduction.clone()));
        if let Some((introduction, good)) = pair {
            self.let_in(router, introduction, &good);
            return true;
        }
        // Who would be refused may have a URI that is still on its way.
        let may_wait = introduction.at.and(introduction.keys.hashname());
        may_wait.is_some_and(|hashname| {
            self.link_by_name(&hashname).is_none()
                && matches!(self.door.verdict(&hashname, &self.known), Verdict::Refuse)
        })
    }

    fn share_in(&self, uri: &LinkUri) -> Option<Good> {
        if !self.door.takes_invites() {
            return None;
        }
        let offered = uri.share().ok()??;
        let unix = self.clock.unix().as_secs();
        let (secret, whole) = self.known.find_share(unix, &self.hashname, &offered)?;
        Some(Good { secret, whole })
    }

    fn pairing<R>(&self, work: impl FnOnce(&mut Pairing<Good>) -> R) -> R {
        let pairing = &self.routing.presentations.0;
        work(&mut pairing.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Answers whoever presented a URI that is good: with a handshake that only the holder of these
    /// keys can read, and the whole fragment, by which it recognises us. The URI is spent on it now.
    fn let_in(self: &Arc<Self>, router: Hashname, introduction: Introduction, good: &Good) {
        let keys = introduction.keys;
        let Some(hashname) = keys.hashname() else {
            return;
        };
        let trust = self.known.trust(&hashname);
        if trust == Trust::Blocked || hashname == self.hashname {
            return;
        }
        let linked = self.link_by_name(&hashname);
        // There is no token in what is presented, and no use is spent for want of one.
        if linked.is_none() && !self.passes_jwt(hashname, None) {
            return;
        }
        let is_guest = linked.as_ref().is_some_and(|driver| driver.is_guest());
        let mut grant = None;
        if trust == Trust::Unknown && !is_guest {
            if !self.door.start_decision(hashname) {
                // It is being let in.
                return;
            }
            let unix = self.clock.unix().as_secs();
            grant = self.known.spend_share(unix, &good.secret);
            if grant.is_none() {
                self.door.end_decision(&hashname);
                return;
            }
        }
        tracing::debug!(peer = %hashname.short(), router = %router.short(), "shared URI presented");
        let answer = LinkUri::new().with_share(&good.whole);
        let saying = saying(&answer.expect("a URI with nothing but a fragment is short"));
        let shared = self.clone();
        let answer = move || match linked {
            Some(driver) => shared.answer_on(&driver, router, saying),
            None => shared.admit(
                hashname,
                Guest::Introduced {
                    keys,
                    router,
                    saying: vec![saying],
                },
            ),
        };
        let Some(grant) = grant else {
            return answer();
        };
        let shared = self.clone();
        self.spawn(async move {
            // Should we be killed now, it was told nothing.
            shared.save().await;
            answer();
            shared.take_in(hashname, grant);
            shared.door.end_decision(&hashname);
        });
    }

    /// Whoever was let in for a URI is kept in mind once it has proved who it is.
    fn take_in(self: &Arc<Self>, hashname: Hashname, grant: Grant) {
        let Some(driver) = self.link_by_name(&hashname) else {
            return;
        };
        driver.set_guest(grant);
        // A link that is up has proved who it is.
        let _ = driver.run(self, |core, _| {
            if core.link.state() == LinkState::Up {
                self.keep_guest(&driver, core.link.keys());
            }
        });
    }

    /// The link with whoever presented our URI is there already: its next round says so. Whoever
    /// presents it may only say that it is this one, so not more often than it would ask itself.
    fn answer_on(
        self: &Arc<Self>,
        driver: &Arc<LinkDriver>,
        router: Hashname,
        saying: HandshakeMessage,
    ) {
        if !driver.answered.again(self.clock.now()) {
            return;
        }
        self.present(driver, Credentials::saying(saying));
        let _ = driver.run(self, |core, now| {
            let pipe = PipeId::router(router);
            core.link.add_path(now, pipe, PathSource::Dialed);
        });
    }

    /// A link came up: whoever presented a URI of ours proved who it is, and is kept in mind.
    pub(crate) fn keep_guest(&self, driver: &LinkDriver, keys: &KeySet) {
        let Some(grant) = driver.take_guest() else {
            return;
        };
        let hashname = driver.hashname();
        let mut guest = LinkJson::named(hashname);
        guest.keys = keys.clone();
        guest.paths.extend(grant.through.map(Path::peer));
        match self.known.befriend_guest(guest, grant) {
            Ok(()) => {
                tracing::info!(peer = %hashname.short(), "shared URI redeemed");
                self.events.publish(MeshEvent::InviteRedeemed { hashname });
            }
            Err(error) => tracing::warn!(%error, "who presented our URI cannot be remembered"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_answers_again_after_a_pause_and_not_before() {
        let (answered, now) = (LastAnswer::default(), Instant::from_micros(9));
        assert!(answered.again(now));
        let next = now + ANSWER_PAUSE;
        let before = Instant::from_micros(next.as_micros() - 1);
        assert!(!answered.again(before));
        assert!(answered.again(next));
        assert!(!answered.again(next));
    }
}
