//! One suite over a lossy network and over several kinds of transport.

use telehash_channel_box::{Quota, SendOptions};
use telehash_runtime::{Builder, Mesh};
use telehash_transport::impair::{Conditions, Loss};
use telehash_transport::memory::MemoryNetwork;
use telehash_transport_quic::{QuicConfig, QuicTransport};
use telehash_transport_udp::{UdpConfig, UdpTransport};

use crate::common::{Person, Server, identity, pattern, within};

/// The parameter.
#[derive(Clone, Copy, Debug)]
enum Road {
    /// Memory that loses 5 % of all packets.
    Lossy,
    Udp,
    Quic,
}

impl Road {
    async fn listen(self, network: &MemoryNetwork) -> Builder {
        let at = "127.0.0.1:0".parse().unwrap();
        let builder = Mesh::builder();
        match self {
            Self::Lossy => builder.transport(network.endpoint()),
            Self::Udp => builder.transport(UdpTransport::bind(&UdpConfig::at(at)).await.unwrap()),
            Self::Quic => {
                builder.transport(QuicTransport::bind(&QuicConfig::at(at)).await.unwrap())
            }
        }
    }
}

/// Letters of two senders, small and large, to somebody who comes later.
async fn letters(road: Road) {
    let network = MemoryNetwork::new(7);
    if let Road::Lossy = road {
        network.set_conditions(&Conditions::perfect().with_loss(Loss::Random(0.05)));
    }
    let server = Server::over(road.listen(&network).await, Quota::new()).await;
    let bob_id = identity();
    let mut expected = Vec::new();
    for sender in 0..2_u8 {
        let ann = Person::over(road.listen(&network).await, &identity()).await;
        let options = SendOptions::new().cache(&ann.link(&server.mesh).await);
        for len in [1, 1000, 50_000, 3] {
            let mut body = pattern(len);
            body[0] = sender;
            within(ann.mailbox.send(bob_id.keys(), &body, &options))
                .await
                .unwrap();
            expected.push(body);
        }
    }
    let bob = Person::over(road.listen(&network).await, &bob_id).await;
    bob.link(&server.mesh).await;
    let mut came = Vec::new();
    for _ in 0..expected.len() {
        came.push(bob.next().await);
    }
    // Those of each sender are in order.
    came.sort_by_key(|body| body[0]);
    assert!(came == expected);
    server.emptied().await;
}

#[tokio::test]
async fn letters_survive_five_per_cent_loss() {
    letters(Road::Lossy).await;
}

#[tokio::test]
async fn letters_over_udp() {
    letters(Road::Udp).await;
}

#[tokio::test]
async fn letters_over_quic() {
    letters(Road::Quic).await;
}
