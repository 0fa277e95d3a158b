//! The proxy to a local web server.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use http::header::{HOST, HeaderName, HeaderValue, LOCATION};
use http::uri::{Authority, PathAndQuery, Scheme};
use http::{HeaderMap, Method, Request, Response, StatusCode, Uri, Version};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use tower_service::Service;

use super::identity;
use super::page::page;
use super::stall::{Progress, Steady};
use crate::body::Body;
use crate::headers::{IDENTITY_HEADER, strip_hop_by_hop};
use crate::server::Peer;

/// Limit: how long the local server may take to accept a connection; then the peer gets 502.
pub const BACKEND_CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Limit: how long the local server may take for the head of its response, once the request has arrived;
/// then the peer gets 504.
pub const BACKEND_TIMEOUT: Duration = Duration::from_secs(60);

/// Limit: idle connections to the local server that are kept for the next request; more are closed.
pub const MAX_IDLE_BACKENDS: usize = 64;

/// Why an address is no local server's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BackendError {
    /// It cannot be read.
    #[error("not the URL of a web server: {0}")]
    Url(String),
    /// It is not `http://host:port/` with a path or without.
    #[error("a local web server is http://host:port, as http://127.0.0.1:3000")]
    Unsupported,
}

/// A service that passes requests on to a local web server, for
/// [`serve_thtp`](crate::BuilderThtpExt::serve_thtp).
///
/// The server learns from [`IDENTITY_HEADER`] whose request it is; what the peer itself says there, in
/// `forwarded`, `x-real-ip` or in any `x-forwarded-` header is removed. `host` is the server's own, and
/// `x-forwarded-host` what the peer said it to be: it proves nothing. A `location` at the server leads
/// to where the peer asked. Without a response the peer gets 502, or 504 if it took too long.
#[derive(Clone, Debug)]
pub struct ReverseProxy {
    authority: Authority,
    host: HeaderValue,
    /// In front of every path; without a slash at its end.
    base: String,
    client: Client<HttpConnector, Steady<Body>>,
}

impl ReverseProxy {
    /// To the server at an URL such as `http://127.0.0.1:3000`; a path in it goes before every other.
    ///
    /// # Errors
    /// It is no such URL.
    pub fn new(url: &str) -> Result<Self, BackendError> {
        let uri: Uri = url
            .parse()
            .map_err(|error: http::uri::InvalidUri| BackendError::Url(error.to_string()))?;
        let parts = uri.into_parts();
        let authority = parts.authority.ok_or(BackendError::Unsupported)?;
        let path = parts
            .path_and_query
            .unwrap_or_else(|| PathAndQuery::from_static("/"));
        let is_plain = parts.scheme == Some(Scheme::HTTP)
            && path.query().is_none()
            && !authority.as_str().contains('@');
        let host = HeaderValue::from_str(authority.as_str());
        let (true, Ok(host)) = (is_plain, host) else {
            return Err(BackendError::Unsupported);
        };
        let base = path.path().trim_end_matches('/').to_owned();
        Ok(Self {
            authority,
            host,
            base,
            client: client(),
        })
    }

    async fn pass(self, request: Request<Body>) -> Response<Body> {
        let asked = request.headers().clone();
        if matches!(*request.method(), Method::CONNECT | Method::TRACE) {
            let text = "This endpoint makes no tunnels.";
            return page(&asked, StatusCode::METHOD_NOT_ALLOWED, text);
        }
        if !self.base.is_empty() && climbs(request.uri().path()) {
            let text = "The path leads out of what is served.";
            return page(&asked, StatusCode::BAD_REQUEST, text);
        }
        let progress = Progress::default();
        let request = match self.for_server(request) {
            Ok(request) => request.map(|body| Steady::new(body, progress.clone())),
            Err(_) => {
                return page(
                    &asked,
                    StatusCode::BAD_REQUEST,
                    "The path cannot be passed on.",
                );
            }
        };
        match progress
            .or_silence(BACKEND_TIMEOUT, self.client.request(request))
            .await
        {
            Some(Ok(response)) => self.for_peer(response),
            Some(Err(error)) => {
                tracing::warn!(%error, "the local server does not answer");
                let text = "The web server behind this endpoint cannot be reached, or broke off.";
                page(&asked, StatusCode::BAD_GATEWAY, text)
            }
            None => {
                let text = "The web server behind this endpoint takes too long.";
                page(&asked, StatusCode::GATEWAY_TIMEOUT, text)
            }
        }
    }

