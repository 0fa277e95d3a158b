//! The proxy for browsers.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use http::header::{CONNECTION, HeaderValue, TRANSFER_ENCODING, UPGRADE};
use http::uri::PathAndQuery;
use http::{HeaderMap, Method, Request, Response, StatusCode};
use hyper::body::Incoming;
use telehash_runtime::Link;
use tokio::net::TcpListener;

use super::host::{Destination, HostError, destination};
use super::origin::Asker;
use super::page::{choice, page};
use super::stall::{Progress, Steady};
use super::{NameError, Names, OnUpgrade, Upgrades, connection, identity, origin};
use crate::body::Body;
use crate::client::LinkThtpExt as _;
use crate::error::{HeadError, ThtpError};
use crate::headers::strip_hop_by_hop;

/// Limit: how long an endpoint may take for the head of its response, once the request has arrived; then
/// the client gets 504.
pub const RESPONSE_TIMEOUT: Duration = Duration::from_secs(120);

/// Makes each endpoint a site of its own: `http://<name>.localhost:PORT/`, for browsers, and for those
/// who use it as a proxy also `http://<name>/`.
///
/// Any web page can make a browser send requests to `*.localhost`. So:
///
/// - A request is for `<name>.localhost`, with no port or ours, or it is refused with 421: a foreign name
///   that resolves to this machine leads nowhere. Loopback addresses show a page that explains.
/// - A request with an `Origin` other than its own endpoint's is refused with 403, and so is one with a
///   `Sec-Fetch-Site` of `cross-site` or `same-site`, but a GET that takes a whole window there. If that
///   is to an endpoint that is not [familiar](Names::is_familiar), a page asks first.
/// - Responses are for their own origin alone (`Cross-Origin-Resource-Policy`, `frame-ancestors`), and no
///   CORS header of an endpoint is passed on.
/// - Headers by which servers learn from their proxies who asks are removed from requests.
///
/// Requests that are not unambiguous HTTP/1 get 400, too large heads 431. A name that nobody has gets
/// 404, a peer that is away, serves nothing or breaks off 502, one that takes too long 504.
pub struct ForwardProxy {
    forward: Forward,
}

/// Answers requests.
pub(super) struct Forward {
    names: Box<dyn Names>,
    upgrades: Option<Arc<dyn Upgrades>>,
}

impl ForwardProxy {
    /// One that looks names up in `names`.
    pub fn new(names: impl Names) -> Self {
        let names = Box::new(names);
        Self {
            forward: Forward {
                names,
                upgrades: None,
            },
        }
    }

    /// With somebody who takes WebSockets; without, they get 501.
    #[must_use]
    pub fn with_upgrades(mut self, upgrades: Arc<dyn Upgrades>) -> Self {
        self.forward.upgrades = Some(upgrades);
        self
    }

    /// Serves until the future is dropped. The listener should be on a loopback address: whoever
    /// reaches it speaks for this endpoint.
    ///
    /// # Errors
    /// The listener has no address.
    pub async fn serve(self, listener: TcpListener) -> io::Result<()> {
        connection::serve(listener, self.forward).await
    }
}

#[cfg(test)]
impl ForwardProxy {
    pub(super) fn into_forward(self) -> Forward {
        self.forward
    }
}

impl std::fmt::Debug for ForwardProxy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ForwardProxy").finish_non_exhaustive()
    }
}

impl Forward {
    /// Answers a request that came to `port`.
    pub(super) async fn answer(&self, request: Request<Incoming>, port: u16) -> Response<Body> {
        let asked = request.headers().clone();
        let is_chunked = asked.contains_key(TRANSFER_ENCODING);
        let mut response = match self.pass(request, port).await {
            Ok(response) => response,
            Err((status, text)) => page(&asked, status, &text),
        };
        origin::seal(response.headers_mut());
        // If it also said a length, whoever sits in between may have taken that for the end.
        if is_chunked {
            let close = HeaderValue::from_static("close");
            response.headers_mut().insert(CONNECTION, close);
        }
        response
    }

