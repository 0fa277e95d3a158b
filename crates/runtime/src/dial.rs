//! Opening pipes: along the paths that the application names, and along those that a peer offers.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt as _;
use telehash_hashname::Path;
use telehash_link::{Order, PathSource, PipeId, Remote, TransportId};
use telehash_transport::Transport;
use tokio::time::{sleep, timeout};

use crate::convert;
use crate::driver::{LinkDriver, Port, Target};
use crate::limits::{DIAL_TIMEOUT, MAX_REDIAL_PAUSE, REDIAL_PAUSE};
use crate::shared::Shared;

/// How much sooner than connections the paths without one are dialled: mostly they are enough, and
/// connections only stand by.
const HEAD_START: Duration = Duration::from_millis(300);

/// How long the end with even order waits before it connects to what the peer offers: mostly the
/// peer has connected to us by then, and one connection is enough.
const PEERS_TURN: Duration = Duration::from_secs(1);

impl Shared {
    /// Opens pipes along these paths and gives them to the link. Connections are made in tasks, one
    /// for each transport, along the first of its paths that leads anywhere. What nobody can dial is
    /// ignored.
    pub(crate) fn dial(
        self: &Arc<Self>,
        driver: &Arc<LinkDriver>,
        paths: Vec<Path>,
        source: PathSource,
    ) {
        let mut connections = BTreeMap::<TransportId, Vec<Path>>::new();
        let mut wait = Duration::ZERO;
        for path in paths {
            if let Path::Peer { hn } = path {
                self.dial_router(driver, hn, source);
                continue;
            }
            match self.port_for(&path) {
                Some((port, transport)) if transport.connects() => {
                    connections.entry(port.id()).or_default().push(path);
                }
                Some(_) => {
                    wait = HEAD_START;
                    self.open(driver, path, source);
                }
                None => {}
            }
        }
        let is_even = driver.look(self, |core| core.link.order() == Order::Even);
        if source == PathSource::Offered && is_even == Ok(true) {
            wait = PEERS_TURN;
        }
        for (transport, paths) in connections {
            self.connect_by(driver, transport, paths, source, wait);
        }
    }

    /// Opens a pipe that needs no connection, which is done at once.
    fn open(self: &Arc<Self>, driver: &Arc<LinkDriver>, path: Path, source: PathSource) {
        let Some(place) = driver.start_dial() else {
            return;
        };
        let (shared, driver) = (self.clone(), driver.clone());
        let mut opening = Box::pin(async move {
            let _place = place;
            shared.dial_path(&driver, &path, source).await;
        });
        if opening.as_mut().now_or_never().is_none() {
            self.spawn(opening);
        }
    }

    /// Makes a connection of this transport, unless the link has one by then.
    fn connect_by(
        self: &Arc<Self>,
        driver: &Arc<LinkDriver>,
        transport: TransportId,
        paths: Vec<Path>,
        source: PathSource,
        wait: Duration,
    ) {
        let Some(connecting) = driver.start_connecting(transport) else {
            return;
        };
        let Some(place) = driver.start_dial() else {
            return;
        };
        let (shared, driver) = (self.clone(), driver.clone());
        self.spawn(async move {
            let _held = (connecting, place);
            // Even no time at all takes the timer a millisecond.
            if !wait.is_zero() {
                sleep(wait).await;
            }
            for path in paths {
                if driver.look(&shared, |core| core.is_connected(transport)) != Ok(false) {
                    return;
                }
                shared.dial_path(&driver, &path, source).await;
            }
        });
    }

    async fn dial_path(
        self: &Arc<Self>,
        driver: &Arc<LinkDriver>,
        path: &Path,
        source: PathSource,
    ) {
        let Some((port, transport)) = self.port_for(path) else {
            return;
        };
        match timeout(DIAL_TIMEOUT, transport.dial(path)).await {
            Ok(Ok(remote)) => {
                let pipe = PipeId {
                    transport: port.id(),
                    remote: convert::to_link(remote),
                };
                self.dialed(driver, path, pipe, source);
            }
            Ok(Err(error)) => tracing::debug!(%error, "dial failed"),
            Err(_) => tracing::debug!(%path, within = ?DIAL_TIMEOUT, "dial timed out"),
        }
    }

    pub(crate) fn dialed(
        self: &Arc<Self>,
        driver: &Arc<LinkDriver>,
        path: &Path,
        pipe: PipeId,
        source: PathSource,
    ) {
        if source == PathSource::Dialed {
            driver.target_reached(path, pipe);
        }
        let added = driver.run(self, |core, now| match source {
            PathSource::Offered => core.paths.dialed(now, &mut core.link, path, pipe),
            _ => {
                core.link.add_path(now, pipe, source);
            }
        });
        if added.is_err() {
            self.connection_unused(pipe);
        }
    }

    /// Makes the lost connections of a link anew, and dials all its paths while it has no pipe. Only
    /// connections are lost: an address stays.
    pub(crate) fn redial(self: &Arc<Self>, driver: &Arc<LinkDriver>) {
        let Some(place) = driver.start_redial().filter(|_| driver.is_wanted()) else {
            return;
        };
        let (shared, driver) = (self.clone(), driver.clone());
        self.spawn(async move {
            let _place = place;
            let mut pause = REDIAL_PAUSE;
            loop {
                sleep(pause).await;
                let missing = shared.missing(&driver);
                if missing.is_empty() {
                    return;
                }
                shared.dial(&driver, missing, PathSource::Dialed);
                pause = MAX_REDIAL_PAUSE.min(pause * 2);
            }
        });
    }

    /// The paths that the application named, and whose connection is lost.
    fn missing(self: &Arc<Self>, driver: &Arc<LinkDriver>) -> Vec<Path> {
        let is_missing = |target: &Target| {
            let look = driver.look(self, |core| match target.pipe {
                None => core.link.pipes().next().is_none(),
                Some(pipe) if matches!(pipe.remote, Remote::Connection(_)) => {
                    !core.is_connected(pipe.transport)
                }
                Some(pipe) => core.link.pipes().all(|known| known.id != pipe),
            });
            look == Ok(true)
        };
        let targets = driver.targets().into_iter().filter(is_missing);
        targets.map(|target| target.path).collect()
    }

    /// The first transport that can dial this path.
    pub(crate) fn port_for(&self, path: &Path) -> Option<(&Arc<Port>, Arc<dyn Transport>)> {
        self.ports.iter().find_map(|port| {
            let transport = port.transport()?;
            transport.dialable(path).then_some((port, transport))
        })
    }
}
