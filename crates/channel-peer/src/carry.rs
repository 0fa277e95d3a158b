//! What leaves by a pipe through a router.

use bytes::Bytes;
use telehash_hashname::Hashname;
use telehash_link::{Link, LinkState, Open, OpenError};

use crate::wire::{PeerOpen, TYPE};

/// Sends a packet for `target` by the link to a router: a handshake in a request, a channel packet as
/// it is. Packets come from [`Link::poll_transmit`] of the link to the target.
///
/// # Errors
/// See [`NotCarried`]. The packet is as good as lost, and whoever sent it repeats what matters.
pub fn carry(router: &mut Link, target: Hashname, packet: &[u8]) -> Result<(), NotCarried> {
    if packet.starts_with(&[0, 1]) {
        return ask(
            router,
            &PeerOpen::to(target),
            Bytes::copy_from_slice(packet),
        );
    }
    if router.forward(packet) {
        Ok(())
    } else {
        Err(NotCarried::Down)
    }
}

/// Asks a router to hand `body`, a handshake or an introduction, to a target.
///
/// # Errors
/// See [`NotCarried`].
pub fn ask(router: &mut Link, open: &PeerOpen, body: Bytes) -> Result<(), NotCarried> {
    if router.state() != LinkState::Up {
        return Err(NotCarried::Down);
    }
    router.post(Open::unreliable(TYPE).head(open.to_head()).body(body))?;
    Ok(())
}

/// Why a packet did not leave by a router.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum NotCarried {
    /// The link to the router is down, or leads through a router itself.
    #[error("the link to the router is down, or goes through another router; try one that is near")]
    Down,
    /// The request could not be opened.
    #[error("the router cannot be asked: {0}")]
    Open(#[from] OpenError),
}
