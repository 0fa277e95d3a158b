//! What a lost packet costs.

use std::time::Duration;

use bytes::Bytes;
use serde_json::{Map, Value, json};
use telehash_channel_block::limits::MAX_BLOCK;
use telehash_channel_block::{BlockError, BuilderBlockExt as _, IncomingBlocks, LinkBlockExt as _};
use telehash_runtime::{Accept, Channel, Mesh, Open, Packet};
use telehash_transport::impair::Conditions;
use telehash_transport::memory::MemoryNetwork;
use tokio::sync::mpsc;

use crate::common::{Pair, pattern, within};

fn head(head: &Value) -> Map<String, Value> {
    head.as_object().cloned().unwrap_or_default()
}

async fn raw(pair: &Pair) -> Channel {
    let mut channel = pair.link.open(Open::unreliable("block")).await.unwrap();
    within(channel.opened()).await.unwrap();
    channel
}

#[tokio::test]
async fn a_lost_piece_drops_exactly_its_block() {
    let mut pair = Pair::new().await;
    let mut channel = raw(&pair).await;
    for number in 1..=5_u64 {
        for piece in 0..9_u64 {
            if number == 3 && piece == 4 {
                continue;
            }
            let at = piece as usize * 1000;
            let fields = match (at, piece) {
                (0, _) => json!({ "b": number }),
                (_, 8) => json!({ "b": number, "at": at, "done": true }),
                _ => json!({ "b": number, "at": at }),
            };
            let bytes = pattern(number, 9000)[at..at + 1000].to_vec();
            let packet = Packet::new(bytes).head(head(&fields));
            channel.send(packet).await.unwrap();
        }
    }
    for number in [1, 2, 4, 5] {
        let block = pair.next().await;
        assert_eq!(block.number, number);
        assert_eq!(block.bytes, pattern(number, 9000));
    }
    pair.close().await;
}

#[tokio::test]
async fn the_largest_block_is_sent_and_a_larger_one_is_not() {
    let mut pair = Pair::new().await;
    let mut blocks = pair.link.blocks().await.unwrap();
    let error = blocks.send(vec![0; MAX_BLOCK + 1]).await.unwrap_err();
    assert!(
        matches!(error, BlockError::TooLarge { limit: MAX_BLOCK }),
        "{error}"
    );
    blocks.send(pattern(1, MAX_BLOCK)).await.unwrap();
    blocks.send(pattern(2, MAX_BLOCK)).await.unwrap();
    for number in [1, 2] {
        let block = pair.next().await;
        assert!(block.number == number && block.bytes == pattern(number, MAX_BLOCK));
    }
    pair.close().await;
}

/// Each block had pushed packets of the one before out of the queue, so that none arrived whole.
#[tokio::test]
async fn blocks_come_whole_from_a_sender_that_is_too_fast_for_the_network() {
    // Packets are paced where a round trip takes its time.
    let far = Conditions::perfect().with_delay(Duration::from_millis(20));
    let mut pair = Pair::in_a_network(&far).await;
    let mut blocks = within(pair.link.blocks()).await.unwrap();
    let frame = Bytes::from(pattern(1, 9000));
    let sends = async {
        loop {
            blocks.send(frame.clone()).await.unwrap();
            // As fast as can be, but for the other tasks.
            tokio::task::yield_now().await;
        }
    };
    let takes = async {
        for _ in 0..30 {
            let block = pair.blocks.recv().await.unwrap();
            assert!(
                block.bytes == pattern(1, 9000),
                "{} is not whole",
                block.number
            );
        }
    };
    within(async {
        tokio::select! {
            () = sends => {}
            () = takes => {}
        }
    })
    .await;
    assert!(blocks.skipped() > 0);
    drop(blocks);
    pair.close().await;
}

#[tokio::test]
async fn an_end_is_told() {
    let network = MemoryNetwork::new(3);
    let (tell, mut told) = mpsc::channel(1);
    let receiver = Mesh::builder()
        .transport(network.endpoint())
        .accept(Accept::All)
        .on_blocks(move |incoming: IncomingBlocks| {
            let tell = tell.clone();
            async move {
                let mut blocks = incoming.accept_up_to(3).await?;
                let mut lens = Vec::new();
                while let Some(block) = blocks.recv().await? {
                    lens.push((block.number, block.bytes.len()));
                }
                let _ = tell.send(lens).await;
                Ok::<_, BlockError>(())
            }
        })
        .build()
        .await
        .unwrap();
    let sender = Mesh::builder().transport(network.endpoint());
    let sender = sender.build().await.unwrap();
    let link = sender.link(receiver.local_link_json()).await.unwrap();
    let mut blocks = within(link.blocks()).await.unwrap();
    for len in [3, 4, 0] {
        blocks.send(vec![1; len]).await.unwrap();
    }
    blocks.end().unwrap();
    // The second is larger than this receiver takes.
    assert_eq!(within(told.recv()).await, Some(vec![(1, 3), (3, 0)]));
}
