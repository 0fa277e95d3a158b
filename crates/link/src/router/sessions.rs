//! By which random values peers are known in the URIs that we give them (uri.md, "Router URI").

use alloc::vec::Vec;
use core::{fmt, time::Duration};

use hashbrown::HashMap;
use sha2::{Digest as _, Sha256};
use telehash_e3x::Instant;
use telehash_hashname::Hashname;

/// Limit: sessions of a router. At the limit the one that ends first makes room, of those whose peers
/// are not linked if there are any.
pub const MAX_SESSIONS: usize = 16_384;

/// Limit: how long a session is good after its peer was last told of it, or was found linked.
pub const SESSION_LIFETIME: Duration = Duration::from_secs(30 * 86_400);

/// The random value in the URI that a router gives to a peer.
pub type SessionId = [u8; 16];

/// The sessions of a router.
///
/// They are looked up by a keyed hash, so that the time it takes says nothing of the values that are
/// there.
#[derive(Default)]
pub(super) struct Sessions {
    key: [u8; 32],
    sessions: HashMap<[u8; 32], Session>,
    peers: HashMap<Hashname, [u8; 32]>,
}

struct Session {
    id: SessionId,
    peer: Hashname,
    until: Instant,
}

impl Sessions {
    /// The session of this peer, good for [`SESSION_LIFETIME`] from now. `random` makes a new one, and
    /// the key of the table.
    pub(super) fn tell(
        &mut self,
        now: Instant,
        peer: Hashname,
        is_linked: impl Fn(&Hashname) -> bool,
        mut random: impl FnMut(&mut [u8]),
    ) -> SessionId {
        self.expire(now, &is_linked);
        let known = self.peers.get(&peer);
        if let Some(session) = known.and_then(|digest| self.sessions.get_mut(digest)) {
            session.until = now + SESSION_LIFETIME;
            return session.id;
        }
        if self.sessions.is_empty() {
            random(&mut self.key);
        }
        self.make_room(is_linked);
        let mut id = SessionId::default();
        random(&mut id);
        let digest = self.digest(&id);
        let until = now + SESSION_LIFETIME;
        self.sessions.insert(digest, Session { id, peer, until });
        self.peers.insert(peer, digest);
        id
    }

    /// Whose session this is, if it is one.
    pub(super) fn peer_of(
        &self,
        now: Instant,
        id: &SessionId,
        is_linked: impl Fn(&Hashname) -> bool,
    ) -> Option<Hashname> {
        let session = self.sessions.get(&self.digest(id))?;
        session.is_good(now, is_linked).then_some(session.peer)
    }

    /// Ends the session of a peer. Whether there was one.
    pub(super) fn revoke(&mut self, peer: &Hashname) -> bool {
        let digest = self.peers.remove(peer);
        digest.is_some_and(|digest| self.sessions.remove(&digest).is_some())
    }

    pub(super) fn all(
        &self,
        now: Instant,
        is_linked: impl Fn(&Hashname) -> bool,
    ) -> Vec<(Hashname, SessionId)> {
        let sessions = self.sessions.values();
        let good = sessions.filter(|session| session.is_good(now, &is_linked));
        good.map(|session| (session.peer, session.id)).collect()
    }

    fn digest(&self, id: &SessionId) -> [u8; 32] {
        let hash = Sha256::new().chain_update(self.key).chain_update(id);
        hash.finalize().into()
    }

    fn expire(&mut self, now: Instant, is_linked: impl Fn(&Hashname) -> bool) {
        self.sessions.retain(|_, session| {
            if is_linked(&session.peer) {
                session.until = now + SESSION_LIFETIME;
            }
            now < session.until
        });
        let sessions = &self.sessions;
        self.peers.retain(|_, digest| sessions.contains_key(digest));
    }

    fn make_room(&mut self, is_linked: impl Fn(&Hashname) -> bool) {
        if self.sessions.len() < MAX_SESSIONS {
            return;
        }
        let sessions = self.sessions.values();
        let first = sessions.min_by_key(|session| (is_linked(&session.peer), session.until));
        if let Some(peer) = first.map(|session| session.peer) {
            self.revoke(&peer);
        }
    }
}

impl Session {
    fn is_good(&self, now: Instant, is_linked: impl Fn(&Hashname) -> bool) -> bool {
        now < self.until || is_linked(&self.peer)
    }
}

