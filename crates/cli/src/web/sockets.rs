//! WebSockets: those of browsers carried to endpoints, and those of peers to a local server.

use std::pin::Pin;

use http::{Request, Response};
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use mesh::Link;
use mesh::thtp::proxy::Upgrades;
use mesh::thtp::{Body, IDENTITY_HEADER};
use mesh::ws::gateway::{GatewayError, LocalServer, to_link};
use mesh::ws::{IncomingWs, WsRoutes};

/// Carries the WebSockets of browsers to the endpoints that they are for.
#[derive(Debug)]
pub(crate) struct WebSockets;

impl Upgrades for WebSockets {
    fn upgrade(
        &self,
        link: Link,
        request: Request<()>,
        on_upgrade: OnUpgrade,
    ) -> Pin<Box<dyn Future<Output = Response<Body>> + Send>> {
        Box::pin(async move {
            let response = match to_link(&link, &request).await {
                Ok((response, bridge)) => {
                    // The connection is the browser's until the response is there.
                    tokio::spawn(async move {
                        match on_upgrade.await {
                            Ok(upgraded) => bridge.run(TokioIo::new(upgraded)).await,
                            Err(error) => tracing::debug!(%error, "a WebSocket's browser is gone"),
                        }
                    });
                    response
                }
                Err(refusal) => refusal,
            };
            response.map(|()| Body::empty())
        })
    }
}

/// Has the server at an URL take the WebSockets of peers, whom it knows by the header of requests.
pub(crate) fn to_server(url: &str) -> Result<WsRoutes, GatewayError> {
    let server = LocalServer::new(url)?.peer_header(IDENTITY_HEADER);
    Ok(WsRoutes::new().under("/", move |incoming: IncomingWs| {
        let server = server.clone();
        async move { server.take(incoming).await }
    }))
}
