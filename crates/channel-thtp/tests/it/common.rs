//! Endpoints to test with.

use std::future::Future;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::BodyExt as _;
use telehash_channel_thtp::{Body, BuilderThtpExt as _, LinkThtpExt as _, ThtpService};
use telehash_runtime::{Accept, Builder, Link, Mesh};
use telehash_transport::impair::{Conditions, Loss};
use telehash_transport::memory::MemoryNetwork;
use telehash_transport_quic::{QuicConfig, QuicTransport};
use telehash_transport_tcp::{TcpConfig, TcpTransport};
use telehash_transport_udp::{UdpConfig, UdpTransport};

/// No test takes so long.
const LIMIT: Duration = Duration::from_secs(60);

/// The parameter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Road {
    LossyMemory,
    Udp,
    Tcp,
    Quic,
}

/// Two endpoints and the client's link to the server.
pub(crate) struct Pair {
    pub(crate) server: Mesh,
    pub(crate) client: Mesh,
    pub(crate) link: Link,
}

impl Road {
    fn listen(self, network: &MemoryNetwork) -> Builder {
        let at = "127.0.0.1:0".parse().unwrap();
        let builder = Mesh::builder();
        match self {
            Self::LossyMemory => builder.transport(network.endpoint()),
            Self::Udp => {
                builder.open_transport(async move { UdpTransport::bind(&UdpConfig::at(at)).await })
            }
            Self::Tcp => {
                builder.open_transport(async move { TcpTransport::bind(&TcpConfig::at(at)).await })
            }
            Self::Quic => builder
                .open_transport(async move { QuicTransport::bind(&QuicConfig::at(at)).await }),
        }
    }

    pub(crate) async fn pair(self, service: impl ThtpService) -> Pair {
        let network = MemoryNetwork::new(5);
        if self == Self::LossyMemory {
            network.set_conditions(&Conditions::perfect().with_loss(Loss::Random(0.05)));
        }
        let server = self.listen(&network).accept(Accept::All);
        let server = server.serve_thtp(service).build().await.unwrap();
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
    pub(crate) async fn get(&self, path: &str) -> Response<Body> {
        let request = Request::get(path).body(Body::empty()).unwrap();
        self.link.request(request).await.unwrap()
    }

    pub(crate) async fn close(self) {
        self.client.close().await;
        self.server.close().await;
    }
}

pub(crate) async fn whole(response: Response<Body>) -> Bytes {
    response.into_body().collect().await.unwrap().to_bytes()
}

pub(crate) async fn within<T>(what: impl Future<Output = T>) -> T {
    let done = tokio::time::timeout(LIMIT, what).await;
    done.expect("it takes too long")
}

/// Bytes that show where they belong.
pub(crate) fn pattern(len: usize) -> Vec<u8> {
    (0..len as u32)
        .map(|at| (at ^ (at >> 8) ^ (at >> 16)) as u8)
        .collect()
}
