//! Endpoints to test with.

use std::future::Future;
use std::time::Duration;

use telehash_channel_stream::{BuilderStreamExt as _, IncomingStream};
use telehash_runtime::{Accept, HandlerOutcome, Link, Mesh};
use telehash_transport::memory::MemoryNetwork;

/// Two endpoints that are linked.
pub(crate) struct Pair {
    pub(crate) network: MemoryNetwork,
    pub(crate) server: Mesh,
    pub(crate) client: Mesh,
    pub(crate) link: Link,
}

impl Pair {
    /// The server hands its streams to `handler`.
    pub(crate) async fn new<F, Fut>(handler: F) -> Self
    where
        F: Fn(IncomingStream) -> Fut + Send + Sync + 'static,
        Fut: Future<Output: HandlerOutcome> + Send + 'static,
    {
        let network = MemoryNetwork::new(3);
        let server = Mesh::builder()
            .transport(network.endpoint())
            .accept(Accept::All);
        let server = server.on_stream(handler).build().await.unwrap();
        let client = Mesh::builder()
            .transport(network.endpoint())
            .build()
            .await
            .unwrap();
        let link = client.link(server.local_link_json()).await.unwrap();
        link.wait_up(Duration::from_secs(60)).await.unwrap();
        Self {
            network,
            server,
            client,
            link,
        }
    }

    pub(crate) async fn echoing() -> Self {
        Self::new(echo).await
    }
}

pub(crate) async fn echo(incoming: IncomingStream) -> std::io::Result<()> {
    let (mut reader, mut writer) = incoming.accept()?.into_split();
    tokio::io::copy_buf(&mut reader, &mut writer).await?;
    tokio::io::AsyncWriteExt::shutdown(&mut writer).await
}

/// Bytes that show where they belong.
pub(crate) fn pattern(len: usize) -> Vec<u8> {
    (0..len as u32)
        .map(|at| (at ^ (at >> 8) ^ (at >> 16)) as u8)
        .collect()
}
