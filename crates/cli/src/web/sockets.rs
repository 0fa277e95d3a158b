//! WebSockets: those of browsers carried to endpoints, and those of peers to a local server.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};

use http::{Request, Response, StatusCode};
use mesh::Link;
use mesh::thtp::proxy::{OnUpgrade, Upgrades, climbs};
use mesh::thtp::{Body, IDENTITY_HEADER};
use mesh::ws::gateway::{GatewayError, LocalServer, to_link};
use mesh::ws::{IncomingWs, WsRoutes};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::folder::status;

/// WebSockets through the proxy at once; one more gets 503.
const MAX_WEB_SOCKETS: usize = 256;

/// Carries the WebSockets of browsers to the endpoints that they are for. Dropping it ends them.
#[derive(Debug)]
pub(crate) struct WebSockets {
    places: Arc<Semaphore>,
    running: Arc<Mutex<JoinSet<()>>>,
}

impl WebSockets {
    pub(crate) fn new() -> Self {
        Self {
            places: Arc::new(Semaphore::new(MAX_WEB_SOCKETS)),
            running: Arc::default(),
        }
    }
}

impl Upgrades for WebSockets {
    fn upgrade(
        &self,
        link: Link,
        request: Request<()>,
        on_upgrade: OnUpgrade,
    ) -> Pin<Box<dyn Future<Output = Response<Body>> + Send>> {
        let place = self.places.clone().try_acquire_owned();
        let running = self.running.clone();
        Box::pin(async move {
            let Ok(place) = place else {
                return status(StatusCode::SERVICE_UNAVAILABLE);
            };
            let response = match to_link(&link, &request).await {
                Ok((response, bridge)) => {
                    let mut running = running.lock().unwrap_or_else(PoisonError::into_inner);
                    while running.try_join_next().is_some() {}
                    // The connection is the browser's until the response is there.
                    running.spawn(async move {
                        match on_upgrade.connection().await {
                            Ok(connection) => bridge.run(connection).await,
                            Err(error) => tracing::debug!(%error, "a WebSocket's browser is gone"),
                        }
                        drop(place);
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
        async move {
            // A path in the server's address goes before this one, and is not to be left.
            if climbs(incoming.request().path()) {
                incoming.refuse("not found");
                return Ok(());
            }
            server.take(incoming).await
        }
    }))
}
