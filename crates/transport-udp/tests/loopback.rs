//! Two sockets on this host.

use std::{
    collections::BTreeSet,
    io::ErrorKind,
    net::{SocketAddr, UdpSocket},
    sync::Arc,
};

use telehash_hashname::Path;
use telehash_transport::{
    Capabilities, CloakPolicy, Ecn, Remote, Transmit, Transport, TransportError, TransportExt,
    Writable, ip::Listen,
};
use telehash_transport_udp::{UdpConfig, UdpTransport};

const V4: &str = "127.0.0.1:0";
const V6: &str = "[::1]:0";

async fn bind(address: &str) -> UdpTransport {
    UdpTransport::bind(&UdpConfig::at(address.parse().unwrap()))
        .await
        .unwrap()
}

fn to(transport: &UdpTransport) -> Remote {
    Remote::Socket(transport.local_addr())
}

/// The loopback addresses of this host; IPv6 may be switched off.
fn loopbacks() -> Vec<&'static str> {
    [V4, V6]
        .into_iter()
        .filter(|address| UdpSocket::bind(address).is_ok())
        .collect()
}

/// Receives until there are `count` packets.
async fn receive(transport: &UdpTransport, count: usize) -> Vec<Vec<u8>> {
    let mut batch = transport.recv_batch();
    let mut packets = Vec::new();
    while packets.len() < count {
        assert_eq!(transport.recv(&mut batch).await.unwrap(), batch.len());
        packets.extend(batch.packets().map(|packet| packet.contents.to_vec()));
    }
    packets
}

/// `count` packets of `size` bytes that all differ.
fn run(count: usize, size: usize) -> Vec<u8> {
    (0..count)
        .flat_map(|n| (0..size).map(move |i| (n * 7 + i) as u8))
        .collect()
}

#[tokio::test]
async fn packets_arrive_with_the_address_they_came_from() {
    for address in loopbacks() {
        let (a, b) = (bind(address).await, bind(address).await);
        a.send(&Transmit::packet(to(&b), b"hello")).await.unwrap();
        let mut batch = b.recv_batch();
        b.recv(&mut batch).await.unwrap();
        let packet = batch.packets().next().unwrap();
        assert_eq!((&*packet.contents, packet.remote), (&b"hello"[..], to(&a)));
        if cfg!(target_os = "linux") {
            assert_eq!(packet.local, Some(b.local_addr().ip()));
        }
        let answer_from = packet.local;
        let mut answer = Transmit::packet(packet.remote, b"hi");
        answer.source = answer_from;
        b.send(&answer).await.unwrap();
        assert_eq!(receive(&a, 1).await, [b"hi"]);
    }
}

#[tokio::test]
async fn a_run_arrives_whole_and_in_order() {
    for address in loopbacks() {
        let (a, b) = (bind(address).await, bind(address).await);
        for (count, size) in [(1, 1), (2, 1_200), (64, 1_200), (100, 100), (3, 9_000)] {
            // The last one is shorter.
            let mut run = run(count, size);
            run.push(1);
            a.send(&Transmit::run(to(&b), &run, size)).await.unwrap();
            let received = receive(&b, count + 1).await;
            assert_eq!(
                received,
                run.chunks(size).collect::<Vec<_>>(),
                "{count} of {size}"
            );
        }
    }
}

#[tokio::test]
async fn a_run_takes_one_call_to_send_and_few_to_receive() {
    let (a, b) = (bind(V4).await, bind(V4).await);
    if a.max_segments() == 1 {
        eprintln!("skipped: this system does not segment UDP");
        return;
    }
    a.writable().await.unwrap();
    let run = run(50, 1_200);
    assert_eq!(
        a.try_send(&Transmit::run(to(&b), &run, 1_200)).unwrap(),
        run.len()
    );
    assert_eq!(receive(&b, 50).await.len(), 50);
    let (sent, received) = (a.stats(), b.stats());
    assert_eq!(
        (sent.send_calls, sent.sent_datagrams, sent.sent_bytes),
        (1, 50, 60_000)
    );
    assert_eq!(
        (received.received_datagrams, received.received_bytes),
        (50, 60_000)
    );
    // One that received, perhaps others that found nothing yet.
    assert!(received.receive_calls < 50, "{received:?}");
}

