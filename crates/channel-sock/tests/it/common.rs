//! Endpoints and servers to test with.

use std::future::Future;
use std::net::SocketAddr;
use std::time::Duration;

use telehash_channel_sock::{BuilderSockExt as _, SockPolicy};
use telehash_runtime::{Accept, Builder, Link, Mesh};
use telehash_transport::memory::MemoryNetwork;
use tokio::net::{TcpListener, TcpStream};

/// Two endpoints that are linked; the server has a policy.
pub(crate) struct Pair {
    pub(crate) network: MemoryNetwork,
    pub(crate) server: Mesh,
    pub(crate) client: Mesh,
    pub(crate) link: Link,
}

impl Pair {
    pub(crate) async fn new(policy: SockPolicy) -> Self {
        let network = MemoryNetwork::new(5);
        let server = Mesh::builder().transport(network.endpoint());
        let client = Mesh::builder().transport(network.endpoint());
        Self::over(network, server, client, policy).await
    }

    pub(crate) async fn over(
        network: MemoryNetwork,
        server: Builder,
        client: Builder,
        policy: SockPolicy,
    ) -> Self {
        let server = server.accept(Accept::All).serve_sock(policy);
        let server = server.build().await.unwrap();
        let client = client.build().await.unwrap();
        let link = client.link(server.local_link_json()).await.unwrap();
        link.wait_up(Duration::from_secs(60)).await.unwrap();
        Self {
            network,
            server,
            client,
            link,
        }
    }
}

/// Everything on this machine.
pub(crate) fn local() -> SockPolicy {
    SockPolicy::new()
        .allow("127.0.0.0/8".parse().unwrap())
        .allow_bind("0".parse().unwrap())
}

/// A TCP server and its address.
pub(crate) async fn listener() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

/// A TCP server that echoes each connection and then ends it.
pub(crate) async fn echo() -> SocketAddr {
    let (listener, address) = listener().await;
    tokio::spawn(async move {
        while let Ok((tcp, _)) = listener.accept().await {
            tokio::spawn(echo_one(tcp));
        }
    });
    address
}

async fn echo_one(mut tcp: TcpStream) -> std::io::Result<()> {
    let (mut reader, mut writer) = tcp.split();
    tokio::io::copy(&mut reader, &mut writer).await?;
    tokio::io::AsyncWriteExt::shutdown(&mut writer).await
}

/// What takes longer than this does not come.
pub(crate) async fn within<T>(work: impl Future<Output = T>) -> T {
    let limit = Duration::from_secs(60);
    tokio::time::timeout(limit, work).await.expect("in time")
}

/// Bytes that show where they belong.
pub(crate) fn pattern(len: usize) -> Vec<u8> {
    (0..len as u32)
        .map(|at| (at ^ (at >> 8) ^ (at >> 16)) as u8)
        .collect()
}
