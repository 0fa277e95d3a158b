//! HTTP proxies: from a link to a local web server, and from a browser to links.
//!
//! [`ReverseProxy`] is a service that passes the requests of peers on to a local server.
//! [`ForwardProxy`] listens on a loopback address and makes each endpoint a site of its own for
//! browsers, `http://<name>.localhost:PORT/`. Its rules keep foreign pages out: see [`ForwardProxy`].

mod connection;
mod forward;
mod host;
mod identity;
mod origin;
mod page;
mod reverse;
mod stall;

use std::future::Future;
use std::io;
use std::pin::Pin;

use hyper_util::rt::TokioIo;
use telehash_runtime::Link;
use tokio::io::{AsyncRead, AsyncWrite};

pub use self::{
    connection::{HEAD_READ_TIMEOUT, MAX_CONNECTIONS, MAX_PROXY_HEAD},
    forward::{ForwardProxy, RESPONSE_TIMEOUT},
    reverse::{
        BACKEND_CONNECT_TIMEOUT, BACKEND_TIMEOUT, BackendError, MAX_IDLE_BACKENDS, ReverseProxy,
        climbs,
    },
    stall::STALL_TIMEOUT,
};

/// What becomes of a request for a WebSocket: see [`ForwardProxy::with_upgrades`].
pub trait Upgrades: Send + Sync + 'static {
    /// Answers it. With 101 the connection is `on_upgrade`'s afterwards. The rules for hosts and
    /// origins have been applied.
    fn upgrade(
        &self,
        link: Link,
        request: http::Request<()>,
        on_upgrade: OnUpgrade,
    ) -> Pin<Box<dyn Future<Output = http::Response<crate::Body>> + Send>>;
}

/// The connection of whoever asked for a WebSocket, once the response with 101 has gone there.
#[derive(Debug)]
pub struct OnUpgrade(hyper::upgrade::OnUpgrade);

impl OnUpgrade {
    /// The connection.
    ///
    /// # Errors
    /// It was closed before, or the response was another.
    pub async fn connection(
        self,
    ) -> io::Result<impl AsyncRead + AsyncWrite + Send + Unpin + 'static> {
        let upgraded = self.0.await.map_err(io::Error::other)?;
        Ok(TokioIo::new(upgraded))
    }
}

/// Why a name leads to no link. The texts are shown to whoever asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NameError {
    /// Nobody is called that, or more than one: 404.
    #[error("{0}")]
    Unknown(String),
    /// Whoever is called that is away, or it goes wrong otherwise: 502.
    #[error("{0}")]
    Unreachable(String),
}

/// Knows whose link a name stands for. Any function from a name to a future of a link will do.
pub trait Names: Send + Sync + 'static {
    /// The link of a name, up if it can be. The name comes in lower case: a hashname, an alias or
    /// whatever else the application lets stand for an endpoint.
    fn link(
        &self,
        name: String,
    ) -> Pin<Box<dyn Future<Output = Result<Link, NameError>> + Send + '_>>;

    /// Whether this endpoint has to do with a name already. A foreign page leads to no other before
    /// somebody has said so: looking it up would tell it that we are here, and linking would trust it.
    ///
    /// Unless told otherwise, to none without that.
    fn is_familiar(&self, name: &str) -> bool {
        let _ = name;
        false
    }
}

impl<F, Fut> Names for F
where
    F: Fn(String) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<Link, NameError>> + Send + 'static,
{
    fn link(
        &self,
        name: String,
    ) -> Pin<Box<dyn Future<Output = Result<Link, NameError>> + Send + '_>> {
        Box::pin(self(name))
    }
}
