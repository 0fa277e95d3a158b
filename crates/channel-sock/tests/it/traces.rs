//! What JavaScript endpoints said to each other: each open of theirs is served, asked for by hand.

use std::path::Path;

use serde_json::{Map, Value};
use telehash_channel_sock::{Destination, LinkSockExt as _};
use telehash_runtime::{Open, Packet};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::common::{Pair, echo, local, within};

/// The heads of the `sock` opens in a trace, as the opener sent them, without the channel's own.
fn opens(name: &str, way: &str) -> Vec<Map<String, Value>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../interop/vectors/traces");
    let text = std::fs::read_to_string(folder.join(name)).unwrap();
    let lines = text
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let sent = lines.filter(|line| line["trace"] == way && line["json"]["type"] == "sock");
    let head = |line: Value| {
        let mut head = line["json"].as_object().unwrap().clone();
        head.retain(|key, _| !["type", "seq", "c"].contains(&key.as_str()));
        head
    };
    sent.map(head).collect()
}

fn port_of(head: &mut Map<String, Value>) -> &mut Value {
    &mut head["dst"]["port"]
}

#[tokio::test]
async fn a_connect_of_javascript_is_served() {
    let mut opens = opens("sock.dialer.jsonl", "chan-out");
    assert_eq!(opens.len(), 1);
    *port_of(&mut opens[0]) = echo().await.port().into();
    let pair = Pair::new(local()).await;
    within(async {
        let open = Open::reliable("sock").head(opens.remove(0));
        let mut channel = pair.link.open(open).await.unwrap();
        channel.opened().await.unwrap();
        channel.send(Packet::new("hi there")).await.unwrap();
        let packet = channel.recv().await.unwrap().unwrap();
        assert_eq!(packet.body, "hi there");
    })
    .await;
}

#[tokio::test]
async fn a_bind_of_javascript_is_served_and_its_accept_is_taken() {
    let mut binds = opens("sockbind.dialer.jsonl", "chan-out");
    let mut accepts = opens("sockbind.listener.jsonl", "chan-out");
    assert_eq!((binds.len(), accepts.len()), (1, 1));
    *port_of(&mut binds[0]) = 0.into();
    let pair = Pair::new(local()).await;
    within(async {
        let open = Open::reliable("sock").head(binds.remove(0));
        let mut channel = pair.link.open(open).await.unwrap();
        let answer = channel.recv().await.unwrap().unwrap();
        assert!(answer.head.unwrap()["dst"]["port"].as_u64().unwrap() > 0);

        // The other way: a port of ours there, and the open that their server sends.
        let mut bound = pair.link.bind(Destination::any(0)).await.unwrap();
        *port_of(&mut accepts[0]) = bound.local().port().into();
        let back = pair.server.links().into_iter().next().unwrap();
        let open = Open::reliable("sock").head(accepts.remove(0));
        let mut theirs = back.open(open).await.unwrap();
        let (mut tunnel, from) = bound.accept().await.unwrap();
        assert_eq!(
            from,
            Some("127.0.0.1:0".parse().unwrap()),
            "no port is told"
        );
        theirs.send(Packet::new("hi there")).await.unwrap();
        theirs.end().unwrap();
        let mut text = String::new();
        tunnel.read_to_string(&mut text).await.unwrap();
        assert_eq!(text, "hi there");
        tunnel.shutdown().await.unwrap();
    })
    .await;
}
