//! Opens that no honest peer sends.

use serde_json::{Map, Value, json};
use telehash_channel_sock::limits::MAX_HOST;
use telehash_channel_sock::{Destination, LinkSockExt as _};
use telehash_runtime::{ChannelError, Link, Open};

use crate::common::{Pair, echo, local, within};

async fn refusal(link: &Link, reliable: bool, head: &Value) -> String {
    let head: Map<String, Value> = head.as_object().cloned().unwrap_or_default();
    let open = if reliable {
        Open::reliable("sock")
    } else {
        Open::unreliable("sock")
    };
    let mut channel = link.open(open.head(head)).await.unwrap();
    match within(channel.opened()).await {
        Err(ChannelError::Peer(said)) => said,
        other => panic!("not refused: {other:?}"),
    }
}

#[tokio::test]
async fn bad_opens_are_refused_and_hurt_nobody() {
    let pair = Pair::new(local()).await;
    let link = &pair.link;
    let dst = json!({ "ip": "127.0.0.1", "port": 80 });
    for head in [
        json!({}),
        json!({ "sock": "connect" }),
        json!({ "sock": 7, "dst": dst }),
        json!({ "sock": "teleport", "dst": dst }),
        json!({ "sock": "connect", "dst": "127.0.0.1:80" }),
        json!({ "sock": "connect", "dst": { "port": 80 } }),
        json!({ "sock": "connect", "dst": { "ip": "127.0.0.1" } }),
        json!({ "sock": "connect", "dst": { "ip": "127.0.0.1", "port": 0 } }),
        json!({ "sock": "connect", "dst": { "ip": "127.0.0.1", "port": 65_536 } }),
        json!({ "sock": "connect", "dst": { "ip": "127.0.0.1", "port": -1 } }),
        json!({ "sock": "connect", "dst": { "ip": "127.0.0.1", "port": 80.5 } }),
        json!({ "sock": "connect", "dst": { "ip": "127.1", "port": 80 } }),
        json!({ "sock": "connect", "dst": { "ip": "0x7f000001", "port": 80 } }),
        json!({ "sock": "connect", "dst": { "ip": "2130706433", "port": 80 } }),
        json!({ "sock": "connect", "dst": { "ip": "a\u{0}b", "port": 80 } }),
        json!({ "sock": "connect", "dst": { "ip": "x".repeat(900), "port": 80 } }),
        json!({ "sock": "bind" }),
        json!({ "sock": "bind", "dst": [] }),
        json!({ "sock": "accept" }),
    ] {
        assert_eq!(refusal(link, true, &head).await, "bad request", "{head}");
    }
    let bind = json!({ "sock": "bind", "dst": { "port": 0 } });
    assert_eq!(refusal(link, false, &bind).await, "bad request");
    // Nobody here asked for connections.
    let accept = json!({ "sock": "accept", "dst": { "port": 80 } });
    assert_eq!(refusal(link, true, &accept).await, "denied");
    assert!(within(link.connect(echo().await.into())).await.is_ok());
}

#[test]
fn a_host_name_is_bounded() {
    let label = "a".repeat(62);
    let name = format!("{label}.{label}.{label}.{label}");
    let longest = format!("{name}.b")
        .chars()
        .take(MAX_HOST)
        .collect::<String>();
    assert_eq!(longest.len(), MAX_HOST);
    assert!(Destination::new(&longest, 80).is_ok());
    assert!(Destination::new(&format!("{longest}c"), 80).is_err());
}
