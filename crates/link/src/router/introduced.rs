//! Handshakes and introductions that a router handed us.

use telehash_e3x::Instant;
use telehash_hashname::{Csid, Hashname, KeySet};

use crate::{
    Dispatch, DropReason, Endpoint, LinkKey, PipeId, Welcome, config::MAX_HANDSHAKE_PACKET,
};

/// Who was introduced to us by a router. Nothing of it is proven: an answer is an encrypted handshake
/// that only the holder of these keys can use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Introduced {
    /// We are linked to it already: a handshake may go to it through that router.
    Linked(LinkKey),
    /// A stranger: the application decides.
    Stranger(Hashname),
}

impl Endpoint {
    /// A handshake that the router `router` handed us in the name of `sender`. The name decides who
    /// pays for the work, nothing else.
    pub fn handle_routed(
        &mut self,
        now: Instant,
        router: Hashname,
        sender: &Hashname,
        packet: &mut [u8],
    ) -> Dispatch {
        let is_message = packet.len() <= MAX_HANDSHAKE_PACKET && packet.starts_with(&[0, 1]);
        if !is_message {
            return self.drop_packet(DropReason::Malformed);
        }
        let payer = (router, self.names.contains_key(sender).then_some(*sender));
        self.handle_for(now, PipeId::router(router), Some(payer), packet)
    }

    /// Whether what `router` handed us in the name of `sender` is to be looked at: it costs as much as
    /// an introduction.
    pub fn admit_routed(&mut self, now: Instant, router: Hashname, sender: &Hashname) -> bool {
        let friend = self.names.contains_key(sender).then_some(*sender);
        self.strangers.admit_routed(now, router, friend)
    }

    /// Somebody with these keys, of which that of `csid` is known, was introduced to us by `router`
    /// in the name of `sender`.
    ///
    /// # Errors
    /// Why it is ignored: it may not be told apart from silence.
    pub fn introduced(
        &mut self,
        now: Instant,
        router: Hashname,
        sender: &Hashname,
        csid: Csid,
        keys: &KeySet,
    ) -> Result<Introduced, DropReason> {
        let hashname = keys.hashname().ok_or(DropReason::Malformed)?;
        if hashname == self.hashname() {
            return Err(DropReason::OwnIdentity);
        }
        if self.identity.keys().agreed(keys) != Some(csid) || keys.key(csid).is_none() {
            return Err(DropReason::Downgrade);
        }
        if !self.admit_routed(now, router, sender) {
            return Err(DropReason::Throttled);
        }
        if let Some(key) = self.names.get(&hashname) {
            return Ok(Introduced::Linked(*key));
        }
        match &self.welcome {
            Welcome::Only(expected) if !expected.contains(&hashname) => Err(DropReason::Unwelcome),
            _ => Ok(Introduced::Stranger(hashname)),
        }
    }
}
