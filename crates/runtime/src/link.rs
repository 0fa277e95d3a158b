//! A link, as the application holds it.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use telehash_hashname::{Csid, Hashname, KeySet, Path};
use telehash_link::{LinkState, LinkStats, Open};
use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};

use crate::channel::Channel;
use crate::driver::{ChannelSlot, LinkDriver, Status};
use crate::error::{OpenError, WaitError};
use crate::handler::ChannelHandler;
use crate::shared::Shared;

/// How long [`Link::open`] waits for the link and then for the peer, unless the open says
/// otherwise.
const OPEN_TIMEOUT: Duration = telehash_link::OPEN_TIMEOUT;

/// A link to another endpoint: a cheap clone.
///
/// Dropping it leaves the link up, since the mesh owns it; [`close`](Self::close) ends it.
#[derive(Clone)]
pub struct Link {
    shared: Arc<Shared>,
    driver: Arc<LinkDriver>,
}

/// A pipe of a link: where it leads and how it does.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct PipeStatus {
    /// The transport; `router` if the pipe leads through one.
    pub transport: &'static str,
    /// The path that describes its far end.
    pub path: Option<Path>,
    /// It is the one that sends; others stand by.
    pub active: bool,
    /// A round trip through it is proven.
    pub validated: bool,
    /// Nothing came back by it lately: it has to prove itself before traffic goes there again.
    pub doubted: bool,
    /// Largest packet it is known to carry, in bytes.
    pub packet_size: usize,
    /// Path round trip, once measured.
    pub rtt: Option<Duration>,
    /// Bytes received through it.
    pub received: u64,
    /// Bytes sent through it.
    pub sent: u64,
}

impl Link {
    pub(crate) fn new(shared: Arc<Shared>, driver: Arc<LinkDriver>) -> Self {
        Self { shared, driver }
    }

    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    pub(crate) fn driver(&self) -> &Arc<LinkDriver> {
        &self.driver
    }

    /// The peer.
    #[must_use]
    pub fn hashname(&self) -> Hashname {
        self.driver.hashname()
    }

    /// The state now. A closed link is down.
    #[must_use]
    pub fn state(&self) -> LinkState {
        self.driver.status().borrow().state
    }

    /// Whether the link is up.
    #[must_use]
    pub fn is_up(&self) -> bool {
        self.state() == LinkState::Up
    }

    /// Watches the state.
    #[must_use]
    pub fn watch(&self) -> StateWatch {
        StateWatch {
            status: self.driver.status().subscribe(),
            told: self.state(),
        }
    }

    /// Waits until the link is up, at most so long.
    ///
    /// Cancel-safe.
    ///
    /// # Errors
    /// [`WaitError::TimedOut`], or [`WaitError::Closed`] if it was closed.
    pub async fn wait_up(&self, limit: Duration) -> Result<(), WaitError> {
        let hashname = self.hashname();
        let mut status = self.driver.status().subscribe();
        let settled = status.wait_for(|now| now.gone || now.state == LinkState::Up);
        match timeout_at(Instant::now() + limit, settled).await {
            Ok(Ok(now)) if !now.gone => Ok(()),
            Ok(_) => Err(WaitError::Closed(hashname)),
            Err(_) => Err(WaitError::TimedOut {
                hashname,
                waited: limit,
            }),
        }
    }

    /// Opens a channel.
    ///
    /// Waits until the link is up, no longer than the open's own timeout, then returns at once: the
    /// opening packet is on its way, and packets may follow before the peer has answered. See
    /// [`Channel::opened`].
    ///
    /// Cancel-safe: if the future is dropped, no channel was opened.
    ///
    /// ```no_run
    /// # async fn example(link: telehash_runtime::Link) -> Result<(), Box<dyn std::error::Error>> {
    /// use telehash_runtime::{Open, Packet};
    ///
    /// let mut channel = link.open(Open::reliable("greeting")).await?;
    /// channel.send(Packet::new("hello")).await?;
    /// channel.end()?;
    /// while let Some(packet) = channel.recv().await? {
    ///     println!("{} bytes", packet.body.len());
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// The link is down and stays so, too many channels are open, or the opening packet is too
    /// large.
    pub async fn open(&self, open: Open) -> Result<Channel, OpenError> {
        let limit = open.timeout.unwrap_or(OPEN_TIMEOUT);
        let until = Instant::now() + limit;
        loop {
            let up = timeout_at(until, self.wait_up(limit)).await;
            let hashname = self.hashname();
            up.unwrap_or(Err(WaitError::TimedOut {
                hashname,
                waited: limit,
            }))?;
            if let Some(channel) = self.open_now(&open)? {
                return Ok(channel);
            }
        }
    }