    fn for_server(&self, mut request: Request<Body>) -> Result<Request<Body>, http::Error> {
        let path = request
            .uri()
            .path_and_query()
            .map_or("/", PathAndQuery::as_str);
        *request.uri_mut() = Uri::builder()
            .scheme(Scheme::HTTP)
            .authority(self.authority.clone())
            .path_and_query(format!("{}{path}", self.base))
            .build()?;
        *request.version_mut() = Version::HTTP_11;
        let peer = request.extensions_mut().remove::<Peer>();
        let headers = request.headers_mut();
        strip_hop_by_hop(headers);
        identity::strip(headers);
        if let Some(Peer(hashname)) = peer {
            headers.insert(
                IDENTITY_HEADER,
                HeaderValue::try_from(hashname.to_string())?,
            );
        }
        if let Some(host) = headers.insert(HOST, self.host.clone()) {
            headers.insert(FORWARDED_HOST, host);
            headers.insert(FORWARDED_PROTO, HeaderValue::from_static("http"));
        }
        Ok(request)
    }

    fn for_peer(&self, response: Response<hyper::body::Incoming>) -> Response<Body> {
        let mut response = response.map(Body::new);
        strip_hop_by_hop(response.headers_mut());
        self.relocate(response.headers_mut());
        response
    }

    /// The server's own address means nothing to the peer.
    fn relocate(&self, headers: &mut HeaderMap) {
        let own = format!("http://{}{}", self.authority, self.base);
        let there = headers
            .get(LOCATION)
            .and_then(|location| location.to_str().ok())
            .and_then(|location| location.strip_prefix(&own))
            .filter(|rest| rest.is_empty() || rest.starts_with(['/', '?', '#']))
            .map(|rest| if rest.starts_with('/') { rest.to_owned() } else { format!("/{rest}") })
            // Two slashes would name a host.
            .filter(|path| !path.starts_with("//"));
        if let Some(Ok(there)) = there.map(HeaderValue::try_from) {
            headers.insert(LOCATION, there);
        }
    }
}

/// Whether a server may take a path to lead upwards, so that one before it would be no fence: `.` and
/// `..` between slashes or backslashes, as they are or percent-encoded, before a `;` or not.
#[must_use]
pub fn climbs(path: &str) -> bool {
    let path = percent_encoding::percent_decode_str(path).decode_utf8_lossy();
    path.split(['/', '\\']).any(|segment| {
        let name = segment.split(';').next().unwrap_or_default();
        matches!(name, "." | "..")
    })
}

const FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

fn client() -> Client<HttpConnector, Steady<Body>> {
    let mut connector = HttpConnector::new();
    connector.set_nodelay(true);
    connector.set_connect_timeout(Some(BACKEND_CONNECT_TIMEOUT));
    Client::builder(TokioExecutor::new())
        .pool_timer(TokioTimer::new())
        .timer(TokioTimer::new())
        .pool_max_idle_per_host(MAX_IDLE_BACKENDS)
        .build(connector)
}

impl Service<Request<Body>> for ReverseProxy {
    type Response = Response<Body>;
    type Error = std::convert::Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let proxy = self.clone();
        Box::pin(async move { Ok(proxy.pass(request).await) })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use telehash_hashname::Hashname;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::{TcpListener, TcpSocket, TcpStream};
    use tokio::sync::{Barrier, mpsc};
    use tokio::time::{Instant, timeout};

    use super::*;

    #[test]
    fn only_plain_http_addresses_are_local_servers() {
        for good in ["http://127.0.0.1:3000", "http://localhost:3000/app/"] {
            ReverseProxy::new(good).unwrap();
        }
        for bad in [
            "",
            "127.0.0.1:3000",
            "https://a",
            "http://u@a",
            "http://a/?x",
            "/x",
            "ftp://a",
        ] {
            ReverseProxy::new(bad).unwrap_err();
        }
    }

    #[tokio::test]
    async fn a_path_in_the_address_of_a_server_is_a_fence() {
        for path in [
            "/../admin",
            "/x/..",
            "/./",
            "/%2e%2E/admin",
            "/.%2e/x",
            "/..%2fadmin",
            "/..%5cx",
            "/..;a/x",
        ] {
            assert!(climbs(path), "{path}");
            let fenced = ReverseProxy::new("http://127.0.0.1:1/public").unwrap();
            let request = Request::get(path).body(Body::empty()).unwrap();
            let status = fenced.pass(request).await.status();
            assert_eq!(status, StatusCode::BAD_REQUEST, "{path}");
        }
        for path in ["/", "/...", "/a..b/.c", "/x;..", "/%2e%2e%2e/"] {
            assert!(!climbs(path), "{path}");
        }
    }

    #[tokio::test]
    async fn tunnels_and_echoes_are_not_for_peers_to_ask_for() {
        let proxy = ReverseProxy::new("http://127.0.0.1:1").unwrap();
        for method in [Method::CONNECT, Method::TRACE] {
            let mut request = Request::new(Body::empty());
            *request.method_mut() = method;
            let status = proxy.clone().pass(request).await.status();
            assert_eq!(status, StatusCode::METHOD_NOT_ALLOWED);
        }
    }

