//! How links come to be, and go: asked for by the application, or by strangers who are accepted.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use futures::FutureExt as _;
use telehash_channel_path::Whereabouts as _;
use telehash_hashname::{Hashname, KeySet, LinkJson, Path};
use telehash_link::{
    AcceptError, ConnectError, Endpoint, HandshakeMessage, Incoming, Link, LinkKey, LinkOptions,
    PathSource, PipeId, Ticket,
};

use crate::accept::{Decision, Stranger, Verdict};
use crate::credentials::Credentials;
use crate::driver::{Core, LinkDriver};
use crate::error::LinkError;
use crate::events::MeshEvent;
use crate::limits::{DECISION_TIMEOUT, MAX_PENDING_DIALS};
use crate::shared::Shared;

/// How a stranger came.
#[derive(Debug)]
pub(crate) enum Guest {
    /// With a handshake, which waits.
    Handshake(Ticket),
    /// In the words of a router.
    Introduced {
        /// What it says its keys are.
        keys: KeySet,
        /// The router.
        router: Hashname,
        /// What our handshakes say to it.
        saying: Vec<HandshakeMessage>,
    },
}

impl Shared {
    /// The link to an endpoint, made if there is none, and its paths dialled.
    pub(crate) fn connect(
        self: &Arc<Self>,
        target: &LinkJson,
        credentials: Credentials,
    ) -> Result<Arc<LinkDriver>, LinkError> {
        self.connect_with(target, |driver| {
            if !credentials.is_empty() {
                self.present(driver, credentials);
            }
        })
    }

    /// The same; `prepare` sees the link before its paths are dialled.
    pub(crate) fn connect_with(
        self: &Arc<Self>,
        target: &LinkJson,
        prepare: impl FnOnce(&Arc<LinkDriver>),
    ) -> Result<Arc<LinkDriver>, LinkError> {
        self.follow_clock();
        let driver = match self.link_by_name(&target.hashname) {
            Some(driver) => driver,
            None => self.make_link(target)?,
        };
        driver.want();
        let mut paths = self.ways_to(target);
        paths.truncate(MAX_PENDING_DIALS);
        if !paths.is_empty() {
            driver.set_targets(&paths);
        }
        prepare(&driver);
        self.dial(&driver, paths, PathSource::Dialed);
        Ok(driver)
    }

    fn make_link(self: &Arc<Self>, target: &LinkJson) -> Result<Arc<LinkDriver>, LinkError> {
        let hashname = target.hashname;
        if hashname == self.hashname {
            return Err(LinkError::OwnHashname);
        }
        if target.keys.is_empty() {
            return Err(LinkError::KeysUnknown(hashname));
        }
        if target.keys.hashname() != Some(hashname) {
            return Err(LinkError::WrongKeys(hashname));
        }
        if self.ways_to(target).is_empty() {
            return Err(self.no_path(target));
        }
        self.make_room()?;
        let options = self.options(&hashname);
        let mut endpoint = self.endpoint();
        if self.lifecycle.is_closing() {
            return Err(LinkError::Closed);
        }
        match endpoint.connect(self.clock.now(), &target.keys, options) {
            Ok((key, link)) => Ok(self.add_link(endpoint, key, link, true)),
            Err(ConnectError::AlreadyLinked(key)) => {
                drop(endpoint);
                self.link_by_key(key).ok_or(LinkError::Closed)
            }
            Err(error) => Err(connect_error(error, hashname)),
        }
    }

    /// Registers a new link before anyone else sees the endpoint, which knows it already.
    fn add_link(
        &self,
        endpoint: std::sync::MutexGuard<'_, Endpoint>,
        key: LinkKey,
        link: Link,
        wanted: bool,
    ) -> Arc<LinkDriver> {
        let hashname = link.hashname();
        let driver = Arc::new(LinkDriver::new(
            key,
            Core::new(link, self.path_config),
            wanted,
        ));
        let mut directory = self.directory_mut();
        directory.insert(driver.clone());
        if !wanted {
            // Until it is up it may be a stranger's that never comes back: it can make room.
            directory.went_down(key);
        }
        drop(directory);
        drop(endpoint);
        tracing::debug!(peer = %hashname.short(), accepted = !wanted, "link added");
        self.events.publish(MeshEvent::LinkAdded {
            hashname,
            accepted: !wanted,
        });
        driver
    }

