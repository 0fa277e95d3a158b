//! Requests and packets, as they come to a router.

use alloc::vec::Vec;

use rand_core::Rng as _;
use telehash_e3x::{Instant, Token};
use telehash_hashname::{Csid, Hashname};
use telehash_lob::Lob;
use thiserror::Error;

use super::{Router, RouterPolicy, SessionId};
use crate::{Dispatch, DropReason, Endpoint, LinkKey, PipeId, config::MAX_HANDSHAKE_PACKET};

/// Why a request was not relayed: counted, never told to its sender.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum NotRelayed {
    /// What it brings is no handshake and no introduction.
    #[error("the body is no handshake and no introduction")]
    Malformed,
    /// There is no such link here, or it is the sender's own.
    #[error("the target is not linked here")]
    Unknown,
    /// Neither sender nor target is served.
    #[error("neither the sender nor the target is served by this router")]
    Refused,
    /// The budget of the sender, or of the pair, is used up.
    #[error("too many requests of this sender, or for this target")]
    Throttled,
    /// Its token is another's.
    #[error("the token of this handshake belongs to somebody else")]
    Taken,
}

impl Endpoint {
    /// Whom this endpoint routes for.
    pub fn router_policy(&mut self) -> &mut RouterPolicy {
        &mut self.router.policy
    }

    /// The peer of the link `from` asks us to hand `body`, a handshake or an introduction, to
    /// `target`. Returns the link that it is to be handed to; from now on packets of that one which
    /// carry the token of the handshake go to `from`.
    ///
    /// # Errors
    /// See [`NotRelayed`]. The sender gets no answer, whatever it is.
    pub fn relay(
        &mut self,
        now: Instant,
        from: LinkKey,
        target: &Hashname,
        body: &[u8],
    ) -> Result<LinkKey, NotRelayed> {
        let result = self.try_relay(now, from, Some(target), body);
        self.count_request(result)
    }

    /// The same for a target that is named by its session in a URI of ours: whoever holds that URI
    /// may ask, as long as the session is good and its peer served.
    ///
    /// # Errors
    /// See [`NotRelayed`]. A session that is none is [`NotRelayed::Unknown`], as a target that is not
    /// linked is.
    pub fn relay_session(
        &mut self,
        now: Instant,
        from: LinkKey,
        session: &SessionId,
        body: &[u8],
    ) -> Result<LinkKey, NotRelayed> {
        let target = self.session_peer(now, session);
        let result = self.try_relay(now, from, target.as_ref(), body);
        self.count_request(result)
    }

    /// The session by which a peer that is served is known in the URI that we give it: the same as
    /// ever while it lasts, and good for [`SESSION_LIFETIME`](crate::SESSION_LIFETIME) from now.
    pub fn session_for(&mut self, now: Instant, peer: &Hashname) -> Option<SessionId> {
        let rng = &mut self.rng;
        let served = self.router.policy.serves(peer);
        let names = &self.names;
        let is_linked = |peer: &Hashname| names.contains_key(peer);
        let sessions = &mut self.router.sessions;
        served.then(|| sessions.tell(now, *peer, is_linked, |bytes| rng.fill_bytes(bytes)))
    }

    /// Whose session this is, if it is good.
    #[must_use]
    pub fn session_peer(&self, now: Instant, session: &SessionId) -> Option<Hashname> {
        let peer = self
            .router
            .sessions
            .peer_of(now, session, |peer| self.names.contains_key(peer))?;
        self.router.policy.serves(&peer).then_some(peer)
    }

    /// Ends the session of a peer: the URIs that it shared lead to nobody. It gets another one when it
    /// is told again, if it is still served. Whether there was a session.
    pub fn revoke_session(&mut self, peer: &Hashname) -> bool {
        self.router.sessions.revoke(peer)
    }

    /// The sessions that are good, in no particular order.
    #[must_use]
    pub fn sessions(&self, now: Instant) -> Vec<(Hashname, SessionId)> {
        self.router
            .sessions
            .all(now, |peer| self.names.contains_key(peer))
    }

