//! A WebSocket of a local program or browser, carried to a peer.

use http::{HeaderValue, Request, Response, StatusCode};
use telehash_runtime::Link;
use tokio::io::{AsyncRead, AsyncWrite};

use super::frames::Role;
use super::handshake::{check, status, switching, to_request};
use super::relay::relay;
use crate::ext::LinkWsExt as _;
use crate::pieces::PieceSocket;

/// A WebSocket that the peer has accepted and that is not joined with a connection yet. Dropping it
/// fails it for the peer.
#[derive(Debug)]
#[must_use = "dropping a bridge fails its WebSocket"]
pub struct Bridge {
    pieces: PieceSocket,
}

impl Bridge {
    /// Carries everything both ways, until both sides have closed or one is gone. `io` is the connection
    /// after the response was sent, such as hyper's `Upgraded` in a `TokioIo`.
    ///
    /// Pings, pongs and closes go from end to end; messages of any size go through in pieces, and a slow
    /// reader at either end holds the other back.
    pub async fn run<I: AsyncRead + AsyncWrite + Unpin>(self, io: I) {
        relay(self.pieces, io, Role::Server).await;
    }
}

/// Opens the WebSocket that an HTTP request asks for at the peer of a link: the response to send, and
/// what to join with the connection after that.
///
/// The request's path, subprotocols, `cookie` and `authorization` are passed on. The `origin` of its
/// page is, too, unless the page is from the request's own `host`: so a server that allows no origin
/// refuses the pages of others. Whoever serves browsers checks `host` first.
///
/// # Errors
/// The response that says why not: 400, 403, 404, 426, 431, 502 or 504.
pub async fn to_link<B>(
    link: &Link,
    request: &Request<B>,
) -> Result<(Response<()>, Bridge), Response<()>> {
    let accept = check(request).map_err(refused)?;
    let request = to_request(request).map_err(refused)?;
    let opened = link.ws(request).await;
    let ws = opened.map_err(|error| refused(status(&error)))?;
    let response = switching(accept, ws.protocol());
    let pieces = ws.into_pieces();
    Ok((response, Bridge { pieces }))
}

fn refused(status: StatusCode) -> Response<()> {
    let mut response = Response::new(());
    *response.status_mut() = status;
    if status == StatusCode::UPGRADE_REQUIRED {
        let version = HeaderValue::from_static("13");
        response
            .headers_mut()
            .insert("sec-websocket-version", version);
    }
    response
}
