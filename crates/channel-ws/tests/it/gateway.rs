//! A WebSocket client, a link between two endpoints, and a WebSocket server, in a row.

use std::convert::Infallible;
use std::net::SocketAddr;

use futures::{SinkExt as _, StreamExt as _};
use http::{HeaderValue, Request, StatusCode};
use http_body_util::Empty;
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use telehash_channel_ws::gateway::{LocalServer, to_link};
use telehash_channel_ws::{IncomingWs, WsError, WsRoutes};
use telehash_runtime::Link;
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, WebSocketConfig};
use tokio_tungstenite::tungstenite::{self, Message};
use tokio_tungstenite::{WebSocketStream, client_async_with_config};

use crate::common::{Pair, pattern, within};

type Client = WebSocketStream<TcpStream>;

/// A client's address, and what is behind it.
struct Row {
    gateway: SocketAddr,
    _pair: Pair,
}

impl Row {
    async fn new(routes: WsRoutes) -> Self {
        let pair = Pair::new(routes).await;
        let gateway = serve_http(pair.link.clone()).await;
        Self {
            gateway,
            _pair: pair,
        }
    }

    /// All the way to an echo server that is tungstenite's.
    async fn to_echo() -> Self {
        let address = echo_server().await;
        let local = LocalServer::new(&format!("ws://{address}/base")).unwrap();
        let routes = WsRoutes::new().under("/", move |incoming: IncomingWs| {
            let local = local.clone();
            async move { local.take(incoming).await }
        });
        Self::new(routes).await
    }

    async fn connect(&self, path: &str) -> Result<Client, tungstenite::Error> {
        self.connect_with(path, |_| {}).await
    }

    async fn connect_with(
        &self,
        path: &str,
        change: impl FnOnce(&mut Request<()>),
    ) -> Result<Client, tungstenite::Error> {
        let uri = format!("ws://{}{path}", self.gateway);
        let mut request = uri.into_client_request().unwrap();
        change(&mut request);
        let tcp = TcpStream::connect(self.gateway).await.unwrap();
        within(client_async_with_config(request, tcp, Some(unlimited())))
            .await
            .map(|(client, _)| client)
    }
}

fn unlimited() -> WebSocketConfig {
    WebSocketConfig::default()
        .max_message_size(None)
        .max_frame_size(None)
}

/// An HTTP server that hands upgrades to the link.
async fn serve_http(link: Link) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((tcp, _)) = listener.accept().await {
            let link = link.clone();
            let service = hyper::service::service_fn(move |mut request: Request<Incoming>| {
                let link = link.clone();
                async move {
                    let upgrade = hyper::upgrade::on(&mut request);
                    let response = match to_link(&link, &request).await {
                        Err(response) => response,
                        Ok((response, bridge)) => {
                            tokio::spawn(async move {
                                bridge.run(TokioIo::new(upgrade.await.unwrap())).await;
                            });
                            response
                        }
                    };
                    Ok::<_, Infallible>(response.map(|()| Empty::<bytes::Bytes>::new()))
                }
            });
            let connection = hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(tcp), service)
                .with_upgrades();
            tokio::spawn(connection);
        }
    });
    address
}

/// Echoes, and refuses whoever does not come to `/base/echo` from its own pages.
async fn echo_server() -> SocketAddr {
    use tungstenite::handshake::server::{ErrorResponse, Request, Response};
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((tcp, _)) = listener.accept().await {
            #[expect(clippy::result_large_err, reason = "the signature is tungstenite's")]
            let check = move |request: &Request, mut response: Response| {
                let header = |name| request.headers().get(name).cloned();
                let own = HeaderValue::from_str(&format!("http://{address}")).unwrap();
                let in_order = header("origin") == Some(own) && request.uri() == "/base/echo?a=b";
                if !in_order {
                    let mut refusal = ErrorResponse::new(None);
                    *refusal.status_mut() = StatusCode::NOT_FOUND;
                    return Err(refusal);
                }
                if let Some(name) = header("sec-websocket-protocol") {
                    response
                        .headers_mut()
                        .insert("sec-websocket-protocol", name);
                }
                Ok(response)
            };
            tokio::spawn(async move {
                let config = Some(unlimited());
                let accepted =
                    tokio_tungstenite::accept_hdr_async_with_config(tcp, check, config).await;
                let Ok(mut ws) = accepted else { return };
                while let Some(Ok(message)) = ws.next().await {
                    let echo = message.is_text() || message.is_binary();
                    if echo && ws.send(message).await.is_err() {
                        return;
                    }
                }
            });
        }
    });
    address
}

