//! A transfer that a peer opened.

use telehash_channel_stream::ByteStream;
use telehash_hashname::Hashname;
use telehash_runtime::{IncomingChannel, Link, Place};

use crate::error::FilesError;
use crate::folder::Folder;
use crate::outcome::{Outcome, Progress};
use crate::receive::Receiving;

/// Files that a peer wants to send, before any of them is accepted. Dropping it refuses them.
#[derive(Debug)]
#[must_use = "dropping incoming files refuses them"]
pub struct IncomingFiles {
    channel: IncomingChannel,
    _place: Place,
}

impl IncomingFiles {
    pub(crate) fn new(channel: IncomingChannel, place: Place) -> Self {
        Self {
            channel,
            _place: place,
        }
    }

    /// Who opened it.
    #[must_use]
    pub fn peer(&self) -> Hashname {
        self.channel.peer()
    }

    /// The link that it goes over.
    #[must_use]
    pub fn link(&self) -> Link {
        self.channel.link()
    }

    /// How many files and folders are to come, as the sender says; nothing holds it to that.
    #[must_use]
    pub fn files(&self) -> u64 {
        self.number("files")
    }

    /// How many bytes are to come, as the sender says.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.number("bytes")
    }

    fn number(&self, key: &str) -> u64 {
        let value = self.channel.head().and_then(|head| head.get(key));
        value.and_then(serde_json::Value::as_u64).unwrap_or(0)
    }

    /// Receives them into `folder`, to the sender's end.
    ///
    /// If the future is dropped, or fails, what arrived is kept for when the same peer sends the same again.
    ///
    /// # Errors
    /// The channel or the disk failed, or the peer sends what is no transfer. A file that is refused is no error.
    pub async fn receive(self, folder: &Folder) -> Result<Outcome, FilesError> {
        self.receive_with(folder, |_| ()).await
    }

    /// The same, and tells often how far it is.
    ///
    /// # Errors
    /// As there.
    pub async fn receive_with(
        self,
        folder: &Folder,
        mut tell: impl FnMut(Progress) + Send,
    ) -> Result<Outcome, FilesError> {
        let progress = Progress {
            total_files: self.files(),
            total_bytes: self.bytes(),
            ..Progress::default()
        };
        let Self { channel, _place } = self;
        let channel = channel
            .accept()
            .map_err(|error| FilesError::stream(telehash_channel_stream::io_error(error.into())))?;
        let stream = ByteStream::new(channel);
        Receiving::new(stream, folder.clone(), progress, &mut tell)
            .run()
            .await
    }

    /// Refuses them and tells the sender why.
    pub fn refuse(self, error: &str) {
        self.channel.refuse(error);
    }
}
