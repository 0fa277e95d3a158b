//! One suite over every transport and both families of IP.

mod breakable;
mod breaks;

use std::{future::Future, io, net::SocketAddr, time::Duration};

use futures::future::join_all;
use mesh::{
    Builder, HandlerError, PipeStatus, SendError, prelude::*, transport::memory::MemoryNetwork,
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    time::timeout,
};

/// No test takes so long.
const LIMIT: Duration = Duration::from_secs(30);

/// Bytes of a long stream: more than any buffer holds.
const LONG: usize = 8 << 20;

/// The parameter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Road {
    Udp4,
    Udp6,
    Tcp4,
    Tcp6,
    Tls4,
    Tls6,
    Quic4,
    Quic6,
    MemoryDatagrams,
    MemoryStreams,
}

/// Two endpoints and the client's link to the server.
struct Pair {
    server: Mesh,
    client: Mesh,
    link: Link,
}

impl Road {
    fn address(self) -> SocketAddr {
        match self {
            Self::Udp6 | Self::Tcp6 | Self::Tls6 | Self::Quic6 => "[::1]:0".parse().unwrap(),
            _ => "127.0.0.1:0".parse().unwrap(),
        }
    }

    /// A builder that listens here and nowhere else.
    fn listen(self, network: &MemoryNetwork) -> Builder {
        let (builder, address) = (mesh::builder(), self.address());
        match self {
            Self::Udp4 | Self::Udp6 => builder.udp(address),
            Self::Tcp4 | Self::Tcp6 => builder.tcp(address),
            Self::Tls4 | Self::Tls6 => builder.tls(address),
            Self::Quic4 | Self::Quic6 => builder.quic(address),
            Self::MemoryDatagrams => builder.transport(network.endpoint()),
            Self::MemoryStreams => builder.transport(network.stream_endpoint()),
        }
    }

    async fn pair(self) -> Pair {
        let network = MemoryNetwork::new(7);
        let server = self
            .listen(&network)
            .accept(Accept::All)
            .on_stream(echo_bytes)
            .on_open("echo", echo_packets)
            .on_open("refuse", refuse)
            .build()
            .await
            .unwrap_or_else(|error| panic!("{self:?} cannot listen on loopback: {error}"));
        let client = self.listen(&network).build().await.unwrap();
        let link = client.link(server.local_link_json()).await.unwrap();
        link.wait_up(LIMIT).await.unwrap();
        Pair {
            server,
            client,
            link,
        }
    }
}

impl Pair {
    async fn close(self) {
        self.client.close().await;
        self.server.close().await;
    }
}

async fn echo_bytes(incoming: IncomingStream) -> io::Result<()> {
    let (mut reader, mut writer) = incoming.accept()?.into_split();
    tokio::io::copy(&mut reader, &mut writer).await?;
    writer.shutdown().await
}

async fn echo_packets(incoming: IncomingChannel) -> Result<(), HandlerError> {
    let (mut sender, mut receiver) = incoming.accept()?.split();
    while let Some(packet) = receiver.recv().await? {
        sender.send(Packet::new(packet.body)).await?;
    }
    sender.end()?;
    Ok(())
}

async fn refuse(incoming: IncomingChannel) -> Result<(), HandlerError> {
    incoming.refuse("not today");
    Ok(())
}

/// Bytes that neither repeat nor compress.
fn pattern(len: usize) -> Vec<u8> {
    let word = |n: u64| n.wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29);
    (0..len as u64).map(|n| word(n) as u8).collect()
}

async fn within<T>(what: impl Future<Output = T>) -> T {
    timeout(LIMIT, what).await.expect("it takes too long")
}

