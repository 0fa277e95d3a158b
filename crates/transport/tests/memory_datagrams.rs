//! The in-memory datagram transport.
#![cfg(feature = "memory")]

use std::{
    future::Future,
    io::ErrorKind,
    net::SocketAddr,
    sync::Arc,
    task::{Context, Poll, Waker},
    time::Duration,
};

use telehash_transport::{
    Capabilities, Remote, Transmit, Transport, TransportError, TransportExt, Writable,
    impair::{Conditions, Loss},
    memory::{MAX_INBOX_BYTES, MemoryNetwork, MemoryTransport},
};
use tokio::time::Instant;

const MS: Duration = Duration::from_millis(1);

fn to(transport: &MemoryTransport) -> Remote {
    Remote::Socket(transport.address())
}

/// The packets that are there now.
fn arrived(transport: &MemoryTransport) -> Vec<Vec<u8>> {
    let mut batch = transport.recv_batch();
    let mut cx = Context::from_waker(Waker::noop());
    let mut packets = Vec::new();
    while let Poll::Ready(received) = transport.poll_recv(&mut cx, &mut batch) {
        assert_eq!(received.unwrap(), batch.len());
        packets.extend(batch.packets().map(|packet| packet.contents.to_vec()));
    }
    packets
}

#[tokio::test]
async fn any_transport_can_be_driven_behind_one_type() {
    let network = MemoryNetwork::new(1);
    let ends: Vec<Arc<dyn Transport>> =
        vec![Arc::new(network.endpoint()), Arc::new(network.endpoint())];
    let path = ends[1].local_paths().remove(0);
    assert_eq!(
        path.to_string(),
        r#"{"type":"memory","ip":"10.0.0.2","port":42424}"#
    );
    assert!(ends[0].dialable(&path));
    let remote = ends[0].dial(&path).await.unwrap();
    assert_eq!(ends[0].remote_path(&remote), Some(path));
    ends[0]
        .send(&Transmit::packet(remote, b"hello"))
        .await
        .unwrap();
    let mut batch = ends[1].recv_batch();
    assert_eq!(ends[1].recv(&mut batch).await.unwrap(), 1);
    let packet = batch.packets().next().unwrap();
    assert_eq!(packet.contents, b"hello");
    let seen = ends[1].remote_path(&packet.remote);
    assert_eq!(seen, ends[0].local_paths().pop());
    assert_eq!(ends[0].writable().await.unwrap(), Writable::All);
}

#[tokio::test]
async fn a_path_of_another_transport_is_refused() {
    let transport = MemoryNetwork::new(1).endpoint();
    let path = r#"{"type":"udp4","ip":"10.0.0.1","port":1}"#.parse().unwrap();
    assert!(!transport.dialable(&path));
    let error = transport.dial(&path).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        r#"memory cannot use the path {"type":"udp4","ip":"10.0.0.1","port":1}"#
    );
}

#[tokio::test]
async fn a_run_arrives_as_its_packets() {
    let network = MemoryNetwork::new(1);
    let (a, b) = (network.endpoint(), network.endpoint());
    let run = vec![7; 100 * 1_200 + 1];
    assert_eq!(
        a.try_send(&Transmit::run(to(&b), &run, 1_200)).unwrap(),
        run.len()
    );
    let sizes: Vec<_> = arrived(&b).iter().map(Vec::len).collect();
    assert_eq!(sizes.len(), 101);
    assert!(sizes[..100].iter().all(|&size| size == 1_200));
    assert_eq!(sizes[100], 1);
}

