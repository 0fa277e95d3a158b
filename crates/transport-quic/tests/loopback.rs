//! Endpoints on this host.

use std::{
    io::ErrorKind,
    net::{SocketAddr, UdpSocket},
    sync::Arc,
};

use telehash_hashname::Path;
use telehash_transport::{
    Capabilities, CloakPolicy, CloseReason, Remote, Transmit, Transport, TransportError,
    TransportEvent, TransportExt, ip::Listen,
};
use telehash_transport_quic::{QuicConfig, QuicTransport, rustls};
use tokio::sync::mpsc;

const V4: &str = "127.0.0.1:0";
const V6: &str = "[::1]:0";

/// A transport whose packets are received all the time.
struct Node {
    transport: Arc<QuicTransport>,
    packets: mpsc::Receiver<(Remote, Vec<u8>)>,
}

impl Node {
    async fn new(address: &str) -> Self {
        Self::with(&QuicConfig::at(address.parse().unwrap())).await
    }

    async fn with(config: &QuicConfig) -> Self {
        let transport = Arc::new(QuicTransport::bind(config).await.unwrap());
        let (sender, packets) = mpsc::channel(64);
        let receiver = transport.clone();
        tokio::spawn(async move {
            let mut batch = receiver.recv_batch();
            while let Ok(count) = receiver.recv(&mut batch).await {
                assert_eq!(count, batch.len());
                for packet in batch.packets() {
                    let packet = (packet.remote, packet.contents.to_vec());
                    if sender.send(packet).await.is_err() {
                        return;
                    }
                }
            }
        });
        Self { transport, packets }
    }

    fn path(&self) -> Path {
        Path::quic(self.transport.local_addr())
    }

    async fn dial(&self, to: &Self) -> Remote {
        self.transport.dial(&to.path()).await.unwrap()
    }

    async fn send(&self, to: Remote, packet: &[u8]) {
        self.transport
            .send(&Transmit::packet(to, packet))
            .await
            .unwrap();
    }

    async fn packet(&mut self) -> (Remote, Vec<u8>) {
        self.packets.recv().await.unwrap()
    }

    async fn receive(&mut self, count: usize) -> Vec<Vec<u8>> {
        let mut packets = Vec::new();
        while packets.len() < count {
            packets.push(self.packet().await.1);
        }
        packets
    }
}

/// The loopback addresses of this host; IPv6 may be switched off.
fn loopbacks() -> Vec<&'static str> {
    let available = |address: &&str| UdpSocket::bind(address).is_ok();
    [V4, V6].into_iter().filter(available).collect()
}

/// `count` packets of `size` bytes that all differ.
fn run(count: usize, size: usize) -> Vec<u8> {
    (0..count)
        .flat_map(|n| (0..size).map(move |i| (n * 7 + i) as u8))
        .collect()
}

#[tokio::test]
async fn packets_go_there_and_back() {
    for address in loopbacks() {
        let (mut a, mut b) = (Node::new(address).await, Node::new(address).await);
        let to_b = a.dial(&b).await;
        a.send(to_b, b"hello").await;
        let (from_a, packet) = b.packet().await;
        assert_eq!(packet, b"hello");
        assert_eq!(b.transport.remote_path(&from_a), Some(a.path()));
        assert_eq!(a.transport.remote_path(&to_b), Some(b.path()));
        b.send(from_a, b"hi").await;
        assert_eq!(a.packet().await, (to_b, b"hi".to_vec()));
    }
}

#[tokio::test]
async fn a_run_of_datagrams_arrives_whole_and_in_order() {
    for address in loopbacks() {
        let (a, mut b) = (Node::new(address).await, Node::new(address).await);
        let to_b = a.dial(&b).await;
        for (count, size) in [(1, 1), (2, 1_200), (64, 1_200), (100, 100), (1_000, 1_000)] {
            // The last one is shorter.
            let mut run = run(count, size);
            run.push(1);
            a.transport
                .send(&Transmit::run(to_b, &run, size))
                .await
                .unwrap();
            let received = b.receive(count + 1).await;
            assert!(
                received == run.chunks(size).collect::<Vec<_>>(),
                "{count} of {size}"
            );
        }
        assert_eq!(a.transport.stats().sent_streams, 0);
        assert_eq!(b.transport.stats().received_datagrams, 1_172);
    }
}

#[tokio::test]
async fn what_is_too_large_for_a_datagram_arrives_on_a_stream() {
    let (a, mut b) = (Node::new(V4).await, Node::new(V4).await);
    let to_b = a.dial(&b).await;
    let sizes = [9_000, Capabilities::MAX_DATAGRAM];
    for size in sizes {
        assert!(a.transport.datagram_room(&to_b).unwrap() < size);
        let packets = run(20, size);
        a.transport
            .send(&Transmit::run(to_b, &packets, size))
            .await
            .unwrap();
        let mut received = b.receive(20).await;
        let mut sent: Vec<_> = packets.chunks(size).collect();
        received.sort();
        sent.sort_unstable();
        assert!(received == sent, "{size}");
    }
    assert_eq!(b.transport.stats().received_streams, 40);
    // One that is larger still is accepted and dropped, as on any unreliable pipe.
    a.send(to_b, &run(1, Capabilities::MAX_DATAGRAM + 1)).await;
    a.send(to_b, b"next").await;
    assert_eq!(b.packet().await.1, b"next");
    assert_eq!(a.transport.stats().oversized, 1);
}

