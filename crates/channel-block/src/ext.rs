//! Blocks for links and meshes.

use std::future::Future;

use telehash_runtime::{
    Builder, ChannelHandler, HandlerError, HandlerOutcome, IncomingChannel, Link, Mesh, Places,
};

use crate::error::BlockError;
use crate::incoming::IncomingBlocks;
use crate::limits::MAX_CHANNELS_PER_PEER;
use crate::sender::BlockSender;
use crate::wire::TYPE;

/// Adds blocks to [`Link`].
pub trait LinkBlockExt {
    /// Opens a channel for blocks, once the link is up and the peer takes them.
    ///
    /// Cancel-safe: if the future is dropped, no channel is open.
    ///
    /// # Errors
    /// The link is down and stays so, or the peer refuses or does not answer.
    fn blocks(&self) -> impl Future<Output = Result<BlockSender, BlockError>> + Send;
}

impl LinkBlockExt for Link {
    async fn blocks(&self) -> Result<BlockSender, BlockError> {
        BlockSender::open(self).await
    }
}

/// Adds blocks to [`Mesh`].
pub trait MeshBlockExt {
    /// Hands peers that want to send blocks to `handler`, each in a task of its own; see
    /// [`ChannelHandler`] for what becomes of one that fails or panics.
    fn on_blocks<F, Fut>(&self, handler: F)
    where
        F: Fn(IncomingBlocks) -> Fut + Send + Sync + 'static,
        Fut: Future<Output: HandlerOutcome> + Send + 'static;
}

impl MeshBlockExt for Mesh {
    fn on_blocks<F, Fut>(&self, handler: F)
    where
        F: Fn(IncomingBlocks) -> Fut + Send + Sync + 'static,
        Fut: Future<Output: HandlerOutcome> + Send + 'static,
    {
        self.on_open(TYPE, BlockHandler::new(handler));
    }
}

/// Adds blocks to [`Builder`].
pub trait BuilderBlockExt {
    /// As [`MeshBlockExt::on_blocks`], from the start.
    #[must_use]
    fn on_blocks<F, Fut>(self, handler: F) -> Self
    where
        F: Fn(IncomingBlocks) -> Fut + Send + Sync + 'static,
        Fut: Future<Output: HandlerOutcome> + Send + 'static;
}

impl BuilderBlockExt for Builder {
    fn on_blocks<F, Fut>(self, handler: F) -> Self
    where
        F: Fn(IncomingBlocks) -> Fut + Send + Sync + 'static,
        Fut: Future<Output: HandlerOutcome> + Send + 'static,
    {
        self.on_open(TYPE, BlockHandler::new(handler))
    }
}

struct BlockHandler<F> {
    handler: F,
    open: Places,
}

impl<F> BlockHandler<F> {
    fn new(handler: F) -> Self {
        let open = Places::default();
        Self { handler, open }
    }
}

impl<F, Fut> ChannelHandler for BlockHandler<F>
where
    F: Fn(IncomingBlocks) -> Fut + Send + Sync + 'static,
    Fut: Future<Output: HandlerOutcome> + Send + 'static,
{
    async fn open(&self, channel: IncomingChannel) -> Result<(), HandlerError> {
        let peer = channel.peer();
        let Some(incoming) = IncomingBlocks::read(channel) else {
            return Ok(());
        };
        let Some(_place) = self.open.take(peer, MAX_CHANNELS_PER_PEER) else {
            incoming.refuse("busy");
            return Ok(());
        };
        (self.handler)(incoming).await.into_result()
    }
}
