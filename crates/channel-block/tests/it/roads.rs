//! One suite over a lossy network and over every kind of transport.

use std::time::Duration;

use telehash_channel_block::LinkBlockExt as _;
use telehash_runtime::{Builder, Mesh};
use telehash_transport::impair::{Conditions, Loss};
use telehash_transport::memory::MemoryNetwork;
use telehash_transport_quic::{QuicConfig, QuicTransport};
use telehash_transport_tcp::{TcpConfig, TcpTransport};
use telehash_transport_udp::{UdpConfig, UdpTransport};

use crate::common::{Pair, pattern, within};

/// Blocks that a test waits for.
const BLOCKS: usize = 60;

/// Time from one block to the next.
const PACE: Duration = Duration::from_millis(2);

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
        let (receiver, sender) = (self.listen(&network).await, self.listen(&network).await);
        let pair = Pair::over(network, receiver, sender).await;
        if let Self::Lossy = self {
            let lossy = Conditions::perfect().with_loss(Loss::Random(0.05));
            pair.network.set_conditions(&lossy);
        }
        pair
    }
}

/// Sends frames until enough of them came, whole and in order; returns the number of the last one.
async fn frames(road: Road) -> u64 {
    let mut pair = road.pair().await;
    let mut blocks = within(pair.link.blocks()).await.unwrap();
    let sends = async {
        let mut clock = tokio::time::interval(PACE);
        for number in 1_u64.. {
            clock.tick().await;
            let sent = blocks.send(pattern(number, 9000)).await.unwrap();
            assert_eq!(sent, number);
        }
    };
    let takes = async {
        let mut last = 0;
        for _ in 0..BLOCKS {
            let block = pair.blocks.recv().await.unwrap();
            assert!(block.number > last, "{} after {last}", block.number);
            last = block.number;
            assert!(block.bytes == pattern(last, 9000), "{last} is not whole");
        }
        last
    };
    let last = within(async {
        tokio::select! {
            () = sends => 0,
            last = takes => last,
        }
    })
    .await;
    drop(blocks);
    pair.close().await;
    last
}

#[tokio::test]
async fn blocks_of_which_five_per_cent_of_the_packets_are_lost_come_whole_or_not_at_all() {
    let last = frames(Road::Lossy).await;
    // Of nine packets each at least one is lost of every third block.
    assert!(last > BLOCKS as u64, "nothing was lost up to {last}");
}

#[tokio::test]
async fn blocks_over_udp() {
    frames(Road::Udp).await;
}

#[tokio::test]
async fn blocks_over_tcp() {
    frames(Road::Tcp).await;
}

#[tokio::test]
async fn blocks_over_quic() {
    frames(Road::Quic).await;
}
