//! What a link's news cause outside of its lock.

use std::sync::Arc;
use std::task::Waker;

use telehash_hashname::Path;
use telehash_link::{ChannelId, Packet, PathSource};

use super::LinkDriver;
use crate::shared::Shared;

/// Collected under the lock of a link, done after it is released. Costs nothing while empty.
#[derive(Debug, Default)]
pub(crate) struct Effects {
    /// Tasks of the application that wait for a channel.
    pub(super) wakers: Vec<Waker>,
    /// Channels that the peer opened.
    pub(super) opened: Vec<Opened>,
    /// What the peer asks of us as a router, or hands us as one.
    pub(super) routing: Vec<Opened>,
    /// The link came up: others may wait for it, if it is a router's.
    pub(super) came_up: bool,
    /// The link of somebody who was only introduced does not come up.
    pub(super) given_up: bool,
    /// Paths that the peer offered, to be dialled.
    pub(super) dials: Vec<Path>,
    /// The link lost a pipe: a connection may have to be made anew.
    pub(super) pipe_lost: bool,
    /// How the peer sees us.
    pub(super) seen_as: Vec<Path>,
    /// The URI that the peer, a router, gives us to share.
    pub(super) given_uri: Option<String>,
    /// A channel ended or failed: whoever waits for that looks again.
    pub(super) channel_over: bool,
}

/// A channel that the peer opened.
#[derive(Debug)]
pub(crate) struct Opened {
    pub(crate) id: ChannelId,
    pub(crate) generation: u64,
    pub(crate) kind: String,
    pub(crate) reliable: bool,
    pub(crate) packet: Packet,
}

impl Effects {
    pub(super) fn apply(self, shared: &Arc<Shared>, driver: &Arc<LinkDriver>) {
        for waker in self.wakers {
            waker.wake();
        }
        for opened in self.opened {
            shared.channel_opened(driver, opened);
        }
        for asked in &self.routing {
            shared.routing_asked(driver, asked);
        }
        if self.came_up {
            shared.router_came_up(driver);
        }
        if self.given_up && !driver.is_wanted() {
            shared.close_link(driver);
        }
        if !self.dials.is_empty() {
            shared.dial(driver, self.dials, PathSource::Offered);
        }
        if self.pipe_lost {
            shared.redial(driver);
        }
        for path in self.seen_as {
            shared.seen_as(driver, path);
        }
        if let Some(uri) = self.given_uri {
            shared.given_uri(driver.hashname(), &uri);
        }
        if self.channel_over {
            shared.lifecycle.channel_over();
        }
    }
}
