//! Streams for links and meshes.

use std::future::Future;

use telehash_runtime::{
    Builder, ChannelHandler, HandlerError, HandlerOutcome, IncomingChannel, Link, Mesh, OpenError,
};

use crate::bytes_face::ByteStream;
use crate::incoming::IncomingStream;
use crate::messages_face::{DEFAULT_MAX_MESSAGE, MessageStream};
use crate::options::{StreamOptions, TYPE};

/// Adds streams to [`Link`].
pub trait LinkStreamExt {
    /// Opens a stream of bytes, once the link is up. What is written goes out before the peer has
    /// accepted; if it refuses, reading and writing fail.
    ///
    /// Cancel-safe: if the future is dropped, no stream was opened.
    ///
    /// # Errors
    /// The link is down and stays so, too many channels are open, or the options do not fit.
    fn stream(
        &self,
        options: StreamOptions,
    ) -> impl Future<Output = Result<ByteStream, OpenError>> + Send;

    /// Opens a stream of messages of at most [`DEFAULT_MAX_MESSAGE`] bytes; see
    /// [`stream`](Self::stream).
    ///
    /// # Errors
    /// As there.
    fn messages(
        &self,
        options: StreamOptions,
    ) -> impl Future<Output = Result<MessageStream, OpenError>> + Send;
}

impl LinkStreamExt for Link {
    async fn stream(&self, options: StreamOptions) -> Result<ByteStream, OpenError> {
        self.open(options.to_open()?).await.map(ByteStream::new)
    }

    async fn messages(&self, options: StreamOptions) -> Result<MessageStream, OpenError> {
        let channel = self.open(options.to_open()?).await?;
        Ok(MessageStream::new(channel, DEFAULT_MAX_MESSAGE))
    }
}

/// Adds streams to [`Mesh`].
pub trait MeshStreamExt {
    /// Hands streams that peers open to `handler`, each in a task of its own; see
    /// [`ChannelHandler`] for what becomes of one that fails or panics.
    fn on_stream<F, Fut>(&self, handler: F)
    where
        F: Fn(IncomingStream) -> Fut + Send + Sync + 'static,
        Fut: Future<Output: HandlerOutcome> + Send + 'static;
}

impl MeshStreamExt for Mesh {
    fn on_stream<F, Fut>(&self, handler: F)
    where
        F: Fn(IncomingStream) -> Fut + Send + Sync + 'static,
        Fut: Future<Output: HandlerOutcome> + Send + 'static,
    {
        self.on_open(TYPE, StreamHandler(handler));
    }
}

/// Adds streams to [`Builder`].
pub trait BuilderStreamExt {
    /// As [`MeshStreamExt::on_stream`], from the start.
    #[must_use]
    fn on_stream<F, Fut>(self, handler: F) -> Self
    where
        F: Fn(IncomingStream) -> Fut + Send + Sync + 'static,
        Fut: Future<Output: HandlerOutcome> + Send + 'static;
}

impl BuilderStreamExt for Builder {
    fn on_stream<F, Fut>(self, handler: F) -> Self
    where
        F: Fn(IncomingStream) -> Fut + Send + Sync + 'static,
        Fut: Future<Output: HandlerOutcome> + Send + 'static,
    {
        self.on_open(TYPE, StreamHandler(handler))
    }
}

struct StreamHandler<F>(F);

impl<F, Fut> ChannelHandler for StreamHandler<F>
where
    F: Fn(IncomingStream) -> Fut + Send + Sync + 'static,
    Fut: Future<Output: HandlerOutcome> + Send + 'static,
{
    async fn open(&self, channel: IncomingChannel) -> Result<(), HandlerError> {
        if !channel.is_reliable() {
            channel.refuse("a stream is reliable");
            return Ok(());
        }
        match IncomingStream::new(channel) {
            Some(stream) => (self.0)(stream).await.into_result(),
            None => Ok(()),
        }
    }
}
