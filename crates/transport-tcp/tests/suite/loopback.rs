//! Two transports on this host.

use std::{io::ErrorKind, net::SocketAddr};

use crate::common::{Node, V4, bind, linked, loopbacks, raise_descriptors, run, until};
use telehash_hashname::Path;
use telehash_transport::{
    CloakPolicy, CloseReason, Remote, Transmit, Transport, TransportError, TransportEvent,
    TransportExt, Writable, ip::Listen,
};
use telehash_transport_tcp::{MAX_STRANGER_UNSENT, MAX_UNSENT, TcpConfig, TcpTransport};

#[tokio::test]
async fn packets_go_there_and_back() {
    for address in loopbacks() {
        let (mut a, b, to_b, to_a) = linked(address).await;
        assert_eq!(
            a.transport.remote_path(&to_b).unwrap(),
            b.transport.local_paths()[0]
        );
        let answer = Transmit::packet(to_a, b"hi");
        b.transport.send(&answer).await.unwrap();
        assert_eq!(a.packet().await, (to_b, b"hi".to_vec()));
    }
}

#[tokio::test]
async fn runs_arrive_whole_and_in_order() {
    for address in loopbacks() {
        let (a, mut b, to_b, _) = linked(address).await;
        for (count, size) in [(1, 1), (2, 1_200), (64, 1_200), (100, 100), (3, 65_507)] {
            // The last one is shorter.
            let mut run = run(count, size);
            run.push(1);
            a.transport
                .send(&Transmit::run(to_b, &run, size))
                .await
                .unwrap();
            let received = b.packets(count + 1).await;
            assert!(
                received == run.chunks(size).collect::<Vec<_>>(),
                "{count} of {size}"
            );
        }
    }
}

#[tokio::test]
async fn a_run_leaves_in_one_write() {
    let (a, mut b, to_b, _) = linked(V4).await;
    let run = run(50, 1_400);
    let transmit = Transmit::run(to_b, &run, 1_400);
    let before = a.transport.stats();
    assert_eq!(a.transport.try_send(&transmit).unwrap(), run.len());
    let after = a.transport.stats();
    assert_eq!(after.write_calls - before.write_calls, 1);
    assert_eq!(after.sent_packets - before.sent_packets, 50);
    assert_eq!(b.packets(50).await.concat(), run);
    let received = b.transport.stats();
    assert_eq!(received.received_packets, 51);
    // One that met the first packet, and as many as the run came in.
    assert!(received.read_calls < 10, "{received:?}");
}

#[tokio::test]
async fn a_peer_that_does_not_read_blocks_its_sender_until_it_does() {
    let (a, b) = (Node::at(V4).await, bind(V4).await);
    let to_b = a.transport.dial(&b.local_paths()[0]).await.unwrap();
    for (limit, keep) in [(MAX_STRANGER_UNSENT, false), (MAX_UNSENT, true)] {
        if keep {
            a.transport.keep(&to_b);
        }
        let run = run(64, 1_000);
        let mut sent = Vec::new();
        loop {
            match a.transport.try_send(&Transmit::run(to_b, &run, 1_000)) {
                Ok(bytes) => sent.extend_from_slice(&run[..bytes]),
                Err(error) => {
                    assert_eq!(error.kind(), ErrorKind::WouldBlock);
                    break;
                }
            }
            assert!(sent.len() < 100_000_000, "the limit is {limit}");
        }
        // Only what the peer reads makes room, and the room is for its connection alone.
        let mut batch = b.recv_batch();
        let mut received = Vec::new();
        let writable = a.transport.writable();
        tokio::pin!(writable);
        loop {
            tokio::select! {
                biased;
                writable = &mut writable => {
                    assert_eq!(writable.unwrap(), Writable::Only(to_b));
                    break;
                }
                _ = b.recv(&mut batch) => {
                    batch.packets().for_each(|packet| received.extend_from_slice(packet.contents));
                }
            }
        }
        let more = Transmit::run(to_b, &run, 1_000);
        let more = a.transport.try_send(&more).unwrap();
        assert!(more > 0);
        sent.extend_from_slice(&run[..more]);
        while received.len() < sent.len() {
            b.recv(&mut batch).await.unwrap();
            batch
                .packets()
                .for_each(|packet| received.extend_from_slice(packet.contents));
        }
        assert!(received == sent);
    }
}

#[tokio::test]
async fn a_sender_that_has_to_wait_gets_everything_through() {
    let (a, mut b, to_b, to_a) = linked(V4).await;
    let mut a = a;
    let run = run(3_000, 1_400);
    let transmits = [
        Transmit::run(to_b, &run, 1_400),
        Transmit::run(to_a, &run, 1_400),
    ];
    let (sender, other) = (a.transport.clone(), b.transport.clone());
    let (sent, back, there_packets, back_packets) = tokio::join!(
        sender.send(&transmits[0]),
        other.send(&transmits[1]),
        b.packets(3_000),
        a.packets(3_000),
    );
    sent.and(back).unwrap();
    assert!(there_packets.concat() == run && back_packets.concat() == run);
}

