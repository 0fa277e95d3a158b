//! Peers that come back with channels of the same numbers.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use telehash_e3x::CipherSets;
use telehash_runtime::{
    Accept, ChannelError, IncomingChannel, Link, Mesh, Open, Packet, generate_identity,
};
use telehash_transport::memory::MemoryNetwork;
use tokio::sync::{Notify, mpsc};

const LIMIT: Duration = Duration::from_secs(60);

#[tokio::test(start_paused = true)]
async fn the_handle_of_an_earlier_session_has_no_part_in_a_channel_of_the_same_number() {
    let network = MemoryNetwork::new(1);
    let (tell, mut told) = mpsc::channel(8);
    let (first, go_on) = (Arc::new(AtomicBool::new(true)), Arc::new(Notify::new()));
    let waits = go_on.clone();
    let handler = move |incoming: IncomingChannel| {
        let (tell, first, waits) = (tell.clone(), first.clone(), waits.clone());
        async move {
            let mut channel = incoming.accept().unwrap();
            if first.swap(false, Ordering::Relaxed) {
                channel.recv().await.unwrap();
                tell.send((channel.id(), Ok(None))).await.unwrap();
                waits.notified().await;
                tell.send((channel.id(), channel.recv().await))
                    .await
                    .unwrap();
                return;
            }
            while let Some(packet) = channel.recv().await.unwrap() {
                channel.send(Packet::new(packet.body)).await.unwrap();
            }
        }
    };
    let server = Mesh::builder()
        .transport(network.endpoint())
        .accept(Accept::All);
    let server = server.on_open("talk", handler).build().await.unwrap();
    let sets = CipherSets::default();
    let identity = generate_identity(&sets, sets.recommended()).unwrap();
    let start = async || {
        let client = Mesh::builder()
            .transport(network.endpoint())
            .identity(identity.clone());
        let client = client.build().await.unwrap();
        let link: Link = client.link(server.local_link_json()).await.unwrap();
        link.wait_up(LIMIT).await.unwrap();
        (client, link.open(Open::reliable("talk")).await.unwrap())
    };

    let (_killed, mut old) = start().await;
    old.send(Packet::new("one")).await.unwrap();
    let (id, _) = told.recv().await.unwrap();
    let (_client, mut channel) = start().await;
    assert_eq!(channel.id(), id, "or this shows nothing");
    channel.send(Packet::new("two")).await.unwrap();
    assert_eq!(channel.recv().await.unwrap().unwrap().body, "two");

    go_on.notify_one();
    let (_, heard) = told.recv().await.unwrap();
    assert!(matches!(heard, Err(ChannelError::Reset)), "{heard:?}");
    // And that handle is gone now.
    channel.send(Packet::new("three")).await.unwrap();
    assert_eq!(channel.recv().await.unwrap().unwrap().body, "three");
}
