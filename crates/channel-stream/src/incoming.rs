//! A stream that a peer opened.

use std::io;

use bytes::Bytes;
use serde_json::{Map, Value};
use telehash_hashname::Hashname;
use telehash_runtime::{ChannelError, IncomingChannel, Link};

use crate::bytes_face::ByteStream;
use crate::error::io_error;
use crate::messages_face::{DEFAULT_MAX_MESSAGE, MessageStream};
use crate::options;

/// A stream that a peer opened, before it is accepted. Dropping it refuses the stream.
#[derive(Debug)]
#[must_use = "dropping an incoming stream refuses it"]
pub struct IncomingStream {
    channel: IncomingChannel,
    head: Map<String, Value>,
    body: Bytes,
}

impl IncomingStream {
    /// Reads the opener's options; options that cannot be read refuse the stream.
    pub(crate) fn new(channel: IncomingChannel) -> Option<Self> {
        let body = channel.body().clone();
        if body.is_empty() {
            return Some(Self {
                channel,
                head: Map::new(),
                body,
            });
        }
        match options::parse(&body) {
            Ok((head, start)) => Some(Self {
                channel,
                head,
                body: body.slice(start..),
            }),
            Err(_) => {
                channel.refuse("bad options");
                None
            }
        }
    }

    /// Who opened it.
    #[must_use]
    pub fn peer(&self) -> Hashname {
        self.channel.peer()
    }

    /// The link that it is a stream of.
    #[must_use]
    pub fn link(&self) -> Link {
        self.channel.link()
    }

    /// The opener's options; empty if there are none.
    #[must_use]
    pub fn head(&self) -> &Map<String, Value> {
        &self.head
    }

    /// What came with the options.
    #[must_use]
    pub fn body(&self) -> &Bytes {
        &self.body
    }

    /// Accepts it as a stream of bytes.
    ///
    /// # Errors
    /// It has failed meanwhile.
    pub fn accept(self) -> io::Result<ByteStream> {
        self.channel
            .accept()
            .map(ByteStream::new)
            .map_err(|error| io_error(error.into()))
    }

    /// Accepts it as a stream of messages of at most [`DEFAULT_MAX_MESSAGE`] bytes.
    ///
    /// # Errors
    /// It has failed meanwhile.
    pub fn accept_messages(self) -> Result<MessageStream, ChannelError> {
        self.accept_messages_of(DEFAULT_MAX_MESSAGE)
    }

    /// Accepts it as a stream of messages of at most so many bytes.
    ///
    /// # Errors
    /// It has failed meanwhile.
    pub fn accept_messages_of(self, max_message: usize) -> Result<MessageStream, ChannelError> {
        self.channel
            .accept()
            .map(|channel| MessageStream::new(channel, max_message))
    }

    /// Refuses it and tells the opener why.
    pub fn refuse(self, error: &str) {
        self.channel.refuse(error);
    }
}