#[tokio::test]
async fn what_was_sent_before_a_pipe_is_closed_arrives_before_the_news() {
    let (a, mut b, to_b, to_a) = linked(V4).await;
    let run = run(3_000, 1_400);
    let taken = a
        .transport
        .try_send(&Transmit::run(to_b, &run, 1_400))
        .unwrap();
    a.transport.close_pipe(&to_b);
    let error = a.transport.try_send(&Transmit::packet(to_b, b"late"));
    assert_eq!(error.unwrap_err().kind(), ErrorKind::NotConnected);
    assert_eq!(b.packets(taken / 1_400).await.concat(), run[..taken]);
    let closed = TransportEvent::PipeClosed(to_a, CloseReason::Peer);
    assert_eq!(b.event().await, closed);
    let error = b.transport.try_send(&Transmit::packet(to_a, b"late"));
    assert_eq!(error.unwrap_err().kind(), ErrorKind::NotConnected);
    assert!(b.transport.remote_path(&to_a).is_none());
    until(|| a.transport.stats().connections == 0).await;
    let (ours, theirs) = (a.transport.stats(), b.transport.stats());
    assert_eq!((ours.closed_by_us, theirs.closed_by_peer), (1, 1));
}

#[tokio::test]
async fn closing_lets_everything_leave_and_wakes_whoever_waits() {
    let (a, mut b, to_b, to_a) = linked(V4).await;
    let waiting = a.transport.clone();
    let writable = tokio::spawn(async move { waiting.writable().await });
    let run = run(3_000, 1_400);
    let taken = a
        .transport
        .try_send(&Transmit::run(to_b, &run, 1_400))
        .unwrap();
    let (received, ()) = tokio::join!(b.packets(taken / 1_400), a.transport.close());
    assert_eq!(received.concat(), run[..taken]);
    let closed = TransportEvent::PipeClosed(to_a, CloseReason::Peer);
    assert_eq!(b.event().await, closed);
    let not_connected = ErrorKind::NotConnected;
    assert_eq!(writable.await.unwrap().unwrap_err().kind(), not_connected);
    let mut batch = a.transport.recv_batch();
    let received = a.transport.recv(&mut batch).await;
    assert_eq!(received.unwrap_err().kind(), not_connected);
    let dialled = a.transport.dial(&b.transport.local_paths()[0]).await;
    assert!(matches!(dialled, Err(TransportError::Closed { .. })));
    // Nobody listens any more.
    let again = b.transport.dial(&a.transport.local_paths()[0]).await;
    assert!(matches!(again, Err(TransportError::Dial { .. })));
    a.transport.close().await;
}

#[tokio::test]
async fn a_port_is_free_when_its_transport_is_dropped() {
    let (a, b, ..) = linked(V4).await;
    let address = b.address();
    b.transport.close().await;
    drop((a, b));
    until(|| std::net::TcpListener::bind(address).is_ok()).await;
    let again = TcpTransport::bind(&TcpConfig::at(address)).await.unwrap();
    assert_eq!(again.local_addr(), address);
    let taken = TcpTransport::bind(&TcpConfig::at(address)).await;
    assert!(matches!(taken, Err(TransportError::PortInUse { .. })));
    let other = TcpConfig::from(Listen::at(address).prefer_port(address.port()));
    assert_ne!(
        TcpTransport::bind(&other).await.unwrap().local_addr(),
        address
    );
}

#[tokio::test]
async fn dialling_where_nobody_listens_says_so() {
    let a = bind(V4).await;
    let nobody = std::net::TcpListener::bind(V4).unwrap();
    let path = Path::tcp(nobody.local_addr().unwrap());
    drop(nobody);
    let error = a.dial(&path).await.unwrap_err();
    let TransportError::Dial { source, .. } = &error else {
        panic!("{error}")
    };
    assert_eq!(source.kind(), ErrorKind::ConnectionRefused);
    assert!(error.to_string().starts_with("tcp could not connect to "));
    assert_eq!(a.stats().connections, 0);
}

#[tokio::test]
async fn only_complete_paths_of_our_kind_and_family_can_be_dialled() {
    let a = bind(V4).await;
    let address = |text: &str| text.parse::<SocketAddr>().unwrap();
    for path in [
        Path::udp(address("127.0.0.1:7")),
        Path::tls(address("127.0.0.1:7")),
        Path::tcp(address("127.0.0.1:0")),
        Path::tcp(address("[::1]:7")),
        Path::http("http://127.0.0.1:7"),
    ] {
        assert!(!a.dialable(&path), "{path}");
        let error = a.dial(&path).await.unwrap_err();
        assert!(matches!(error, TransportError::UnsupportedPath { .. }));
    }
    assert!(a.dialable(&Path::tcp(address("127.0.0.1:7"))));
}

