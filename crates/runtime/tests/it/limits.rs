//! The driver's limits, at the limit.

use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use telehash_hashname::LinkJson;
use telehash_runtime::limits::{
    DIAL_TIMEOUT, LINGER_TIMEOUT, MAX_PENDING_DIALS, MAX_SEGMENTS, MAX_TRANSMITS_IN_A_ROW,
};
use telehash_runtime::{Accept, Channel, ChannelError, IncomingChannel, Link, Mesh, Open, Packet};
use telehash_transport::impair::{Conditions, Queue};
use telehash_transport::memory::MemoryNetwork;
use tokio::time::{Instant, sleep, timeout};

use crate::common::{PATIENCE, Pair, echo, endpoint};
use crate::hooked::{Hooked, Hooks};

pub(crate) async fn hooked(network: &MemoryNetwork) -> (Mesh, Arc<Hooks>) {
    let hooks = Arc::new(Hooks::default());
    let transport = Hooked {
        inner: network.endpoint(),
        hooks: hooks.clone(),
    };
    (
        Mesh::builder().transport(transport).build().await.unwrap(),
        hooks,
    )
}

pub(crate) async fn linked(client: &Mesh, network: &MemoryNetwork) -> (Mesh, Link) {
    let server = endpoint(network).accept(Accept::All).on_open("echo", echo);
    let server = server.build().await.unwrap();
    let link = client.link(server.local_link_json()).await.unwrap();
    link.wait_up(PATIENCE).await.unwrap();
    (server, link)
}

/// Channels with as much to send as they take.
async fn full_channels(link: &Link, count: usize) -> Vec<Channel> {
    let mut channels = Vec::new();
    for _ in 0..count {
        let channel = link.open(Open::reliable("echo")).await.unwrap();
        let data = vec![0; 1 << 20];
        let taken = poll_fn(|cx| channel.poll_write(cx, &data)).await.unwrap();
        assert!(taken > 100_000, "{taken}");
        channels.push(channel);
    }
    channels
}

#[tokio::test(start_paused = true)]
async fn links_that_wait_for_a_transport_take_turns_with_bounded_runs() {
    let network = MemoryNetwork::new(1);
    let (client, hooks) = hooked(&network).await;
    let (_first, to_first) = linked(&client, &network).await;
    let (_second, to_second) = linked(&client, &network).await;
    hooks.swallow.store(true, Ordering::SeqCst);
    hooks.blocked.store(true, Ordering::SeqCst);
    let _channels = (
        full_channels(&to_first, 8).await,
        full_channels(&to_second, 8).await,
    );
    assert!(hooks.swallowed.lock().unwrap().is_empty());
    hooks.unblock();
    sleep(std::time::Duration::from_millis(5)).await;

    let swallowed = std::mem::take(&mut *hooks.swallowed.lock().unwrap());
    let most = swallowed.iter().map(|(_, packets)| *packets).max();
    // No more than a system call takes, of packets of 1400 bytes.
    let run = MAX_SEGMENTS.min(65_507 / 1400);
    assert_eq!(most, Some(run), "{swallowed:?}");
    let turns: Vec<usize> = swallowed
        .chunk_by(|one, next| one.0 == next.0)
        .map(<[_]>::len)
        .collect();
    assert!(turns.len() >= 4, "both had more than one turn: {turns:?}");
    // The last turns of the one that is left may follow each other.
    let contested = &turns[..turns.len() - 1];
    assert_eq!(
        contested.iter().max(),
        Some(&MAX_TRANSMITS_IN_A_ROW),
        "{turns:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn no_more_dials_are_pending_than_the_limit_and_they_end() {
    let network = MemoryNetwork::new(1);
    let (client, hooks) = hooked(&network).await;
    let other = endpoint(&network).build().await.unwrap();
    hooks.dials_hang.store(true, Ordering::SeqCst);
    let mut target: LinkJson = other.local_link_json();
    let path = target.paths[0].clone();
    target.paths = vec![path; MAX_PENDING_DIALS + 9];
    let _link = client.link(&target).await.unwrap();
    client.link(&target).await.unwrap();
    assert_eq!(hooks.dials.load(Ordering::SeqCst), MAX_PENDING_DIALS);
    assert_eq!(hooks.dialing.load(Ordering::SeqCst), MAX_PENDING_DIALS);
    sleep(DIAL_TIMEOUT * 2).await;
    assert_eq!(hooks.dialing.load(Ordering::SeqCst), 0);
    client.link(&target).await.unwrap();
    assert_eq!(hooks.dials.load(Ordering::SeqCst), 2 * MAX_PENDING_DIALS);
}

#[tokio::test(start_paused = true)]
async fn a_dropped_channel_does_not_linger_for_ever_if_the_peer_never_ends() {
    let (told, mut outcome) = tokio::sync::mpsc::channel(1);
    let pair = Pair::with(
        move |server| {
            server.on_open("endless", move |channel: IncomingChannel| {
                let told = told.clone();
                async move {
                    let mut channel = channel.accept().unwrap();
                    while let Some(packet) = channel.recv().await.unwrap() {
                        drop(packet);
                    }
                    // Never ends, but says something now and then, which nobody reads any more.
                    let error = loop {
                        if let Err(error) = channel.send(Packet::new("more")).await {
                            break error;
                        }
                        sleep(LINGER_TIMEOUT / 10).await;
                    };
                    told.send(error).await.unwrap();
                }
            })
        },
        |client| client,
    )
    .await;
    let mut channel = pair.link.open(Open::reliable("endless")).await.unwrap();
    channel.send(Packet::new("hello")).await.unwrap();
    channel.end().unwrap();
    let dropped = Instant::now();
    drop(channel);
    let error = timeout(LINGER_TIMEOUT * 3, outcome.recv())
        .await
        .unwrap()
        .unwrap();
    assert_eq!(
        error.to_string(),
        ChannelError::Peer("timeout".into()).to_string()
    );
    assert!(
        dropped.elapsed() >= LINGER_TIMEOUT,
        "{:?}",
        dropped.elapsed()
    );
}

/// What was written takes minutes on such a road; it used to be cut off after 30 s.
#[tokio::test(start_paused = true)]
async fn a_dropped_channel_delivers_what_was_written_however_long_that_takes() {
    let (told, mut outcome) = tokio::sync::mpsc::channel(1);
    let pair = Pair::with(
        move |server| {
            server.on_open("slow", move |channel: IncomingChannel| {
                let told = told.clone();
                async move {
                    let mut channel = channel.accept().unwrap();
                    let mut read = 0;
                    while let Some(packet) = channel.recv().await.unwrap() {
                        read += packet.body.len();
                    }
                    told.send(read).await.unwrap();
                }
            })
        },
        |client| client,
    )
    .await;
    let mut channel = pair.link.open(Open::reliable("slow")).await.unwrap();
    channel.opened().await.unwrap();
    let slow = Conditions::perfect().with_rate(5_000);
    pair.network.set_conditions(&slow.with_queue(Queue {
        bytes: 10_000,
        packets: 100,
    }));
    let data = vec![0; 1 << 20];
    let taken = poll_fn(|cx| channel.poll_write(cx, &data)).await.unwrap();
    assert!(taken > 100_000, "{taken}");
    channel.end().unwrap();
    let dropped = Instant::now();
    drop(channel);
    let read = timeout(LINGER_TIMEOUT * 20, outcome.recv()).await.unwrap();
    assert_eq!(read, Some(taken));
    assert!(
        dropped.elapsed() >= LINGER_TIMEOUT,
        "{:?}",
        dropped.elapsed()
    );
}