#[tokio::test]
async fn datagrams_that_wait_take_few_calls_to_receive() {
    let (a, b) = (bind(V4).await, bind(V4).await);
    // Different sizes, so that the system does not join them.
    for size in 1..=20 {
        a.send(&Transmit::packet(to(&b), &vec![7; size * 10]))
            .await
            .unwrap();
    }
    let sizes: Vec<_> = receive(&b, 20).await.iter().map(Vec::len).collect();
    assert_eq!(sizes, (1..=20).map(|size| size * 10).collect::<Vec<_>>());
    if cfg!(any(target_os = "linux", target_os = "freebsd")) {
        assert!(b.stats().receive_calls < 20, "{:?}", b.stats());
    }
}

#[tokio::test]
async fn the_largest_datagram_arrives_and_a_larger_one_is_dropped() {
    let (a, b) = (bind(V4).await, bind(V4).await);
    for size in [Capabilities::MAX_DATAGRAM + 1, Capabilities::MAX_DATAGRAM] {
        a.send(&Transmit::packet(to(&b), &run(1, size)))
            .await
            .unwrap();
    }
    let received = receive(&b, 1).await;
    assert!(received == [run(1, Capabilities::MAX_DATAGRAM)]);
    assert_eq!((a.stats().oversized, a.stats().sent_datagrams), (1, 1));
}

#[tokio::test]
async fn empty_datagrams_are_passed_over() {
    let (a, b) = (UdpSocket::bind(V4).unwrap(), bind(V4).await);
    for packet in [&b""[..], b"x", b""] {
        a.send_to(packet, b.local_addr()).unwrap();
    }
    assert_eq!(receive(&b, 1).await, [b"x"]);
}

#[tokio::test]
async fn congestion_marks_arrive() {
    let (a, b) = (bind(V4).await, bind(V4).await);
    let mut marked = Transmit::packet(to(&b), b"x");
    marked.ecn = Some(Ecn::Ect0);
    a.send(&marked).await.unwrap();
    let mut batch = b.recv_batch();
    b.recv(&mut batch).await.unwrap();
    let ecn = batch.packets().next().unwrap().ecn;
    if cfg!(target_os = "linux") {
        assert_eq!(ecn, Some(Ecn::Ect0));
    }
}

#[tokio::test]
async fn one_socket_serves_both_families_and_names_ipv4_peers_by_ipv4() {
    let Ok(both) = UdpTransport::bind(&UdpConfig::at("[::]:0".parse().unwrap())).await else {
        eprintln!("skipped: there is no IPv6 here");
        return;
    };
    let port = both.local_addr().port();
    let own = |ip: &str| Remote::Socket(SocketAddr::new(ip.parse().unwrap(), port));
    for (address, ip) in [(V4, "127.0.0.1"), (V6, "::1")] {
        let peer = bind(address).await;
        peer.send(&Transmit::packet(own(ip), b"there"))
            .await
            .unwrap();
        let mut batch = both.recv_batch();
        both.recv(&mut batch).await.unwrap();
        let packet = batch.packets().next().unwrap();
        assert_eq!(packet.remote, to(&peer));
        assert_eq!(packet.local, Some(ip.parse().unwrap()));
        let mut answer = Transmit::packet(packet.remote, b"back");
        answer.source = packet.local;
        both.send(&answer).await.unwrap();
        assert_eq!(receive(&peer, 1).await, [b"back"]);
        let path = both.remote_path(&to(&peer)).unwrap();
        assert_eq!(path, Path::udp(peer.local_addr()));
        assert!(both.dialable(&path));
    }
}

#[tokio::test]
async fn a_socket_dials_its_own_kind_of_path_only() {
    let v4 = bind(V4).await;
    let (four, six) = (
        "192.0.2.1:7".parse().unwrap(),
        "[2001:db8::1]:7".parse().unwrap(),
    );
    assert_eq!(
        v4.dial(&Path::udp(four)).await.unwrap(),
        Remote::Socket(four)
    );
    for path in [
        Path::udp(six),
        Path::tcp(four),
        Path::udp("192.0.2.1:0".parse().unwrap()),
    ] {
        assert!(!v4.dialable(&path), "{path}");
        let error = v4.dial(&path).await.unwrap_err();
        assert!(
            matches!(error, TransportError::UnsupportedPath { .. }),
            "{error}"
        );
    }
    let sent = v4.try_send(&Transmit::packet(Remote::Socket(six), b"x"));
    assert_eq!(sent.unwrap_err().kind(), ErrorKind::InvalidInput);
    let sent = v4.try_send(&Transmit::packet(Remote::Connection(1), b"x"));
    assert_eq!(sent.unwrap_err().kind(), ErrorKind::InvalidInput);
}