#[tokio::test]
async fn what_cannot_be_sent_is_refused() {
    let (a, _b, to_b, _) = linked(V4).await;
    let refused = |remote, packet: &[u8]| {
        let error = a.transport.try_send(&Transmit::packet(remote, packet));
        error.unwrap_err().kind()
    };
    let max = a.transport.capabilities(&to_b).max_packet;
    assert_eq!(refused(to_b, &vec![1; max + 1]), ErrorKind::InvalidInput);
    let socket = Remote::Socket(a.address());
    assert_eq!(refused(socket, b"x"), ErrorKind::InvalidInput);
    let unknown = Remote::Connection(9_999);
    assert_eq!(refused(unknown, b"x"), ErrorKind::NotConnected);
    let nothing = Transmit::packet(to_b, b"");
    assert_eq!(a.transport.try_send(&nothing).unwrap(), 0);
}

#[tokio::test]
async fn capabilities_are_those_of_a_stream_on_this_machine() {
    let (a, b, to_b, to_a) = linked(V4).await;
    for (node, remote) in [(&a, to_b), (&b, to_a)] {
        let capabilities = node.transport.capabilities(&remote);
        assert!(capabilities.reliable && capabilities.backpressure && capabilities.loopback);
        assert_eq!(capabilities.cloak, CloakPolicy::MatchPeer);
    }
    let always = TcpConfig::at(V4.parse().unwrap()).always_cloak(true);
    let always = TcpTransport::bind(&always).await.unwrap();
    assert_eq!(always.capabilities(&to_b).cloak, CloakPolicy::Always);
}

#[tokio::test]
async fn a_transport_can_dial_itself() {
    let mut a = Node::at(V4).await;
    let to_self = {
        let path = &a.transport.local_paths()[0];
        a.transport.dial(path).await.unwrap()
    };
    let hello = Transmit::packet(to_self, b"me");
    a.transport.send(&hello).await.unwrap();
    let (from, packet) = a.packet().await;
    assert_eq!(packet, b"me");
    assert_ne!(from, to_self);
}

#[tokio::test]
async fn hundreds_of_connections_each_carry_their_own() {
    raise_descriptors();
    let (a, mut b) = (Node::at(V4).await, Node::at(V4).await);
    for n in 0..300_u32 {
        let to_b = a.dial(&b).await;
        a.transport.keep(&to_b);
        let packet = n.to_be_bytes();
        a.transport
            .send(&Transmit::packet(to_b, &packet))
            .await
            .unwrap();
    }
    let mut seen = Vec::new();
    let mut remotes = std::collections::BTreeSet::new();
    for _ in 0..300 {
        let (remote, packet) = b.meet().await;
        remotes.insert(remote);
        seen.push(u32::from_be_bytes(packet.try_into().unwrap()));
    }
    seen.sort_unstable();
    assert_eq!(seen, (0..300).collect::<Vec<_>>());
    assert_eq!(remotes.len(), 300);
    let stats = b.transport.stats();
    assert_eq!((stats.connections, stats.strangers), (300, 0));
    b.transport.close().await;
    assert_eq!(b.transport.stats().connections, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn any_thread_may_send() {
    let (a, mut b, to_b, _) = linked(V4).await;
    let senders: Vec<_> = (0..4_u8)
        .map(|n| {
            let transport = a.transport.clone();
            tokio::task::spawn_blocking(move || {
                for _ in 0..500 {
                    let packet = [n; 100];
                    let transmit = Transmit::packet(to_b, &packet);
                    while transport.try_send(&transmit).is_err() {
                        std::thread::yield_now();
                    }
                }
            })
        })
        .collect();
    let received = b.packets(2_000).await;
    for n in 0..4_u8 {
        let own = received.iter().filter(|packet| **packet == [n; 100]);
        assert_eq!(own.count(), 500);
    }
    for sender in senders {
        sender.await.unwrap();
    }
}

#[tokio::test]
async fn giving_up_a_dial_leaves_nothing_behind() {
    let (a, b) = (bind(V4).await, bind(V4).await);
    let path = &b.local_paths()[0];
    {
        let dial = a.dial(path);
        tokio::pin!(dial);
        let polled = futures_poll(&mut dial).await;
        assert!(polled.is_pending());
    }
    assert_eq!(a.stats().connections, 0);
    assert!(a.dial(path).await.is_ok());
}

/// Polls a future once.
async fn futures_poll<F: Future + Unpin>(future: &mut F) -> std::task::Poll<F::Output> {
    std::future::poll_fn(|cx| std::task::Poll::Ready(std::pin::Pin::new(&mut *future).poll(cx)))
        .await
}
