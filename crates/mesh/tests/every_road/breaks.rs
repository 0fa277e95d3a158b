//! What becomes of a link and its streams when a road breaks.

use std::{net::SocketAddr, time::Duration};

use mesh::{
    Accept, Builder, CipherSets, Csid, Link, LinkState, Mesh, MeshEvent, Path, PipeStatus,
    QuicConfig, QuicTransport, TcpConfig, TcpTransport, TlsConfig, UdpConfig, UdpTransport,
    generate_identity,
    prelude::*,
    transport::{Transport, memory::MemoryNetwork},
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    time::sleep,
};

use super::{LIMIT, LONG, Road, breakable::Breakable, echo_bytes, pattern, within};

/// An endpoint, and the switches of its transports.
struct End {
    mesh: Mesh,
    roads: Vec<Breakable>,
}

/// Two of them, and the client's link to the server.
struct Ends {
    server: End,
    client: End,
    link: Link,
}

impl Road {
    /// Another transport of the same family that a link may have besides this one.
    fn other(self) -> Self {
        match self {
            Self::Udp4 | Self::Quic4 | Self::Tls4 => Self::Tcp4,
            Self::Udp6 | Self::Quic6 | Self::Tls6 => Self::Tcp6,
            Self::Tcp4 => Self::Udp4,
            Self::Tcp6 => Self::Udp6,
            Self::MemoryDatagrams => Self::MemoryStreams,
            Self::MemoryStreams => Self::MemoryDatagrams,
        }
    }

    async fn open(self, network: &MemoryNetwork) -> Breakable {
        let at = self.address();
        let transport: Box<dyn Transport> = match self {
            Self::Udp4 | Self::Udp6 => {
                Box::new(UdpTransport::bind(&UdpConfig::at(at)).await.unwrap())
            }
            Self::Tcp4 | Self::Tcp6 => {
                Box::new(TcpTransport::bind(&TcpConfig::at(at)).await.unwrap())
            }
            Self::Tls4 | Self::Tls6 => {
                Box::new(TcpTransport::bind_tls(&TlsConfig::at(at)).await.unwrap())
            }
            Self::Quic4 | Self::Quic6 => {
                Box::new(QuicTransport::bind(&QuicConfig::at(at)).await.unwrap())
            }
            Self::MemoryDatagrams => Box::new(network.endpoint()),
            Self::MemoryStreams => Box::new(network.stream_endpoint()),
        };
        Breakable::new(transport)
    }

    /// A builder that listens at this address and nowhere else. For real transports.
    fn listen_at(self, at: SocketAddr) -> Builder {
        let builder = mesh::builder();
        match self {
            Self::Udp4 | Self::Udp6 => builder.udp(at),
            Self::Tcp4 | Self::Tcp6 => builder.tcp(at),
            Self::Tls4 | Self::Tls6 => builder.tls(at),
            Self::Quic4 | Self::Quic6 => builder.quic(at),
            Self::MemoryDatagrams | Self::MemoryStreams => panic!("it has no ports"),
        }
    }
}

impl End {
    async fn new(roads: &[Road], network: &MemoryNetwork) -> Self {
        let mut builder = mesh::builder();
        let mut opened = Vec::new();
        for road in roads {
            let road = road.open(network).await;
            builder = builder.transport(road.clone());
            opened.push(road);
        }
        let builder = builder.accept(Accept::All).on_stream(echo_bytes);
        Self {
            mesh: builder.build().await.unwrap(),
            roads: opened,
        }
    }

    fn stop(&self, transport: &str) {
        let named = self.roads.iter().filter(|road| road.name() == transport);
        named.for_each(Breakable::stop);
    }
}

impl Ends {
    /// Both have these roads, and the client dials so many of them.
    async fn linked(roads: &[Road], dialled: usize) -> Self {
        let network = MemoryNetwork::new(7);
        let server = End::new(roads, &network).await;
        let client = End::new(roads, &network).await;
        let keys = server.mesh.keys().clone();
        let paths = server.roads.iter().take(dialled);
        let paths: Vec<Path> = paths.flat_map(Transport::local_paths).collect();
        let link = client.mesh.link((keys, paths)).await.unwrap();
        link.wait_up(LIMIT).await.unwrap();
        Self {
            server,
            client,
            link,
        }
    }

    /// The server's link to the client.
    fn back(&self) -> Option<Link> {
        self.server.mesh.get(&self.client.mesh.hashname())
    }

    async fn close(self) {
        self.client.mesh.close().await;
        self.server.mesh.close().await;
    }
}

