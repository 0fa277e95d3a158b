//! Over real sockets on this machine.

use std::time::Duration;

use telehash_runtime::{Accept, InviteOptions, Link, Mesh, MeshEvent, Open, Packet};
use telehash_transport_udp::{UdpConfig, UdpTransport};

use crate::common::echo;

async fn mesh(builder: telehash_runtime::Builder) -> Mesh {
    let here = UdpConfig::at("127.0.0.1:0".parse().unwrap());
    builder
        .open_transport(async move { UdpTransport::bind(&here).await })
        .build()
        .await
        .unwrap()
}

async fn linked() -> (Mesh, Mesh, Link) {
    let server = mesh(Mesh::builder().accept(Accept::All).on_open("echo", echo)).await;
    let client = mesh(Mesh::builder()).await;
    let link = client.link(server.uri().to_string()).await.unwrap();
    link.wait_up(Duration::from_secs(30)).await.unwrap();
    (server, client, link)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_endpoints_link_and_exchange_a_megabyte() {
    const PACKETS: u32 = 1000;
    let (server, client, link) = linked().await;
    let (mut sender, mut receiver) = link.open(Open::reliable("echo")).await.unwrap().split();
    let sends = async {
        for number in 0..PACKETS {
            let body = [&number.to_be_bytes()[..], &[7; 1000]].concat();
            sender.send(Packet::new(body)).await.unwrap();
        }
        sender.end().unwrap();
    };
    let receives = async {
        for number in 0..PACKETS {
            let packet = receiver.recv().await.unwrap().unwrap();
            assert_eq!(packet.body[..4], number.to_be_bytes());
        }
        assert_eq!(receiver.recv().await.unwrap(), None);
    };
    tokio::join!(sends, receives);
    client.close().await;
    server.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_ping_goes_over_the_socket_and_tells_how_the_peer_sees_us() {
    let (_server, client, link) = linked().await;
    let reply = link.ping().await.unwrap();
    assert_eq!(
        reply.path,
        link.pipes()
            .into_iter()
            .find(|pipe| pipe.active)
            .unwrap()
            .path
    );
    assert_eq!(client.local_paths().len(), 1);
}

#[tokio::test]
async fn a_port_in_use_is_said() {
    let first = UdpTransport::bind(&UdpConfig::at("127.0.0.1:0".parse().unwrap()))
        .await
        .unwrap();
    let path = telehash_transport::Transport::local_paths(&first);
    let taken = path[0].socket_addr().unwrap();
    let builder = Mesh::builder()
        .open_transport(async move { UdpTransport::bind(&UdpConfig::at(taken)).await });
    let error = builder.build().await.unwrap_err().to_string();
    assert!(error.contains("is in use by another program"), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_uri_leads_through_a_router_to_whoever_shared_it() {
    let limit = Duration::from_secs(30);
    let router = mesh(Mesh::builder().accept(Accept::All).router(true)).await;
    let bob = mesh(Mesh::builder().on_open("echo", echo)).await;
    let mut events = bob.events();
    let link = bob.use_router(router.local_link_json()).await.unwrap();
    link.wait_up(limit).await.unwrap();
    crate::common::event(&mut events, |event| match event {
        MeshEvent::RouterUri { .. } => Some(()),
        _ => None,
    })
    .await;
    let uri = bob.share_uri(InviteOptions::new(), None).unwrap();
    let ann = mesh(Mesh::builder()).await;
    let link = ann.link(uri.to_string()).await.unwrap();
    link.wait_up(limit).await.unwrap();
    assert_eq!(link.hashname(), bob.hashname());
    let mut channel = link.open(Open::reliable("echo")).await.unwrap();
    channel.send(Packet::new("hello")).await.unwrap();
    assert_eq!(channel.recv().await.unwrap().unwrap().body, "hello");
    for mesh in [ann, bob, router] {
        mesh.close().await;
    }
}
