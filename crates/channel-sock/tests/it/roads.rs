//! One suite over a lossy network and over every kind of transport.

use telehash_channel_sock::{Destination, LinkSockExt as _, splice};
use telehash_runtime::{Builder, Mesh};
use telehash_transport::impair::{Conditions, Loss};
use telehash_transport::memory::MemoryNetwork;
use telehash_transport_quic::{QuicConfig, QuicTransport};
use telehash_transport_tcp::{TcpConfig, TcpTransport};
use telehash_transport_udp::{UdpConfig, UdpTransport};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpStream, UdpSocket};

use crate::common::{Pair, echo, listener, local, pattern, within};

/// The parameter.
#[derive(Clone, Copy, Debug)]
enum Road {
    /// Memory that loses 5 % of all packets.
    Lossy,
    Udp,
    Tcp,
    Quic,
}

impl Road {
    async fn listen(self, network: &MemoryNetwork) -> Builder {
        let at = "127.0.0.1:0".parse().unwrap();
        let builder = Mesh::builder();
        match self {
            Self::Lossy => builder.transport(network.endpoint()),
            Self::Udp => builder.transport(UdpTransport::bind(&UdpConfig::at(at)).await.unwrap()),
            Self::Tcp => builder.transport(TcpTransport::bind(&TcpConfig::at(at)).await.unwrap()),
            Self::Quic => {
                builder.transport(QuicTransport::bind(&QuicConfig::at(at)).await.unwrap())
            }
        }
    }

    async fn pair(self) -> Pair {
        let network = MemoryNetwork::new(7);
        let (server, client) = (self.listen(&network).await, self.listen(&network).await);
        let pair = Pair::over(network, server, client, local()).await;
        if let Self::Lossy = self {
            let lossy = Conditions::perfect().with_loss(Loss::Random(0.05));
            pair.network.set_conditions(&lossy);
        }
        pair
    }
}

async fn everything(road: Road) {
    let pair = road.pair().await;
    within(connect(&pair)).await;
    within(bind(&pair)).await;
    within(datagrams(&pair)).await;
}

/// From a program here through a tunnel to a server there, and back.
async fn connect(pair: &Pair) {
    let server = echo().await;
    let (near, entrance) = listener().await;
    let mut program = TcpStream::connect(entrance).await.unwrap();
    let (tcp, _) = near.accept().await.unwrap();
    let tunnel = pair.link.connect(server.into()).await.unwrap();
    let spliced = tokio::spawn(splice(tunnel, tcp));
    assert_echoes(&mut program, 1_000_000).await;
    let spliced = spliced.await.unwrap().unwrap();
    assert_eq!((spliced.to_tcp, spliced.from_tcp), (1_000_000, 1_000_000));
}

/// From a program there through a port that was bound to an echo here, and back.
async fn bind(pair: &Pair) {
    let mut bound = pair.link.bind(Destination::any(0)).await.unwrap();
    let server = echo().await;
    let mut program = TcpStream::connect(bound.local()).await.unwrap();
    let (tunnel, _) = bound.accept().await.unwrap();
    let tcp = TcpStream::connect(server).await.unwrap();
    tokio::spawn(splice(tunnel, tcp));
    assert_echoes(&mut program, 300_000).await;
}

async fn assert_echoes(program: &mut TcpStream, len: usize) {
    let bytes = pattern(len);
    let (mut reader, mut writer) = program.split();
    let mut echoed = Vec::new();
    let writes = async {
        writer.write_all(&bytes).await.unwrap();
        writer.shutdown().await.unwrap();
    };
    let reads = async { reader.read_to_end(&mut echoed).await.unwrap() };
    tokio::join!(writes, reads);
    assert!(echoed == bytes, "{} bytes of {len} came back", echoed.len());
}

/// Each may be lost, and what arrives is whole.
async fn datagrams(pair: &Pair) {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let flow = pair
        .link
        .datagrams(socket.local_addr().unwrap().into())
        .await;
    let flow = flow.unwrap();
    let mut buffer = [0; 64];
    let answer = async {
        loop {
            let (len, from) = socket.recv_from(&mut buffer).await.unwrap();
            socket.send_to(&buffer[..len], from).await.unwrap();
        }
    };
    let ask = async {
        let again = std::time::Duration::from_millis(300);
        loop {
            flow.send("anybody there?").await.unwrap();
            if let Ok(answer) = tokio::time::timeout(again, flow.recv()).await {
                return answer.unwrap();
            }
        }
    };
    tokio::select! {
        () = answer => {}
        answer = ask => assert_eq!(answer, "anybody there?"),
    }
}

#[tokio::test]
async fn tunnels_survive_five_per_cent_loss() {
    everything(Road::Lossy).await;
}

#[tokio::test]
async fn tunnels_over_udp() {
    everything(Road::Udp).await;
}

#[tokio::test]
async fn tunnels_over_tcp() {
    everything(Road::Tcp).await;
}

#[tokio::test]
async fn tunnels_over_quic() {
    everything(Road::Quic).await;
}