    async fn pass(
        &self,
        mut request: Request<Incoming>,
        port: u16,
    ) -> Result<Response<Body>, (StatusCode, String)> {
        let (name, origin) = match destination(&request, port).map_err(refused)? {
            Destination::Name { name, origin } => (name, origin),
            Destination::Proxy => return self.explain(&request, port),
        };
        match origin::asker(request.method(), request.headers(), &origin) {
            Some(Asker::Own) => {}
            Some(Asker::Foreign) if self.names.is_familiar(&name) => {}
            Some(Asker::Foreign) => return Ok(threshold(&request, &name)),
            None => return Err((StatusCode::FORBIDDEN, FOREIGN.to_owned())),
        }
        identity::strip(request.headers_mut());
        let link = self.names.link(name).await.map_err(nobody)?;
        if request.headers().contains_key(UPGRADE) && is_web_socket(request.headers()) {
            return self.upgrade(link, request).await;
        }
        relay(&link, request).await
    }

    fn explain<B>(
        &self,
        request: &Request<B>,
        port: u16,
    ) -> Result<Response<Body>, (StatusCode, String)> {
        let is_front =
            request.uri().path() == "/" && matches!(*request.method(), Method::GET | Method::HEAD);
        match is_front {
            true => Ok(page(request.headers(), StatusCode::OK, &welcome(port))),
            false => Err((StatusCode::NOT_FOUND, welcome(port))),
        }
    }

    async fn upgrade(
        &self,
        link: Link,
        mut request: Request<Incoming>,
    ) -> Result<Response<Body>, (StatusCode, String)> {
        let Some(upgrades) = &self.upgrades else {
            let text = "This proxy passes no WebSockets on.".to_owned();
            return Err((StatusCode::NOT_IMPLEMENTED, text));
        };
        let on_upgrade = OnUpgrade(hyper::upgrade::on(&mut request));
        let (parts, _no_body) = request.into_parts();
        let request = Request::from_parts(parts, ());
        Ok(upgrades.upgrade(link, request, on_upgrade).await)
    }
}

/// What somebody sees whom a foreign page takes to an endpoint that is not known here.
fn threshold<B>(request: &Request<B>, name: &str) -> Response<Body> {
    let text = format!(
        "A page from elsewhere leads to {name}, which this endpoint has nothing to do with yet. To open it, this \
         endpoint links to it, and both learn of each other."
    );
    let path = request.uri().path_and_query();
    let path = path.map_or("/", PathAndQuery::as_str);
    choice(request.headers(), &text, path)
}

const FOREIGN: &str = "A page from elsewhere asked for this, which it may not. Follow a link to this \
                       address, or type it.";

fn welcome(port: u16) -> String {
    format!(
        "This is a mesh proxy. Each endpoint is a site of its own: open http://<name>.localhost:{port}/, with a \
         hashname or the alias of a known link for <name>."
    )
}

fn is_web_socket(headers: &HeaderMap) -> bool {
    headers
        .get_all(UPGRADE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|protocol| protocol.trim().eq_ignore_ascii_case("websocket"))
}

/// Sends a request over the link, and waits for the head of the response.
async fn relay(
    link: &Link,
    mut request: Request<Incoming>,
) -> Result<Response<Body>, (StatusCode, String)> {
    strip_hop_by_hop(request.headers_mut());
    let progress = Progress::default();
    let request = request.map(|body| Steady::new(body, progress.clone()));
    let response = progress
        .or_silence(RESPONSE_TIMEOUT, link.request(request))
        .await;
    match response {
        Some(Ok(response)) => Ok(response),
        // Chunks that are none, or a client that stopped: it is not the endpoint's fault.
        Some(Err(_)) if progress.has_failed() => Err((
            StatusCode::BAD_REQUEST,
            "The body of the request is broken.".to_owned(),
        )),
        Some(Err(error)) => Err(failed(&error)),
        None => Err((
            StatusCode::GATEWAY_TIMEOUT,
            format!("{} does not answer.", link.hashname().short()),
        )),
    }
}

fn refused(error: HostError) -> (StatusCode, String) {
    match error {
        HostError::Malformed(what) => (StatusCode::BAD_REQUEST, format!("Bad request: {what}.")),
        HostError::Misdirected => (
            StatusCode::MISDIRECTED_REQUEST,
            "This proxy leads to endpoints of the mesh only, as http://<name>.localhost at its own port.".to_owned(),
        ),
        HostError::Tunnel => (
            StatusCode::METHOD_NOT_ALLOWED,
            "This proxy makes no tunnels: use http, which the mesh encrypts.".to_owned(),
        ),
    }
}

