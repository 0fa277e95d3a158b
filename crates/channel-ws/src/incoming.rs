//! A WebSocket that a peer opened.

use serde_json::{Map, Value};
use telehash_hashname::Hashname;
use telehash_runtime::{IncomingChannel, Link, Packet};

use crate::config::WsConfig;
use crate::error::WsError;
use crate::pieces::PieceSocket;
use crate::request::WsRequest;
use crate::socket::WebSocket;

/// A WebSocket that a peer opened, before it is accepted. Dropping it refuses it.
#[derive(Debug)]
#[must_use = "dropping an incoming WebSocket refuses it"]
pub struct IncomingWs {
    channel: IncomingChannel,
    request: WsRequest,
}

impl IncomingWs {
    /// Reads what the peer asks for; what cannot be read is refused.
    pub(crate) fn read(channel: IncomingChannel) -> Option<Self> {
        let nothing_else = channel.body().is_empty() && !channel.is_ended();
        match WsRequest::from_head(channel.head()) {
            Ok(request) if channel.is_reliable() && nothing_else => Some(Self { channel, request }),
            _ => {
                channel.refuse("bad request");
                None
            }
        }
    }

    /// Who opened it.
    #[must_use]
    pub fn peer(&self) -> Hashname {
        self.channel.peer()
    }

    /// The link that it goes over.
    #[must_use]
    pub fn link(&self) -> Link {
        self.channel.link()
    }

    /// What the peer asks for.
    #[must_use]
    pub fn request(&self) -> &WsRequest {
        &self.request
    }

    /// Accepts it, without a subprotocol.
    ///
    /// Cancel-safe: if the future is dropped, it is refused.
    ///
    /// # Errors
    /// It has failed meanwhile.
    pub async fn accept(self) -> Result<WebSocket, WsError> {
        self.accept_with(None, &WsConfig::new()).await
    }

    /// Accepts it with one of the subprotocols on offer, and these limits and habits on our side.
    ///
    /// # Errors
    /// It has failed meanwhile, or the subprotocol was not offered.
    pub async fn accept_with(
        self,
        protocol: Option<&str>,
        config: &WsConfig,
    ) -> Result<WebSocket, WsError> {
        let offered = |name: &str| self.request.protocols().iter().any(|offer| offer == name);
        if !protocol.is_none_or(offered) {
            return Err(WsError::BadRequest("the subprotocol was not offered"));
        }
        let mut head: Map<String, Value> = Map::from_iter([("open".to_owned(), true.into())]);
        if let Some(protocol) = protocol {
            head.insert("protocol".to_owned(), protocol.into());
        }
        let mut channel = self.channel.accept()?;
        channel.send(Packet::default().head(head)).await?;
        let pieces = PieceSocket::new(channel, protocol.map(str::to_owned));
        Ok(WebSocket::new(pieces, config))
    }

    /// Refuses it and tells the peer why.
    pub fn refuse(self, error: &str) {
        self.channel.refuse(error);
    }
}
