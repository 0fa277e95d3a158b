//! The in-memory transport with connections.
#![cfg(feature = "memory")]

use std::{
    io::ErrorKind,
    sync::Arc,
    task::{Context, Poll, Waker},
    time::Duration,
};

use telehash_transport::{
    CloseReason, Remote, Transmit, Transport, TransportEvent, TransportExt, Writable,
    impair::{Conditions, Loss},
    memory::{MAX_CONNECTIONS, MemoryNetwork, MemoryStreamTransport, STREAM_WINDOW},
};
use tokio::time::Instant;

const MS: Duration = Duration::from_millis(1);

struct Pair {
    network: MemoryNetwork,
    a: MemoryStreamTransport,
    b: MemoryStreamTransport,
    to_b: Remote,
}

async fn pair() -> Pair {
    let network = MemoryNetwork::new(1);
    let (a, b) = (network.stream_endpoint(), network.stream_endpoint());
    let to_b = a.dial(&b.local_paths()[0]).await.unwrap();
    Pair {
        network,
        a,
        b,
        to_b,
    }
}

async fn receive(transport: &MemoryStreamTransport) -> Vec<(Remote, Vec<u8>)> {
    let mut batch = transport.recv_batch();
    transport.recv(&mut batch).await.unwrap();
    batch
        .packets()
        .map(|packet| (packet.remote, packet.contents.to_vec()))
        .collect()
}