fn nobody(error: NameError) -> (StatusCode, String) {
    match error {
        NameError::Unknown(text) => (StatusCode::NOT_FOUND, text),
        NameError::Unreachable(text) => (StatusCode::BAD_GATEWAY, text),
    }
}

fn failed(error: &ThtpError) -> (StatusCode, String) {
    let status = match error {
        ThtpError::Request(HeadError::TooLarge) => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
        ThtpError::Request(_) => StatusCode::BAD_REQUEST,
        _ => StatusCode::BAD_GATEWAY,
    };
    (status, format!("No response: {error}."))
}

#[cfg(test)]
mod tests {
    use axum::Router;
    use telehash_runtime::{Accept, Mesh};
    use telehash_transport::memory::MemoryNetwork;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::time::Instant;

    use super::*;
    use crate::BuilderThtpExt as _;

    #[tokio::test(start_paused = true)]
    async fn an_endpoint_that_takes_too_long_is_a_gateway_timeout() {
        let network = MemoryNetwork::new(1);
        let never = Router::new().fallback(async || std::future::pending::<()>().await);
        let server = Mesh::builder().transport(network.endpoint());
        let server = server.accept(Accept::All).serve_thtp(never);
        let server = server.build().await.unwrap();
        let client = Mesh::builder().transport(network.endpoint());
        let client = client.build().await.unwrap();
        let link = client.link(server.local_link_json()).await.unwrap();
        link.wait_up(RESPONSE_TIMEOUT).await.unwrap();
        let proxy = ForwardProxy::new(move |_| std::future::ready(Ok(link.clone())));

        let (mut near, far) = tokio::io::duplex(1 << 16);
        tokio::spawn(connection::converse(far, 8042, Arc::new(proxy.forward)));
        let start = Instant::now();
        let asks = "GET / HTTP/1.1\r\nHost: bob.localhost\r\nConnection: close\r\n\r\n";
        near.write_all(asks.as_bytes()).await.unwrap();
        let mut answer = String::new();
        near.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 504 "), "{answer}");
        assert!(start.elapsed() >= RESPONSE_TIMEOUT);
    }

    async fn asked_by_a_foreign_page(proxy: ForwardProxy) -> String {
        let (mut near, far) = tokio::io::duplex(1 << 16);
        tokio::spawn(connection::converse(far, 8042, Arc::new(proxy.forward)));
        let asks = "GET /x?a='b'&c HTTP/1.1\r\nHost: bob.localhost:8042\r\nConnection: close\r\n\
                    Accept: text/html\r\nSec-Fetch-Site: cross-site\r\nSec-Fetch-Mode: navigate\r\n\
                    Sec-Fetch-Dest: document\r\n\r\n";
        near.write_all(asks.as_bytes()).await.unwrap();
        let mut answer = String::new();
        near.read_to_string(&mut answer).await.unwrap();
        answer
    }

    struct Familiar;

    impl Names for Familiar {
        fn link(
            &self,
            _: String,
        ) -> std::pin::Pin<Box<dyn Future<Output = Result<Link, NameError>> + Send + '_>> {
            Box::pin(async { Err(NameError::Unreachable("away".to_owned())) })
        }

        fn is_familiar(&self, name: &str) -> bool {
            name == "bob"
        }
    }

    #[tokio::test]
    async fn a_foreign_page_leads_nowhere_new_before_somebody_has_said_so() {
        let proxy = ForwardProxy::new(|_| -> std::future::Ready<Result<Link, NameError>> {
            panic!("nobody is to be linked to")
        });
        let answer = asked_by_a_foreign_page(proxy).await;
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
        assert!(
            answer.contains("<a href=\"/x?a=&#39;b&#39;&amp;c\">"),
            "{answer}"
        );
        assert!(answer.contains("frame-ancestors"), "{answer}");
        let answer = asked_by_a_foreign_page(ForwardProxy::new(Familiar)).await;
        assert!(answer.starts_with("HTTP/1.1 502 "), "{answer}");
        assert!(answer.contains("cross-origin-opener-policy"), "{answer}");
    }
}
