//! Blocks that a peer wants to send.

use telehash_hashname::Hashname;
use telehash_runtime::{IncomingChannel, Link, Packet};

use crate::error::BlockError;
use crate::limits::MAX_BLOCK;
use crate::receiver::BlockReceiver;

/// A peer that wants to send blocks, before that is accepted. Dropping it refuses them.
///
/// The same peer may ask again a second later, if it did not hear that it was accepted.
#[derive(Debug)]
#[must_use = "dropping incoming blocks refuses them"]
pub struct IncomingBlocks {
    channel: IncomingChannel,
}

impl IncomingBlocks {
    /// What no honest peer asks for is refused.
    pub(crate) fn read(channel: IncomingChannel) -> Option<Self> {
        if channel.is_reliable() {
            channel.refuse("blocks are not reliable");
            return None;
        }
        Some(Self { channel })
    }

    /// Who asks.
    #[must_use]
    pub fn peer(&self) -> Hashname {
        self.channel.peer()
    }

    /// The link that they go over.
    #[must_use]
    pub fn link(&self) -> Link {
        self.channel.link()
    }

    /// Accepts blocks of up to [`MAX_BLOCK`] bytes.
    ///
    /// # Errors
    /// The channel has failed meanwhile.
    pub async fn accept(self) -> Result<BlockReceiver, BlockError> {
        self.accept_up_to(MAX_BLOCK).await
    }

    /// Accepts blocks of up to so many bytes; larger ones are dropped.
    ///
    /// # Errors
    /// The channel has failed meanwhile.
    pub async fn accept_up_to(self, max_block: usize) -> Result<BlockReceiver, BlockError> {
        let mut channel = self.channel.accept()?;
        // The protocol has no answer to an open. Without one the opener cannot know that it was not
        // lost, and with it every later packet.
        channel.send(Packet::default()).await?;
        Ok(BlockReceiver::new(channel, max_block))
    }

    /// Refuses them and tells the peer why.
    pub fn refuse(self, error: &str) {
        self.channel.refuse(error);
    }
}
