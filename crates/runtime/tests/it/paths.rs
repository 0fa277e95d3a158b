//! Pings, and the discovery of more ways to a peer.

use std::time::Duration;

use telehash_runtime::limits::MAX_PINGS;
use telehash_runtime::{Accept, Mesh, Open, Packet, PingError};
use telehash_transport::impair::Conditions;
use telehash_transport::memory::MemoryNetwork;

use crate::common::{PATIENCE, Pair, echo, endpoint};

#[tokio::test(start_paused = true)]
async fn a_ping_measures_the_round_trip() {
    let pair = Pair::new().await;
    pair.network
        .set_conditions(&Conditions::perfect().with_delay(Duration::from_millis(20)));
    let reply = pair.link.ping().await.unwrap();
    assert!(reply.active);
    assert_eq!(reply.path, pair.server.local_paths().first().cloned());
    let millis = reply.rtt.as_millis();
    assert!((40..50).contains(&millis), "{millis} ms");
    let replies = pair.link.ping_all(Duration::from_secs(1)).await.unwrap();
    assert_eq!(replies.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_ping_into_the_void_and_one_too_many_say_so() {
    let pair = Pair::new().await;
    pair.network
        .set_conditions(&Conditions::perfect().with_delay(Duration::from_secs(20)));
    let pings = (0..=MAX_PINGS).map(|_| pair.link.ping());
    let outcomes = futures::future::join_all(pings).await;
    let busy = outcomes
        .iter()
        .filter(|ping| matches!(ping, Err(PingError::Busy(_))))
        .count();
    let late = outcomes
        .iter()
        .filter(|ping| matches!(ping, Err(PingError::TimedOut { .. })));
    assert_eq!((busy, late.count()), (1, MAX_PINGS));
}

#[tokio::test(start_paused = true)]
async fn a_second_way_to_the_peer_is_found_and_proven() {
    let network = MemoryNetwork::new(1);
    let server = Mesh::builder()
        .transport(network.endpoint())
        .transport(network.endpoint())
        .accept(Accept::All)
        .on_open("echo", echo)
        .build()
        .await
        .unwrap();
    let client = endpoint(&network).build().await.unwrap();
    let mut target = server.local_link_json();
    let second = target.paths.pop().unwrap();
    let link = client.link(&target).await.unwrap();
    link.wait_up(PATIENCE).await.unwrap();
    let proven = || {
        let pipes = link.pipes();
        pipes
            .iter()
            .any(|pipe| pipe.path.as_ref() == Some(&second) && pipe.validated)
    };
    let mut pings = 0;
    while !proven() {
        link.ping_all(Duration::from_secs(2)).await.unwrap();
        pings += 1;
        assert!(pings < 10, "{:?}", link.pipes());
    }
    let mut channel = link.open(Open::reliable("echo")).await.unwrap();
    channel.send(Packet::new("still one link")).await.unwrap();
    assert_eq!(
        channel.recv().await.unwrap().unwrap().body,
        "still one link"
    );
}