#[tokio::test]
async fn the_packets_of_links_fit_datagrams_from_the_start() {
    let (a, b) = (Node::new(V4).await, Node::new(V4).await);
    let to_b = a.dial(&b).await;
    assert!(a.transport.datagram_room(&to_b).unwrap() >= 1_200);
    assert_eq!(a.transport.datagram_room(&Remote::Connection(99)), None);
}

#[tokio::test]
async fn a_pipe_that_is_closed_lets_its_packets_leave_first() {
    let (a, mut b) = (Node::new(V4).await, Node::new(V4).await);
    let to_b = a.dial(&b).await;
    a.transport
        .send(&Transmit::run(to_b, &run(50, 1_000), 1_000))
        .await
        .unwrap();
    a.send(to_b, &run(1, 20_000)).await;
    a.transport.close_pipe(&to_b);
    let sent = a.transport.try_send(&Transmit::packet(to_b, b"x"));
    assert_eq!(sent.unwrap_err().kind(), ErrorKind::NotConnected);
    assert_eq!(a.transport.remote_path(&to_b), None);
    let (from_a, _) = b.packet().await;
    assert_eq!(b.receive(50).await.len(), 50);
    let closed = TransportEvent::PipeClosed(from_a, CloseReason::Peer);
    assert_eq!(b.transport.event().await, closed);
    let sent = b.transport.try_send(&Transmit::packet(from_a, b"x"));
    assert_eq!(sent.unwrap_err().kind(), ErrorKind::NotConnected);
}

#[tokio::test]
async fn whoever_was_dialled_can_close_as_well() {
    let (a, mut b) = (Node::new(V4).await, Node::new(V4).await);
    let to_b = a.dial(&b).await;
    a.send(to_b, b"hello").await;
    let (from_a, _) = b.packet().await;
    b.transport.keep(&from_a);
    b.transport.close_pipe(&from_a);
    let closed = TransportEvent::PipeClosed(to_b, CloseReason::Peer);
    assert_eq!(a.transport.event().await, closed);
}

#[tokio::test]
async fn closing_a_transport_delivers_what_it_accepted_and_wakes_whoever_waits() {
    let (a, mut b) = (Node::new(V4).await, Node::new(V4).await);
    let to_b = a.dial(&b).await;
    a.transport
        .send(&Transmit::run(to_b, &run(300, 1_000), 1_000))
        .await
        .unwrap();
    let waiting = tokio::spawn({
        let a = a.transport.clone();
        async move { a.writable().await }
    });
    tokio::task::yield_now().await;
    let closing = a.transport.close();
    let (received, ()) = tokio::join!(b.receive(300), closing);
    assert_eq!(received.len(), 300);
    assert_eq!(
        waiting.await.unwrap().unwrap_err().kind(),
        ErrorKind::NotConnected
    );
    let received = a.transport.recv(&mut a.transport.recv_batch()).await;
    assert_eq!(received.unwrap_err().kind(), ErrorKind::NotConnected);
    let error = a.transport.dial(&b.path()).await.unwrap_err();
    assert!(matches!(error, TransportError::Closed { .. }), "{error}");
    a.transport.close().await;
}

#[tokio::test]
async fn a_transport_dials_its_own_kind_of_path_only() {
    let v4 = Node::new(V4).await;
    let address = |text: &str| text.parse::<SocketAddr>().unwrap();
    for path in [
        Path::quic(address("[2001:db8::1]:7")),
        Path::udp(address("192.0.2.1:7")),
        Path::quic(address("192.0.2.1:0")),
    ] {
        assert!(!v4.transport.dialable(&path), "{path}");
        let error = v4.transport.dial(&path).await.unwrap_err();
        assert!(
            matches!(error, TransportError::UnsupportedPath { .. }),
            "{error}"
        );
    }
    assert!(v4.transport.dialable(&Path::quic(address("192.0.2.1:7"))));
    let remote = Remote::Socket(address("192.0.2.1:7"));
    let sent = v4.transport.try_send(&Transmit::packet(remote, b"x"));
    assert_eq!(sent.unwrap_err().kind(), ErrorKind::InvalidInput);
}

#[tokio::test]
async fn one_socket_serves_both_families() {
    let config = QuicConfig::at("[::]:0".parse().unwrap());
    if loopbacks().len() < 2 {
        eprintln!("skipped: there is no IPv6 here");
        return;
    }
    let mut both = Node::with(&config).await;
    let port = both.transport.local_addr().port();
    for (address, ip) in [(V4, "127.0.0.1"), (V6, "::1")] {
        let mut peer = Node::new(address).await;
        let path = Path::quic(SocketAddr::new(ip.parse().unwrap(), port));
        let to_both = peer.transport.dial(&path).await.unwrap();
        peer.send(to_both, b"there").await;
        let (from_peer, _) = both.packet().await;
        assert_eq!(both.transport.remote_path(&from_peer), Some(peer.path()));
        let to_peer = both.dial(&peer).await;
        both.send(to_peer, b"back").await;
        assert_eq!(peer.packet().await.1, b"back");
    }
}

