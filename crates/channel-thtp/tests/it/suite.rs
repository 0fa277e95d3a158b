//! What holds over every transport.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::Router;
use axum::routing::{get, post};
use bytes::Bytes;
use futures::future::join_all;
use futures::{Stream, StreamExt as _, stream};
use http::{Request, Response, StatusCode};
use http_body::Frame;
use http_body_util::{BodyExt as _, StreamBody};
use sha2::{Digest as _, Sha256};
use telehash_channel_thtp::{Body, LinkThtpExt as _, Peer};
use tokio::sync::mpsc;

use crate::common::{Road, pattern, whole, within};

/// A body of what a stream yields.
fn body_of<S>(pieces: S) -> Body
where
    S: Stream<Item = Result<Bytes, std::io::Error>> + Send + 'static,
{
    Body::new(StreamBody::new(pieces.map(|piece| piece.map(Frame::data))))
}

/// A body of what is sent to it.
fn fed() -> (mpsc::Sender<Bytes>, Body) {
    let (sender, receiver) = mpsc::channel(1);
    let pieces = stream::unfold(receiver, async |mut receiver: mpsc::Receiver<Bytes>| {
        let piece = receiver.recv().await?;
        Some((Ok(piece), receiver))
    });
    (sender, body_of(pieces))
}

async fn echo(request: Request<axum::body::Body>) -> Response<axum::body::Body> {
    Response::new(request.into_body())
}

async fn panics() -> &'static str {
    panic!("as the test wants it")
}

fn router() -> Router {
    let hello = async |peer: axum::Extension<Peer>| format!("Hello, {}!", peer.0.0);
    Router::new()
        .route("/hello", get(hello))
        .route("/echo", post(echo))
        .route("/panic", get(panics))
}

fn posted(body: Body) -> Request<Body> {
    Request::post("/echo").body(body).unwrap()
}

/// GET, HEAD, POST, 404, 405, 500.
async fn requests_are_answered(road: Road) {
    let pair = road.pair(router()).await;
    within(async {
        let hello = pair.get("/hello").await;
        assert_eq!(hello.status(), StatusCode::OK);
        let expected = format!("Hello, {}!", pair.client.hashname());
        assert_eq!(
            hello.headers()["content-length"],
            expected.len().to_string()
        );
        assert_eq!(whole(hello).await, expected);

        let head = Request::head("/hello").body(Body::empty()).unwrap();
        let head = pair.link.request(head).await.unwrap();
        assert_eq!(head.headers()["content-length"], expected.len().to_string());
        assert_eq!(whole(head).await, "");

        for len in [0, 1, 850, 15_000] {
            let sent = pattern(len);
            let echoed = pair.link.request(posted(Body::full(sent.clone()))).await;
            assert!(whole(echoed.unwrap()).await == sent, "{len} bytes");
        }
        assert_eq!(pair.get("/nothing").await.status(), StatusCode::NOT_FOUND);
        let wrong = pair.get("/echo").await;
        assert_eq!(wrong.status(), StatusCode::METHOD_NOT_ALLOWED);
        let failed = pair.get("/panic").await;
        assert_eq!(failed.status(), StatusCode::INTERNAL_SERVER_ERROR);
    })
    .await;
    pair.close().await;
}

/// Each piece comes back before the next one is sent.
async fn bodies_stream_both_ways_at_once(road: Road) {
    let pair = road.pair(router()).await;
    within(async {
        let (sender, body) = fed();
        let mut echoed = pair.link.request(posted(body)).await.unwrap().into_body();
        for number in 0..20_u8 {
            sender.send(Bytes::from(vec![number; 100])).await.unwrap();
            let mut piece = Vec::new();
            while piece.len() < 100 {
                piece.extend(echoed.frame().await.unwrap().unwrap().into_data().unwrap());
            }
            assert_eq!(piece, [number; 100]);
        }
        drop(sender);
        assert!(echoed.frame().await.is_none());
    })
    .await;
    pair.close().await;
}

