//! Who is silent or slow goes; time is virtual.

use std::time::Duration;

use crate::common::{Node, V4, raise_descriptors, read, rest, until, write};
use telehash_transport::{CloseReason, Transmit, Transport, TransportEvent, TransportExt};
use telehash_transport_tcp::{
    CLOSE_TIMEOUT, FIRST_PACKET_TIMEOUT, IDLE_TIMEOUT, MAX_STRANGERS, PACKET_TIMEOUT,
    STRANGER_TIMEOUT,
};
use tokio::time::Instant;

/// A little more than nothing.
const TICK: Duration = Duration::from_millis(5);

/// Whether something happened `after` a time that began at `from`.
fn about(from: Instant, after: Duration) -> bool {
    let passed = from.elapsed();
    passed >= after && passed <= after + 4 * TICK
}

#[tokio::test(start_paused = true)]
async fn a_silent_stranger_is_closed_without_a_word() {
    let node = Node::at(V4).await;
    let mut peer = node.raw_peer().await;
    until(|| node.transport.stats().strangers == 1).await;
    let from = Instant::now();
    // Half a packet is none.
    write(&mut peer, b"\x05hel").await;
    assert_eq!(rest(&mut peer).await, b"");
    assert!(about(from, FIRST_PACKET_TIMEOUT), "{:?}", from.elapsed());
    let stats = node.transport.stats();
    assert_eq!(
        (stats.connections, stats.strangers, stats.timed_out),
        (0, 0, 1)
    );
}

#[tokio::test(start_paused = true)]
async fn a_stranger_that_no_link_uses_is_closed_later() {
    let mut node = Node::at(V4).await;
    let mut peer = node.raw_peer().await;
    until(|| node.transport.stats().strangers == 1).await;
    let from = Instant::now();
    write(&mut peer, b"\x05hello\0").await;
    let (remote, _) = node.packet().await;
    assert_eq!(rest(&mut peer).await, b"");
    assert!(about(from, STRANGER_TIMEOUT), "{:?}", from.elapsed());
    let closed = TransportEvent::PipeClosed(remote, CloseReason::TimedOut);
    assert_eq!(node.event().await, closed);
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_we_made_and_do_not_use_is_closed_as_well() {
    let mut node = Node::at(V4).await;
    let silent = tokio::net::TcpListener::bind(V4).await.unwrap();
    let path = telehash_hashname::Path::tcp(silent.local_addr().unwrap());
    let remote = node.transport.dial(&path).await.unwrap();
    let from = Instant::now();
    let closed = TransportEvent::PipeClosed(remote, CloseReason::TimedOut);
    assert_eq!(node.event().await, closed);
    assert!(about(from, STRANGER_TIMEOUT), "{:?}", from.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_peer_in_use_may_be_silent_for_long_but_not_for_ever() {
    let mut node = Node::at(V4).await;
    let mut peer = node.raw_peer().await;
    write(&mut peer, b"\x05hello\0").await;
    let (remote, _) = node.meet().await;
    for _ in 0..3 {
        tokio::time::sleep(IDLE_TIMEOUT - Duration::from_secs(1)).await;
        write(&mut peer, b"\0").await;
        let read_calls = node.transport.stats().read_calls;
        until(|| node.transport.stats().read_calls > read_calls).await;
    }
    let from = Instant::now();
    let closed = TransportEvent::PipeClosed(remote, CloseReason::TimedOut);
    assert_eq!(node.event().await, closed);
    assert!(about(from, IDLE_TIMEOUT), "{:?}", from.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_packet_that_trickles_in_has_its_time() {
    let mut node = Node::at(V4).await;
    let mut peer = node.raw_peer().await;
    write(&mut peer, b"\x05hello\0").await;
    let (remote, _) = node.meet().await;
    let reads = node.transport.stats().read_calls;
    write(&mut peer, b"\xff").await;
    until(|| node.transport.stats().read_calls > reads).await;
    let from = Instant::now();
    let trickle = async {
        loop {
            write(&mut peer, b"x").await;
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    };
    let event = tokio::select! {
        () = trickle => unreachable!("it never ends"),
        event = node.event() => event,
    };
    let closed = TransportEvent::PipeClosed(remote, CloseReason::TimedOut);
    assert_eq!(event, closed);
    assert!(about(from, PACKET_TIMEOUT), "{:?}", from.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_reads_nothing_does_not_hold_up_closing() {
    let mut node = Node::at(V4).await;
    let mut peer = node.raw_peer().await;
    write(&mut peer, b"\x05hello\0").await;
    let (remote, _) = node.meet().await;
    let packets = crate::common::run(64, 1_400);
    while node
        .transport
        .try_send(&Transmit::run(remote, &packets, 1_400))
        .is_ok()
    {}
    let from = Instant::now();
    node.transport.close_pipe(&remote);
    tokio::time::sleep(CLOSE_TIMEOUT - TICK).await;
    assert_eq!(node.transport.stats().connections, 1);
    tokio::time::sleep(3 * TICK).await;
    assert_eq!(node.transport.stats().connections, 0);
    assert!(about(from, CLOSE_TIMEOUT));
    drop(peer);

    let mut peer = node.raw_peer().await;
    write(&mut peer, b"\x05hello\0").await;
    let (remote, _) = node.meet().await;
    while node
        .transport
        .try_send(&Transmit::run(remote, &packets, 1_400))
        .is_ok()
    {}
    let from = Instant::now();
    node.transport.close().await;
    let passed = from.elapsed();
    assert!(passed >= CLOSE_TIMEOUT && passed < CLOSE_TIMEOUT + Duration::from_secs(1));
    assert_eq!(node.transport.stats().connections, 0);
}

#[tokio::test]
async fn one_stranger_too_many_takes_the_place_of_the_oldest_silent_one_of_all() {
    raise_descriptors();
    let mut node = Node::at(V4).await;
    let mut speaking = node.raw_peer().await;
    write(&mut speaking, b"\x05hello\0").await;
    let (remote, _) = node.packet().await;
    let mut peers = Vec::new();
    for n in 2..=MAX_STRANGERS {
        peers.push(node.raw_peer().await);
        until(|| node.transport.stats().strangers == n).await;
    }
    let mut last = node.raw_peer().await;
    assert_eq!(rest(&mut peers[0]).await, b"");
    let stats = node.transport.stats();
    assert_eq!((stats.strangers, stats.displaced), (MAX_STRANGERS, 1));
    // Whoever has said something stays, and the newcomer is in.
    let hi = Transmit::packet(remote, b"hi");
    node.transport.send(&hi).await.unwrap();
    assert_eq!(read(&mut speaking, 4).await, b"\x02hi\0");
    write(&mut last, b"\x03new\0").await;
    assert_eq!(node.packet().await.1, b"new");
}
