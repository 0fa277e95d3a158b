//! What goes over the wire, byte for byte, seen from a peer that speaks bare TCP.

use std::io::ErrorKind;

use crate::common::{Node, V4, chunked, read, rest, run, write};
use telehash_transport::{CloseReason, Transmit, Transport, TransportEvent, TransportExt};
use telehash_transport_tcp::MAX_STRANGER_PACKET;
use tokio::io::AsyncWriteExt;

#[tokio::test]
async fn packets_leave_in_chunks_and_nothing_else_does() {
    let mut node = Node::at(V4).await;
    let mut peer = node.raw_peer().await;
    write(&mut peer, b"\x05hello\0").await;
    let (remote, packet) = node.packet().await;
    assert_eq!(packet, b"hello");
    for size in [1, 2, 254, 255, 256, 510, 511, 1_400] {
        let packet = run(1, size);
        node.transport
            .send(&Transmit::packet(remote, &packet))
            .await
            .unwrap();
        let expected = chunked(&packet);
        assert_eq!(read(&mut peer, expected.len()).await, expected);
    }
    let transmit = Transmit::run(remote, b"one two 3", 4);
    node.transport.send(&transmit).await.unwrap();
    let expected = b"\x04one \0\x04two \0\x013\0";
    assert_eq!(read(&mut peer, expected.len()).await, expected);
    node.transport.close_pipe(&remote);
    assert_eq!(rest(&mut peer).await, b"");
}

#[tokio::test]
async fn packets_are_put_together_however_they_are_cut() {
    let mut node = Node::at(V4).await;
    let mut peer = node.raw_peer().await;
    peer.set_nodelay(true).unwrap();
    let packets = [run(1, 700), b"x".to_vec(), run(1, 255)];
    for packet in &packets {
        for byte in chunked(packet) {
            write(&mut peer, &[byte]).await;
            tokio::task::yield_now().await;
        }
    }
    assert_eq!(node.packets(3).await, packets);
    // Small fragments are as good as large ones.
    write(&mut peer, b"\x01a\x02bc\0").await;
    assert_eq!(node.packet().await.1, b"abc");
}

#[tokio::test]
async fn a_stranger_gets_no_answer_and_an_accepted_peer_one_zero() {
    let mut node = Node::at(V4).await;
    let mut peer = node.raw_peer().await;
    write(&mut peer, b"\x05hello\0").await;
    let (remote, _) = node.packet().await;
    write(&mut peer, b"\x05again\0\0\0").await;
    node.packet().await;
    node.transport.keep(&remote);
    // Nothing was answered so far: the first zero is for this one.
    write(&mut peer, b"\x01a\0\x01b\0").await;
    assert_eq!(node.packets(2).await, [b"a", b"b"]);
    assert_eq!(read(&mut peer, 1).await, [0]);
    assert_eq!(node.transport.stats().acks, 1);
    node.transport.close_pipe(&remote);
    assert_eq!(rest(&mut peer).await, b"");
}

#[tokio::test]
async fn an_answer_takes_the_place_of_the_zero() {
    let (transport, mut peer) = (crate::common::bind(V4).await, None);
    let mut batch = transport.recv_batch();
    let peer = peer.insert(
        tokio::net::TcpStream::connect(transport.local_addr())
            .await
            .unwrap(),
    );
    write(peer, b"\x05hello\0").await;
    transport.recv(&mut batch).await.unwrap();
    let remote = batch.packets().next().unwrap().remote;
    transport.keep(&remote);
    write(peer, b"\x01a\0").await;
    transport.recv(&mut batch).await.unwrap();
    // Whoever polls handles a batch before polling again.
    transport
        .try_send(&Transmit::packet(remote, b"answer"))
        .unwrap();
    write(peer, b"\x01b\0").await;
    transport.recv(&mut batch).await.unwrap();
    assert_eq!(read(peer, 8).await, b"\x06answer\0");
    assert_eq!(transport.stats().acks, 0);
    transport.close().await;
    assert_eq!(rest(peer).await, b"");
}

