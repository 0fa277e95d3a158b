//! WebSockets for links and meshes.

use std::future::Future;

use telehash_runtime::{Builder, Channel, ChannelError, Link, Mesh};
use tokio::time::timeout;

use crate::error::WsError;
use crate::pieces::PieceSocket;
use crate::request::{OTHER_TYPE, TYPE, WsRequest};
use crate::routes::WsRoutes;
use crate::socket::WebSocket;

/// Adds WebSockets to [`Link`].
pub trait LinkWsExt {
    /// Opens a WebSocket at a path of the peer, once the link is up and the peer has accepted.
    ///
    /// Cancel-safe: if the future is dropped, the WebSocket fails for the peer.
    ///
    /// # Errors
    /// The link is down and stays so, or the peer refuses, does not answer, or accepts with a subprotocol
    /// that was not offered.
    fn ws(
        &self,
        request: impl Into<WsRequest> + Send,
    ) -> impl Future<Output = Result<WebSocket, WsError>> + Send;
}

impl LinkWsExt for Link {
    async fn ws(&self, request: impl Into<WsRequest> + Send) -> Result<WebSocket, WsError> {
        let request: WsRequest = request.into();
        let mut channel = self.open(request.to_open()?).await?;
        let limit = request.answer_timeout();
        let Ok(answer) = timeout(limit, accepted(&mut channel, &request)).await else {
            channel.fail("timeout");
            return Err(WsError::Unanswered(limit));
        };
        let protocol = answer.inspect_err(|error| channel.fail(&error.to_string()))?;
        let pieces = PieceSocket::new(channel, protocol);
        Ok(WebSocket::new(pieces, &request.config))
    }
}

/// Waits for the peer to accept; the subprotocol that it chose.
async fn accepted(channel: &mut Channel, request: &WsRequest) -> Result<Option<String>, WsError> {
    let answer = channel.recv().await.map_err(|error| match error {
        ChannelError::Peer(reason) => WsError::Refused(reason),
        other => other.into(),
    })?;
    let answer = answer.filter(|packet| !packet.end && packet.body.is_empty());
    let head = answer.and_then(|packet| packet.head).unwrap_or_default();
    if head.get("open") != Some(&true.into()) {
        return Err(WsError::Protocol("no `open` comes first"));
    }
    let Some(protocol) = head.get("protocol") else {
        return Ok(None);
    };
    let offered = request.protocols().iter();
    let chosen = { offered }.find(|name| protocol.as_str() == Some(name.as_str()));
    let chosen = chosen.ok_or(WsError::Protocol("a subprotocol that was not offered"))?;
    Ok(Some(chosen.clone()))
}

/// Adds WebSockets to [`Mesh`].
pub trait MeshWsExt {
    /// Hands WebSockets that peers open to the handlers of their paths, each in a task of its own; in
    /// place of what was given before.
    fn on_ws(&self, routes: WsRoutes);
}

impl MeshWsExt for Mesh {
    fn on_ws(&self, routes: WsRoutes) {
        self.on_open(OTHER_TYPE, routes.clone());
        self.on_open(TYPE, routes);
    }
}

/// Adds WebSockets to [`Builder`].
pub trait BuilderWsExt {
    /// As [`MeshWsExt::on_ws`], from the start.
    #[must_use]
    fn on_ws(self, routes: WsRoutes) -> Self;
}

impl BuilderWsExt for Builder {
    fn on_ws(self, routes: WsRoutes) -> Self {
        self.on_open(OTHER_TYPE, routes.clone())
            .on_open(TYPE, routes)
    }
}