#[tokio::test]
async fn an_empty_run_sends_nothing() {
    let network = MemoryNetwork::new(1);
    let (a, b) = (network.endpoint(), network.endpoint());
    assert_eq!(a.try_send(&Transmit::packet(to(&b), b"")).unwrap(), 0);
    assert!(arrived(&b).is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_waiting_receiver_is_woken_by_a_packet_and_by_the_clock() {
    let network = MemoryNetwork::new(1);
    network.set_conditions(&Conditions::perfect().with_delay(300 * MS));
    let (a, b) = (network.endpoint(), network.endpoint());
    let receiver = tokio::spawn(async move {
        let mut batch = b.recv_batch();
        let received = b.recv(&mut batch).await.unwrap();
        (received, Instant::now())
    });
    tokio::task::yield_now().await;
    let start = Instant::now();
    a.try_send(&Transmit::packet(
        Remote::Socket(([10, 0, 0, 2], 42_424).into()),
        b"x",
    ))
    .unwrap();
    let (received, at) = receiver.await.unwrap();
    assert_eq!((received, at - start), (1, 300 * MS));
}

#[tokio::test(start_paused = true)]
async fn a_packet_that_overtakes_wakes_the_receiver_earlier() {
    let network = MemoryNetwork::new(1);
    let (a, b, c) = (network.endpoint(), network.endpoint(), network.endpoint());
    let slow = Conditions::perfect().with_delay(500 * MS);
    network.set_direction(a.address(), b.address(), slow);
    let fast = Conditions::perfect().with_delay(100 * MS);
    network.set_direction(c.address(), b.address(), fast);
    a.try_send(&Transmit::packet(to(&b), b"slow")).unwrap();
    let start = Instant::now();
    let mut batch = b.recv_batch();
    let mut receiving = Box::pin(b.recv(&mut batch));
    let mut cx = Context::from_waker(Waker::noop());
    assert!(receiving.as_mut().poll(&mut cx).is_pending());
    c.try_send(&Transmit::packet(to(&b), b"fast")).unwrap();
    receiving.await.unwrap();
    assert_eq!(start.elapsed(), 100 * MS);
    let packet = batch.packets().next().unwrap();
    assert_eq!((&*packet.contents, packet.remote), (&b"fast"[..], to(&c)));
    b.recv(&mut batch).await.unwrap();
    assert_eq!(start.elapsed(), 500 * MS);
}

#[tokio::test]
async fn losses_follow_from_the_seed() {
    let run = |seed| {
        let network = MemoryNetwork::new(seed);
        network.set_conditions(&Conditions::perfect().with_loss(Loss::Random(0.5)));
        let (a, b) = (network.endpoint(), network.endpoint());
        for n in 0..100_u8 {
            a.try_send(&Transmit::packet(to(&b), &[n])).unwrap();
        }
        let lost = network.counters(a.address(), b.address()).lost;
        let arrived = arrived(&b);
        assert_eq!(arrived.len() as u64 + lost, 100);
        arrived
    };
    assert_eq!(run(1), run(1));
    assert_ne!(run(1), run(2));
}

#[tokio::test]
async fn duplicates_arrive_twice_and_large_packets_not_at_all() {
    let network = MemoryNetwork::new(1);
    network.set_conditions(&Conditions::perfect().with_duplication(1.0).with_mtu(5));
    let (a, b) = (network.endpoint(), network.endpoint());
    for packet in [&b"small"[..], b"larger"] {
        assert_eq!(
            a.try_send(&Transmit::packet(to(&b), packet)).unwrap(),
            packet.len()
        );
    }
    assert_eq!(arrived(&b), [b"small", b"small"]);
}

#[tokio::test]
async fn a_packet_larger_than_any_datagram_is_dropped() {
    let network = MemoryNetwork::new(1);
    let (a, b) = (network.endpoint(), network.endpoint());
    for len in [Capabilities::MAX_DATAGRAM, Capabilities::MAX_DATAGRAM + 1] {
        assert_eq!(
            a.try_send(&Transmit::packet(to(&b), &vec![1; len]))
                .unwrap(),
            len
        );
    }
    let sizes: Vec<_> = arrived(&b).iter().map(Vec::len).collect();
    assert_eq!(sizes, [Capabilities::MAX_DATAGRAM]);
}

#[tokio::test]
async fn one_direction_can_be_blocked() {
    let network = MemoryNetwork::new(1);
    let (a, b) = (network.endpoint(), network.endpoint());
    network.block(a.address(), b.address());
    a.try_send(&Transmit::packet(to(&b), b"lost")).unwrap();
    b.try_send(&Transmit::packet(to(&a), b"back")).unwrap();
    assert_eq!(arrived(&a), [b"back"]);
    network.unblock(a.address(), b.address());
    a.try_send(&Transmit::packet(to(&b), b"there")).unwrap();
    assert_eq!(arrived(&b), [b"there"]);
}

#[tokio::test]
async fn an_endpoint_that_never_reads_holds_a_bounded_amount() {
    let network = MemoryNetwork::new(1);
    let (a, b) = (network.endpoint(), network.endpoint());
    let packet = vec![0; 64 * 1_024 - 100];
    let fit = MAX_INBOX_BYTES / packet.len();
    for _ in 0..fit + 10 {
        assert_eq!(
            a.try_send(&Transmit::packet(to(&b), &packet)).unwrap(),
            packet.len()
        );
    }
    assert_eq!(network.counters(a.address(), b.address()).receiver_full, 10);
    assert_eq!(arrived(&b).len(), fit);
    a.try_send(&Transmit::packet(to(&b), b"room again"))
        .unwrap();
    assert_eq!(arrived(&b), [b"room again"]);
}

#[tokio::test]
async fn small_packets_fill_an_inbox_too() {
    let network = MemoryNetwork::new(1);
    let (a, b) = (network.endpoint(), network.endpoint());
    let ones = vec![1; MAX_INBOX_BYTES / 64 + 1];
    a.try_send(&Transmit::run(to(&b), &ones, 1)).unwrap();
    assert_eq!(network.counters(a.address(), b.address()).receiver_full, 1);
}

#[tokio::test]
async fn sending_to_nobody_is_like_losing() {
    let a = MemoryNetwork::new(1).endpoint();
    let nobody = Remote::Socket(([10, 9, 9, 9], 1).into());
    assert_eq!(a.try_send(&Transmit::packet(nobody, b"anyone")).unwrap(), 6);
    let connection = Transmit::packet(Remote::Connection(1), b"x");
    assert_eq!(
        a.try_send(&connection).unwrap_err().kind(),
        ErrorKind::InvalidInput
    );
}

#[tokio::test]
async fn an_address_belongs_to_one_endpoint_until_it_is_dropped() {
    let network = MemoryNetwork::new(1);
    let address: SocketAddr = "192.0.2.1:9".parse().unwrap();
    let first = network.endpoint_at(address).unwrap();
    let error = network.endpoint_at(address).unwrap_err();
    assert!(matches!(error, TransportError::PortInUse { .. }), "{error}");
    assert!(network.stream_endpoint_at(address).is_err());
    drop(first);
    assert_eq!(network.endpoint_at(address).unwrap().address(), address);
    // The addresses that the network chooses go around those taken.
    let taken = network
        .endpoint_at("10.0.0.1:42424".parse().unwrap())
        .unwrap();
    assert_ne!(network.endpoint().address(), taken.address());
}

#[tokio::test]
async fn closing_wakes_whoever_waits() {
    let network = MemoryNetwork::new(1);
    let transport = Arc::new(network.endpoint());
    let waiting = tokio::spawn({
        let transport = transport.clone();
        async move { transport.recv(&mut transport.recv_batch()).await }
    });
    tokio::task::yield_now().await;
    transport.close().await;
    transport.close().await;
    assert_eq!(
        waiting.await.unwrap().unwrap_err().kind(),
        ErrorKind::NotConnected
    );
    assert_eq!(
        transport.writable().await.unwrap_err().kind(),
        ErrorKind::NotConnected
    );
    let sent = transport.try_send(&Transmit::packet(to(&transport), b"x"));
    assert_eq!(sent.unwrap_err().kind(), ErrorKind::NotConnected);
    let path = network.endpoint().local_paths().remove(0);
    let dialled = transport.dial(&path).await;
    assert_eq!(
        dialled.unwrap_err().to_string(),
        "the memory transport is closed"
    );
}