fn pending<T>(poll: impl FnOnce(&mut Context<'_>) -> Poll<T>) -> bool {
    poll(&mut Context::from_waker(Waker::noop())).is_pending()
}

#[tokio::test]
async fn a_connection_carries_packets_both_ways() {
    let Pair { a, b, to_b, .. } = pair().await;
    a.try_send(&Transmit::run(to_b, b"abc", 1)).unwrap();
    let received = receive(&b).await;
    let to_a = received[0].0;
    let contents: Vec<_> = received.into_iter().map(|(_, contents)| contents).collect();
    assert_eq!(contents, [b"a", b"b", b"c"]);
    assert_eq!(b.remote_path(&to_a), a.local_paths().pop());
    b.try_send(&Transmit::packet(to_a, b"back")).unwrap();
    assert_eq!(receive(&a).await, [(to_b, b"back".to_vec())]);
    let capabilities = a.capabilities(&to_b);
    assert!(capabilities.reliable && capabilities.backpressure);
}

#[tokio::test(start_paused = true)]
async fn a_bad_network_delays_but_never_loses() {
    let Pair {
        network,
        a,
        b,
        to_b,
    } = pair().await;
    let bad = Conditions::perfect()
        .with_loss(Loss::Random(0.5))
        .with_delay(200 * MS);
    network.set_conditions(&bad.with_duplication(0.5).with_mtu(1).with_rate(100));
    let start = Instant::now();
    assert_eq!(
        a.try_send(&Transmit::run(to_b, &[7; 100], 10)).unwrap(),
        100
    );
    let mut packets = 0;
    while packets < 10 {
        packets += receive(&b).await.len();
    }
    assert_eq!((packets, start.elapsed()), (10, 1_200 * MS));
}

#[tokio::test]
async fn a_full_window_accepts_part_of_a_run_then_refuses() {
    let Pair { a, b, to_b, .. } = pair().await;
    let run = vec![1; STREAM_WINDOW + 1_024];
    assert_eq!(
        a.try_send(&Transmit::run(to_b, &run, 1_024)).unwrap(),
        STREAM_WINDOW
    );
    let more = a.try_send(&Transmit::packet(to_b, b"x"));
    assert_eq!(more.unwrap_err().kind(), ErrorKind::WouldBlock);
    assert!(pending(|cx| a.poll_writable(cx)));

    // 64 packets of 1024 bytes are there; 32 of them go into a batch.
    assert_eq!(receive(&b).await.len(), 32);
    assert_eq!(a.writable().await.unwrap(), Writable::Only(to_b));
    assert_eq!(
        a.try_send(&Transmit::run(to_b, &run, 1_024)).unwrap(),
        STREAM_WINDOW / 2
    );
}

#[tokio::test]
async fn a_packet_larger_than_the_window_goes_alone() {
    let Pair { a, b, to_b, .. } = pair().await;
    let large = vec![1; 65_507];
    assert_eq!(
        a.try_send(&Transmit::packet(to_b, &large)).unwrap(),
        large.len()
    );
    assert!(a.try_send(&Transmit::packet(to_b, &large)).is_err());
    assert_eq!(receive(&b).await[0].1, large);
    assert_eq!(
        a.try_send(&Transmit::packet(to_b, &large)).unwrap(),
        large.len()
    );
    let too_large = a.try_send(&Transmit::packet(to_b, &[0; 65_508]));
    assert_eq!(too_large.unwrap_err().kind(), ErrorKind::InvalidInput);
}

#[tokio::test]
async fn everything_arrives_in_order_through_a_small_window() {
    let Pair { a, b, to_b, .. } = pair().await;
    let data: Vec<u8> = (0..1_000_000_u32).flat_map(u32::to_le_bytes).collect();
    let sending = tokio::spawn({
        let data = data.clone();
        async move { a.send(&Transmit::run(to_b, &data, 1_400)).await.map(|()| a) }
    });
    let mut received = Vec::new();
    while received.len() < data.len() {
        received.extend(receive(&b).await.into_iter().flat_map(|(_, packet)| packet));
    }
    assert!(received == data);
    sending.await.unwrap().unwrap();
}

#[tokio::test]
async fn one_full_connection_does_not_hold_up_another() {
    let Pair { a, b, to_b, .. } = pair().await;
    let other = a.dial(&b.local_paths()[0]).await.unwrap();
    assert_ne!(other, to_b);
    a.try_send(&Transmit::run(to_b, &[1; STREAM_WINDOW + 1], 1_024))
        .unwrap();
    assert!(a.try_send(&Transmit::packet(other, b"x")).is_ok());
}

#[tokio::test]
async fn a_blocked_direction_makes_the_sender_wait() {
    let Pair {
        network,
        a,
        b,
        to_b,
    } = pair().await;
    network.block(a.address(), b.address());
    let refused = a.try_send(&Transmit::packet(to_b, b"x"));
    assert_eq!(refused.unwrap_err().kind(), ErrorKind::WouldBlock);
    assert!(pending(|cx| a.poll_writable(cx)));
    network.unblock(a.address(), b.address());
    assert_eq!(a.writable().await.unwrap(), Writable::Only(to_b));
    a.try_send(&Transmit::packet(to_b, b"x")).unwrap();
    assert_eq!(receive(&b).await.len(), 1);
}

#[tokio::test]
async fn a_closed_connection_is_read_to_its_end_before_the_event() {
    let Pair { a, b, to_b, .. } = pair().await;
    a.try_send(&Transmit::packet(to_b, b"last words")).unwrap();
    a.close_pipe(&to_b);
    assert!(pending(|cx| b.poll_event(cx)));
    let (to_a, words) = receive(&b).await.remove(0);
    assert_eq!(words, b"last words");
    assert_eq!(
        b.event().await,
        TransportEvent::PipeClosed(to_a, CloseReason::Peer)
    );
    for (transport, remote) in [(&a, to_b), (&b, to_a)] {
        let sent = transport.try_send(&Transmit::packet(remote, b"x"));
        assert_eq!(sent.unwrap_err().kind(), ErrorKind::NotConnected);
        assert_eq!(transport.remote_path(&remote), None);
    }
    assert!(
        pending(|cx| a.poll_event(cx)),
        "whoever closes gets no event"
    );
}

/// Whoever was sending closed its end when that failed, and never heard why the peer had left.
#[tokio::test]
async fn last_words_are_heard_by_whoever_closes_after_the_peer() {
    let Pair { a, b, to_b, .. } = pair().await;
    a.try_send(&Transmit::packet(to_b, b"hello")).unwrap();
    let (to_a, _) = receive(&b).await.remove(0);
    a.try_send(&Transmit::packet(to_b, b"farewell")).unwrap();
    a.close().await;
    let failed = b.try_send(&Transmit::packet(to_a, b"what?"));
    assert_eq!(failed.unwrap_err().kind(), ErrorKind::NotConnected);
    b.close_pipe(&to_a);
    assert_eq!(receive(&b).await, [(to_a, b"farewell".to_vec())]);
    assert_eq!(
        b.event().await,
        TransportEvent::PipeClosed(to_a, CloseReason::Peer)
    );
}

#[tokio::test]
async fn a_sender_that_waits_learns_that_the_peer_is_gone() {
    let Pair { a, b, to_b, .. } = pair().await;
    a.try_send(&Transmit::run(to_b, &[1; STREAM_WINDOW + 1], 1_024))
        .unwrap();
    let a = Arc::new(a);
    let waiting = tokio::spawn({
        let a = a.clone();
        async move { a.send(&Transmit::packet(to_b, &[0; 2_000])).await }
    });
    tokio::task::yield_now().await;
    drop(b);
    assert_eq!(
        waiting.await.unwrap().unwrap_err().kind(),
        ErrorKind::NotConnected
    );
    assert_eq!(
        a.event().await,
        TransportEvent::PipeClosed(to_b, CloseReason::Peer)
    );
}

#[tokio::test]
async fn dialling_nobody_is_refused() {
    let Pair { a, b, .. } = pair().await;
    let path = b.local_paths().remove(0);
    b.close().await;
    let error = a.dial(&path).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        format!("memory-stream could not connect to {path}: connection refused")
    );
    assert_eq!(
        b.writable().await.unwrap_err().kind(),
        ErrorKind::NotConnected
    );
    assert!(b.dial(&a.local_paths()[0]).await.is_err());
}

#[tokio::test]
async fn an_endpoint_takes_a_bounded_number_of_connections() {
    let Pair { network, a, b, .. } = pair().await;
    let path = b.local_paths().remove(0);
    for _ in 1..MAX_CONNECTIONS {
        a.dial(&path).await.unwrap();
    }
    let another = network.stream_endpoint();
    let error = another.dial(&path).await.unwrap_err();
    assert!(
        error.to_string().contains("has 1024 connections already"),
        "{error}"
    );

    // Closed ones count until their events are taken.
    drop(a);
    assert!(another.dial(&path).await.is_err());
    b.event().await;
    assert!(another.dial(&path).await.is_ok());
}
