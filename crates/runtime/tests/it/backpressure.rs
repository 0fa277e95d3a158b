//! A reader that never reads holds the writer back, within bounds at both ends.

use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use telehash_link::{RECV_BYTES, SEND_BYTES};
use telehash_runtime::{IncomingChannel, Open};
use tokio::sync::Notify;

use crate::common::Pair;

/// Accepts, and holds on without reading until the mesh closes.
async fn never_reads(channel: IncomingChannel) {
    let _channel = channel.accept().unwrap();
    std::future::pending::<()>().await;
}

/// Writes until nothing more is taken for a long time; returns how much was.
async fn fill(channel: &telehash_runtime::Channel) -> usize {
    let data = vec![0; 64 * 1024];
    let mut written = 0;
    let quiet = Duration::from_secs(20);
    let write = || poll_fn(|cx| channel.poll_write(cx, &data));
    while let Ok(taken) = tokio::time::timeout(quiet, write()).await {
        written += taken.unwrap();
    }
    written
}

#[tokio::test(start_paused = true)]
async fn a_reader_that_never_reads_bounds_the_memory_of_both_ends() {
    let pair = Pair::with(
        |server| server.on_open("full", never_reads),
        |client| client,
    )
    .await;
    let channel = pair.link.open(Open::reliable("full")).await.unwrap();
    let written = fill(&channel).await;
    assert!(written > 100_000, "{written} bytes are a poor buffer");
    assert!(
        written <= SEND_BYTES + RECV_BYTES,
        "{written} bytes are somewhere"
    );

    // The link goes on, and so do its other channels.
    let mut other = pair.echo().await;
    other
        .send(telehash_runtime::Packet::new("through"))
        .await
        .unwrap();
    assert_eq!(other.recv().await.unwrap().unwrap().body, "through");
}

#[tokio::test(start_paused = true)]
async fn a_thousand_channels_that_nobody_reads_are_bounded_together_and_flow_once_they_are_read() {
    const CHANNELS: usize = 1000;
    const EACH: usize = 40_000;
    const _: () = assert!(CHANNELS * EACH > telehash_link::LINK_RECV_BYTES);
    let start = Arc::new(Notify::new());
    let read = Arc::new(AtomicUsize::new(0));
    let (go, total) = (start.clone(), read.clone());
    let reads_later = move |channel: IncomingChannel| {
        let (go, total) = (go.clone(), total.clone());
        async move {
            let waits = go.notified();
            let mut channel = channel.accept().unwrap();
            waits.await;
            while let Some(packet) = channel.recv().await.unwrap() {
                total.fetch_add(packet.body.len(), Ordering::Relaxed);
            }
            channel.end().unwrap();
        }
    };
    let pair = Pair::with(
        |server| server.on_open("later", reads_later),
        |client| client,
    )
    .await;
    let mut channels = Vec::new();
    for _ in 0..CHANNELS {
        let mut channel = pair.link.open(Open::reliable("later")).await.unwrap();
        channel.opened().await.unwrap();
        let data = vec![0; EACH];
        assert_eq!(
            poll_fn(|cx| channel.poll_write(cx, &data)).await.unwrap(),
            EACH
        );
        channel.end().unwrap();
        channels.push(channel);
    }
    tokio::time::sleep(Duration::from_secs(20)).await;
    assert!(pair.link.is_up());
    start.notify_waiters();
    for channel in &mut channels {
        channel.closed().await.unwrap();
    }
    assert_eq!(read.load(Ordering::Relaxed), CHANNELS * EACH);
}
