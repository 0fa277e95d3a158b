//! At the limits, and with peers that are not ours.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use futures::FutureExt as _;
use quinn::{ClientConfig, Connection, Endpoint, ServerConfig, TransportConfig};
use telehash_hashname::Path;
use telehash_transport::{
    Capabilities, CloseReason, Remote, Transmit, Transport, TransportError, TransportEvent,
    TransportExt as _,
};
use tokio::{
    net::UdpSocket,
    sync::mpsc,
    time::{Instant, timeout},
};

use crate::{
    QuicConfig, QuicTransport,
    limits::{
        HANDSHAKE_TIMEOUT, Limits, MAX_CONNECTIONS, MAX_HANDSHAKES, MAX_STRANGER_STREAMS,
        MAX_STREAMS, UNVALIDATED_HANDSHAKES,
    },
    outbox::MAX_WAITING,
    parameters::{RECEIVE_BUFFER, SEND_BUFFER},
    pipe::CLOSE_TIMEOUT,
    tls::Tls,
};

const HERE: &str = "127.0.0.1:0";

/// A transport whose packets are received all the time.
struct Node {
    transport: Arc<QuicTransport>,
    packets: mpsc::Receiver<(Remote, Vec<u8>)>,
}

impl Node {
    fn new(limits: Limits) -> Self {
        let config = QuicConfig::at(HERE.parse().unwrap());
        let transport = Arc::new(QuicTransport::with_limits(&config, limits).unwrap());
        let (sender, packets) = mpsc::channel(64);
        let receiver = transport.clone();
        tokio::spawn(async move {
            let mut batch = receiver.recv_batch();
            while receiver.recv(&mut batch).await.is_ok() {
                for packet in batch.packets() {
                    let packet = (packet.remote, packet.contents.to_vec());
                    sender.send(packet).await.unwrap();
                }
            }
        });
        Self { transport, packets }
    }

    fn path(&self) -> Path {
        Path::quic(self.transport.local_addr())
    }

    async fn packet(&mut self) -> (Remote, Vec<u8>) {
        self.packets.recv().await.unwrap()
    }
}

fn unlimited() -> Limits {
    Limits::default()
}

async fn dial(from: &Node, to: &Node) -> io::Result<Remote> {
    match from.transport.dial(&to.path()).await {
        Ok(remote) => Ok(remote),
        Err(TransportError::Dial { source, .. }) => Err(source),
        Err(error) => panic!("{error}"),
    }
}

async fn say(node: &Node, to: Remote, word: &[u8]) {
    node.transport
        .send(&Transmit::packet(to, word))
        .await
        .unwrap();
}

/// A QUIC endpoint without anything of ours but the names.
fn stranger(server: Option<TransportConfig>) -> Endpoint {
    let tls = Tls::anonymous().unwrap();
    let mut endpoint = match server {
        Some(parameters) => {
            let mut config = ServerConfig::with_crypto(tls.server);
            config.transport_config(parameters.into());
            Endpoint::server(config, HERE.parse().unwrap()).unwrap()
        }
        None => Endpoint::client(HERE.parse().unwrap()).unwrap(),
    };
    endpoint.set_default_client_config(ClientConfig::new(tls.client));
    endpoint
}

async fn connect(endpoint: &Endpoint, to: &Node) -> Connection {
    let to = to.transport.local_addr();
    endpoint.connect(to, "127.0.0.1").unwrap().await.unwrap()
}

#[tokio::test]
async fn strangers_make_room_for_others_and_links_do_not() {
    assert_eq!(unlimited().connections, MAX_CONNECTIONS);
    let mut bob = Node::new(Limits {
        connections: 2,
        ..unlimited()
    });
    let peers: Vec<_> = (0..4).map(|_| Node::new(unlimited())).collect();
    let mut arrived = Vec::new();
    for peer in &peers[..2] {
        let to_bob = dial(peer, &bob).await.unwrap();
        say(peer, to_bob, b"hi").await;
        arrived.push(bob.packet().await.0);
    }
    bob.transport.keep(&arrived[0]);
    let to_bob = dial(&peers[2], &bob).await.unwrap();
    say(&peers[2], to_bob, b"hi").await;
    let third = bob.packet().await.0;
    let evicted = CloseReason::Failed(io::ErrorKind::ConnectionAborted);
    let expected = TransportEvent::PipeClosed(arrived[1], evicted);
    assert_eq!(bob.transport.event().await, expected);
    let event = peers[1].transport.event().await;
    assert!(matches!(
        event,
        TransportEvent::PipeClosed(_, CloseReason::Peer)
    ));
    assert_eq!(bob.transport.stats().evicted, 1);

    bob.transport.keep(&third);
    let error = dial(&bob, &peers[3]).await.unwrap_err();
    assert_eq!(error.to_string(), "there are 2 connections already");
    dial(&peers[3], &bob).await.unwrap();
    let event = peers[3].transport.event().await;
    assert!(matches!(
        event,
        TransportEvent::PipeClosed(_, CloseReason::Peer)
    ));
    assert_eq!(bob.transport.stats().refused, 1);
}