    fn count_request(
        &mut self,
        result: Result<LinkKey, NotRelayed>,
    ) -> Result<LinkKey, NotRelayed> {
        match result {
            Ok(_) => self.router.relayed += 1,
            Err(_) => self.router.refused += 1,
        }
        result
    }

    fn try_relay(
        &mut self,
        now: Instant,
        from: LinkKey,
        target: Option<&Hashname>,
        body: &[u8],
    ) -> Result<LinkKey, NotRelayed> {
        let sender = self.links.get(&from).ok_or(NotRelayed::Unknown)?.hashname;
        if !self.router.pairs.admit_sender(now, from) {
            return Err(NotRelayed::Throttled);
        }
        let token = token_of(body)?;
        let target = target.ok_or(NotRelayed::Unknown)?;
        let to = self.link_to(target).filter(|to| *to != from);
        let to = to.ok_or(NotRelayed::Unknown)?;
        if !self.router.policy.allows(&sender, target) {
            return Err(NotRelayed::Refused);
        }
        if !self.router.pairs.admit(now, from, to) {
            return Err(NotRelayed::Throttled);
        }
        if let Some(token) = token {
            let is_ours = self.tokens.contains_key(&token);
            if is_ours || !self.router.bridges.add(now, token, from, to) {
                return Err(NotRelayed::Taken);
            }
        }
        Ok(to)
    }

    /// A channel packet whose token is no link's: it goes over a bridge if it comes from its other
    /// end.
    pub(crate) fn dispatch_bridged(
        &mut self,
        now: Instant,
        pipe: PipeId,
        token: Token,
        bytes: usize,
    ) -> Result<Dispatch, DropReason> {
        let ends = self.router.bridges.ends(token);
        let (owner, partner) = ends.ok_or(DropReason::UnknownToken)?;
        let comes_from_there = self
            .links
            .get(&partner)
            .is_some_and(|record| record.pipes.contains(&pipe));
        if !comes_from_there || !self.router.bridges.carry(now, token, bytes) {
            return Err(DropReason::NotRouted);
        }
        self.router.forwarded += 1;
        Ok(Dispatch::Forward(owner))
    }

    /// The pipe that a packet of this link counts for: that of a router, if it came by one of the
    /// router's own and the link has a pipe through that router.
    pub(crate) fn routed_pipe(&self, key: LinkKey, pipe: PipeId) -> Option<PipeId> {
        let record = self.links.get(&key)?;
        let pipes = &record.pipes;
        if record.routed == 0 || pipes.contains(&pipe) {
            return None;
        }
        let is_way = |router: &PipeId| {
            let router = router.through().and_then(|name| self.names.get(&name));
            let router = router.and_then(|key| self.links.get(key));
            router.is_some_and(|router| router.pipes.contains(&pipe))
        };
        pipes.iter().find(|router| is_way(router)).copied()
    }
}

impl Router {
    /// The link is gone.
    pub(crate) fn forget(&mut self, link: LinkKey) {
        self.pairs.forget(link);
        self.bridges.forget(link);
    }

    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        self.bridges.poll_timeout()
    }

    pub(crate) fn handle_timeout(&mut self, now: Instant) {
        self.bridges.sweep(now);
    }

    /// Fills in its figures.
    pub(crate) fn count(&self, stats: &mut crate::EndpointStats) {
        stats.bridges = self.bridges.len();
        stats.pairs = self.pairs.len();
        stats.relayed = self.relayed;
        stats.not_relayed = self.refused;
        stats.forwarded = self.forwarded;
    }
}

/// The token of a handshake; none for what is not encrypted: an introduction and what goes with it.
fn token_of(body: &[u8]) -> Result<Option<Token>, NotRelayed> {
    if body.len() > MAX_HANDSHAKE_PACKET {
        return Err(NotRelayed::Malformed);
    }
    let lob = Lob::parse(body).map_err(|_| NotRelayed::Malformed)?;
    match *lob.head() {
        [csid] if Csid::new(csid).is_some() => Token::of_body(lob.body())
            .map(Some)
            .ok_or(NotRelayed::Malformed),
        [b'{', ..] if lob.head().len() > 6 => Ok(None),
        _ => Err(NotRelayed::Malformed),
    }
}
