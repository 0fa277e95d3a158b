//! What becomes of `sock` channels that peers open.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use telehash_hashname::Hashname;
use telehash_runtime::{ChannelHandler, HandlerError, IncomingChannel, Place, Places};
use tokio::sync::mpsc;

use crate::limits::{MAX_BINDS_PER_LINK, MAX_TUNNELS_PER_LINK};
use crate::listener::Arrived;
use crate::policy::SockPolicy;
use crate::serve;
use crate::wire::{self, Request, refusal};

/// Takes the `sock` channels of one mesh.
#[derive(Debug, Default)]
pub(crate) struct SockHandler {
    sock: Arc<Sock>,
}

/// What all tunnels of a mesh share.
#[derive(Debug, Default)]
pub(crate) struct Sock {
    policy: RwLock<Arc<SockPolicy>>,
    listeners: Mutex<HashMap<(Hashname, u16), mpsc::Sender<Arrived>>>,
    tunnels: Places,
    binds: Places,
}

impl SockHandler {
    pub(crate) fn sock(&self) -> &Arc<Sock> {
        &self.sock
    }
}

impl ChannelHandler for SockHandler {
    async fn open(&self, channel: IncomingChannel) -> Result<(), HandlerError> {
        let request = wire::parse(channel.head());
        match (request, channel.is_reliable()) {
            (Some(Request::Connect(to)), true) => serve::tcp(&self.sock, channel, to).await,
            (Some(Request::Connect(to)), false) => serve::udp(&self.sock, channel, to).await,
            (Some(Request::Bind(at)), true) => serve::bind(&self.sock, channel, at).await,
            (Some(Request::Accept { port, from }), true) => {
                self.sock.arrived(port, Arrived { channel, from });
            }
            (Some(Request::Bind(_) | Request::Accept { .. }), false) | (None, _) => {
                channel.refuse(refusal::MALFORMED);
            }
        }
        Ok(())
    }
}

impl Sock {
    /// Puts a policy in force, for tunnels from now on.
    pub(crate) fn serve(&self, policy: SockPolicy) {
        let mut current = self.policy.write().unwrap_or_else(PoisonError::into_inner);
        *current = Arc::new(policy);
    }

    pub(crate) fn policy(&self) -> Arc<SockPolicy> {
        let policy = self.policy.read();
        policy.unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn take_tunnel(&self, peer: Hashname) -> Option<Place> {
        self.tunnels.take(peer, MAX_TUNNELS_PER_LINK)
    }

    pub(crate) fn take_bind(&self, peer: Hashname) -> Option<Place> {
        self.binds.take(peer, MAX_BINDS_PER_LINK)
    }

    /// Hands this peer's connections to this port to `sender`; not if somebody has them already.
    pub(crate) fn listen(&self, peer: Hashname, port: u16, sender: mpsc::Sender<Arrived>) -> bool {
        let mut listeners = self.listeners();
        let free = !listeners.contains_key(&(peer, port));
        if free {
            listeners.insert((peer, port), sender);
        }
        free
    }

    pub(crate) fn unlisten(&self, peer: Hashname, port: u16) {
        self.listeners().remove(&(peer, port));
    }

    fn arrived(&self, port: u16, arrived: Arrived) {
        let peer = arrived.channel.peer();
        let sender = self.listeners().get(&(peer, port)).cloned();
        let Some(sender) = sender else {
            return arrived.channel.refuse(refusal::DENIED);
        };
        if let Err(refused) = sender.try_send(arrived) {
            refused.into_inner().channel.refuse(refusal::BUSY);
        }
    }

    fn listeners(&self) -> MutexGuard<'_, HashMap<(Hashname, u16), mpsc::Sender<Arrived>>> {
        self.listeners
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}
