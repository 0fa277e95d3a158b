//! The messages that go with the `link` message of every handshake of ours (links.md, "Handshake").

use alloc::vec::Vec;

use telehash_e3x::SessionId;

use super::Link;
use crate::{HandshakeError, HandshakeMessage};

/// Limit: messages beside the `link` message of our handshakes; setting more is refused. So many
/// wait for their `link` message at the other end.
pub const MAX_BESIDE: usize = 3;

/// The messages of one handshake as they were sealed, in the order in which they go out.
pub(super) type Sealed = Vec<Vec<u8>>;

impl Link {
    /// Has these messages go out with every handshake from now on, in place of earlier ones: an
    /// invite's secret, a token, an application's. Their `at` becomes that of the round. A round
    /// that is under way goes on as it was sealed, so set them before the first path is added.
    ///
    /// # Errors
    /// More than [`MAX_BESIDE`] or one that cannot be encoded; nothing is changed then.
    pub fn set_beside(&mut self, messages: Vec<HandshakeMessage>) -> Result<(), HandshakeError> {
        if messages.len() > MAX_BESIDE {
            return Err(HandshakeError::TooManyMessages {
                messages: messages.len(),
            });
        }
        for message in &messages {
            message.to_bytes(self.csid())?;
        }
        self.beside = messages;
        Ok(())
    }

    /// The inner packets of a handshake. The `link` message comes last: "JS decides when it
    /// arrives".
    pub(super) fn inner_packets(
        &self,
        at: u64,
        cont: [Option<SessionId>; 2],
    ) -> Option<Vec<Vec<u8>>> {
        let mut inner = Vec::with_capacity(self.beside.len() + 1);
        for message in &self.beside {
            let message = HandshakeMessage {
                at,
                ..message.clone()
            };
            inner.push(message.to_bytes(self.csid()).ok()?);
        }
        inner.push(self.link_message(at, cont)?);
        Some(inner)
    }
}
