//! How a mesh ends.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use telehash_runtime::limits::DRAIN_TIMEOUT;
use telehash_runtime::{
    Accept, ChannelError, ChannelHandler, HandlerError, IncomingChannel, LinkError, Mesh, Open,
    Packet,
};
use telehash_transport::memory::MemoryNetwork;
use tokio::time::Instant;

use crate::common::{PATIENCE, Pair, endpoint};

#[tokio::test(start_paused = true)]
async fn closing_delivers_what_was_written_and_ended() {
    let (told, mut received) = tokio::sync::mpsc::channel(1);
    let pair = Pair::with(
        move |server| {
            server.on_open("sink", move |channel: IncomingChannel| {
                let told = told.clone();
                async move {
                    let mut channel = channel.accept().unwrap();
                    let mut bytes = 0;
                    while let Some(packet) = channel.recv().await.unwrap() {
                        bytes += packet.body.len();
                    }
                    channel.end().unwrap();
                    told.send(bytes).await.unwrap();
                }
            })
        },
        |client| client,
    )
    .await;
    let mut channel = pair.link.open(Open::reliable("sink")).await.unwrap();
    for _ in 0..200 {
        channel.send(Packet::new(vec![0; 1000])).await.unwrap();
    }
    channel.end().unwrap();
    pair.client.close().await;
    assert_eq!(received.recv().await.unwrap(), 200_000);
}

/// They had been told that nobody takes channels of that type, which reads as if it never would.
#[tokio::test(start_paused = true)]
async fn channels_that_are_opened_while_a_mesh_closes_are_told_so() {
    let much = |incoming: IncomingChannel| async move {
        let mut channel = incoming.accept().unwrap();
        for _ in 0..500 {
            channel.send(Packet::new("unread")).await.unwrap();
        }
        channel.end().unwrap();
    };
    let pair = Pair::with(|server| server.on_open("much", much), |client| client).await;
    let mut unread = pair.link.open(Open::reliable("much")).await.unwrap();
    unread.recv().await.unwrap().unwrap();
    let late = async {
        let mut channel = pair.link.open(Open::reliable("much")).await.unwrap();
        channel.recv().await.unwrap_err()
    };
    // What is not read keeps it from closing at once.
    let ((), refused) = tokio::join!(biased; pair.server.close(), late);
    assert_eq!(refused, ChannelError::Peer("closed".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn closing_does_not_wait_for_ever_for_a_peer_that_is_gone() {
    let pair = Pair::new().await;
    let mut channel = pair.echo().await;
    channel.opened().await.unwrap();
    pair.network.set_conditions(
        &telehash_transport::impair::Conditions::perfect()
            .with_loss(telehash_transport::impair::Loss::Random(1.0)),
    );
    channel.send(Packet::new("into the void")).await.unwrap();
    channel.end().unwrap();
    let start = Instant::now();
    pair.client.close().await;
    let took = start.elapsed();
    assert!(
        took >= DRAIN_TIMEOUT && took < 3 * DRAIN_TIMEOUT,
        "{took:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn after_closing_everything_says_so() {
    let pair = Pair::new().await;
    let mut channel = pair.echo().await;
    let mut events = pair.client.events();
    let target = pair.server.local_link_json();
    pair.client.close().await;
    pair.client.close().await;
    assert!(pair.link.is_closed());
    assert_eq!(channel.recv().await.unwrap_err(), ChannelError::LinkDown);
    assert!(channel.send(Packet::new("x")).await.is_err());
    assert!(pair.link.open(Open::reliable("echo")).await.is_err());
    assert!(pair.link.ping().await.is_err());
    let error = pair.client.link(target).await.unwrap_err();
    assert!(
        matches!(error, LinkError::Closed | LinkError::NoPath { .. }),
        "{error}"
    );
    while events.next().await.is_some() {}
    assert_eq!(pair.client.stats().links, 0);
}

#[tokio::test(start_paused = true)]
async fn closing_frees_the_address_although_handles_are_held() {
    let network = MemoryNetwork::new(1);
    let address = "10.1.1.1:1".parse().unwrap();
    let transport = network.endpoint_at(address).unwrap();
    let server = Mesh::builder()
        .transport(transport)
        .accept(Accept::All)
        .build()
        .await
        .unwrap();
    let client = endpoint(&network).build().await.unwrap();
    let _link = client.link(server.local_link_json()).await.unwrap();
    _link.wait_up(PATIENCE).await.unwrap();
    let _back = server.links();
    server.close().await;
    assert!(network.endpoint_at(address).is_ok());
}

#[tokio::test(start_paused = true)]
async fn dropping_the_last_handle_closes_the_mesh() {
    let Pair { client, link, .. } = Pair::new().await;
    let closed = client.closed();
    let twin = client.clone();
    drop(client);
    assert!(link.is_up());
    drop(twin);
    closed.await;
    assert!(link.is_closed());
}

/// Holds its channel until it is told to end.
#[derive(Clone, Default)]
struct Patient {
    told: Arc<AtomicBool>,
    dropped: Arc<AtomicBool>,
}

struct SetOnDrop(Arc<AtomicBool>);

impl Drop for SetOnDrop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl ChannelHandler for Patient {
    async fn open(&self, channel: IncomingChannel) -> Result<(), HandlerError> {
        let _dropped = SetOnDrop(self.dropped.clone());
        let _channel = channel.accept()?;
        std::future::pending::<()>().await;
        Ok(())
    }

    async fn shutdown(&self) {
        assert!(
            !self.dropped.load(Ordering::Relaxed),
            "told before it is given up"
        );
        self.told.store(true, Ordering::Relaxed);
    }
}

#[tokio::test(start_paused = true)]
async fn handlers_are_told_and_then_given_up() {
    let patient = Patient::default();
    let handler = patient.clone();
    let pair = Pair::with(|server| server.on_open("held", handler), |client| client).await;
    let mut channel = pair.link.open(Open::reliable("held")).await.unwrap();
    channel.opened().await.unwrap();
    let start = Instant::now();
    pair.server.close().await;
    assert!(
        start.elapsed() < Duration::from_secs(1),
        "nothing to wait for"
    );
    assert!(patient.told.load(Ordering::Relaxed) && patient.dropped.load(Ordering::Relaxed));
    assert!(matches!(channel.recv().await, Err(ChannelError::Peer(_))));
}