/// A server that sends events one by one, while its response stays open.
async fn events_arrive_one_by_one(road: Road) {
    let (events, receiver) = mpsc::channel::<Bytes>(1);
    let receiver = Arc::new(tokio::sync::Mutex::new(receiver));
    let service = tower_of(move |_| {
        let receiver = receiver.clone();
        async move {
            let pieces = stream::unfold(receiver, async |receiver| {
                let event = receiver.lock().await.recv().await?;
                Some((Ok(event), receiver))
            });
            Ok::<_, Infallible>(Response::new(body_of(pieces)))
        }
    });
    let pair = road.pair(service).await;
    within(async {
        let mut body = pair.get("/").await.into_body();
        for number in 0..10 {
            let event = format!("data: {number}\n\n");
            events.send(event.clone().into()).await.unwrap();
            let frame = body.frame().await.unwrap().unwrap();
            assert_eq!(frame.into_data().unwrap(), event);
        }
    })
    .await;
    pair.close().await;
}

/// 20 MB there and back (2 MB where packets are lost), by their digests.
async fn large_bodies_arrive_unchanged(road: Road) {
    let pieces = if road == Road::LossyMemory { 32 } else { 320 };
    let piece = |number: usize| Bytes::from(pattern(65_536 + number));
    let pair = road.pair(router()).await;
    within(async {
        let body = body_of(stream::iter(
            (0..pieces).map(move |number| Ok(piece(number))),
        ));
        let mut echoed = pair.link.request(posted(body)).await.unwrap().into_body();
        let (mut sent, mut came) = (Sha256::new(), Sha256::new());
        (0..pieces).for_each(|number| sent.update(piece(number)));
        while let Some(frame) = echoed.frame().await {
            came.update(frame.unwrap().into_data().unwrap());
        }
        assert_eq!(sent.finalize(), came.finalize());
    })
    .await;
    pair.close().await;
}

/// Most that is under way while nobody reads: buffers of the channel at either end, and some.
const MOST_UNDER_WAY: usize = 16 << 20;

/// A body without an end is made only as fast as it is read.
async fn a_slow_reader_holds_the_writer_back(road: Road) {
    let made = Arc::new(AtomicUsize::new(0));
    let counter = made.clone();
    let service = tower_of(move |_| {
        let counter = counter.clone();
        let pieces = stream::repeat_with(move || {
            counter.fetch_add(65_536, Ordering::Relaxed);
            Ok(Bytes::from_static(&[7; 65_536]))
        });
        async move { Ok::<_, Infallible>(Response::new(body_of(pieces))) }
    });
    let pair = road.pair(service).await;
    within(async {
        let mut body = pair.get("/").await.into_body();
        // Until nothing moves any more.
        let mut before = 0;
        while before != made.load(Ordering::Relaxed) || before == 0 {
            before = made.load(Ordering::Relaxed);
            assert!(
                before < MOST_UNDER_WAY,
                "{before} bytes are made, none is read"
            );
            tokio::time::sleep(Duration::from_millis(300)).await;
        }
        while made.load(Ordering::Relaxed) == before {
            body.frame().await.unwrap().unwrap();
        }
    })
    .await;
    pair.close().await;
}

async fn many_requests_run_at_once(road: Road) {
    let pair = road.pair(router()).await;
    let one = async |number: usize| {
        let sent = pattern(3000 + number);
        let echoed = pair.link.request(posted(Body::full(sent.clone()))).await;
        assert!(whole(echoed.unwrap()).await == sent);
    };
    within(join_all((0..64).map(one))).await;
    pair.close().await;
}

/// Tells when it is dropped.
struct Dropped(mpsc::Sender<()>);

impl Drop for Dropped {
    fn drop(&mut self) {
        let _ = self.0.try_send(());
    }
}

/// Of a request without a response, and of one whose response is under way.
async fn giving_up_ends_the_servers_work(road: Road) {
    let (dropped, mut seen) = mpsc::channel(4);
    let (begun, mut works) = mpsc::channel(4);
    let service = tower_of(move |request: Request<Body>| {
        let (guard, begun) = (Dropped(dropped.clone()), begun.clone());
        async move {
            if request.uri() == "/never" {
                begun.send(()).await.unwrap();
                std::future::pending::<()>().await;
            }
            let pieces = stream::once(async { Ok(Bytes::from_static(b"first")) });
            let never = stream::once(async move {
                let _guard = guard;
                std::future::pending().await
            });
            Ok::<_, Infallible>(Response::new(body_of(pieces.chain(never))))
        }
    });
    let pair = road.pair(service).await;
    within(async {
        let link = pair.link.clone();
        let asks = tokio::spawn(async move {
            let request = Request::get("/never").body(Body::empty()).unwrap();
            link.request(request).await.map(drop)
        });
        works.recv().await.unwrap();
        asks.abort();
        seen.recv().await.unwrap();

        let mut body = pair.get("/").await.into_body();
        assert_eq!(
            body.frame().await.unwrap().unwrap().into_data().unwrap(),
            "first"
        );
        assert!(seen.try_recv().is_err(), "it goes on while it is wanted");
        drop(body);
        seen.recv().await.unwrap();
    })
    .await;
    pair.close().await;
}

