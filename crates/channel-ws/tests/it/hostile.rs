//! Peers that break the protocol.

use serde_json::{Value, json};
use telehash_channel_ws::limits::MAX_CONTROL;
use telehash_channel_ws::{IncomingWs, LinkWsExt as _, Message, WsConfig, WsError, WsRoutes};
use telehash_runtime::{Channel, Open, Packet};
use tokio::sync::mpsc;

use crate::common::{Pair, echo};

/// A channel that is opened by hand, and the errors that its server runs into.
async fn by_hand() -> (Pair, Channel, mpsc::Receiver<WsError>) {
    let (told, heard) = mpsc::channel(1);
    let routes = WsRoutes::new().path("/", move |incoming: IncomingWs| {
        let told = told.clone();
        async move {
            let small = WsConfig::new().max_message(10);
            let mut ws = incoming.accept_with(None, &small).await.unwrap();
            let error = loop {
                match ws.recv().await {
                    Ok(message) => assert!(message.is_some(), "it was not noticed"),
                    Err(error) => break error,
                }
            };
            assert_eq!(ws.recv().await.unwrap(), None);
            told.send(error).await.unwrap();
        }
    });
    let pair = Pair::new(routes).await;
    let mut channel = pair.link.open(Open::reliable("ts")).await.unwrap();
    let answer = channel.recv().await.unwrap().unwrap();
    assert_eq!(answer.head.unwrap().get("open"), Some(&true.into()));
    (pair, channel, heard)
}

fn packet(head: &Value, body: impl Into<bytes::Bytes>) -> Packet {
    let mut head = head.as_object().unwrap().clone();
    let mut packet = Packet::new(body);
    packet.end = head.shift_remove("end").is_some();
    packet.head(head)
}

/// What the server runs into, and the code that it closes with.
async fn outcome(packets: Vec<Packet>) -> (WsError, u64) {
    let (_pair, mut channel, mut heard) = by_hand().await;
    for packet in packets {
        channel.send(packet).await.unwrap();
    }
    let error = heard.recv().await.unwrap();
    let close = channel.recv().await.unwrap().unwrap();
    assert!(close.end);
    let code = close.head.unwrap().get("code").unwrap().as_u64().unwrap();
    (error, code)
}

#[tokio::test(start_paused = true)]
async fn text_that_is_no_utf8_is_refused_also_across_pieces() {
    let first = json!({ "text": true });
    let last = json!({ "text": true, "done": true });
    for packets in [
        vec![packet(&last, &b"\xff"[..])],
        vec![packet(&first, &b"a\xe2\x82"[..]), packet(&last, &b"("[..])],
        vec![packet(&last, &b"a\xe2\x82"[..])],
        vec![packet(&json!({}), &b"\xff"[..]), packet(&last, "late")],
    ] {
        let (error, code) = outcome(packets).await;
        assert!(matches!(error, WsError::NotUtf8), "{error}");
        assert_eq!(code, 1007);
    }
}

#[tokio::test(start_paused = true)]
async fn a_message_larger_than_allowed_is_refused() {
    let more = json!({});
    let packets = vec![packet(&more, "0123456789"), packet(&more, "x")];
    let (error, code) = outcome(packets).await;
    assert!(matches!(error, WsError::TooLarge { limit: 10 }), "{error}");
    assert_eq!(code, 1009);
}

#[tokio::test(start_paused = true)]
async fn packets_that_break_the_protocol_are_refused() {
    let long = vec![0; MAX_CONTROL + 1];
    for nonsense in [
        packet(&json!({ "ping": true }), long.clone()),
        packet(&json!({ "pong": true }), long),
        packet(&json!({ "ping": true, "pong": true }), ""),
        packet(&json!({ "end": true, "code": "1000" }), ""),
        packet(&json!({ "end": true, "code": 1000, "reason": [] }), ""),
        packet(&json!({ "end": true, "code": 1000 }), "content"),
    ] {
        let (error, code) = outcome(vec![nonsense]).await;
        assert!(matches!(error, WsError::Protocol(_)), "{error}");
        assert_eq!(code, 1002);
    }
}

#[tokio::test(start_paused = true)]
async fn every_code_that_must_not_be_sent_is_refused() {
    let reserved = [
        0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65_535,
    ];
    for code in reserved {
        let close = packet(&json!({ "end": true, "code": code }), "");
        let (error, told) = outcome(vec![close]).await;
        assert!(
            matches!(error, WsError::BadCloseCode(bad) if bad == code),
            "{error}"
        );
        assert_eq!(told, 1002);
    }
}

#[tokio::test(start_paused = true)]
async fn a_flood_of_pings_is_answered_without_a_queue() {
    let pair = Pair::new(WsRoutes::new().path("/", echo)).await;
    let mut ws = pair.link.ws("/").await.unwrap();
    for number in 0..500_u32 {
        let ping = Message::Ping(number.to_be_bytes().to_vec().into());
        ws.send(ping).await.unwrap();
    }
    // Only the last has to be answered, and it is.
    loop {
        if let Some(Message::Pong(bytes)) = ws.recv().await.unwrap()
            && bytes == 499_u32.to_be_bytes()[..]
        {
            break;
        }
    }
    let long = ws
        .send(Message::Ping(vec![0; MAX_CONTROL + 1].into()))
        .await;
    assert!(
        matches!(long, Err(WsError::TooLarge { limit: MAX_CONTROL })),
        "{long:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn opens_that_are_none_are_refused() {
    let pair = Pair::new(WsRoutes::new().under("/", echo)).await;
    let object = |head: Value| head.as_object().unwrap().clone();
    for open in [
        Open::reliable("ts").head(object(json!({ "path": 7 }))),
        Open::reliable("ts").head(object(json!({ "path": "/\r\n" }))),
        Open::reliable("ts").body("content"),
        Open::unreliable("ts"),
    ] {
        let mut channel = pair.link.open(open).await.unwrap();
        let error = channel.recv().await.unwrap_err();
        assert!(error.to_string().contains("bad request"), "{error}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_that_does_not_say_open_first_is_refused() {
    for answer in [
        packet(&json!({}), "content"),
        packet(&json!({ "open": false }), ""),
        packet(&json!({ "open": true, "protocol": "never offered" }), ""),
        packet(&json!({ "open": true, "end": true }), ""),
    ] {
        let pair = Pair::new(WsRoutes::new()).await;
        pair.server
            .on_open("ts", move |incoming: telehash_runtime::IncomingChannel| {
                let answer = answer.clone();
                async move {
                    let mut channel = incoming.accept().unwrap();
                    channel.send(answer).await.unwrap();
                    let _ = channel.recv().await;
                }
            });
        let error = pair.link.ws("/").await.unwrap_err();
        assert!(matches!(error, WsError::Protocol(_)), "{error}");
    }
}
