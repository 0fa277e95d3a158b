//! What a router passes on, and what comes of it at the target.

use alloc::vec::Vec;

use bytes::Bytes;
use telehash_hashname::Hashname;
use telehash_link::{Dispatch, Endpoint, Instant, Introduced, Link, LinkState, Open, OpenError};

use crate::{
    Introduction, IntroductionError, Presented,
    wire::{ConnectOpen, TYPE},
};

/// Hands what `sender` sent to the peer of this link. Ask
/// [`Endpoint::relay`](telehash_link::Endpoint::relay) first, which names the link.
///
/// # Errors
/// The link is down, or the body too large. The sender gets no answer either way.
pub fn pass_on(target: &mut Link, sender: Hashname, body: Bytes) -> Result<(), OpenError> {
    if target.state() != LinkState::Up {
        return Err(OpenError::NoSuchPipe);
    }
    let head = ConnectOpen::from(sender).to_head();
    target.post(Open::unreliable(TYPE).head(head).body(body))
}

/// What a `connect` turned out to be.
#[derive(Debug)]
pub enum Arrival {
    /// A handshake: follow the dispatch, with these bytes, as that of any packet. It came by
    /// [`PipeId::router`](telehash_link::PipeId::router).
    Packet(Dispatch, Vec<u8>),
    /// The keys of somebody, unproven, and whether we are linked already. An answer goes through the
    /// router that handed it to us.
    Introduction(Introduced, Introduction),
    /// A URI that somebody presents, unproven; who that is an introduction of the same `at` says.
    Uri(Presented),
}

/// Takes a `connect` that the router `router` opened. Nothing, and no answer, if it is not worth
/// looking at.
pub fn arrive(
    now: Instant,
    endpoint: &mut Endpoint,
    router: Hashname,
    open: ConnectOpen,
    body: &[u8],
) -> Option<Arrival> {
    let sender = &open.peer;
    if body.starts_with(&[0, 1]) {
        let mut packet = body.to_vec();
        let dispatch = endpoint.handle_routed(now, router, sender, &mut packet);
        return Some(Arrival::Packet(dispatch, packet));
    }
    let introduction = match Introduction::from_bytes(body) {
        Ok(introduction) => introduction,
        Err(IntroductionError::OtherType) => {
            let presented = Presented::from_bytes(body).ok()?;
            let admitted = endpoint.admit_routed(now, router, sender);
            return admitted.then_some(Arrival::Uri(presented));
        }
        Err(_) => return None,
    };
    let Introduction { csid, keys, .. } = &introduction;
    let who = endpoint.introduced(now, router, sender, *csid, keys).ok()?;
    Some(Arrival::Introduction(who, introduction))
}
