//! What goes on the wire, and what may not.

use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use axum::Router;
use axum::routing::get;
use bytes::Bytes;
use http::{HeaderMap, Request};
use http_body::Frame;
use serde_json::{Value, json};
use telehash_channel_thtp::limits::{HEAD_TIMEOUT, UNREAD_TIMEOUT};
use telehash_channel_thtp::{Body, IDENTITY_HEADER, LinkThtpExt as _};
use telehash_runtime::{Channel, Open, Packet};
use tokio::sync::oneshot;
use tokio::time::Instant;

use crate::common::{Pair, Road, whole, within};

async fn pair() -> Pair {
    let who = async |headers: HeaderMap| {
        let values = headers.get_all(IDENTITY_HEADER).iter();
        let values: Vec<_> = values
            .map(|value| value.to_str().unwrap().to_owned())
            .collect();
        values.join(" and ")
    };
    Road::Udp.pair(Router::new().route("/who", get(who))).await
}

fn lob(head: &Value) -> Vec<u8> {
    telehash_lob::encode_json(head.as_object().unwrap(), b"").unwrap()
}

/// All that comes back, and its status.
async fn answer(mut channel: Channel) -> (Value, Vec<u8>) {
    let mut bytes = Vec::new();
    while let Some(packet) = channel.recv().await.unwrap() {
        bytes.extend_from_slice(&packet.body);
    }
    let lob = telehash_lob::Lob::parse(&bytes).unwrap();
    (lob.json().unwrap()[":status"].clone(), lob.body().to_vec())
}

async fn asked(pair: &Pair, bytes: &[u8]) -> (Value, Vec<u8>) {
    // The way JavaScript does it: the end is a packet of its own.
    let first = &bytes[..bytes.len().min(1000)];
    let open = Open::reliable("thtp").body(first.to_vec());
    let mut channel = pair.link.open(open).await.unwrap();
    for piece in bytes[first.len()..].chunks(1000) {
        channel.send(Packet::new(piece.to_vec())).await.unwrap();
    }
    channel.end().unwrap();
    within(answer(channel)).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hostile_heads_get_400_and_large_ones_431() {
    let pair = pair().await;
    let mut large = json!({ ":method": "GET", ":path": "/who" });
    large["x"] = "v".repeat(20_000).into();
    for (bytes, status) in [
        (lob(&json!({ ":method": "GET", ":path": "/who" })), 200),
        (lob(&json!({ ":method": "GET", ":path": "//who@x:1" })), 404),
        (lob(&json!({ ":method": "GET", ":path": "who" })), 400),
        (lob(&json!({ ":method": "GET" })), 400),
        (
            lob(&json!({ ":method": "GET", ":path": "/who", "a": "b\r\nc" })),
            400,
        ),
        (vec![0, 0], 400),
        (vec![0, 9, b'{'], 400),
        (vec![0], 400),
        (lob(&large), 431),
        (vec![0xff, 0xff, b'{'], 431),
    ] {
        let (answered, _) = asked(&pair, &bytes).await;
        assert_eq!(answered, status, "{}", String::from_utf8_lossy(&bytes));
    }
    assert!(pair.link.is_up());
    pair.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_asks_is_what_the_link_verified_whatever_the_peer_says() {
    let pair = pair().await;
    let request = Request::get("/who")
        .header(IDENTITY_HEADER, "somebody")
        .body(Body::empty());
    let said = within(pair.link.request(request.unwrap())).await.unwrap();
    assert_eq!(whole(said).await, pair.client.hashname().to_string());
    let head = json!({ ":method": "GET", ":path": "/who", "X-Mesh-Peer": "somebody" });
    let (_, said) = asked(&pair, &lob(&head)).await;
    assert_eq!(said, pair.client.hashname().to_string().into_bytes());
    pair.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_unreliable_open_is_refused() {
    let pair = pair().await;
    let body = lob(&json!({ ":method": "GET", ":path": "/who" }));
    let open = Open::unreliable("thtp").body(body);
    let mut channel = pair.link.open(open).await.unwrap();
    let refused = within(channel.opened()).await.unwrap_err();
    assert!(
        refused.to_string().contains("thtp is reliable"),
        "{refused}"
    );
    pair.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_small_response_is_one_packet_and_its_end() {
    let pair = pair().await;
    let body = lob(&json!({ ":method": "GET", ":path": "/who" }));
    let mut channel = pair
        .link
        .open(Open::reliable("thtp").body(body))
        .await
        .unwrap();
    channel.end().unwrap();
    let packet = within(channel.recv()).await.unwrap().unwrap();
    assert!(packet.end, "{packet:?}");
    pair.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_head_that_does_not_come_in_time_gets_408() {
    let pair = Road::LossyMemory.pair(Router::new()).await;
    let begun = Instant::now();
    let channel = pair
        .link
        .open(Open::reliable("thtp").body(vec![1, 0]))
        .await;
    let (status, _) = answer(channel.unwrap()).await;
    assert_eq!(status, 408);
    assert!(begun.elapsed() >= HEAD_TIMEOUT);
    pair.close().await;
}

/// Tells when it is dropped.
struct Endless(Option<oneshot::Sender<()>>);

impl http_body::Body for Endless {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(&[0; 8192])))))
    }
}

impl Drop for Endless {
    fn drop(&mut self) {
        let _ = self.0.take().map(|dropped| dropped.send(()));
    }
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_leaves_a_response_unread_is_given_up() {
    let (dropped, gone) = oneshot::channel();
    let dropped = Arc::new(Mutex::new(Some(dropped)));
    let endless = async move || {
        let dropped = dropped.lock().unwrap().take();
        http::Response::new(axum::body::Body::new(Endless(dropped)))
    };
    let router = Router::new().route("/", get(endless));
    let pair = Road::LossyMemory.pair(router).await;
    let start = Instant::now();
    let _unread = pair.get("/").await;
    gone.await.unwrap();
    assert!(start.elapsed() >= UNREAD_TIMEOUT);
}

/// It told the length of what it does not carry, which no server may send on.
#[tokio::test(start_paused = true)]
async fn an_answer_without_a_body_has_no_length() {
    let unmodified = async || {
        http::Response::builder()
            .status(304)
            .header("content-length", "5")
            .body(axum::body::Body::empty())
            .unwrap()
    };
    let router = Router::new().route("/", get(unmodified));
    let pair = Road::LossyMemory.pair(router).await;
    let response = pair.get("/").await;
    assert_eq!(response.status(), 304);
    assert!(!response.headers().contains_key("content-length"));
}