    fn options(&self, hashname: &Hashname) -> LinkOptions {
        LinkOptions::default().last_at(self.known.at(hashname))
    }

    /// Makes sure there is room for one more link.
    fn make_room(self: &Arc<Self>) -> Result<(), LinkError> {
        while self.directory().len() >= self.max_links {
            let Some(victim) = self.directory_mut().expendable() else {
                return Err(LinkError::TooManyLinks {
                    limit: self.max_links,
                });
            };
            self.close_link(&victim);
        }
        Ok(())
    }

    /// A stranger proved its identity: let it in, ask about it, or leave it without an answer.
    pub(crate) fn meet(self: &Arc<Self>, incoming: Incoming) {
        if self.is_followed(&incoming) {
            return;
        }
        // Before an invite is spent.
        let passes = self.passes_jwt(incoming.hashname, Some(&incoming.round));
        let invited = passes && self.is_invited(&incoming);
        // Nothing is spent by that, so there is nothing to be written first.
        let by_session = passes && !invited && self.comes_by_session(&incoming);
        let Incoming {
            hashname,
            keys,
            csid,
            round,
            pipe,
            ticket,
            ..
        } = incoming;
        let guest = Guest::Handshake(ticket);
        if !passes {
            return self.turn_away(hashname, &guest);
        }
        if by_session {
            return self.admit(hashname, guest);
        }
        if invited {
            let shared = self.clone();
            // Should we be killed now, its invite is either spent and it is known, or it was told
            // nothing.
            return self.spawn(async move {
                shared.save().await;
                shared.admit(hashname, guest);
            });
        }
        let stranger = Stranger {
            hashname,
            keys,
            csid,
            path: self.path_of(pipe),
            round,
            introduced: false,
        };
        self.receive_guest(stranger, guest);
    }

    /// Decides about a stranger.
    fn receive_guest(self: &Arc<Self>, stranger: Stranger, guest: Guest) {
        let hashname = stranger.hashname;
        match self.door.verdict(&hashname, &self.known) {
            Verdict::Accept => self.admit(hashname, guest),
            Verdict::Refuse => self.turn_away(hashname, &guest),
            Verdict::Ask(_) if !self.door.start_decision(hashname) => {
                self.turn_away(hashname, &guest);
            }
            Verdict::Ask(callback) => {
                let shared = self.clone();
                self.spawn(async move {
                    let decision = async move { callback.decide(stranger).await };
                    let decision = AssertUnwindSafe(decision).catch_unwind();
                    let decision = tokio::time::timeout(DECISION_TIMEOUT, decision).await;
                    shared.door.end_decision(&hashname);
                    match decision {
                        Ok(Ok(Decision::Accept)) => shared.admit(hashname, guest),
                        _ => shared.turn_away(hashname, &guest),
                    }
                });
            }
        }
    }