    #[tokio::test]
    async fn the_server_learns_who_asks_from_us_alone() {
        let proxy = ReverseProxy::new("http://127.0.0.1:3000/app/").unwrap();
        let peer = Hashname::from_bytes([7; 32]);
        let request = Request::get("/x?y")
            .header(HOST, "bob.localhost:8042")
            .header("x-mesh-peer", "me")
            .header("x_mesh_peer", "me")
            .header("x-forwarded-for", "127.0.0.1")
            .extension(Peer(peer))
            .body(Body::empty())
            .unwrap();
        let request = proxy.for_server(request).unwrap();
        assert_eq!(request.uri(), "http://127.0.0.1:3000/app/x?y");
        assert_eq!(request.headers()[HOST], "127.0.0.1:3000");
        assert_eq!(request.headers()["x-forwarded-host"], "bob.localhost:8042");
        assert_eq!(request.headers()["x-mesh-peer"], peer.to_string());
        assert!(!request.headers().contains_key("x_mesh_peer"));
        assert!(!request.headers().contains_key("x-forwarded-for"));
    }

    #[tokio::test]
    async fn a_redirect_to_the_server_itself_leads_to_the_endpoint() {
        let proxy = ReverseProxy::new("http://127.0.0.1:3000").unwrap();
        for (from, to) in [
            ("http://127.0.0.1:3000/x", "/x"),
            ("http://127.0.0.1:3000", "/"),
            ("http://127.0.0.1:30001/x", "http://127.0.0.1:30001/x"),
            (
                "http://127.0.0.1:3000//evil.example/",
                "http://127.0.0.1:3000//evil.example/",
            ),
            ("https://example.org/", "https://example.org/"),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(LOCATION, HeaderValue::from_str(from).unwrap());
            proxy.relocate(&mut headers);
            assert_eq!(headers[LOCATION], to, "{from}");
        }
    }

    /// The status that the peer gets of a server there.
    async fn status(address: std::net::SocketAddr) -> StatusCode {
        let proxy = ReverseProxy::new(&format!("http://{address}")).unwrap();
        proxy.pass(Request::new(Body::empty())).await.status()
    }

    #[tokio::test(start_paused = true)]
    async fn a_server_that_does_not_answer_is_a_gateway_timeout() {
        let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let start = Instant::now();
        let status = status(silent.local_addr().unwrap()).await;
        assert_eq!(status, StatusCode::GATEWAY_TIMEOUT);
        assert!(start.elapsed() >= BACKEND_TIMEOUT);
    }

    #[tokio::test(start_paused = true)]
    async fn a_server_that_accepts_no_connection_is_a_bad_gateway() {
        let full = TcpSocket::new_v4().unwrap();
        full.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let full = full.listen(1).unwrap();
        let address = full.local_addr().unwrap();
        let mut waiting = Vec::new();
        while let Ok(stream) = timeout(Duration::from_secs(1), TcpStream::connect(address)).await {
            waiting.push(stream.unwrap());
            assert!(waiting.len() < 100, "it has room for all");
        }
        let start = Instant::now();
        assert_eq!(status(address).await, StatusCode::BAD_GATEWAY);
        let waited = start.elapsed();
        assert!(waited >= BACKEND_CONNECT_TIMEOUT && waited < BACKEND_TIMEOUT);
    }

    /// Answers each of `count` requests when all have come. Tells of each connection, and of its end.
    async fn answers_together(count: usize) -> (String, mpsc::Receiver<()>, mpsc::Receiver<()>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (opened, opens) = mpsc::channel(2 * count);
        let (closed, closes) = mpsc::channel(2 * count);
        let all = Arc::new(Barrier::new(count));
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let (all, closed) = (all.clone(), closed.clone());
                opened.send(()).await.unwrap();
                tokio::spawn(async move {
                    let mut head = Vec::new();
                    while stream.read_buf(&mut head).await.is_ok_and(|read| read > 0) {
                        if head.ends_with(b"\r\n\r\n") {
                            head.clear();
                            all.wait().await;
                            let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
                            stream.write_all(answer).await.unwrap();
                        }
                    }
                    closed.send(()).await.unwrap();
                });
            }
        });
        (url, opens, closes)
    }

    async fn is_closed(closes: &mut mpsc::Receiver<()>) {
        let closed = timeout(BACKEND_TIMEOUT, closes.recv()).await;
        closed.expect("too many are kept").unwrap();
    }

    #[tokio::test]
    async fn as_many_idle_connections_are_kept_as_the_limit_and_no_more() {
        let count = MAX_IDLE_BACKENDS + 1;
        let (url, mut opens, mut closes) = answers_together(count).await;
        let proxy = ReverseProxy::new(&url).unwrap();
        let ask_at_once = async || {
            let one = |_| proxy.clone().pass(Request::new(Body::empty()));
            for response in futures::future::join_all((0..count).map(one)).await {
                assert_eq!(response.status(), StatusCode::OK);
            }
        };
        ask_at_once().await;
        is_closed(&mut closes).await;
        for _ in 0..count {
            opens.try_recv().unwrap();
        }
        // All but one are used again.
        ask_at_once().await;
        opens.try_recv().unwrap();
        opens.try_recv().unwrap_err();
        is_closed(&mut closes).await;
        closes.try_recv().unwrap_err();
    }
}