#[tokio::test]
async fn a_port_in_use_is_a_clear_error() {
    let occupant = UdpSocket::bind(V4).unwrap();
    let taken = occupant.local_addr().unwrap();
    let error = UdpTransport::bind(&UdpConfig::at(taken)).await.unwrap_err();
    let port = taken.port();
    assert_eq!(
        error.to_string(),
        format!(
            "udp port {port} on 127.0.0.1 is in use by another program; stop that program, choose \
             another port, or choose port 0 for any free one"
        )
    );
}

#[tokio::test]
async fn a_preferred_port_is_taken_if_free_and_another_one_otherwise() {
    let first = bind(V4).await;
    let listen = Listen::at(V4.parse().unwrap()).prefer_port(first.local_addr().port());
    let config = UdpConfig::from(listen);
    let second = UdpTransport::bind(&config).await.unwrap();
    assert_ne!(second.local_addr(), first.local_addr());
    assert_eq!(second.local_addr().ip(), first.local_addr().ip());
}

#[tokio::test]
async fn an_address_of_another_host_is_a_clear_error() {
    let elsewhere = UdpConfig::at("192.0.2.1:0".parse().unwrap());
    let error = UdpTransport::bind(&elsewhere).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "udp cannot listen on 192.0.2.1:0: this host has no such address"
    );
}

#[tokio::test]
async fn a_peer_that_is_gone_does_not_stop_the_socket() {
    let (a, b) = (bind(V4).await, bind(V4).await);
    // A connected socket keeps its port, but does not want what others send there.
    let deaf = UdpSocket::bind(V4).unwrap();
    deaf.connect(b.local_addr()).unwrap();
    let gone = Remote::Socket(deaf.local_addr().unwrap());
    for _ in 0..3 {
        a.send(&Transmit::packet(gone, b"anyone?")).await.unwrap();
    }
    b.send(&Transmit::packet(to(&a), b"me")).await.unwrap();
    assert_eq!(receive(&a, 1).await, [b"me"]);
}

#[tokio::test]
async fn capabilities_say_what_udp_is() {
    let transport = bind(V4).await;
    let here = transport.capabilities(&to(&transport));
    assert!(!here.reliable && !here.own_congestion_control && !here.backpressure);
    assert_eq!((here.cloak, here.loopback), (CloakPolicy::Always, true));
    let elsewhere = Remote::Socket("192.0.2.1:7".parse().unwrap());
    assert!(!transport.capabilities(&elsewhere).loopback);
    assert_eq!(transport.local_paths(), [Path::udp(transport.local_addr())]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_tasks_send_through_one_socket_and_nothing_is_mixed_up() {
    const TASKS: u8 = 8;
    const RUNS: u8 = 5;
    let (a, b) = (Arc::new(bind(V4).await), bind(V4).await);
    let to_b = to(&b);
    let send_runs = |task| {
        let a = a.clone();
        async move {
            for run in 0..RUNS {
                let packets: Vec<u8> = (0..10).flat_map(|n| [task, run, n].repeat(20)).collect();
                let mut rest = packets.as_slice();
                while !rest.is_empty() {
                    match a.try_send(&Transmit::run(to_b, rest, 60)) {
                        Ok(sent) => rest = &rest[sent..],
                        Err(error) if error.kind() == ErrorKind::WouldBlock => {
                            tokio::task::yield_now().await;
                        }
                        Err(error) => panic!("{error}"),
                    }
                }
            }
        }
    };
    let senders: Vec<_> = (0..TASKS)
        .map(|task| tokio::spawn(send_runs(task)))
        .collect();
    let expected = usize::from(TASKS) * usize::from(RUNS) * 10;
    let received = receive(&b, expected).await;
    for sender in senders {
        sender.await.unwrap();
    }
    assert!(
        received
            .iter()
            .all(|packet| *packet == packet[..3].repeat(20))
    );
    let distinct: BTreeSet<_> = received.into_iter().collect();
    assert_eq!(distinct.len(), expected);
}

#[tokio::test]
async fn closing_wakes_whoever_waits() {
    let transport = Arc::new(bind(V4).await);
    let waiting = tokio::spawn({
        let transport = transport.clone();
        async move { transport.recv(&mut transport.recv_batch()).await }
    });
    assert_eq!(transport.writable().await.unwrap(), Writable::All);
    tokio::task::yield_now().await;
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
    assert!(transport.dial(&transport.local_paths()[0]).await.is_err());
}
