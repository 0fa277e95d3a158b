//! Endpoints to test with.

use std::future::Future;
use std::time::Duration;

use telehash_channel_ws::{BuilderWsExt as _, IncomingWs, Message, WsError, WsRoutes};
use telehash_runtime::{Accept, Builder, Link, Mesh};
use telehash_transport::memory::MemoryNetwork;

/// No test takes so long.
pub(crate) const LIMIT: Duration = Duration::from_secs(60);

/// Two endpoints that are linked.
pub(crate) struct Pair {
    pub(crate) network: MemoryNetwork,
    pub(crate) server: Mesh,
    pub(crate) client: Mesh,
    pub(crate) link: Link,
}

impl Pair {
    /// Over memory.
    pub(crate) async fn new(routes: WsRoutes) -> Self {
        let network = MemoryNetwork::new(3);
        let (one, other) = (network.endpoint(), network.endpoint());
        let server = Mesh::builder().transport(one);
        Self::over(network, server, Mesh::builder().transport(other), routes).await
    }

    pub(crate) async fn over(
        network: MemoryNetwork,
        server: Builder,
        client: Builder,
        routes: WsRoutes,
    ) -> Self {
        let server = server.accept(Accept::All).on_ws(routes);
        let server = server.build().await.unwrap();
        let client = client.build().await.unwrap();
        let link = client.link(server.local_link_json()).await.unwrap();
        link.wait_up(LIMIT).await.unwrap();
        Self {
            network,
            server,
            client,
            link,
        }
    }

    pub(crate) async fn close(self) {
        self.client.close().await;
        self.server.close().await;
    }
}

/// Sends every message back.
pub(crate) async fn echo(incoming: IncomingWs) -> Result<(), WsError> {
    let protocol = incoming.request().protocols().first().cloned();
    let mut ws = incoming
        .accept_with(protocol.as_deref(), &Default::default())
        .await?;
    while let Some(message) = ws.recv().await? {
        if let Message::Text(_) | Message::Binary(_) = message {
            ws.send(message).await?;
        }
    }
    Ok(())
}

/// Sends every piece of a message back as it comes.
pub(crate) async fn echo_pieces(incoming: IncomingWs) -> Result<(), WsError> {
    use futures::StreamExt as _;
    let (sink, stream) = incoming.accept().await?.into_pieces().split();
    stream.forward(sink).await
}

/// Bytes that show where they belong.
pub(crate) fn pattern(len: usize) -> Vec<u8> {
    let word = |n: u64| n.wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29);
    (0..len as u64).map(|n| word(n) as u8).collect()
}

pub(crate) async fn within<T>(what: impl Future<Output = T>) -> T {
    let done = tokio::time::timeout(LIMIT, what).await;
    done.expect("it takes too long")
}
