//! Receiving.

use telehash_hashname::Hashname;
use telehash_runtime::Channel;

use crate::assemble::{Assembler, Block};
use crate::error::BlockError;
use crate::wire::Piece;

/// Receives the blocks of a peer; made by [`IncomingBlocks::accept`](crate::IncomingBlocks::accept).
///
/// It keeps up or loses: the oldest packets that were not read are dropped, and their blocks with
/// them. Dropping it fails the channel for the peer.
#[derive(Debug)]
pub struct BlockReceiver {
    channel: Channel,
    assembler: Assembler,
    ended: bool,
}

impl BlockReceiver {
    pub(crate) fn new(channel: Channel, max_block: usize) -> Self {
        Self {
            channel,
            assembler: Assembler::new(max_block),
            ended: false,
        }
    }

    /// The peer.
    #[must_use]
    pub fn peer(&self) -> Hashname {
        self.channel.peer()
    }

    /// The next block that came whole; `None` when the peer has ended. A number that is left out is a
    /// block that was lost.
    ///
    /// Cancel-safe.
    ///
    /// # Errors
    /// The channel failed: the peer dropped its sender, or the link went down.
    pub async fn recv(&mut self) -> Result<Option<Block>, BlockError> {
        while !self.ended {
            let Some(packet) = self.channel.recv().await? else {
                break;
            };
            self.ended = packet.end;
            if let Some(piece) = Piece::read(packet)
                && let Some(block) = self.assembler.push(&piece)
            {
                return Ok(Some(block));
            }
        }
        self.ended = true;
        // Perhaps the peer waits for it.
        let _ = self.channel.end();
        Ok(None)
    }
}
