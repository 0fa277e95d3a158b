//! What the tests share: transports that are polled, and peers that speak bare TCP.

use std::{
    future::poll_fn,
    net::{SocketAddr, TcpListener},
    sync::Arc,
};

use telehash_transport::{Remote, Transport, TransportEvent, TransportExt};
use telehash_transport_tcp::{TcpConfig, TcpTransport};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::mpsc,
};

pub(crate) const V4: &str = "127.0.0.1:0";
pub(crate) const V6: &str = "[::1]:0";

/// The loopback addresses of this host; IPv6 may be switched off.
pub(crate) fn loopbacks() -> Vec<&'static str> {
    [V4, V6]
        .into_iter()
        .filter(|address| TcpListener::bind(address).is_ok())
        .collect()
}

pub(crate) async fn bind(address: &str) -> TcpTransport {
    TcpTransport::bind(&TcpConfig::at(address.parse().unwrap()))
        .await
        .unwrap()
}

/// A transport that is polled, by tasks of its own.
pub(crate) struct Node {
    pub(crate) transport: Arc<TcpTransport>,
    packets: mpsc::Receiver<(Remote, Vec<u8>)>,
    events: mpsc::Receiver<TransportEvent>,
}

impl Node {
    pub(crate) async fn at(address: &str) -> Self {
        Self::of(bind(address).await)
    }

    pub(crate) fn of(transport: TcpTransport) -> Self {
        let transport = Arc::new(transport);
        let (packets_in, packets) = mpsc::channel(1);
        let (events_in, events) = mpsc::channel(1);
        let (receiver, watcher) = (transport.clone(), transport.clone());
        tokio::spawn(async move {
            let mut batch = receiver.recv_batch();
            while let Ok(count) = receiver.recv(&mut batch).await {
                assert_eq!(count, batch.len());
                for packet in batch.packets() {
                    let packet = (packet.remote, packet.contents.to_vec());
                    if packets_in.send(packet).await.is_err() {
                        return;
                    }
                }
            }
        });
        tokio::spawn(async move { while events_in.send(watcher.event().await).await.is_ok() {} });
        Self {
            transport,
            packets,
            events,
        }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.transport.local_addr()
    }

    pub(crate) async fn dial(&self, other: &Self) -> Remote {
        let path = &other.transport.local_paths()[0];
        self.transport.dial(path).await.unwrap()
    }

    /// The next packet and where it came from; the connection is a link's from then on.
    pub(crate) async fn meet(&mut self) -> (Remote, Vec<u8>) {
        let (remote, packet) = self.packet().await;
        self.transport.keep(&remote);
        (remote, packet)
    }

    pub(crate) async fn packet(&mut self) -> (Remote, Vec<u8>) {
        self.packets.recv().await.expect("the transport is open")
    }

    pub(crate) async fn packets(&mut self, count: usize) -> Vec<Vec<u8>> {
        let mut packets = Vec::new();
        while packets.len() < count {
            packets.push(self.packet().await.1);
        }
        packets
    }

    pub(crate) async fn event(&mut self) -> TransportEvent {
        self.events.recv().await.expect("the transport is there")
    }

    /// A peer that speaks bare TCP.
    pub(crate) async fn raw_peer(&self) -> TcpStream {
        TcpStream::connect(self.address()).await.unwrap()
    }
}

/// Two nodes with a connection that both have taken into use: what the first calls it, and the second.
pub(crate) async fn linked(address: &str) -> (Node, Node, Remote, Remote) {
    let (a, mut b) = (Node::at(address).await, Node::at(address).await);
    let to_b = a.dial(&b).await;
    a.transport.keep(&to_b);
    let hello = telehash_transport::Transmit::packet(to_b, b"hello");
    a.transport.send(&hello).await.unwrap();
    let (to_a, packet) = b.meet().await;
    assert_eq!(packet, b"hello");
    (a, b, to_b, to_a)
}

/// Reads exactly so many bytes.
pub(crate) async fn read(peer: &mut TcpStream, count: usize) -> Vec<u8> {
    let mut bytes = vec![0; count];
    peer.read_exact(&mut bytes).await.unwrap();
    bytes
}

/// Everything until the end.
pub(crate) async fn rest(peer: &mut TcpStream) -> Vec<u8> {
    let mut bytes = Vec::new();
    // A reset is an end, too.
    let _ = peer.read_to_end(&mut bytes).await;
    bytes
}

pub(crate) async fn write(peer: &mut TcpStream, bytes: &[u8]) {
    peer.write_all(bytes).await.unwrap();
}

/// What a packet is on the wire, in plain words.
pub(crate) fn chunked(packet: &[u8]) -> Vec<u8> {
    let mut stream = Vec::new();
    for fragment in packet.chunks(255) {
        stream.push(u8::try_from(fragment.len()).unwrap());
        stream.extend(fragment);
    }
    stream.push(0);
    stream
}

/// `count` packets of `size` bytes that all differ.
pub(crate) fn run(count: usize, size: usize) -> Vec<u8> {
    (0..count)
        .flat_map(|n| (0..size).map(move |i| (n * 7 + i) as u8))
        .collect()
}

/// Waits until a condition holds that others bring about.
pub(crate) async fn until(mut holds: impl FnMut() -> bool) {
    poll_fn(|cx| {
        if holds() {
            return std::task::Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        std::task::Poll::Pending
    })
    .await;
}

/// Lets this process have as many file descriptors as the system grants.
pub(crate) fn raise_descriptors() {
    #[cfg(unix)]
    {
        use rustix::process::{Resource, getrlimit, setrlimit};
        let mut limit = getrlimit(Resource::Nofile);
        limit.current = limit.maximum;
        setrlimit(Resource::Nofile, limit).unwrap();
    }
}