/// A long stream there and back, ended in each direction on its own.
async fn long_stream(road: Road) {
    let pair = road.pair().await;
    let stream = pair.link.stream(StreamOptions::new()).await.unwrap();
    let (mut reader, mut writer) = stream.into_split();
    let sent = pattern(LONG);
    let writes = async {
        writer.write_all(&sent).await.unwrap();
        writer.shutdown().await.unwrap();
    };
    let mut echoed = Vec::new();
    let reads = async { reader.read_to_end(&mut echoed).await.unwrap() };
    within(async { tokio::join!(writes, reads) }).await;
    assert!(echoed == sent, "{} of {} bytes", echoed.len(), sent.len());
    pair.close().await;
}

/// A reader that stops holds the writer back, and nothing is lost.
async fn slow_reader(road: Road) {
    let pair = road.pair().await;
    let stream = pair.link.stream(StreamOptions::new()).await.unwrap();
    let (mut reader, mut writer) = stream.into_split();
    let sent = pattern(4 << 20);
    let mut written = 0;
    // Until nothing moves any more: all buffers there and back are full, or all is written.
    while written < sent.len() {
        let write = writer.write(&sent[written..]);
        match timeout(Duration::from_millis(300), write).await {
            Ok(more) => written += more.unwrap(),
            Err(_) => break,
        }
    }
    let rest = async {
        writer.write_all(&sent[written..]).await.unwrap();
        writer.shutdown().await.unwrap();
    };
    let mut echoed = Vec::new();
    let reads = async { reader.read_to_end(&mut echoed).await.unwrap() };
    within(async { tokio::join!(rest, reads) }).await;
    assert!(echoed == sent, "{} of {} bytes", echoed.len(), sent.len());
    pair.close().await;
}

/// Whole messages of many sizes, an empty one among them.
async fn messages(road: Road) {
    let pair = road.pair().await;
    let sizes = [0, 1, 1000, 1200, 1400, 5000, 200_000];
    let stream = pair.link.stream(StreamOptions::new()).await.unwrap();
    let mut stream = stream.into_messages(1 << 20).unwrap();
    let mut bytes = Vec::new();
    within(async {
        for size in sizes {
            stream.send(pattern(size)).await.unwrap();
        }
        stream.end().unwrap();
        while let Some(message) = stream.recv().await.unwrap() {
            bytes.extend_from_slice(message.as_bytes().unwrap());
        }
    })
    .await;
    // The other end echoes bytes, not messages.
    assert_eq!(bytes, sizes.map(pattern).concat());
    pair.close().await;
}

/// Fifty reliable channels at once, each with packets in order and an end.
async fn many_channels(road: Road) {
    let pair = road.pair().await;
    let one = async |number: u8| {
        let channel = pair.link.open(Open::reliable("echo")).await.unwrap();
        let (mut sender, mut receiver) = channel.split();
        let sends = async {
            for turn in 0..40 {
                sender.send(Packet::new(vec![number, turn])).await.unwrap();
            }
            sender.end().unwrap();
        };
        let receives = async {
            for turn in 0..40 {
                let packet = receiver.recv().await.unwrap().unwrap();
                assert_eq!(packet.body[..], [number, turn]);
            }
            assert!(receiver.recv().await.unwrap().is_none());
        };
        tokio::join!(sends, receives);
    };
    within(join_all((0..50).map(one))).await;
    pair.close().await;
}

/// Packets of an unreliable channel come back; where nothing is lost, all of them.
async fn unreliable(road: Road) {
    let pair = road.pair().await;
    let mut channel = pair.link.open(Open::unreliable("echo")).await.unwrap();
    within(async {
        for number in 0..20_u8 {
            // One at a time: queues of unreliable channels drop the oldest.
            loop {
                channel.send(Packet::new(vec![number])).await.unwrap();
                let answer = timeout(Duration::from_secs(1), channel.recv()).await;
                match answer {
                    Ok(packet)
                        if packet.as_ref().unwrap().as_ref().unwrap().body[..] == [number] =>
                    {
                        break;
                    }
                    _ => {}
                }
            }
        }
    })
    .await;
    let large = channel.send(Packet::new(pattern(10_000))).await;
    assert!(
        matches!(large, Err(SendError::TooLarge { .. })),
        "{large:?}"
    );
    pair.close().await;
}

