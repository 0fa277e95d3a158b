//! A port of the peer whose connections come here.

use std::net::SocketAddr;
use std::sync::Arc;

use telehash_channel_stream::ByteStream;
use telehash_hashname::Hashname;
use telehash_runtime::{Channel, ChannelError, IncomingChannel, Link, Open};
use tokio::sync::mpsc;

use crate::destination::Destination;
use crate::error::SockError;
use crate::handler::{Sock, SockHandler};
use crate::limits::ACCEPT_CAPACITY;
use crate::stream::{Accepted, SockStream};
use crate::wire;

/// A connection that came to a port that we bound.
pub(crate) struct Arrived {
    pub(crate) channel: IncomingChannel,
    pub(crate) from: Option<SocketAddr>,
}

/// Listens on a TCP port of the peer. Dropping it gives the port up; connections that were accepted
/// go on.
#[derive(Debug)]
pub struct SockListener {
    channel: Channel,
    local: SocketAddr,
    arrivals: mpsc::Receiver<Arrived>,
    _registered: Vec<Registered>,
}

/// A place among those who wait for arrivals.
#[derive(Debug)]
pub(crate) struct Registered {
    sock: Arc<Sock>,
    peer: Hashname,
    port: u16,
}

impl SockListener {
    /// Asks the peer for it.
    pub(crate) async fn open(link: &Link, at: &Destination) -> Result<Self, SockError> {
        let handler = link.handler(wire::TYPE, SockHandler::default);
        let sock = handler.ok_or(SockError::Handled)?.sock().clone();
        let (sender, arrivals) = mpsc::channel(ACCEPT_CAPACITY);
        let peer = link.hashname();
        let mut registered = Vec::new();
        // Before it can be in use: connections may come sooner than the answer. Older peers call
        // any port 0 as long as they have it.
        if at.port() != 0 || !link.is_of_our_kind() {
            registered.push(Registered::new(&sock, peer, at.port(), sender.clone())?);
        }
        let open = Open::reliable(wire::TYPE).head(wire::bind(at));
        let mut channel = link.open(open).await?;
        let answer = channel.recv().await?;
        let head = answer.as_ref().and_then(|packet| packet.head.as_deref());
        let local = wire::bound(head).ok_or(SockError::BadAnswer("no port that is bound"))?;
        if local.port() != at.port() {
            registered.push(Registered::new(&sock, peer, local.port(), sender)?);
        }
        Ok(Self {
            channel,
            local,
            arrivals,
            _registered: registered,
        })
    }

    /// Where it listens, as the peer says. 0.0.0.0 if it tells no address.
    #[must_use]
    pub fn local(&self) -> SocketAddr {
        self.local
    }

    /// The next connection, and where it came from: with port 0 if the peer does not tell the port,
    /// `None` if it tells nothing. At most [`ACCEPT_CAPACITY`] wait to be accepted.
    ///
    /// Cancel-safe.
    ///
    /// # Errors
    /// The peer does not listen any more, or the link went down.
    pub async fn accept(&mut self) -> Result<Accepted, SockError> {
        loop {
            let arrived = tokio::select! {
                biased;
                arrived = self.arrivals.recv() => arrived,
                over = self.channel.recv() => match over? {
                    Some(_) => continue,
                    None => None,
                },
            };
            let Some(Arrived { channel, from }) = arrived else {
                return Err(ChannelError::Unknown.into());
            };
            let first = channel.body().clone();
            // One that has failed meanwhile was given up by whoever connected.
            if let Ok(channel) = channel.accept() {
                let stream = ByteStream::starting_with(channel, first);
                return Ok((SockStream::new(stream), from));
            }
        }
    }
}

impl Registered {
    fn new(
        sock: &Arc<Sock>,
        peer: Hashname,
        port: u16,
        sender: mpsc::Sender<Arrived>,
    ) -> Result<Self, SockError> {
        if !sock.listen(peer, port, sender) {
            return Err(SockError::Usage("this port of the peer is bound already"));
        }
        Ok(Self {
            sock: sock.clone(),
            peer,
            port,
        })
    }
}

impl Drop for Registered {
    fn drop(&mut self) {
        self.sock.unlisten(self.peer, self.port);
    }
}