#[tokio::test]
async fn a_port_in_use_is_a_clear_error_or_another_port() {
    let occupant = UdpSocket::bind(V4).unwrap();
    let taken = occupant.local_addr().unwrap();
    let config = QuicConfig::at(taken);
    let error = QuicTransport::bind(&config).await.unwrap_err();
    assert!(matches!(error, TransportError::PortInUse { .. }), "{error}");
    let listen = Listen::at(taken).prefer_port(taken.port());
    let other = Node::with(&QuicConfig::from(listen)).await;
    assert_ne!(other.transport.local_addr(), taken);
}

#[tokio::test]
async fn capabilities_say_what_quic_is() {
    let (a, b) = (Node::new(V4).await, Node::new(V4).await);
    let to_b = a.dial(&b).await;
    let here = a.transport.capabilities(&to_b);
    assert!(!here.reliable && here.own_congestion_control && here.backpressure);
    assert_eq!((here.cloak, here.loopback), (CloakPolicy::Never, true));
    assert_eq!(here.keepalive, Capabilities::STREAM_KEEPALIVE);
    assert_eq!(here.max_packet, Capabilities::stream().max_packet);
    assert_eq!(a.transport.local_paths(), [a.path()]);
}

#[tokio::test]
async fn what_is_no_quic_gets_no_answer() {
    let b = Node::new(V4).await;
    let socket = tokio::net::UdpSocket::bind(V4).await.unwrap();
    let to_b = b.transport.local_addr();
    for size in [1, 20, 60, 600, 1_300] {
        // The first bit would announce a handshake, which below 1200 bytes is none.
        for first in [0x00, 0x40, 0x7f, 0xc0]
            .into_iter()
            .take(if size < 1_200 { 4 } else { 3 })
        {
            let mut garbage = run(1, size);
            garbage[0] = first;
            socket.send_to(&garbage, to_b).await.unwrap();
        }
    }
    // A handshake from the same socket's neighbour shows that all of it was read by now.
    let a = Node::new(V4).await;
    a.dial(&b).await;
    let answer = socket.try_recv(&mut [0; 2_000]);
    assert_eq!(answer.unwrap_err().kind(), ErrorKind::WouldBlock);
}

/// TLS that means something: a server's configuration, and one for clients that trust `trusted`.
fn tls(
    own: &rcgen::CertifiedKey<rcgen::KeyPair>,
    trusted: &rcgen::CertifiedKey<rcgen::KeyPair>,
) -> (rustls::ServerConfig, rustls::ClientConfig) {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let key = rustls::pki_types::PrivatePkcs8KeyDer::from(own.signing_key.serialize_der());
    let server = rustls::ServerConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![own.cert.der().clone()], key.into())
        .unwrap();
    let mut roots = rustls::RootCertStore::empty();
    roots.add(trusted.cert.der().clone()).unwrap();
    let client = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    (server, client)
}

#[tokio::test]
async fn certificates_can_be_verified() {
    let certificate = || rcgen::generate_simple_self_signed(["peer.example".to_owned()]).unwrap();
    let (known, unknown) = (certificate(), certificate());
    let config = |own| {
        let (server, client) = tls(own, &known);
        let config = QuicConfig::at(V4.parse().unwrap());
        config.verification(server, client, "peer.example")
    };
    let a = Node::with(&config(&known)).await;
    let mut b = Node::with(&config(&known)).await;
    let to_b = a.dial(&b).await;
    a.send(to_b, b"verified").await;
    assert_eq!(b.packet().await.1, b"verified");

    let c = Node::with(&config(&unknown)).await;
    let anonymous = Node::new(V4).await;
    for other in [c, anonymous] {
        let error = a.transport.dial(&other.path()).await.unwrap_err();
        assert!(matches!(error, TransportError::Dial { .. }), "{error}");
        assert!(error.to_string().contains("certificate"), "{error}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_connections_at_once() {
    const PEERS: usize = 50;
    let mut b = Node::new(V4).await;
    let path = b.path();
    let peers = (0..PEERS).map(|n| {
        let path = path.clone();
        tokio::spawn(async move {
            let mut peer = Node::new(V4).await;
            let to_b = peer.transport.dial(&path).await.unwrap();
            peer.send(to_b, &[n as u8; 100]).await;
            assert_eq!(peer.packet().await.1, [n as u8; 100]);
        })
    });
    let peers: Vec<_> = peers.collect();
    for _ in 0..PEERS {
        let (from, packet) = b.packet().await;
        b.transport.keep(&from);
        b.send(from, &packet).await;
    }
    for peer in peers {
        peer.await.unwrap();
    }
    assert_eq!(b.transport.stats().accepted, PEERS as u64);
}
