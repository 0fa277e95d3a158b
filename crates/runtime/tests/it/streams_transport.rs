//! Transports with connections: they push back, and they break.

use std::net::SocketAddr;
use std::time::Duration;

use telehash_e3x::CipherSets;
use telehash_hashname::Csid;
use telehash_runtime::limits::MAX_REDIAL_PAUSE;
use telehash_runtime::{Accept, LinkState, Mesh, Open, Packet};
use telehash_transport::memory::MemoryNetwork;

use crate::common::{PATIENCE, echo};

const SERVER: &str = "10.1.1.1:1";
const SECOND: Duration = Duration::from_secs(1);
const CLIENT: &str = "10.1.1.2:1";

async fn linked(network: &MemoryNetwork) -> (Mesh, Mesh, telehash_runtime::Link) {
    let build = |address: &str| {
        let address: SocketAddr = address.parse().unwrap();
        Mesh::builder().transport(network.stream_endpoint_at(address).unwrap())
    };
    let server = build(SERVER)
        .accept(Accept::All)
        .on_open("echo", echo)
        .build()
        .await
        .unwrap();
    let client = build(CLIENT).build().await.unwrap();
    let link = client.link(server.local_link_json()).await.unwrap();
    link.wait_up(PATIENCE).await.unwrap();
    (server, client, link)
}

async fn exchange(link: &telehash_runtime::Link, packets: u32) {
    let channel = link.open(Open::reliable("echo")).await.unwrap();
    let (mut sender, mut receiver) = channel.split();
    let sends = async {
        for number in 0..packets {
            let body = [&number.to_be_bytes()[..], &[0; 996]].concat();
            sender.send(Packet::new(body)).await.unwrap();
        }
        sender.end().unwrap();
    };
    let receives = async {
        for number in 0..packets {
            let packet = receiver.recv().await.unwrap().unwrap();
            assert_eq!(packet.body[..4], number.to_be_bytes());
        }
        assert_eq!(receiver.recv().await.unwrap(), None);
    };
    tokio::join!(sends, receives);
}

#[tokio::test(start_paused = true)]
async fn more_than_a_connection_holds_goes_through_it() {
    let network = MemoryNetwork::new(1);
    let (_server, _client, link) = linked(&network).await;
    exchange(&link, 4000).await;
}

#[tokio::test(start_paused = true)]
async fn a_link_goes_on_when_its_connection_takes_packets_again() {
    let network = MemoryNetwork::new(1);
    let (_server, _client, link) = linked(&network).await;
    let (from, to) = (CLIENT.parse().unwrap(), SERVER.parse().unwrap());
    network.block(from, to);
    let unblocks = async {
        tokio::time::sleep(Duration::from_secs(5)).await;
        network.unblock(from, to);
    };
    tokio::join!(exchange(&link, 2000), unblocks);
}

#[tokio::test(start_paused = true)]
async fn a_link_whose_connection_broke_goes_down_and_dials_again_until_it_is_up() {
    let network = MemoryNetwork::new(1);
    let identity =
        telehash_runtime::generate_identity(&CipherSets::default(), [Csid::CS3A]).unwrap();
    let server = || {
        let transport = network.stream_endpoint_at(SERVER.parse().unwrap()).unwrap();
        let builder = Mesh::builder()
            .transport(transport)
            .identity(identity.clone());
        builder.accept(Accept::All).on_open("echo", echo).build()
    };
    let first = server().await.unwrap();
    let transport = network.stream_endpoint_at(CLIENT.parse().unwrap()).unwrap();
    let client = Mesh::builder().transport(transport).build().await.unwrap();
    let link = client.link(first.local_link_json()).await.unwrap();
    link.wait_up(PATIENCE).await.unwrap();

    let mut watch = link.watch();
    first.close().await;
    drop(first);
    assert_eq!(watch.changed().await, Some(LinkState::Down));
    assert!(link.pipes().is_empty());

    // However long that lasts, the pauses between attempts are bounded.
    tokio::time::sleep(MAX_REDIAL_PAUSE * 20).await;
    let _second = server().await.unwrap();
    let up = tokio::time::timeout(MAX_REDIAL_PAUSE + SECOND, watch.changed()).await;
    assert_eq!(up, Ok(Some(LinkState::Up)));
    exchange(&link, 10).await;
}