/// An unknown type and a refusal both say so, and the link lives on.
async fn refusals(road: Road) {
    let pair = road.pair().await;
    for (kind, said) in [("nobody-knows", "unknown type"), ("refuse", "not today")] {
        let mut channel = pair.link.open(Open::reliable(kind)).await.unwrap();
        let error = within(channel.opened()).await.unwrap_err();
        assert!(error.to_string().contains(said), "{error}");
    }
    assert!(pair.link.is_up());
    pair.close().await;
}

/// Pings come back, and say by which road; the pipe is validated and has a path of its kind.
async fn paths(road: Road) {
    let pair = road.pair().await;
    let reply = within(pair.link.ping()).await.unwrap();
    assert!(reply.rtt < LIMIT);
    let pipes: Vec<PipeStatus> = pair.link.pipes();
    let active = pipes.iter().find(|pipe| pipe.active).unwrap();
    assert!(active.validated && !active.doubted, "{pipes:?}");
    let expected = match road {
        Road::Udp4 => "udp4",
        Road::Udp6 => "udp6",
        Road::Tcp4 => "tcp4",
        Road::Tcp6 => "tcp6",
        Road::Tls4 => "tls4",
        Road::Tls6 => "tls6",
        Road::Quic4 => "quic4",
        Road::Quic6 => "quic6",
        Road::MemoryDatagrams => "memory",
        Road::MemoryStreams => "memory-stream",
    };
    assert_eq!(active.path.as_ref().unwrap().kind(), expected);
    pair.close().await;
}

/// A mesh that closes fails its channels, and says so.
async fn a_peer_that_leaves(road: Road) {
    let Pair {
        server,
        client,
        link,
    } = road.pair().await;
    let mut channel = link.open(Open::reliable("echo")).await.unwrap();
    channel.send(Packet::new("hello")).await.unwrap();
    within(channel.recv()).await.unwrap();
    server.close().await;
    let failed = within(async {
        loop {
            match channel.recv().await {
                Ok(Some(_)) => {}
                other => return other,
            }
        }
    })
    .await;
    assert!(failed.is_err(), "{failed:?}");
    client.close().await;
}

macro_rules! suite {
    ($($road:ident: $variant:ident),* $(,)?) => {$(
        mod $road {
            use super::Road;

            suite!(@tests Road::$variant, long_stream, slow_reader, messages, many_channels, unreliable,
                refusals, paths, a_peer_that_leaves);
            suite!(@tests Road::$variant, breaks: a_broken_connection, a_road_that_ends, offered_paths);
        }
    )*};
    (restarts $($road:ident: $variant:ident),* $(,)?) => {
        mod restarts {
            use super::Road;

            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $road() {
                    super::breaks::a_listener_that_restarts(Road::$variant).await;
                }
            )*
        }
    };
    (@tests $road:expr, breaks: $($body:ident),*) => {$(
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $body() {
            super::breaks::$body($road).await;
        }
    )*};
    (@tests $road:expr, $($body:ident),*) => {$(
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $body() {
            super::$body($road).await;
        }
    )*};
}

suite! {
    udp4: Udp4,
    udp6: Udp6,
    tcp4: Tcp4,
    tcp6: Tcp6,
    tls4: Tls4,
    tls6: Tls6,
    quic4: Quic4,
    quic6: Quic6,
    memory_datagrams: MemoryDatagrams,
    memory_streams: MemoryStreams,
}

suite! { restarts
    udp4: Udp4,
    udp6: Udp6,
    tcp4: Tcp4,
    tcp6: Tcp6,
    tls4: Tls4,
    tls6: Tls6,
    quic4: Quic4,
    quic6: Quic6,
}
