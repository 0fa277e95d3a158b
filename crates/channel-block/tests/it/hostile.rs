//! Peers that do what no honest one does.

use serde_json::{Map, Value, json};
use telehash_channel_block::limits::MAX_CHANNELS_PER_PEER;
use telehash_channel_block::{BlockError, LinkBlockExt as _};
use telehash_runtime::{ChannelError, Open, Packet};

use crate::common::{Pair, within};

#[tokio::test]
async fn one_peer_has_no_more_channels_than_its_share() {
    let pair = Pair::new().await;
    let mut open = Vec::new();
    for _ in 0..MAX_CHANNELS_PER_PEER {
        open.push(within(pair.link.blocks()).await.unwrap());
    }
    let error = within(pair.link.blocks()).await.unwrap_err();
    assert!(
        matches!(&error, BlockError::Channel(ChannelError::Peer(why)) if why == "busy"),
        "{error}"
    );
    // One that ends makes room.
    drop(open.pop());
    within(async {
        while let Err(BlockError::Channel(ChannelError::Peer(_))) = pair.link.blocks().await {}
    })
    .await;
    drop(open);
    pair.close().await;
}

#[tokio::test]
async fn blocks_are_not_taken_on_a_reliable_channel() {
    let pair = Pair::new().await;
    let mut channel = pair.link.open(Open::reliable("block")).await.unwrap();
    let refused = within(channel.opened()).await;
    assert!(matches!(refused, Err(ChannelError::Peer(_))), "{refused:?}");
    pair.close().await;
}

#[tokio::test]
async fn packets_that_are_no_pieces_are_ignored() {
    let mut pair = Pair::new().await;
    let mut channel = pair.link.open(Open::unreliable("block")).await.unwrap();
    within(channel.opened()).await.unwrap();
    for head in [
        json!({}),
        json!({ "b": 0, "done": true }),
        json!({ "b": "1", "done": true }),
        json!({ "b": 1, "at": -3, "done": true }),
        json!({ "b": 1, "at": u64::MAX, "done": true }),
        json!({ "b": 2, "done": true }),
    ] {
        let head: Map<String, Value> = head.as_object().cloned().unwrap();
        channel.send(Packet::new("x").head(head)).await.unwrap();
    }
    let block = pair.next().await;
    assert_eq!((block.number, &block.bytes[..]), (2, &b"x"[..]));
    pair.close().await;
}
