//! What peers ask of us as a router, and what routers hand to us.

use std::sync::Arc;

use telehash_channel_connect::{self as connect, Arrival, ConnectOpen, Introduction};
use telehash_channel_peer::{self as peer, PeerOpen, Target};
use telehash_e3x::Token;
use telehash_hashname::{Hashname, Path};
use telehash_link::{Dispatch, Introduced, LinkState, MessageSet, Packet, PathSource, PipeId};
use telehash_uri::LinkUri;

use crate::accept::Stranger;
use crate::connect::Guest;
use crate::driver::{LinkDriver, Opened};
use crate::events::MeshEvent;
use crate::shared::Shared;

/// Whether channels of this type are ours to handle.
pub(crate) fn concerns(kind: &str) -> bool {
    kind == peer::TYPE || kind == connect::TYPE
}

impl Shared {
    /// A peer asks us for another, or hands us what another asks for. It gets no answer.
    pub(crate) fn routing_asked(self: &Arc<Self>, driver: &Arc<LinkDriver>, opened: &Opened) {
        let head = opened.packet.head.as_deref().cloned().unwrap_or_default();
        if opened.kind == peer::TYPE {
            if let Ok(open) = PeerOpen::from_head(&head) {
                self.requested(driver, &open, &opened.packet);
            }
        } else if let Some(open) = ConnectOpen::from_head(&head) {
            self.handed_over(driver.hashname(), open, &opened.packet);
        }
    }

    fn requested(self: &Arc<Self>, driver: &Arc<LinkDriver>, open: &PeerOpen, packet: &Packet) {
        let sender = driver.hashname();
        let now = self.clock.now();
        let (key, body) = (driver.key(), &packet.body);
        let (relayed, to) = match &open.target {
            Target::Hashname(target) => {
                let relayed = self.endpoint().relay(now, key, target, body);
                (relayed, target.short().to_string())
            }
            Target::Uri(uri) => {
                let uri = LinkUri::parse_strict(uri).ok();
                // What is no session of ours is treated as one that is not good.
                let session = uri.and_then(|uri| self.session_in(&uri));
                let session = session.unwrap_or_default();
                let relayed = self.endpoint().relay_session(now, key, &session, body);
                (relayed, "the peer of a session".to_owned())
            }
        };
        self.timers.arm_endpoint(self.endpoint().poll_timeout());
        let from = sender.short();
        match relayed {
            Ok(key) => {
                tracing::debug!(%from, %to, "request relayed");
                if let Some(target) = self.link_by_key(key) {
                    let body = packet.body.clone();
                    let _ = target.run(self, |core, _| {
                        connect::pass_on(&mut core.link, sender, body)
                    });
                }
            }
            Err(reason) => tracing::debug!(%from, %to, %reason, "request not relayed"),
        }
    }

    fn handed_over(self: &Arc<Self>, router: Hashname, open: ConnectOpen, packet: &Packet) {
        let mut endpoint = self.endpoint();
        if let Some(welcome) = self.door.news(&self.known) {
            endpoint.set_welcome(welcome);
        }
        let (now, sender) = (self.clock.now(), open.peer);
        let arrival = connect::arrive(now, &mut endpoint, router, open, &packet.body);
        self.timers.arm_endpoint(endpoint.poll_timeout());
        drop(endpoint);
        match arrival {
            Some(Arrival::Packet(Dispatch::Link(key, input), mut bytes)) => {
                if let Some(driver) = self.link_by_key(key) {
                    let _ = driver.run(self, |core, now| {
                        let pipe = PipeId::router(router);
                        core.link.handle(now, pipe, input, &mut bytes);
                    });
                }
            }
            Some(Arrival::Packet(Dispatch::Incoming(incoming), _)) => {
                self.discovered_by(router, incoming.hashname, incoming.keys.clone());
                self.meet(incoming);
            }
            Some(Arrival::Introduction(who, introduction)) => {
                if !self.introduced_with_uri(router, sender, &introduction) {
                    self.introduced(router, &who, introduction);
                }
            }
            Some(Arrival::Uri(presented)) => self.presented(router, sender, &presented),
            Some(Arrival::Packet(..)) | None => {
                tracing::trace!(router = %router.short(), "what a router handed over is dropped");
            }
        }
    }

    fn introduced(
        self: &Arc<Self>,
        router: Hashname,
        who: &Introduced,
        introduction: Introduction,
    ) {
        match who {
            Introduced::Linked(key) => {
                let Some(driver) = self.link_by_key(*key) else {
                    return;
                };
                if driver.status().borrow().state != LinkState::Up {
                    let _ = driver.run(self, |core, now| {
                        let pipe = PipeId::router(router);
                        core.link.add_path(now, pipe, PathSource::Dialed);
                    });
                }
            }
            Introduced::Stranger(hashname) => {
                let keys = introduction.keys;
                self.discovered_by(router, *hashname, keys.clone());
                let stranger = Stranger {
                    hashname: *hashname,
                    keys: keys.clone(),
                    csid: introduction.csid,
                    path: Some(Path::peer(router)),
                    round: MessageSet::new(Token::from_bytes([0; Token::LEN])),
                    introduced: true,
                };
                self.meet_introduced(
                    stranger,
                    Guest::Introduced {
                        keys,
                        router,
                        saying: Vec::new(),
                    },
                );
            }
        }
    }

    fn discovered_by(&self, router: Hashname, hashname: Hashname, keys: telehash_hashname::KeySet) {
        self.events.publish(MeshEvent::Discovered {
            hashname,
            keys,
            paths: vec![Path::peer(router)],
        });
    }
}
