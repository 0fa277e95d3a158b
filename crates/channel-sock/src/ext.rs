//! Tunnels for links and meshes.

use std::future::Future;
use std::time::Duration;

use telehash_channel_stream::ByteStream;
use telehash_runtime::{Builder, Link, Mesh, Open};

use crate::datagrams::SockDatagrams;
use crate::destination::Destination;
use crate::error::SockError;
use crate::handler::SockHandler;
use crate::listener::SockListener;
use crate::policy::SockPolicy;
use crate::stream::SockStream;
use crate::wire::{self, TYPE};

/// How long nothing is sent to an older peer that says it connects: it says so before it has
/// connected, and drops what comes meanwhile.
const FOREIGN_CONNECT: Duration = Duration::from_millis(200);

/// Adds tunnels to [`Link`].
pub trait LinkSockExt {
    /// Has the peer connect to `to` by TCP. Returns once it has; an older implementation tells
    /// sooner, and does not tell at all that it denies something.
    ///
    /// Cancel-safe: if the future is dropped, there is no tunnel.
    ///
    /// # Errors
    /// The link is down, or the peer denies the destination or does not reach it.
    fn connect(
        &self,
        to: Destination,
    ) -> impl Future<Output = Result<SockStream, SockError>> + Send;

    /// Has the peer pass datagrams on to `to`, and those that come back.
    ///
    /// Cancel-safe: if the future is dropped, there is no tunnel.
    ///
    /// # Errors
    /// The link is down, or the peer denies the destination or does not answer.
    fn datagrams(
        &self,
        to: Destination,
    ) -> impl Future<Output = Result<SockDatagrams, SockError>> + Send;

    /// Has the peer listen on a TCP port, 0 for any, and hand connections to it to us.
    ///
    /// Cancel-safe: if the future is dropped, the port is given up.
    ///
    /// # Errors
    /// The link is down, the peer denies the port, or it is taken.
    fn bind(&self, at: Destination)
    -> impl Future<Output = Result<SockListener, SockError>> + Send;
}

impl LinkSockExt for Link {
    async fn connect(&self, to: Destination) -> Result<SockStream, SockError> {
        let open = Open::reliable(TYPE).head(wire::connect(&to));
        let mut channel = self.open(open).await?;
        channel.opened().await?;
        if !self.is_of_our_kind() {
            tokio::time::sleep(FOREIGN_CONNECT).await;
        }
        Ok(SockStream::new(ByteStream::new(channel)))
    }

    async fn datagrams(&self, to: Destination) -> Result<SockDatagrams, SockError> {
        SockDatagrams::open(self, &to).await
    }

    async fn bind(&self, at: Destination) -> Result<SockListener, SockError> {
        SockListener::open(self, &at).await
    }
}

/// Adds tunnels to [`Mesh`].
pub trait MeshSockExt {
    /// Makes tunnels for peers, as far as `policy` lets them, in place of an earlier policy. Tunnels
    /// that there are go on.
    fn serve_sock(&self, policy: SockPolicy);
}

impl MeshSockExt for Mesh {
    fn serve_sock(&self, policy: SockPolicy) {
        match self.handler(TYPE, SockHandler::default) {
            Some(handler) => handler.sock().serve(policy),
            None => self.on_open(TYPE, serving(policy)),
        }
    }
}

/// Adds tunnels to [`Builder`].
pub trait BuilderSockExt {
    /// As [`MeshSockExt::serve_sock`], from the start.
    #[must_use]
    fn serve_sock(self, policy: SockPolicy) -> Self;
}

impl BuilderSockExt for Builder {
    fn serve_sock(self, policy: SockPolicy) -> Self {
        self.on_open(TYPE, serving(policy))
    }
}

fn serving(policy: SockPolicy) -> SockHandler {
    let handler = SockHandler::default();
    handler.sock().serve(policy);
    handler
}