/// Neither a body that fails nor one of a wrong length ends cleanly.
async fn a_body_that_breaks_off_is_an_error(road: Road) {
    let service = tower_of(async |request: Request<Body>| {
        let some = || Ok(Bytes::from_static(b"some"));
        let response = Response::builder();
        Ok::<_, Infallible>(match request.uri().path() {
            "/fails" => {
                let fails = [some(), Err(std::io::Error::other("the disk burns"))];
                Response::new(body_of(stream::iter(fails)))
            }
            "/short" => response
                .header("content-length", 5)
                .body(Body::full("some"))
                .unwrap(),
            _ => response
                .header("content-length", 3)
                .body(Body::full("some"))
                .unwrap(),
        })
    });
    let pair = road.pair(service).await;
    within(async {
        for path in ["/fails", "/short", "/long"] {
            let request = Request::get(path).body(Body::empty()).unwrap();
            // A body that fails at once may leave no response at all.
            if let Ok(response) = pair.link.request(request).await {
                let read = response.into_body().collect().await;
                assert!(read.is_err(), "{path}: {read:?}");
            } else {
                assert_eq!(path, "/fails");
            }
        }
    })
    .await;
    pair.close().await;
}

/// The client's body fails: the server sees no whole one, and the client hears of it.
async fn a_request_that_breaks_off_is_an_error(road: Road) {
    let (told, mut read) = mpsc::channel(4);
    let service = tower_of(move |request: Request<Body>| {
        let told = told.clone();
        async move {
            let collected = request.into_body().collect().await.map(|_| ());
            told.send(collected.is_err()).await.unwrap();
            Ok::<_, Infallible>(Response::new(Body::empty()))
        }
    });
    let pair = road.pair(service).await;
    within(async {
        let short = Request::post("/")
            .header("content-length", 9)
            .body(Body::full("some"));
        let answered = pair.link.request(short.unwrap()).await.unwrap();
        assert!(read.recv().await.unwrap());
        drop(answered);

        let (go, wait) = tokio::sync::oneshot::channel::<()>();
        let some = stream::once(async { Ok(Bytes::from(pattern(5000))) });
        let fails = stream::once(async {
            let _ = wait.await;
            Err(std::io::Error::other("the disk burns"))
        });
        let request = Request::post("/").body(body_of(some.chain(fails))).unwrap();
        let asks = pair.link.request(request);
        let (asked, ()) = tokio::join!(asks, async { go.send(()).unwrap() });
        assert!(asked.is_err());
    })
    .await;
    pair.close().await;
}

/// A service of a function.
fn tower_of<F, Fut>(function: F) -> Function<F>
where
    F: Fn(Request<Body>) -> Fut + Clone,
    Fut: Future<Output = Result<Response<Body>, Infallible>>,
{
    Function(function)
}

#[derive(Clone)]
struct Function<F>(F);

impl<F, Fut> tower_service::Service<Request<Body>> for Function<F>
where
    F: Fn(Request<Body>) -> Fut,
    Fut: Future<Output = Result<Response<Body>, Infallible>>,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Fut;

    fn poll_ready(
        &mut self,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Result<(), Infallible>> {
        std::task::Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Fut {
        (self.0)(request)
    }
}

macro_rules! suite {
    ($($road:ident: $variant:ident),* $(,)?) => {$(
        mod $road {
            suite!(@tests $variant: requests_are_answered, bodies_stream_both_ways_at_once,
                events_arrive_one_by_one, large_bodies_arrive_unchanged,
                a_slow_reader_holds_the_writer_back, many_requests_run_at_once,
                giving_up_ends_the_servers_work, a_body_that_breaks_off_is_an_error,
                a_request_that_breaks_off_is_an_error);
        }
    )*};
    (@tests $variant:ident: $($body:ident),*) => {$(
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $body() {
            super::$body(crate::common::Road::$variant).await;
        }
    )*};
}

suite!(lossy_memory: LossyMemory, udp: Udp, tcp: Tcp, quic: Quic);
