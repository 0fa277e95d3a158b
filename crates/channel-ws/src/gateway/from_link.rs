//! A WebSocket of a peer, carried to a local server.

use std::io;
use std::time::Duration;

use bytes::Bytes;
use http::header::{
    CONNECTION, HOST, ORIGIN, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_PROTOCOL,
    SEC_WEBSOCKET_VERSION, UPGRADE,
};
use http::{HeaderName, Request, Response, StatusCode, Uri};
use http_body_util::Empty;
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use thiserror::Error;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tungstenite::handshake::client::generate_key;
use tungstenite::handshake::derive_accept_key;

use super::frames::Role;
use super::handshake::{refusal, words};
use super::relay::relay;
use crate::config::{ANSWER_TIMEOUT, WsConfig};
use crate::error::WsError;
use crate::incoming::IncomingWs;

/// Why a peer's WebSocket did not reach the local server. The peer was told.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum GatewayError {
    /// The address is none.
    #[error(
        "the address of a local server is http:// or ws://, a host and a port, and a path at most"
    )]
    BadAddress,
    /// There is no connection to the server.
    #[error("the local server cannot be reached: {0}")]
    Unreachable(#[from] io::Error),
    /// It did not answer in time.
    #[error("the local server did not answer within {0:?}")]
    Unanswered(Duration),
    /// Its answer is no HTTP, or breaks RFC 6455.
    #[error("the local server's answer is out of order: {0}")]
    BadAnswer(String),
    /// It answered that there is no WebSocket.
    #[error("the local server answered {0}")]
    Refused(StatusCode),
    /// The peer is gone.
    #[error(transparent)]
    Peer(#[from] WsError),
}

/// A local server of WebSockets.
///
/// Its requests carry its own `host` and, as `origin`, the page of another server that the peer told of,
/// or else its own: so a server that minds origins takes what is from its own pages.
#[derive(Clone, Debug)]
pub struct LocalServer {
    authority: String,
    prefix: String,
    peer_header: Option<HeaderName>,
}

impl LocalServer {
    /// The server at `ws://host:port` or `http://host:port`; a path after that goes before every path
    /// that is asked for.
    ///
    /// # Errors
    /// It is no such address.
    pub fn new(address: &str) -> Result<Self, GatewayError> {
        let uri: Uri = address.parse().map_err(|_| GatewayError::BadAddress)?;
        let plain = matches!(uri.scheme_str(), Some("http" | "ws")) && uri.query().is_none();
        let authority = uri
            .authority()
            .filter(|at| plain && !at.as_str().contains('@'));
        let authority = authority.ok_or(GatewayError::BadAddress)?;
        Ok(Self {
            authority: authority.to_string(),
            prefix: uri.path().trim_end_matches('/').to_owned(),
            peer_header: None,
        })
    }

    /// The same, telling the server in this header whose hashname the WebSocket is from.
    #[must_use]
    pub fn peer_header(mut self, name: HeaderName) -> Self {
        self.peer_header = Some(name);
        self
    }

    /// Opens the same WebSocket at the server, accepts it if the server does, and carries everything both
    /// ways until both sides have closed or one is gone.
    ///
    /// # Errors
    /// There is no WebSocket at the server, of which the peer is told; or the peer is gone.
    pub async fn take(&self, incoming: IncomingWs) -> Result<(), GatewayError> {
        let connected = timeout(ANSWER_TIMEOUT, self.connect(&incoming)).await;
        let connected = connected.unwrap_or(Err(GatewayError::Unanswered(ANSWER_TIMEOUT)));
        let (io, protocol) = match connected {
            Ok(connected) => connected,
            Err(error) => {
                incoming.refuse(match &error {
                    GatewayError::Refused(status) => refusal(*status),
                    _ => "bad gateway",
                });
                return Err(error);
            }
        };
        let ws = incoming
            .accept_with(protocol.as_deref(), &WsConfig::new())
            .await?;
        relay(ws.into_pieces(), io, Role::Client).await;
        Ok(())
    }

    async fn connect(
        &self,
        incoming: &IncomingWs,
    ) -> Result<(TokioIo<hyper::upgrade::Upgraded>, Option<String>), GatewayError> {
        let out_of_order = |error: hyper::Error| GatewayError::BadAnswer(error.to_string());
        let key = generate_key();
        let request = self.request(incoming, &key)?;
        let tcp = TcpStream::connect(self.address()).await?;
        tcp.set_nodelay(true)?;
        let handshake = http1::handshake(TokioIo::new(tcp)).await;
        let (mut sender, connection) = handshake.map_err(out_of_order)?;
        let upgraded = async {
            let mut response = sender.send_request(request).await.map_err(out_of_order)?;
            let protocol = check(&response, incoming, &key)?;
            let io = hyper::upgrade::on(&mut response)
                .await
                .map_err(out_of_order)?;
            Ok((TokioIo::new(io), protocol))
        };
        let connection = connection.with_upgrades();
        tokio::pin!(upgraded, connection);
        tokio::select! {
            biased;
            upgraded = &mut upgraded => upgraded,
            _ = &mut connection => upgraded.await,
        }
    }

    fn address(&self) -> String {
        let port = self.authority.rsplit_once(':').map(|(_, port)| port);
        match port.map(str::parse::<u16>) {
            Some(Ok(_)) => self.authority.clone(),
            _ => format!("{}:80", self.authority),
        }
    }

    fn request(
        &self,
        incoming: &IncomingWs,
        key: &str,
    ) -> Result<Request<Empty<Bytes>>, GatewayError> {
        let asked = incoming.request();
        let own = format!("http://{}", self.authority);
        let mut request = Request::get(format!("{}{}", self.prefix, asked.target()))
            .header(HOST, &self.authority)
            .header(CONNECTION, "upgrade")
            .header(UPGRADE, "websocket")
            .header(SEC_WEBSOCKET_VERSION, "13")
            .header(SEC_WEBSOCKET_KEY, key)
            .header(ORIGIN, asked.page().unwrap_or(&own));
        for name in asked.protocols() {
            request = request.header(SEC_WEBSOCKET_PROTOCOL, name);
        }
        // The others could be two things to the server: these are what a gateway passes on.
        for (name, value) in asked.headers() {
            if matches!(name, "authorization" | "cookie") {
                request = request.header(name, value);
            }
        }
        if let Some(name) = &self.peer_header {
            request = request.header(name, incoming.peer().to_string());
        }
        let request = request.body(Empty::new());
        request.map_err(|error| GatewayError::BadAnswer(error.to_string()))
    }
}

/// The subprotocol that the server chose, if its answer is in order.
fn check(
    response: &Response<Incoming>,
    incoming: &IncomingWs,
    key: &str,
) -> Result<Option<String>, GatewayError> {
    let bad = |what: &str| GatewayError::BadAnswer(what.to_owned());
    if response.status() != StatusCode::SWITCHING_PROTOCOLS {
        return Err(GatewayError::Refused(response.status()));
    }
    let headers = response.headers();
    let accept = headers.get(SEC_WEBSOCKET_ACCEPT);
    if accept.is_none_or(|accept| accept.as_bytes() != derive_accept_key(key.as_bytes()).as_bytes())
    {
        return Err(bad("a wrong sec-websocket-accept"));
    }
    if headers.contains_key("sec-websocket-extensions") {
        return Err(bad("an extension that was not asked for"));
    }
    let chosen: Vec<&str> = words(headers, SEC_WEBSOCKET_PROTOCOL).collect();
    let offered = |name: &str| {
        incoming
            .request()
            .protocols()
            .iter()
            .any(|offer| offer == name)
    };
    match chosen[..] {
        [] => Ok(None),
        [name] if offered(name) => Ok(Some(name.to_owned())),
        _ => Err(bad("a subprotocol that was not asked for")),
    }
}
