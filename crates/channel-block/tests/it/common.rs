//! Endpoints to test with.

use std::future::Future;
use std::time::Duration;

use telehash_channel_block::{Block, BlockError, BuilderBlockExt as _, IncomingBlocks};
use telehash_runtime::{Accept, Builder, Link, Mesh};
use telehash_transport::impair::Conditions;
use telehash_transport::memory::MemoryNetwork;
use tokio::sync::mpsc;

/// No test takes so long.
const LIMIT: Duration = Duration::from_secs(60);

/// Two endpoints that are linked; the receiver takes blocks.
pub(crate) struct Pair {
    pub(crate) network: MemoryNetwork,
    pub(crate) receiver: Mesh,
    pub(crate) sender: Mesh,
    pub(crate) link: Link,
    /// What the receiver took.
    pub(crate) blocks: mpsc::Receiver<Block>,
}

impl Pair {
    /// Over memory.
    pub(crate) async fn new() -> Self {
        Self::in_a_network(&Conditions::perfect()).await
    }

    pub(crate) async fn in_a_network(conditions: &Conditions) -> Self {
        let network = MemoryNetwork::new(3);
        network.set_conditions(conditions);
        let receiver = Mesh::builder().transport(network.endpoint());
        let sender = Mesh::builder().transport(network.endpoint());
        Self::over(network, receiver, sender).await
    }

    pub(crate) async fn over(network: MemoryNetwork, receiver: Builder, sender: Builder) -> Self {
        let (tell, blocks) = mpsc::channel(1024);
        let receiver = receiver
            .accept(Accept::All)
            .on_blocks(move |incoming| take(incoming, tell.clone()));
        let receiver = receiver.build().await.unwrap();
        let sender = sender.build().await.unwrap();
        let link = sender.link(receiver.local_link_json()).await.unwrap();
        link.wait_up(LIMIT).await.unwrap();
        Self {
            network,
            receiver,
            sender,
            link,
            blocks,
        }
    }

    /// The next block that the receiver took.
    pub(crate) async fn next(&mut self) -> Block {
        within(self.blocks.recv()).await.expect("a block")
    }

    pub(crate) async fn close(self) {
        self.sender.close().await;
        self.receiver.close().await;
    }
}

async fn take(incoming: IncomingBlocks, tell: mpsc::Sender<Block>) -> Result<(), BlockError> {
    let mut blocks = incoming.accept().await?;
    while let Some(block) = blocks.recv().await? {
        let _ = tell.send(block).await;
    }
    Ok(())
}

/// Bytes that show to which block they belong, and where.
pub(crate) fn pattern(number: u64, len: usize) -> Vec<u8> {
    let word = |at: u64| (number << 32 | at).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (0..len as u64).map(|at| (word(at) >> 56) as u8).collect()
}

pub(crate) async fn within<T>(what: impl Future<Output = T>) -> T {
    let done = tokio::time::timeout(LIMIT, what).await;
    done.expect("it takes too long")
}