impl fmt::Debug for Sessions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sessions")
            .field("sessions", &self.sessions.len())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Instant = Instant::from_micros(1_000_000);

    fn name(n: usize) -> Hashname {
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&n.to_le_bytes());
        Hashname::from_bytes(bytes)
    }

    /// Nobody is linked.
    fn nobody(_: &Hashname) -> bool {
        false
    }

    /// Another value with each call.
    fn counter() -> impl FnMut(&mut [u8]) {
        let mut next = 0_u32;
        move |bytes| {
            next += 1;
            bytes[..4].copy_from_slice(&next.to_le_bytes());
        }
    }

    #[test]
    fn a_peer_keeps_its_session_until_it_is_revoked() {
        let (mut sessions, mut random) = (Sessions::default(), counter());
        let id = sessions.tell(NOW, name(1), nobody, &mut random);
        assert_eq!(sessions.tell(NOW, name(1), nobody, &mut random), id);
        let other = sessions.tell(NOW, name(2), nobody, &mut random);
        assert_eq!(sessions.peer_of(NOW, &id, nobody), Some(name(1)));
        assert_eq!(sessions.peer_of(NOW, &[9; 16], nobody), None, "guessed");
        assert!(sessions.revoke(&name(1)) && !sessions.revoke(&name(1)));
        assert_eq!(sessions.peer_of(NOW, &id, nobody), None);
        assert_eq!(sessions.all(NOW, nobody), [(name(2), other)]);
        assert_ne!(sessions.tell(NOW, name(1), nobody, &mut random), id);
    }

    #[test]
    fn a_session_ends_when_its_peer_is_not_told_of_it_any_more() {
        let (mut sessions, mut random) = (Sessions::default(), counter());
        let id = sessions.tell(NOW, name(1), nobody, &mut random);
        let later = NOW + SESSION_LIFETIME / 2;
        sessions.tell(later, name(1), nobody, &mut random);
        let end = later + SESSION_LIFETIME;
        let before = Instant::from_micros(end.as_micros() - 1);
        assert_eq!(sessions.peer_of(before, &id, nobody), Some(name(1)));
        assert_eq!(sessions.peer_of(end, &id, nobody), None);
        sessions.tell(end, name(2), nobody, &mut random);
        assert_eq!((sessions.sessions.len(), sessions.peers.len()), (1, 1));
    }

    #[test]
    fn one_session_more_than_the_limit_pushes_out_the_one_that_ends_first() {
        let (mut sessions, mut random) = (Sessions::default(), counter());
        let first = sessions.tell(NOW, name(0), nobody, &mut random);
        let soon = NOW + Duration::from_secs(1);
        for n in 1..=MAX_SESSIONS {
            let digest = [n.to_le_bytes(); 4].concat().try_into().unwrap();
            // Telling so many looks at all of them each time.
            if n < MAX_SESSIONS {
                let session = Session {
                    id: [0; 16],
                    peer: name(n),
                    until: soon + SESSION_LIFETIME,
                };
                sessions.sessions.insert(digest, session);
                sessions.peers.insert(name(n), digest);
            } else {
                sessions.tell(soon, name(n), nobody, &mut random);
            }
        }
        assert_eq!(sessions.sessions.len(), MAX_SESSIONS);
        assert_eq!(sessions.peer_of(soon, &first, nobody), None);
    }

    #[test]
    fn the_session_of_a_linked_peer_neither_ends_nor_makes_room() {
        let (mut sessions, mut random) = (Sessions::default(), counter());
        let linked = |peer: &Hashname| *peer == name(0);
        let first = sessions.tell(NOW, name(0), linked, &mut random);
        let end = NOW + SESSION_LIFETIME;
        assert_eq!(sessions.peer_of(end, &first, linked), Some(name(0)));
        assert_eq!(sessions.all(end, linked), [(name(0), first)]);
        let second = sessions.tell(end, name(1), linked, &mut random);
        for n in 2..MAX_SESSIONS {
            let digest = [n.to_le_bytes(); 4].concat().try_into().unwrap();
            let session = Session {
                id: [0; 16],
                peer: name(n),
                until: end + SESSION_LIFETIME * 2,
            };
            sessions.sessions.insert(digest, session);
            sessions.peers.insert(name(n), digest);
        }
        sessions.tell(end, name(MAX_SESSIONS), linked, &mut random);
        assert_eq!(sessions.sessions.len(), MAX_SESSIONS);
        assert_eq!(sessions.peer_of(end, &first, linked), Some(name(0)));
        assert_eq!(sessions.peer_of(end, &second, linked), None);
    }

    #[test]
    fn nothing_of_a_session_is_printed() {
        let mut sessions = Sessions::default();
        sessions.tell(NOW, name(1), nobody, |bytes| bytes.fill(0xab));
        assert_eq!(
            alloc::format!("{sessions:?}"),
            "Sessions { sessions: 1, .. }"
        );
    }
}
