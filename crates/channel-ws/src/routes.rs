//! Which handler takes which path.

use std::collections::HashMap;
use std::fmt;
use std::future::Future;
use std::sync::Arc;

use futures::future::BoxFuture;
use telehash_runtime::{ChannelHandler, HandlerError, HandlerOutcome, IncomingChannel, Places};

use crate::config::MAX_SOCKETS_PER_PEER;
use crate::incoming::IncomingWs;

type Handler =
    Arc<dyn Fn(IncomingWs) -> BoxFuture<'static, Result<(), HandlerError>> + Send + Sync>;

/// What a server of WebSockets has to offer, by path.
///
/// - A path that nothing fits is refused with `not found`. An exact path goes before prefixes, a longer
///   prefix before a shorter one. The query does not count.
/// - What a web page of another origin asks for is refused with `forbidden`, unless that origin is
///   allowed. Whoever passes browsers on tells the origin of a page that is not from the same server;
///   programs have none.
/// - One peer may have [`MAX_SOCKETS_PER_PEER`](crate::limits::MAX_SOCKETS_PER_PEER) at once; one more
///   is refused with `busy`.
///
/// ```
/// use telehash_channel_ws::{IncomingWs, WsRoutes};
///
/// let routes = WsRoutes::new()
///     .path("/time", async |ws: IncomingWs| ws.accept().await?.send("noon").await)
///     .under("/rooms/", async |ws: IncomingWs| ws.refuse("closed today"));
/// # let _ = routes;
/// ```
#[derive(Clone, Default)]
pub struct WsRoutes {
    paths: HashMap<String, Handler>,
    /// Longest first.
    prefixes: Vec<(String, Handler)>,
    origins: Vec<String>,
    /// How many WebSockets each peer has.
    open: Places,
}

impl WsRoutes {
    /// Nothing to offer.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The same with this very path.
    #[must_use]
    pub fn path<F, Fut>(mut self, path: impl Into<String>, handler: F) -> Self
    where
        F: Fn(IncomingWs) -> Fut + Send + Sync + 'static,
        Fut: Future<Output: HandlerOutcome> + Send + 'static,
    {
        self.paths.insert(path.into(), boxed(handler));
        self
    }

    /// The same with all paths that begin so.
    #[must_use]
    pub fn under<F, Fut>(mut self, prefix: impl Into<String>, handler: F) -> Self
    where
        F: Fn(IncomingWs) -> Fut + Send + Sync + 'static,
        Fut: Future<Output: HandlerOutcome> + Send + 'static,
    {
        self.prefixes.push((prefix.into(), boxed(handler)));
        self.prefixes
            .sort_by_key(|(prefix, _)| std::cmp::Reverse(prefix.len()));
        self
    }

    /// The same, open to web pages of this origin, such as `https://example.org`.
    #[must_use]
    pub fn allow_origin(mut self, origin: impl Into<String>) -> Self {
        self.origins.push(origin.into());
        self
    }

    fn find(&self, path: &str) -> Option<&Handler> {
        let under = |(prefix, _): &&(String, Handler)| path.starts_with(prefix.as_str());
        let exact = self.paths.get(path);
        exact.or_else(|| self.prefixes.iter().find(under).map(|(_, handler)| handler))
    }
}

fn boxed<F, Fut>(handler: F) -> Handler
where
    F: Fn(IncomingWs) -> Fut + Send + Sync + 'static,
    Fut: Future<Output: HandlerOutcome> + Send + 'static,
{
    Arc::new(move |incoming| {
        let outcome = handler(incoming);
        Box::pin(async move { outcome.await.into_result() })
    })
}

impl ChannelHandler for WsRoutes {
    async fn open(&self, channel: IncomingChannel) -> Result<(), HandlerError> {
        let peer = channel.peer();
        let Some(incoming) = IncomingWs::read(channel) else {
            return Ok(());
        };
        let Some(_place) = self.open.take(peer, MAX_SOCKETS_PER_PEER) else {
            incoming.refuse("busy");
            return Ok(());
        };
        let request = incoming.request();
        let allowed = |page: &str| self.origins.iter().any(|origin| origin == page);
        match self.find(request.path()) {
            None => incoming.refuse("not found"),
            Some(_) if !request.page().is_none_or(allowed) => incoming.refuse("forbidden"),
            Some(handler) => return handler(incoming).await,
        }
        Ok(())
    }
}

impl fmt::Debug for WsRoutes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WsRoutes")
            .field("paths", &self.paths.keys())
            .field(
                "prefixes",
                &self
                    .prefixes
                    .iter()
                    .map(|(prefix, _)| prefix)
                    .collect::<Vec<_>>(),
            )
            .field("origins", &self.origins)
            .finish()
    }
}