    /// Opens a channel if the link is still up.
    fn open_now(&self, open: &Open) -> Result<Option<Channel>, OpenError> {
        let opened = self.driver.run(&self.shared, |core, now| {
            if core.link.state() != LinkState::Up {
                return Ok(None);
            }
            let id = core.link.open(now, open.clone())?;
            let generation = core.enter(id, ChannelSlot::ours());
            Ok(Some((id, generation)))
        });
        let Ok(opened) = opened else {
            return Err(WaitError::Closed(self.hashname()).into());
        };
        let opened: Result<_, telehash_link::OpenError> = opened;
        let channel = |(id, generation)| {
            let (shared, driver) = (self.shared.clone(), self.driver.clone());
            Channel::ours(
                shared,
                driver,
                id,
                generation,
                open.kind.clone(),
                open.reliable,
            )
        };
        Ok(opened?.map(channel))
    }

    /// Ends the link: its channels fail, its session is erased, and it leaves the mesh.
    pub fn close(&self) {
        self.shared.close_link(&self.driver);
    }

    /// Whether the link was closed, by us or with its mesh.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.driver.status().borrow().gone
    }

    /// The cipher set that both ends agreed on; `None` once closed.
    #[must_use]
    pub fn csid(&self) -> Option<Csid> {
        self.driver.look(&self.shared, |core| core.link.csid()).ok()
    }

    /// Whether the peer showed that it is of our kind, not an older implementation. `false` once
    /// closed.
    #[must_use]
    pub fn is_of_our_kind(&self) -> bool {
        self.driver
            .look(&self.shared, |core| core.link.is_of_our_kind())
            .unwrap_or(false)
    }

    /// As [`Mesh::handler`](crate::Mesh::handler), on the mesh of this link.
    #[must_use]
    pub fn handler<H: ChannelHandler>(
        &self,
        kind: &str,
        new: impl FnOnce() -> H,
    ) -> Option<Arc<H>> {
        self.shared.handlers.get_or_insert(kind, new)
    }

    /// The peer's keys, as far as known; none once closed.
    #[must_use]
    pub fn keys(&self) -> KeySet {
        self.driver
            .look(&self.shared, |core| core.link.keys().clone())
            .unwrap_or_default()
    }

    /// Where the peer sees us, by UDP, the latest of each family. Nobody but the peer vouches for it.
    #[must_use]
    pub fn seen_as(&self) -> Vec<Path> {
        self.driver.seen_as()
    }

    /// Its pipes; none once closed.
    #[must_use]
    pub fn pipes(&self) -> Vec<PipeStatus> {
        let infos = self
            .driver
            .look(&self.shared, |core| core.link.pipes().collect::<Vec<_>>());
        let status = |info: telehash_link::PipeInfo| {
            let transport = match info.id.through() {
                Some(_) => "router",
                None => self.shared.port(info.id.transport)?.name(),
            };
            Some(PipeStatus {
                transport,
                path: telehash_channel_path::Whereabouts::path_of(&*self.shared, info.id),
                active: info.active,
                validated: info.validated,
                doubted: info.doubted,
                packet_size: info.packet_size,
                rtt: info.rtt,
                received: info.received,
                sent: info.sent,
            })
        };
        infos
            .unwrap_or_default()
            .into_iter()
            .filter_map(status)
            .collect()
    }

    /// The router that its traffic goes through now; `None` if it goes directly, or nowhere.
    #[must_use]
    pub fn through(&self) -> Option<Hashname> {
        let look = self.driver.look(&self.shared, |core| {
            let active = core.link.pipes().find(|pipe| pipe.active);
            active.and_then(|pipe| pipe.id.through())
        });
        look.ok().flatten()
    }

    /// Routes for this peer from now on, or no longer: it may ask us for anybody whom we are linked
    /// to, and anybody whom we are linked to may ask us for it. See [`Mesh::router`].
    ///
    /// [`Mesh::router`]: crate::Mesh::router
    pub fn router(&self, on: bool) {
        let hashname = self.hashname();
        self.shared.endpoint().router_policy().serve(hashname, on);
        if on {
            self.shared.tell_paths_to(&hashname);
        }
    }

    /// Counters since the link was made; zeros once closed.
    #[must_use]
    pub fn stats(&self) -> LinkStats {
        self.driver
            .look(&self.shared, |core| core.link.stats())
            .unwrap_or_default()
    }
}

impl PartialEq for Link {
    /// Whether both are handles of the same link.
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.driver, &other.driver)
    }
}

impl Eq for Link {}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Link")
            .field("hashname", &self.hashname())
            .field("state", &self.state())
            .finish_non_exhaustive()
    }
}

/// Watches the state of a link; made by [`Link::watch`].
#[derive(Clone, Debug)]
pub struct StateWatch {
    status: watch::Receiver<Status>,
    /// What the holder knows.
    told: LinkState,
}

impl StateWatch {
    /// The state now.
    #[must_use]
    pub fn state(&self) -> LinkState {
        self.status.borrow().state
    }

    /// Waits for the next change and returns the state then. States in between may be passed over;
    /// the last one never is. `None` once the link is closed.
    ///
    /// Cancel-safe.
    pub async fn changed(&mut self) -> Option<LinkState> {
        loop {
            let Status { state, gone } = *self.status.borrow_and_update();
            if state != std::mem::replace(&mut self.told, state) {
                return Some(state);
            }
            if gone {
                return None;
            }
            self.status.changed().await.ok()?;
        }
    }
}
