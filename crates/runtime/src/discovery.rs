//! LAN discovery (transports.md): telling the application who announces itself, and announcing
//! ourselves while that is wanted. What is heard never causes a packet.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use telehash_hashname::{Hashname, KeySet, LinkJson, Path};
use telehash_link::{Announcement, Instant, Neighbours};
use telehash_transport::Remote;
use tokio::sync::Notify;

use crate::driver::Port;
use crate::error::DiscoverError;
use crate::events::MeshEvent;
use crate::limits::MIN_ANNOUNCE_INTERVAL;
use crate::shared::Shared;

/// Time between two announcements.
pub(crate) const ANNOUNCE_INTERVAL: Duration = Duration::from_secs(10);

/// Both directions of it.
#[derive(Debug)]
pub(crate) struct Discovery {
    neighbours: Mutex<Neighbours>,
    /// Who wants us to be announced. Held while announcements are sent: once nobody does, nothing is
    /// sent.
    announcing: Mutex<Wanted>,
    changed: Notify,
    interval: Duration,
}

/// Who wants us to be announced.
#[derive(Clone, Copy, Debug, Default)]
struct Wanted {
    /// The switch of the application.
    on: bool,
    /// Guards that are alive.
    guards: usize,
}

impl Wanted {
    const fn at_all(self) -> bool {
        self.on || self.guards > 0
    }
}

/// Has an endpoint announced until it is dropped; made by
/// [`Mesh::announce`](crate::Mesh::announce).
#[derive(Debug)]
#[must_use = "announcing ends when this is dropped"]
pub struct Announcing(Arc<Shared>);

impl Announcing {
    pub(crate) fn begin(shared: Arc<Shared>) -> Result<Self, DiscoverError> {
        shared.want_announcing(|wanted| wanted.guards += 1)?;
        Ok(Self(shared))
    }
}

impl Drop for Announcing {
    fn drop(&mut self) {
        self.0.discovery.announcing().guards -= 1;
        self.0.discovery.changed.notify_one();
    }
}

impl Discovery {
    pub(crate) fn new(own: Hashname, now: Instant, interval: Duration) -> Self {
        Self {
            neighbours: Mutex::new(Neighbours::new(own, now)),
            announcing: Mutex::default(),
            changed: Notify::new(),
            interval: interval.max(MIN_ANNOUNCE_INTERVAL),
        }
    }

    /// Whether a datagram from there is worth a look.
    pub(crate) fn admits(&self, now: Instant, from: Remote) -> bool {
        match from {
            Remote::Socket(address) => self.neighbours().admit(now, address.ip()),
            // A connection is no way to reach its other end.
            Remote::Connection(_) => false,
        }
    }

    fn neighbours(&self) -> MutexGuard<'_, Neighbours> {
        self.neighbours
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn announcing(&self) -> MutexGuard<'_, Wanted> {
        self.announcing
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl Shared {
    /// A datagram that came where endpoints announce themselves.
    pub(crate) fn announcement_heard(&self, port: &Port, from: Remote, packet: &[u8]) {
        let likely = Announcement::is_likely(packet);
        if likely && self.discovery.admits(self.clock.now(), from) {
            self.overheard(port, from, packet);
        }
    }

    /// A packet that may be an announcement, and that was admitted.
    pub(crate) fn overheard(&self, port: &Port, from: Remote, packet: &[u8]) {
        let path = port
            .transport()
            .and_then(|transport| transport.remote_path(&from));
        let Some(path) = path else { return };
        let now = self.clock.now();
        let heard = self.discovery.neighbours().hear(now, path, packet);
        if let Some(LinkJson {
            hashname,
            keys,
            paths,
            ..
        }) = heard
        {
            tracing::debug!(peer = %hashname.short(), %from, "announces itself");
            self.events.publish(MeshEvent::Discovered {
                hashname,
                keys,
                paths,
            });
        }
    }

    /// Everyone who announced itself of late.
    pub(crate) fn neighbours(&self) -> Vec<LinkJson> {
        self.discovery.neighbours().present(self.clock.now())
    }

    /// Whether we announce ourselves.
    pub(crate) fn is_announcing(&self) -> bool {
        self.discovery.announcing().at_all()
    }

    /// Begins to announce, with the first announcement at once, or stops.
    pub(crate) fn set_announcing(&self, on: bool) -> Result<(), DiscoverError> {
        self.want_announcing(|wanted| wanted.on = on)
    }

    /// Changes who wants it, and announces at once if nobody did before.
    fn want_announcing(&self, change: impl FnOnce(&mut Wanted)) -> Result<(), DiscoverError> {
        let mut wanted = self.discovery.announcing();
        let mut changed = *wanted;
        change(&mut changed);
        if changed.at_all() && !wanted.at_all() {
            if self.lifecycle.is_closing() {
                return Err(DiscoverError::Closed);
            }
            self.announce()?;
        }
        *wanted = changed;
        drop(wanted);
        self.discovery.changed.notify_one();
        Ok(())
    }

    /// Announces once more, if that is still wanted.
    fn announce_again(&self) {
        let announcing = self.discovery.announcing();
        if announcing.at_all() && !self.lifecycle.is_closing() {
            // It worked before; what a transport says of the network now it has logged.
            let _ = self.announce();
        }
    }

    /// Sends one announcement on every transport that takes part.
    fn announce(&self) -> Result<(), DiscoverError> {
        let packets = Announcement::new(self.keys.clone())?.packets()?;
        let mut able = false;
        for port in &self.ports {
            let Some(transport) = port.transport() else {
                continue;
            };
            let transport_name = port.name();
            match transport.announce(&packets) {
                Ok(places) => {
                    able = true;
                    tracing::debug!(transport = transport_name, places, "announced");
                }
                Err(error) if error.kind() == std::io::ErrorKind::Unsupported => {}
                Err(error) => {
                    able = true;
                    tracing::debug!(transport = transport_name, %error, "not announced");
                }
            }
        }
        able.then_some(()).ok_or(DiscoverError::Unsupported)
    }
}

/// Announces every now and then, while that is wanted.
pub(crate) async fn announce(shared: Arc<Shared>) {
    let discovery = &shared.discovery;
    loop {
        if shared.is_announcing() {
            tokio::select! {
                () = discovery.changed.notified() => {}
                () = tokio::time::sleep(discovery.interval) => shared.announce_again(),
            }
        } else {
            discovery.changed.notified().await;
        }
    }
}

/// What [`MeshEvent::Discovered`] says, for a callback.
pub(crate) fn link_json(hashname: Hashname, keys: KeySet, paths: Vec<Path>) -> LinkJson {
    let mut link = LinkJson::named(hashname);
    (link.keys, link.paths) = (keys, paths);
    link
}
