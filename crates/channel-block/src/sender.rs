//! Sending.

use std::time::Duration;

use bytes::Bytes;
use telehash_hashname::Hashname;
use telehash_runtime::{Channel, ChannelError, Link, Open};

use crate::error::BlockError;
use crate::limits::MAX_BLOCK;
use crate::wire::{TYPE, cut, pieces};

/// How long an answer is waited for, one attempt after the other: the open or its answer may be
/// lost.
const ATTEMPTS: [Duration; 4] = [
    Duration::from_secs(1),
    Duration::from_secs(2),
    Duration::from_secs(4),
    Duration::from_secs(10),
];

/// Sends blocks to a peer; made by [`LinkBlockExt::blocks`](crate::LinkBlockExt::blocks).
///
/// Dropping it without an [`end`](Self::end) fails the channel for the peer.
#[derive(Debug)]
pub struct BlockSender {
    channel: Channel,
    sent: u64,
    skipped: u64,
}

impl BlockSender {
    /// Opens a channel, until the peer says that it takes blocks.
    pub(crate) async fn open(link: &Link) -> Result<Self, BlockError> {
        for wait in ATTEMPTS {
            let mut channel = link.open(Open::unreliable(TYPE).timeout(wait)).await?;
            match channel.opened().await {
                Ok(()) => {
                    let (sent, skipped) = (0, 0);
                    return Ok(Self {
                        channel,
                        sent,
                        skipped,
                    });
                }
                Err(ChannelError::Timeout) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(ChannelError::Timeout.into())
    }

    /// The peer.
    #[must_use]
    pub fn peer(&self) -> Hashname {
        self.channel.peer()
    }

    /// Blocks that were given to [`send`](Self::send) and did not leave, for the link was too slow.
    #[must_use]
    pub fn skipped(&self) -> u64 {
        self.skipped
    }

    /// Sends a block, and returns its number. It leaves at the pace of the link, without waiting here; while the link has
    /// no room for the whole of it, it is [skipped](Self::skipped). Half of it would only cost an earlier one its packets.
    ///
    /// # Errors
    /// The block is larger than [`MAX_BLOCK`], or the channel is over.
    pub async fn send(&mut self, block: impl Into<Bytes>) -> Result<u64, BlockError> {
        let block = block.into();
        if block.len() > MAX_BLOCK {
            return Err(BlockError::TooLarge { limit: MAX_BLOCK });
        }
        self.sent += 1;
        let quota = self.channel.quota();
        if pieces(block.len(), quota) > self.channel.queue_room(quota) {
            self.skipped += 1;
            return Ok(self.sent);
        }
        for piece in cut(self.sent, &block, quota) {
            self.channel.send(piece.to_packet()).await?;
        }
        Ok(self.sent)
    }

    /// Says that no more blocks come. That may be lost, as any block.
    ///
    /// # Errors
    /// The channel is over already.
    pub fn end(self) -> Result<(), BlockError> {
        Ok(self.channel.end()?)
    }
}