async fn next(client: &mut Client) -> Message {
    within(client.next()).await.unwrap().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_of_all_sizes_go_through_and_come_back() {
    let row = Row::to_echo().await;
    let mut client = row.connect("/echo?a=b").await.unwrap();
    for message in [
        Message::text(""),
        Message::binary(vec![]),
        Message::text("grüße ✓"),
        Message::binary(pattern(70_000)),
        Message::text("✓".repeat(50_000)),
        Message::binary(pattern((16 << 20) + 1)),
    ] {
        let (mut sink, mut stream) = client.split();
        let (sent, received) =
            within(async { tokio::join!(sink.send(message.clone()), stream.next()) }).await;
        sent.unwrap();
        assert!(received.unwrap().unwrap() == message);
        client = sink.reunite(stream).unwrap();
    }
    client.send(Message::Ping("?".into())).await.unwrap();
    assert_eq!(next(&mut client).await, Message::Pong("?".into()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn closes_go_through_with_code_and_reason() {
    let row = Row::to_echo().await;
    for code in [1000, 1001, 1008, 1011, 3000, 4999] {
        let mut client = row.connect("/echo?a=b").await.unwrap();
        let reason = "so long".into();
        let code = CloseCode::from(code);
        let frame = CloseFrame { code, reason };
        client.close(Some(frame.clone())).await.unwrap();
        assert_eq!(next(&mut client).await, Message::Close(Some(frame)));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_refuses_is_heard_and_so_is_the_subprotocol() {
    let row = Row::to_echo().await;
    let status = |result: Result<Client, tungstenite::Error>| match result {
        Err(tungstenite::Error::Http(response)) => response.status(),
        other => panic!("{:?}", other.err()),
    };
    assert_eq!(status(row.connect("/other").await), StatusCode::NOT_FOUND);
    let name = HeaderValue::from_static("chat");
    let offering = |request: &mut Request<()>| {
        request.headers_mut().insert("sec-websocket-protocol", name);
    };
    row.connect_with("/echo?a=b", offering).await.unwrap();
    let elsewhere = |request: &mut Request<()>| {
        let origin = HeaderValue::from_static("http://evil.example");
        request.headers_mut().insert("origin", origin);
    };
    let foreign = row.connect_with("/echo?a=b", elsewhere).await;
    assert_eq!(
        status(foreign),
        StatusCode::FORBIDDEN,
        "the routes allow no origin"
    );
    let old = |request: &mut Request<()>| {
        let version = HeaderValue::from_static("8");
        request
            .headers_mut()
            .insert("sec-websocket-version", version);
    };
    assert_eq!(
        status(row.connect_with("/echo?a=b", old).await),
        StatusCode::UPGRADE_REQUIRED
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_vanishes_or_sends_nonsense_is_gone_for_the_peer() {
    let (told, mut heard) = tokio::sync::mpsc::channel(1);
    let routes = WsRoutes::new().path("/", move |incoming: IncomingWs| {
        let told = told.clone();
        async move {
            let mut ws = incoming.accept().await.unwrap();
            told.send(ws.recv().await).await.unwrap();
        }
    });
    let row = Row::new(routes).await;
    drop(row.connect("/").await.unwrap());
    let gone = within(heard.recv()).await.unwrap();
    assert!(matches!(gone, Err(WsError::Channel(_))), "{gone:?}");

    let mut client = row.connect("/").await.unwrap();
    let nonsense = tungstenite::protocol::frame::Frame::message(
        vec![0xff],
        tungstenite::protocol::frame::coding::OpCode::Data(
            tungstenite::protocol::frame::coding::Data::Text,
        ),
        true,
    );
    client.send(Message::Frame(nonsense)).await.unwrap();
    let Message::Close(Some(frame)) = next(&mut client).await else {
        panic!("no close")
    };
    assert_eq!(u16::from(frame.code), 1007);
    let told = within(heard.recv()).await.unwrap().unwrap();
    let Some(telehash_channel_ws::Message::Close(Some(frame))) = told else {
        panic!("{told:?}")
    };
    assert_eq!(frame.code.get(), 1007);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_server_the_answer_is_bad_gateway() {
    let free = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = free.local_addr().unwrap();
    drop(free);
    let local = LocalServer::new(&format!("http://{address}")).unwrap();
    let routes = WsRoutes::new().under("/", move |incoming: IncomingWs| {
        let local = local.clone();
        async move { local.take(incoming).await }
    });
    let row = Row::new(routes).await;
    match row.connect("/").await {
        Err(tungstenite::Error::Http(response)) => {
            assert_eq!(response.status(), StatusCode::BAD_GATEWAY);
        }
        other => panic!("{:?}", other.err()),
    }
}

#[test]
fn addresses_that_are_none_are_refused() {
    for address in [
        "",
        "127.0.0.1:80",
        "ftp://x",
        "http://u@x",
        "http://x/?q",
        "wss://x",
    ] {
        assert!(LocalServer::new(address).is_err(), "{address}");
    }
}