/// Waits until it is so.
async fn until(mut is_so: impl FnMut() -> bool) {
    within(async {
        while !is_so() {
            sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
}

/// Whether there is a pipe by each of so many transports, proven, with a round trip.
fn has_proven(link: &Link, transports: &[&str]) -> bool {
    let pipes = link.pipes();
    let proven = |pipe: &PipeStatus| pipe.validated && pipe.rtt.is_some() && pipe.path.is_some();
    let by = |name: &&str| {
        pipes
            .iter()
            .any(|pipe| pipe.transport == *name && proven(pipe))
    };
    transports.iter().all(by)
}

fn active(link: &Link) -> Option<&'static str> {
    let pipes = link.pipes();
    let active = pipes.iter().find(|pipe| pipe.active)?;
    Some(active.transport)
}

/// A long stream there and back. `happens` is told how many bytes came back so far.
async fn stream_through(link: &Link, mut happens: impl FnMut(usize)) {
    let stream = link.stream(StreamOptions::new()).await.unwrap();
    let (mut reader, mut writer) = stream.into_split();
    let sent = pattern(LONG);
    let writes = async {
        writer.write_all(&sent).await.unwrap();
        writer.shutdown().await.unwrap();
    };
    let mut echoed = Vec::new();
    let reads = async {
        while reader.read_buf(&mut echoed).await.unwrap() > 0 {
            happens(echoed.len());
        }
    };
    within(async { tokio::join!(writes, reads) }).await;
    assert!(echoed == sent, "{} of {} bytes", echoed.len(), sent.len());
}

/// What carries the link breaks under it, first at one end, then at the other, and is made anew: the
/// stream goes on where it was.
pub(crate) async fn a_broken_connection(road: Road) {
    let ends = Ends::linked(&[road], 1).await;
    let mut steps = vec![
        (LONG / 2, &ends.client.roads[0]),
        (LONG / 4, &ends.server.roads[0]),
    ];
    stream_through(&ends.link, |received| {
        if let Some((_, end)) = steps.pop_if(|(at, _)| received >= *at) {
            end.break_pipes();
        }
    })
    .await;
    assert!(steps.is_empty());
    assert!(ends.link.is_up());
    let stats = ends.link.stats();
    assert!(stats.doubts > 0, "{stats:?}");
    let connects = ends.client.roads[0].connects();
    // A datagram pipe leads where it led before.
    assert_eq!(stats.moves > 0, connects, "{stats:?}");
    ends.close().await;
}

/// The transport that carries a stream falls silent: the stream goes on by the other one.
pub(crate) async fn a_road_that_ends(road: Road) {
    let ends = Ends::linked(&[road, road.other()], 2).await;
    let names = [0, 1].map(|nth: usize| ends.client.roads[nth].name());
    let back = ends.back().unwrap();
    until(|| has_proven(&ends.link, &names) && has_proven(&back, &names)).await;
    let mut silent = None;
    stream_through(&ends.link, |received| {
        if received >= LONG / 4 && silent.is_none() {
            silent = active(&ends.link);
            let name = silent.unwrap();
            ends.client.stop(name);
            ends.server.stop(name);
        }
    })
    .await;
    assert_ne!(active(&ends.link), silent);
    assert_ne!(active(&back), silent);
    let stats = ends.link.stats();
    assert!(stats.moves > 0 && stats.doubts > 0, "{stats:?}");
    ends.close().await;
}

/// An endpoint learns the other roads of its peer by the one that it dialled; both ends prove them
/// and know their round trips.
pub(crate) async fn offered_paths(road: Road) {
    let ends = Ends::linked(&[road.other(), road], 1).await;
    let offered = ends.client.roads[1].name();
    let names = [0, 1].map(|nth: usize| ends.client.roads[nth].name());
    let back = ends.back().unwrap();
    until(|| has_proven(&ends.link, &names) && has_proven(&back, &names)).await;
    for link in [&ends.link, &back] {
        let pipes = link.pipes();
        assert_eq!(
            pipes.iter().filter(|pipe| pipe.active).count(),
            1,
            "{pipes:?}"
        );
        let by = pipes.iter().find(|pipe| pipe.transport == offered).unwrap();
        assert!(by.rtt.unwrap() < LIMIT && !by.doubted, "{pipes:?}");
    }
    ends.close().await;
}

/// The listener goes and comes back at the same place with the same identity: the link comes back.
pub(crate) async fn a_listener_that_restarts(road: Road) {
    let identity = generate_identity(&CipherSets::default(), [Csid::CS3A]).unwrap();
    let start = async |at| {
        let builder = road.listen_at(at).identity(identity.clone());
        builder
            .accept(Accept::All)
            .on_stream(echo_bytes)
            .build()
            .await
    };
    let first = start(road.address()).await.unwrap();
    let at = first.local_paths()[0].socket_addr().unwrap();
    let client = road.listen_at(road.address()).build().await.unwrap();
    let link = client.link(first.local_link_json()).await.unwrap();
    link.wait_up(LIMIT).await.unwrap();
    first.close().await;
    drop(first);

    let second = start(at).await.unwrap();
    let mut events = second.events();
    if matches!(road, Road::Udp4 | Road::Udp6) {
        // No connection tells that the listener was gone, and silence takes a minute to say so.
        client.network_changed();
    }
    within(async {
        loop {
            if let MeshEvent::LinkState {
                hashname, state, ..
            } = events.next().await.unwrap()
                && (hashname, state) == (client.hashname(), LinkState::Up)
            {
                break;
            }
        }
    })
    .await;
    link.wait_up(LIMIT).await.unwrap();
    stream_through(&link, |_| {}).await;
    client.close().await;
    second.close().await;
}