#[tokio::test]
async fn one_handshake_too_many_is_refused() {
    assert_eq!(unlimited().handshakes, MAX_HANDSHAKES);
    let full = Limits {
        handshakes: 0,
        ..unlimited()
    };
    let (alice, bob) = (Node::new(unlimited()), Node::new(full));
    let error = dial(&alice, &bob).await.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
    assert_eq!(bob.transport.stats().refused, 1);
}

#[tokio::test]
async fn where_many_shake_hands_an_address_has_to_be_proven() {
    assert_eq!(unlimited().unvalidated, UNVALIDATED_HANDSHAKES);
    let busy = Limits {
        unvalidated: 0,
        ..unlimited()
    };
    let (alice, mut bob) = (Node::new(unlimited()), Node::new(busy));
    let to_bob = dial(&alice, &bob).await.unwrap();
    say(&alice, to_bob, b"it is me").await;
    assert_eq!(bob.packet().await.1, b"it is me");
    assert_eq!(
        (
            bob.transport.stats().retried,
            bob.transport.stats().accepted
        ),
        (1, 1)
    );
}

#[tokio::test]
async fn a_stranger_that_says_nothing_has_to_go() {
    let impatient = Limits {
        first_packet: Duration::ZERO,
        ..unlimited()
    };
    let (alice, bob) = (Node::new(unlimited()), Node::new(impatient));
    let to_bob = dial(&alice, &bob).await.unwrap();
    let event = bob.transport.event().await;
    assert!(matches!(
        event,
        TransportEvent::PipeClosed(_, CloseReason::TimedOut)
    ));
    let event = alice.transport.event().await;
    assert_eq!(event, TransportEvent::PipeClosed(to_bob, CloseReason::Peer));
}

#[tokio::test]
async fn a_stranger_has_few_streams_until_it_is_a_link() {
    let mut bob = Node::new(unlimited());
    let alice = stranger(None);
    let connection = connect(&alice, &bob).await;
    let mut streams = Vec::new();
    for _ in 0..MAX_STRANGER_STREAMS {
        let mut stream = connection.open_uni().await.unwrap();
        stream.write_all(b"x").await.unwrap();
        streams.push(stream);
    }
    let mut more = Box::pin(connection.open_uni());
    assert!(more.as_mut().now_or_never().is_none());
    streams[0].finish().unwrap();
    let (remote, _) = bob.packet().await;
    bob.transport.keep(&remote);
    let mut opened = vec![more.await.unwrap()];
    while opened.len() < MAX_STREAMS - MAX_STRANGER_STREAMS {
        opened.push(connection.open_uni().await.unwrap());
    }
}

#[tokio::test]
async fn a_stream_longer_than_any_packet_is_dropped() {
    let mut bob = Node::new(unlimited());
    let connection = connect(&stranger(None), &bob).await;
    for len in [Capabilities::MAX_DATAGRAM + 1, Capabilities::MAX_DATAGRAM] {
        let mut stream = connection.open_uni().await.unwrap();
        // The longer one is stopped before it is all there.
        let _ = stream.write_all(&vec![7; len]).await;
        let _ = stream.finish();
        let _ = stream.stopped().await;
    }
    assert_eq!(bob.packet().await.1.len(), Capabilities::MAX_DATAGRAM);
    assert_eq!(bob.transport.stats().oversized, 1);
}

#[tokio::test]
async fn another_protocol_is_refused_and_so_is_none() {
    let bob = Node::new(unlimited());
    for alpn in [vec![b"h3".to_vec()], vec![]] {
        let mut client = rustls::ClientConfig::builder_with_provider(Arc::new(
            rustls::crypto::ring::default_provider(),
        ))
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .with_root_certificates(rustls::RootCertStore::empty())
        .with_no_client_auth();
        client.alpn_protocols = alpn;
        let client = quinn::crypto::rustls::QuicClientConfig::try_from(client).unwrap();
        let client = ClientConfig::new(Arc::new(client));
        let endpoint = Endpoint::client(HERE.parse().unwrap()).unwrap();
        let to = bob.transport.local_addr();
        let error = endpoint
            .connect_with(client, to, "127.0.0.1")
            .unwrap()
            .await
            .unwrap_err();
        let no_application_protocol = error.to_string().contains("120");
        assert!(
            no_application_protocol || error.to_string().contains("ALPN"),
            "{error}"
        );
    }
}

#[tokio::test]
async fn a_peer_that_moves_is_found_at_its_new_address() {
    let mut bob = Node::new(unlimited());
    let alice = stranger(None);
    let connection = connect(&alice, &bob).await;
    connection.send_datagram(b"here".to_vec().into()).unwrap();
    let (remote, _) = bob.packet().await;
    let path = |address: SocketAddr| Some(Path::quic(address));
    assert_eq!(
        bob.transport.remote_path(&remote),
        path(alice.local_addr().unwrap())
    );
    alice
        .rebind(std::net::UdpSocket::bind(HERE).unwrap())
        .unwrap();
    connection.send_datagram(b"there".to_vec().into()).unwrap();
    assert_eq!(bob.packet().await, (remote, b"there".to_vec()));
    assert_eq!(
        bob.transport.remote_path(&remote),
        path(alice.local_addr().unwrap())
    );
}

