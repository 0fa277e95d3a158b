//! Many things at once.

use futures::future::join_all;
use telehash_runtime::{Accept, Open, Packet};
use telehash_transport::memory::MemoryNetwork;

use crate::common::{PATIENCE, Pair, echo, endpoint};

#[tokio::test(start_paused = true)]
async fn three_hundred_small_channels_at_once() {
    let pair = Pair::new().await;
    let conversation = |number: u32| {
        let link = pair.link.clone();
        async move {
            let mut channel = link.open(Open::reliable("echo")).await.unwrap();
            let body = number.to_be_bytes().repeat(100);
            channel.send(Packet::new(body.clone())).await.unwrap();
            channel.end().unwrap();
            assert_eq!(channel.recv().await.unwrap().unwrap().body, body);
            assert_eq!(channel.recv().await.unwrap(), None);
            channel.closed().await.unwrap();
        }
    };
    join_all((0..300).map(conversation)).await;
    pair.close().await;
}

#[tokio::test(start_paused = true)]
async fn fifty_endpoints_link_to_one() {
    let network = MemoryNetwork::new(1);
    let server = endpoint(&network)
        .accept(Accept::All)
        .on_open("echo", echo)
        .build()
        .await
        .unwrap();
    let target = server.local_link_json();
    let guest = || async {
        let mesh = endpoint(&network).build().await.unwrap();
        let link = mesh.link(&target).await.unwrap();
        link.wait_up(PATIENCE).await.unwrap();
        let mut channel = link.open(Open::reliable("echo")).await.unwrap();
        channel.send(Packet::new("hello")).await.unwrap();
        assert_eq!(channel.recv().await.unwrap().unwrap().body, "hello");
        mesh
    };
    let guests = join_all((0..50).map(|_| guest())).await;
    assert_eq!(server.stats().links_up, 50);
    join_all(guests.iter().map(telehash_runtime::Mesh::close)).await;
}
