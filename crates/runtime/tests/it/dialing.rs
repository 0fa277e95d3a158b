//! Opening pipes: how many connections are made, and who waits for whom.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use telehash_runtime::limits::MAX_PENDING_DIALS;
use telehash_runtime::{Accept, Builder, Link, Mesh, Open, Packet};
use telehash_transport::Transport as _;
use telehash_transport::memory::{MemoryNetwork, MemoryStreamTransport};
use tokio::task::yield_now;
use tokio::time::{Instant, sleep};

use crate::common::{PATIENCE, echo};
use crate::hooked::{Hooked, Hooks};

const SECOND: Duration = Duration::from_secs(1);

fn connecting(network: &MemoryNetwork) -> (Hooked<MemoryStreamTransport>, Arc<Hooks>) {
    let hooks = Arc::new(Hooks::default());
    let transport = Hooked {
        inner: network.stream_endpoint(),
        hooks: hooks.clone(),
    };
    (transport, hooks)
}

async fn serve(builder: Builder) -> Mesh {
    let builder = builder.accept(Accept::All).on_open("echo", echo);
    builder.build().await.unwrap()
}

fn dials(hooks: &Hooks) -> usize {
    hooks.dials.load(Ordering::SeqCst)
}

async fn there_and_back(link: &Link) {
    let mut channel = link.open(Open::reliable("echo")).await.unwrap();
    channel.send(Packet::new("hello")).await.unwrap();
    assert_eq!(channel.recv().await.unwrap().unwrap().body, "hello");
    channel.end().unwrap();
}

#[tokio::test(start_paused = true)]
async fn many_paths_by_one_transport_lead_to_one_connection() {
    let network = MemoryNetwork::new(1);
    let server = serve(Mesh::builder().transport(network.stream_endpoint())).await;
    let (transport, hooks) = connecting(&network);
    let client = Mesh::builder().transport(transport).build().await.unwrap();

    // Two that lead nowhere, then more than enough that do.
    let closed = [network.stream_endpoint(), network.stream_endpoint()];
    let nowhere = closed.each_ref().map(|gone| gone.local_paths()[0].clone());
    for transport in &closed {
        transport.close().await;
    }
    let mut target = server.local_link_json();
    let here = target.paths[0].clone();
    target.paths = nowhere.into_iter().collect();
    target.paths.resize(MAX_PENDING_DIALS, here);
    let link = client.link(&target).await.unwrap();
    link.wait_up(PATIENCE).await.unwrap();
    assert_eq!(
        dials(&hooks),
        3,
        "one after the other, up to the first that leads there"
    );

    // Whoever asks again meanwhile gets no other, nor does time bring one.
    client.link(&target).await.unwrap();
    sleep(10 * SECOND).await;
    there_and_back(&link).await;
    assert_eq!(dials(&hooks), 3);
    assert_eq!(link.pipes().len(), 1, "{:?}", link.pipes());
}

#[tokio::test(start_paused = true)]
async fn asking_twice_at_once_makes_one_connection() {
    let network = MemoryNetwork::new(1);
    let server = serve(Mesh::builder().transport(network.stream_endpoint())).await;
    let (transport, hooks) = connecting(&network);
    let client = Mesh::builder().transport(transport).build().await.unwrap();
    hooks.dials_hang.store(true, Ordering::SeqCst);
    let target = server.local_link_json();
    client.link(&target).await.unwrap();
    client.link(&target).await.unwrap();
    sleep(SECOND).await;
    assert_eq!(dials(&hooks), 1);
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_is_not_made_holds_no_other_pipe_back() {
    let network = MemoryNetwork::new(1);
    let (transport, theirs) = connecting(&network);
    theirs.dials_hang.store(true, Ordering::SeqCst);
    let both = Mesh::builder().transport(network.endpoint());
    let server = serve(both.transport(transport)).await;
    let (transport, hooks) = connecting(&network);
    hooks.dials_hang.store(true, Ordering::SeqCst);
    let client = Mesh::builder().transport(transport);
    let client = client.transport(network.endpoint()).build().await.unwrap();
    let link = client.link(server.local_link_json()).await.unwrap();
    link.wait_up(PATIENCE).await.unwrap();
    sleep(SECOND).await;
    assert_eq!(hooks.dialing.load(Ordering::SeqCst), 1);
    there_and_back(&link).await;
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_takes_nothing_holds_no_other_pipe_back() {
    let network = MemoryNetwork::new(1);
    let both = Mesh::builder().transport(network.endpoint());
    let server = serve(both.transport(network.stream_endpoint())).await;
    let (transport, hooks) = connecting(&network);
    let client = Mesh::builder().transport(transport);
    let client = client.transport(network.endpoint()).build().await.unwrap();
    let link = client.link(server.local_link_json()).await.unwrap();
    link.wait_up(PATIENCE).await.unwrap();
    while !(link.pipes().len() == 2 && link.pipes().iter().all(|pipe| pipe.validated)) {
        sleep(SECOND / 10).await;
    }
    hooks.blocked.store(true, Ordering::SeqCst);
    // Pings go by every pipe: one of them now waits for the connection.
    let replies = link.ping_all(SECOND).await.unwrap();
    assert!(!replies.is_empty());
    let started = Instant::now();
    there_and_back(&link).await;
    assert!(started.elapsed() < SECOND / 10, "{:?}", started.elapsed());
    hooks.unblock();
    let replies = link.ping_all(SECOND).await.unwrap();
    assert_eq!(replies.len(), 2, "{replies:?}");
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_nothing_precedes_is_made_without_any_wait() {
    let network = MemoryNetwork::new(1);
    let server = serve(Mesh::builder().transport(network.stream_endpoint())).await;
    let (transport, hooks) = connecting(&network);
    let client = Mesh::builder().transport(transport).build().await.unwrap();
    let started = Instant::now();
    client.link(server.local_link_json()).await.unwrap();
    // Virtual time stands still as long as there is something to do.
    for _ in 0..100 {
        yield_now().await;
    }
    assert_eq!((dials(&hooks), started.elapsed()), (1, Duration::ZERO));
}