#[tokio::test]
async fn a_lone_zero_is_answered_once_for_what_we_sent() {
    let mut node = Node::at(V4).await;
    let mut peer = node.raw_peer().await;
    write(&mut peer, b"\x05hello\0").await;
    let (remote, _) = node.meet().await;
    node.transport
        .send(&Transmit::packet(remote, b"hi"))
        .await
        .unwrap();
    assert_eq!(read(&mut peer, 4).await, b"\x02hi\0");
    write(&mut peer, b"\0").await;
    assert_eq!(read(&mut peer, 1).await, [0]);
    // Further zeros are silent: two of us would answer each other for ever.
    for _ in 0..3 {
        write(&mut peer, b"\0").await;
    }
    write(&mut peer, b"\x03end\0").await;
    assert_eq!(node.packet().await.1, b"end");
    assert_eq!(read(&mut peer, 1).await, [0]);
    assert_eq!(node.transport.stats().acks, 2);
    node.transport.close_pipe(&remote);
    assert_eq!(rest(&mut peer).await, b"");
}

#[tokio::test]
async fn two_of_us_fall_silent() {
    let (a, mut b, to_b, to_a) = crate::common::linked(V4).await;
    let mut a = a;
    for round in 0..20_u8 {
        a.transport
            .send(&Transmit::packet(to_b, &[round]))
            .await
            .unwrap();
        assert_eq!(b.packet().await.1, [round]);
        b.transport
            .send(&Transmit::packet(to_a, &[round]))
            .await
            .unwrap();
        assert_eq!(a.packet().await.1, [round]);
    }
    a.transport.close_pipe(&to_b);
    assert!(matches!(b.event().await, TransportEvent::PipeClosed(..)));
    // At most one for each batch of either, and one in answer to each.
    let acks = a.transport.stats().acks + b.transport.stats().acks;
    assert!(acks <= 4 * 20 + 4, "{acks}");
}

#[tokio::test]
async fn what_a_peer_sent_before_it_closed_is_received_first() {
    let mut node = Node::at(V4).await;
    let mut peer = node.raw_peer().await;
    let packets = run(200, 1_000);
    for packet in packets.chunks(1_000) {
        write(&mut peer, &chunked(packet)).await;
    }
    // The last one is not complete and is lost.
    write(&mut peer, b"\x05hel").await;
    peer.shutdown().await.unwrap();
    let (remote, first) = node.packet().await;
    let others = node.packets(199).await.concat();
    assert!([first, others].concat() == packets);
    let closed = TransportEvent::PipeClosed(remote, CloseReason::Peer);
    assert_eq!(node.event().await, closed);
    assert_eq!(rest(&mut peer).await, b"");
}

#[tokio::test]
async fn a_stranger_that_sends_too_large_a_packet_is_cut_off() {
    let mut node = Node::at(V4).await;
    let mut peer = node.raw_peer().await;
    write(&mut peer, &chunked(&run(1, MAX_STRANGER_PACKET))).await;
    let (remote, packet) = node.packet().await;
    assert_eq!(packet.len(), MAX_STRANGER_PACKET);
    write(&mut peer, &chunked(&run(1, MAX_STRANGER_PACKET + 1))).await;
    let failed = CloseReason::Failed(ErrorKind::InvalidData);
    assert_eq!(
        node.event().await,
        TransportEvent::PipeClosed(remote, failed)
    );
    assert_eq!(rest(&mut peer).await, b"");
    assert_eq!(node.transport.stats().failed, 1);
}

#[tokio::test]
async fn a_peer_in_use_may_send_the_largest_packets_and_no_larger() {
    let mut node = Node::at(V4).await;
    let mut peer = node.raw_peer().await;
    write(&mut peer, b"\x05hello\0").await;
    let (remote, _) = node.meet().await;
    write(&mut peer, &chunked(&run(1, 65_535))).await;
    assert_eq!(node.packet().await.1.len(), 65_535);
    write(&mut peer, &chunked(&run(1, 65_536))).await;
    let failed = CloseReason::Failed(ErrorKind::InvalidData);
    assert_eq!(
        node.event().await,
        TransportEvent::PipeClosed(remote, failed)
    );
}

#[tokio::test]
async fn a_reset_is_a_failure() {
    let mut node = Node::at(V4).await;
    let mut peer = node.raw_peer().await;
    write(&mut peer, b"\x05hello\0").await;
    let (remote, _) = node.meet().await;
    socket2::SockRef::from(&peer)
        .set_linger(Some(std::time::Duration::ZERO))
        .unwrap();
    drop(peer);
    let failed = CloseReason::Failed(ErrorKind::ConnectionReset);
    assert_eq!(
        node.event().await,
        TransportEvent::PipeClosed(remote, failed)
    );
}
