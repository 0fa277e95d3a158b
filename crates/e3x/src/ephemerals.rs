//! What the exchanges of all sets with kept ephemerals remember of the other side's.

use alloc::vec::Vec;

use sha2::{Digest, Sha256};

use crate::{ExchangeError, RemoteEphemeral, SessionId};

/// Sessions that one of our ephemerals may start, each with another ephemeral of the peer. At the
/// limit the exchange asks for a fresh one ([`ExchangeError::NeedsFresh`]).
///
/// One is what a handshake needs; the others are for a peer that restarts while ours is still
/// young.
pub(crate) const SESSIONS_PER_EPHEMERAL: usize = 8;

/// Ephemerals of the peer that an exchange has adopted. At the limit it forgets the one it adopted
/// first, and messages with that one cost a scalar multiplication again.
///
/// One is the peer's present one; the others are for one that a replayed message brought up.
pub(crate) const ADOPTED_EPHEMERALS: usize = 4;

/// The ephemerals of the peer that an exchange has adopted, with the key that decrypts the messages
/// of each.
#[derive(Debug)]
pub(crate) struct Adopted<Key>(Vec<(RemoteEphemeral, Key)>);

impl<Key> Adopted<Key> {
    pub(crate) const fn new() -> Self {
        Self(Vec::new())
    }

    /// The adopted ephemeral with this KEY.
    pub(crate) fn find(&self, key: &[u8]) -> Option<&(RemoteEphemeral, Key)> {
        self.0.iter().find(|(remote, _)| remote.key() == key)
    }

    /// Makes this one the last to be forgotten.
    pub(crate) fn adopt(&mut self, remote: &RemoteEphemeral, key: Key) {
        self.0.retain(|(known, _)| known.key() != remote.key());
        if self.0.len() >= ADOPTED_EPHEMERALS {
            self.0.remove(0);
        }
        self.0.push((remote.clone(), key));
    }
}

/// The ephemerals of the peer that our present one has made sessions with.
#[derive(Debug)]
pub(crate) struct Paired<Public>(Vec<Public>);

impl<Public: PartialEq> Paired<Public> {
    pub(crate) const fn new() -> Self {
        Self(Vec::new())
    }

    /// Whether our ephemeral may make a session with this one.
    pub(crate) fn check(&self, theirs: &Public) -> Result<(), ExchangeError> {
        if self.0.contains(theirs) || self.0.len() >= SESSIONS_PER_EPHEMERAL {
            return Err(ExchangeError::NeedsFresh);
        }
        Ok(())
    }

    /// It has made one.
    pub(crate) fn add(&mut self, theirs: Public) {
        self.0.push(theirs);
    }

    /// Our ephemeral is a new one.
    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }
}

/// The name of the session of two ephemerals: the same whichever side asks. `label` names the
/// cipher set.
pub(crate) fn session_id(label: &[u8], ours: &[u8], theirs: &[u8]) -> SessionId {
    let (first, second) = if ours < theirs {
        (ours, theirs)
    } else {
        (theirs, ours)
    };
    let digest: [u8; 32] = Sha256::new()
        .chain_update(label)
        .chain_update(first)
        .chain_update(second)
        .finalize()
        .into();
    SessionId::from_bytes(core::array::from_fn(|i| digest[i]))
}