#[tokio::test(start_paused = true)]
async fn a_dial_that_nobody_answers_ends_in_time() {
    let silent = UdpSocket::bind(HERE).await.unwrap();
    let alice = Node::new(unlimited());
    let start = Instant::now();
    let path = Path::quic(silent.local_addr().unwrap());
    let error = alice.transport.dial(&path).await.unwrap_err();
    assert_eq!(start.elapsed().as_secs(), HANDSHAKE_TIMEOUT.as_secs());
    assert!(
        error.to_string().ends_with("no answer within 10 s"),
        "{error}"
    );
}

#[tokio::test]
async fn closing_waits_for_packets_that_cannot_leave_but_not_for_ever() {
    let mut no_streams = TransportConfig::default();
    no_streams.max_concurrent_uni_streams(0_u32.into());
    let bob = stranger(Some(no_streams));
    let path = Path::quic(bob.local_addr().unwrap());
    let accepting = tokio::spawn(async move { bob.accept().await.unwrap().await.unwrap() });
    let alice = Node::new(unlimited());
    let to_bob = alice.transport.dial(&path).await.unwrap();
    let connection = accepting.await.unwrap();
    say(&alice, to_bob, &[7; 20_000]).await;
    tokio::time::pause();
    let start = Instant::now();
    timeout(CLOSE_TIMEOUT * 3, alice.transport.close())
        .await
        .unwrap();
    assert!(start.elapsed() >= CLOSE_TIMEOUT);
    assert!(connection.close_reason().is_some() || start.elapsed() >= CLOSE_TIMEOUT);
}

#[tokio::test]
async fn datagrams_are_taken_while_there_is_room_and_again_when_there_is() {
    let (alice, mut bob) = (Node::new(unlimited()), Node::new(unlimited()));
    let to_bob = dial(&alice, &bob).await.unwrap();
    let run = vec![7; 64 * 1_000];
    let transmit = Transmit::run(to_bob, &run, 1_000);
    // Nothing else runs meanwhile, so that nothing leaves.
    let mut taken = 0;
    let refused = loop {
        match alice.transport.try_send(&transmit) {
            Ok(bytes) => taken += bytes,
            Err(error) => break error,
        }
    };
    assert_eq!(refused.kind(), io::ErrorKind::WouldBlock);
    assert!(
        (SEND_BUFFER / 2..SEND_BUFFER + MAX_WAITING).contains(&taken),
        "{taken}"
    );
    let writable = alice.transport.writable().await.unwrap();
    assert_eq!(writable, telehash_transport::Writable::Only(to_bob));
    say(&alice, to_bob, b"the last one").await;
    for _ in 0..taken / 1_000 {
        assert_eq!(bob.packet().await.1.len(), 1_000);
    }
    assert_eq!(bob.packet().await.1, b"the last one");
}

#[tokio::test]
async fn large_packets_are_taken_while_there_are_streams_and_again_when_there_are() {
    let (alice, mut bob) = (Node::new(unlimited()), Node::new(unlimited()));
    let to_bob = dial(&alice, &bob).await.unwrap();
    let run = vec![7; 2 * MAX_STREAMS * 10_000];
    let transmit = Transmit::run(to_bob, &run, 10_000);
    assert_eq!(
        alice.transport.try_send(&transmit).unwrap(),
        MAX_STREAMS * 10_000
    );
    let refused = alice.transport.try_send(&transmit).unwrap_err();
    assert_eq!(refused.kind(), io::ErrorKind::WouldBlock);
    alice.transport.writable().await.unwrap();
    alice.transport.send(&transmit).await.unwrap();
    for _ in 0..3 * MAX_STREAMS {
        assert_eq!(bob.packet().await.1.len(), 10_000);
    }
}

#[tokio::test]
async fn of_packets_that_nobody_receives_the_oldest_are_lost() {
    let alice = Node::new(unlimited());
    let config = QuicConfig::at(HERE.parse().unwrap());
    let bob = QuicTransport::bind(&config).await.unwrap();
    let mut batch = bob.recv_batch();
    let path = Path::quic(bob.local_addr());
    let to_bob = tokio::select! {
        to_bob = alice.transport.dial(&path) => to_bob.unwrap(),
        _ = bob.recv(&mut batch) => unreachable!("nothing was sent"),
    };
    let packets = RECEIVE_BUFFER / 1_000 + 500;
    for n in 0..packets {
        let packet = [&n.to_be_bytes()[..], &[7; 992]].concat();
        say(&alice, to_bob, &packet).await;
    }
    // Closing waits until all have left, and the peer hears of it after it got them.
    alice.transport.close().await;
    let (mut bytes, mut last) = (0, 0);
    while last != packets - 1 {
        bob.recv(&mut batch).await.unwrap();
        for packet in batch.packets() {
            bytes += packet.contents.len();
            last = usize::from_be_bytes(packet.contents[..8].try_into().unwrap());
        }
    }
    assert!(
        (RECEIVE_BUFFER / 2..=RECEIVE_BUFFER).contains(&bytes),
        "{bytes}"
    );
}
