//! Files for links and meshes.

use std::future::Future;

use serde_json::{Map, Value};
use telehash_channel_stream::ByteStream;
use telehash_runtime::{
    Builder, ChannelHandler, HandlerError, HandlerOutcome, IncomingChannel, Link, Mesh, Open,
    Places,
};

use crate::error::FilesError;
use crate::incoming::IncomingFiles;
use crate::outcome::Progress;
use crate::send::Conversation;
use crate::sending::Sending;

/// The `type` of the channel.
pub const TYPE: &str = "files";

/// Limit: transfers that one peer may send to us at once; one more is refused with `busy`.
pub const MAX_TRANSFERS_PER_PEER: usize = 4;

/// Limit: files of one transfer that are on offer and not settled. A sender waits at it; more break the protocol.
pub const MAX_OFFERS: usize = 64;

/// Adds files to [`Link`].
pub trait LinkFilesExt {
    /// Sends files and folders, once the link is up, until the receiver has each of them or has refused it; see
    /// [`Sending::outcome`].
    ///
    /// If the future is dropped, or fails, both ends keep what they have: called again with the same [`Sending`] it
    /// goes on, and so does another one with the same files.
    ///
    /// # Errors
    /// The channel could not be opened or broke, or the peer refuses the transfer, or answers what makes no sense. A
    /// file that cannot be read, or that the receiver refuses, is no error.
    fn send_files(
        &self,
        sending: &mut Sending,
    ) -> impl Future<Output = Result<(), FilesError>> + Send;

    /// The same, and tells often how far it is.
    ///
    /// # Errors
    /// As there.
    fn send_files_with(
        &self,
        sending: &mut Sending,
        tell: impl FnMut(Progress) + Send,
    ) -> impl Future<Output = Result<(), FilesError>> + Send;
}

impl LinkFilesExt for Link {
    async fn send_files(&self, sending: &mut Sending) -> Result<(), FilesError> {
        self.send_files_with(sending, |_| ()).await
    }

    async fn send_files_with(
        &self,
        sending: &mut Sending,
        mut tell: impl FnMut(Progress) + Send,
    ) -> Result<(), FilesError> {
        let progress = sending.progress();
        let mut open = Open::reliable(TYPE);
        let totals = [
            ("files", progress.total_files),
            ("bytes", progress.total_bytes),
        ];
        let totals = totals.map(|(key, value)| (key.to_owned(), Value::from(value)));
        open.head = Some(Box::new(Map::from_iter(totals)));
        let stream = ByteStream::new(self.open(open).await?);
        Conversation::new(stream, sending, &mut tell).run().await
    }
}

/// Adds files to [`Mesh`].
pub trait MeshFilesExt {
    /// Hands the files that peers send to `handler`, each transfer in a task of its own; in place of what was given
    /// before. Without, all are refused.
    fn on_files<F, Fut>(&self, handler: F)
    where
        F: Fn(IncomingFiles) -> Fut + Send + Sync + 'static,
        Fut: Future<Output: HandlerOutcome> + Send + 'static;
}

impl MeshFilesExt for Mesh {
    fn on_files<F, Fut>(&self, handler: F)
    where
        F: Fn(IncomingFiles) -> Fut + Send + Sync + 'static,
        Fut: Future<Output: HandlerOutcome> + Send + 'static,
    {
        self.on_open(TYPE, FilesHandler::new(handler));
    }
}

/// Adds files to [`Builder`].
pub trait BuilderFilesExt {
    /// As [`MeshFilesExt::on_files`], from the start.
    #[must_use]
    fn on_files<F, Fut>(self, handler: F) -> Self
    where
        F: Fn(IncomingFiles) -> Fut + Send + Sync + 'static,
        Fut: Future<Output: HandlerOutcome> + Send + 'static;
}

impl BuilderFilesExt for Builder {
    fn on_files<F, Fut>(self, handler: F) -> Self
    where
        F: Fn(IncomingFiles) -> Fut + Send + Sync + 'static,
        Fut: Future<Output: HandlerOutcome> + Send + 'static,
    {
        self.on_open(TYPE, FilesHandler::new(handler))
    }
}

struct FilesHandler<F> {
    handler: F,
    /// How many transfers each peer has.
    open: Places,
}

impl<F> FilesHandler<F> {
    fn new(handler: F) -> Self {
        let open = Places::default();
        Self { handler, open }
    }
}

impl<F, Fut> ChannelHandler for FilesHandler<F>
where
    F: Fn(IncomingFiles) -> Fut + Send + Sync + 'static,
    Fut: Future<Output: HandlerOutcome> + Send + 'static,
{
    async fn open(&self, channel: IncomingChannel) -> Result<(), HandlerError> {
        if !channel.is_reliable() || !channel.body().is_empty() || channel.is_ended() {
            channel.refuse("bad request");
            return Ok(());
        }
        match self.open.take(channel.peer(), MAX_TRANSFERS_PER_PEER) {
            Some(place) => (self.handler)(IncomingFiles::new(channel, place))
                .await
                .into_result(),
            None => {
                channel.refuse("busy");
                Ok(())
            }
        }
    }
}