    pub(crate) fn admit(self: &Arc<Self>, hashname: Hashname, guest: Guest) {
        if self.make_room().is_err() {
            return self.turn_away(hashname, &guest);
        }
        let options = self.options(&hashname);
        let now = self.clock.now();
        let mut endpoint = self.endpoint();
        if self.lifecycle.is_closing() {
            if let Guest::Handshake(ticket) = guest {
                endpoint.refuse(ticket);
            }
            return;
        }
        match guest {
            Guest::Handshake(ticket) => match endpoint.accept(now, ticket, options) {
                Ok((key, link)) => {
                    let driver = self.add_link(endpoint, key, link, false);
                    // The link has an answer to send.
                    let _ = driver.run(self, |_, _| ());
                }
                Err(AcceptError::AlreadyLinked(_) | AcceptError::Expired) => {}
                Err(error) => tracing::debug!(peer = %hashname.short(), %error, "not accepted"),
            },
            Guest::Introduced {
                keys,
                router,
                saying,
            } => match endpoint.connect(now, &keys, options) {
                Ok((key, link)) => {
                    let driver = self.add_link(endpoint, key, link, false);
                    let _ = driver.run(self, |core, now| {
                        core.introduced = true;
                        // One short message is always possible.
                        let _ = core.link.set_beside(saying);
                        let pipe = PipeId::router(router);
                        core.link.add_path(now, pipe, PathSource::Dialed);
                    });
                }
                Err(ConnectError::AlreadyLinked(_)) => {}
                Err(error) => tracing::debug!(peer = %hashname.short(), %error, "not accepted"),
            },
        }
    }

    /// A router speaks for somebody: decided about as any stranger, but that there is no token.
    pub(crate) fn meet_introduced(self: &Arc<Self>, stranger: Stranger, guest: Guest) {
        match self.passes_jwt(stranger.hashname, None) {
            true => self.receive_guest(stranger, guest),
            false => self.turn_away(stranger.hashname, &guest),
        }
    }

    fn turn_away(&self, hashname: Hashname, guest: &Guest) {
        if let Guest::Handshake(ticket) = guest {
            self.endpoint().refuse(*ticket);
        }
        tracing::debug!(peer = %hashname.short(), "stranger refused");
        self.events.publish(MeshEvent::StrangerRefused { hashname });
    }

    /// Ends a link: its channels fail, which the peer is told, and its session is erased.
    pub(crate) fn close_link(self: &Arc<Self>, driver: &Arc<LinkDriver>) {
        let last_words = driver.run(self, |core, now| core.close(now, "closed"));
        for mut parcel in last_words.unwrap_or_default() {
            // What does not go out now never does.
            let _ = self.post(driver, &mut parcel);
        }
        self.forget_link(driver);
    }

    /// A fault of ours while working on this link: it ends here, and nothing else does.
    pub(crate) fn link_panicked(&self, driver: &Arc<LinkDriver>) {
        let hashname = driver.hashname();
        tracing::error!(peer = %hashname.short(), "a fault while handling this link closed it");
        self.events.publish(MeshEvent::LinkPanicked { hashname });
        self.forget_link(driver);
    }

    fn forget_link(&self, driver: &Arc<LinkDriver>) {
        let mut endpoint = self.endpoint();
        endpoint.remove(driver.key());
        let removed = self.directory_mut().remove(driver.key()).is_some();
        drop(endpoint);
        driver.bury(self);
        if removed {
            let hashname = driver.hashname();
            tracing::debug!(peer = %hashname.short(), "link removed");
            self.events.publish(MeshEvent::LinkRemoved { hashname });
        }
    }

    fn no_path(&self, target: &LinkJson) -> LinkError {
        let list = |names: Vec<&str>| match names.is_empty() {
            true => "none".to_owned(),
            false => names.join(", "),
        };
        LinkError::NoPath {
            hashname: target.hashname,
            paths: list(target.paths.iter().map(Path::kind).collect()),
            transports: list(self.ports.iter().map(|port| port.name()).collect()),
        }
    }
}

fn connect_error(error: ConnectError, hashname: Hashname) -> LinkError {
    match error {
        ConnectError::OwnHashname => LinkError::OwnHashname,
        ConnectError::NoKeys => LinkError::KeysUnknown(hashname),
        ConnectError::KeyMissing(csid) => LinkError::KeyMissing { hashname, csid },
        ConnectError::NoCommonCipherSet(_) => LinkError::NoCommonCipherSet(hashname),
        error => LinkError::BadKey {
            hashname,
            reason: error.to_string(),
        },
    }
}
