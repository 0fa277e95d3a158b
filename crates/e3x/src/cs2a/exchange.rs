//! Exchanges of CS2a.

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;

use rand_core::CryptoRng;
use sha2::{Digest, Sha256};
use telehash_hashname::Csid;
use zeroize::Zeroizing;

use super::gcm::{Cipher, Iv, KEY_LEN};
use super::iv::IvSource;
use super::key;
use super::keys::{Contents, Ephemeral};
use super::message::{self, MessageBody};
use super::p256::{self, Coordinate};
use super::rsa::{Block, PrivateKey, PublicKey};
use super::session::{Agreed, Cs2aSession};
use crate::{
    Exchange, ExchangeError, KeyError, MessageError, Opened, Order, RemoteEphemeral, Rounds,
    SealError, Session, SessionContext, SessionId, Token,
};

/// Sessions that one of our ephemerals may start, each with another ephemeral of the peer. At the
/// limit the exchange asks for a fresh one ([`ExchangeError::NeedsFresh`]).
///
/// One is what a handshake needs; the others are for a peer that restarts while ours is still
/// young.
pub(super) const SESSIONS_PER_EPHEMERAL: usize = 8;

/// Ephemerals of the peer that an exchange has adopted. At the limit it forgets the one it adopted
/// first, and messages with that one cost an RSA operation again.
///
/// One is the peer's present one; the others are for one that a replayed message brought up.
pub(super) const ADOPTED_EPHEMERALS: usize = 4;

#[derive(Debug)]
pub(super) struct Cs2aExchange {
    identity: Arc<PrivateKey>,
    remote: PublicKey,
    order: Order,
    pub(super) ephemeral: Ephemeral,
    /// The adopted ephemerals, and the message key of each, ready for use.
    incoming: Vec<(RemoteEphemeral, Cipher)>,
    /// The x coordinates of the ephemerals that our present one has made sessions with: what else
    /// a peer changes, these decide the agreement.
    sessions: Vec<Coordinate>,
}

impl Cs2aExchange {
    pub(super) fn new(
        identity: Arc<PrivateKey>,
        remote: &[u8],
        rng: &mut dyn CryptoRng,
    ) -> Result<Self, ExchangeError> {
        let order = Order::of(identity.public(), remote)?;
        let remote = PublicKey::parse(remote)?;
        let ephemeral = Ephemeral::random(&remote, rng)?;
        Ok(Self {
            identity,
            remote,
            order,
            ephemeral,
            incoming: Vec::new(),
            sessions: Vec::new(),
        })
    }

    /// [`Exchange::fresh`] with an ephemeral of the caller's choice.
    pub(super) fn replace(&mut self, ephemeral: Ephemeral) {
        self.ephemeral = ephemeral;
        self.sessions.clear();
    }

    /// [`Exchange::seal`] with an IV of the caller's choice, which must be new.
    pub(super) fn seal_with(&self, inner: &[u8], iv: &Iv) -> Result<Vec<u8>, SealError> {
        let Ephemeral { keys, cipher, .. } = &self.ephemeral;
        message::seal(&self.identity, keys, cipher, iv, inner).ok_or(SealError::Library)
    }

    /// [`Exchange::session`] with IVs of the caller's choice.
    pub(super) fn session_with(
        &mut self,
        remote: &RemoteEphemeral,
        ivs: IvSource,
    ) -> Result<Cs2aSession, ExchangeError> {
        let theirs = self.their_contents(remote)?;
        let x = p256::x(&theirs.point);
        if self.sessions.contains(&x) || self.sessions.len() >= SESSIONS_PER_EPHEMERAL {
            return Err(ExchangeError::NeedsFresh);
        }
        let ours = &self.ephemeral.contents;
        let agreement = self
            .ephemeral
            .pair
            .agree(&theirs.point)
            .ok_or(ExchangeError::WeakAgreement)?;
        let cipher = |from, to| {
            Cipher::new(&channel_key(&agreement, from, to))
                .ok_or(ExchangeError::RemoteKey(KeyError::Generation))
        };
        let agreed = Agreed {
            outgoing: cipher(ours, &theirs)?,
            incoming: cipher(&theirs, ours)?,
            id: session_id(&self.ephemeral.keys, remote.key()),
            local: self.token(),
            local_head_only: self.head_only_token(),
            remote: remote.token(),
        };
        self.sessions.push(x);
        Ok(Cs2aSession::new(agreed, ivs))
    }

    /// The contents of a remote ephemeral that is of this set and not ours.
    fn their_contents(&self, remote: &RemoteEphemeral) -> Result<Contents, ExchangeError> {
        if remote.csid() != Csid::CS2A {
            return Err(ExchangeError::OtherSet);
        }
        if remote.key() == self.ephemeral.keys {
            return Err(ExchangeError::OwnEphemeral);
        }
        let theirs = Contents::from_bytes(remote.secret()).ok_or(ExchangeError::OtherSet)?;
        if theirs.overlaps(&self.ephemeral.contents) {
            Err(ExchangeError::OwnEphemeral)
        } else {
            Ok(theirs)
        }
    }

    /// A message BODY that does not carry our own ephemeral.
    fn parse<'a>(&self, body: &'a [u8]) -> Result<MessageBody<'a>, MessageError> {
        let message = MessageBody::parse(body).ok_or(MessageError::Malformed)?;
        if *message.keys == self.ephemeral.keys {
            Err(MessageError::OwnEphemeral)
        } else {
            Ok(message)
        }
    }
}

impl Exchange for Cs2aExchange {
    fn csid(&self) -> Csid {
        Csid::CS2A
    }

    fn token(&self) -> Token {
        Token::of_prefix(&prefix(&self.ephemeral.keys))
    }

    fn head_only_token(&self) -> Token {
        Token::head_only_of_prefix(&prefix(&self.ephemeral.keys))
    }

    fn order(&self) -> Order {
        self.order
    }

    fn remote_public(&self) -> &[u8] {
        self.remote.as_der()
    }

    fn rounds(&self) -> Rounds {
        Rounds::KeptEphemeral
    }

    fn seal(&mut self, inner: &[u8], _rng: &mut dyn CryptoRng) -> Result<Vec<u8>, SealError> {
        let iv = self.ephemeral.ivs.next().ok_or(SealError::Exhausted)?;
        self.seal_with(inner, &iv)
    }

    fn open(&self, body: &[u8]) -> Result<Opened, MessageError> {
        let message = self.parse(body)?;
        let adopted = self
            .incoming
            .iter()
            .find(|(remote, _)| remote.key() == message.keys);
        match adopted {
            Some((remote, cipher)) => {
                let decrypted = message.decrypt(cipher).ok_or(MessageError::Forged)?;
                Ok(Opened::new(decrypted.inner, remote.clone()).with_proof(decrypted.signature))
            }
            None => key::open_from_anyone(&self.identity, body),
        }
    }

    fn verify(&mut self, body: &[u8], opened: &Opened) -> Result<(), MessageError> {
        let message = self.parse(body)?;
        if opened.remote.csid() != Csid::CS2A || opened.remote.key() != message.keys {
            return Err(MessageError::Malformed);
        }
        if message.is_from(&self.remote, &opened.inner, opened.proof()) {
            Ok(())
        } else {
            Err(MessageError::Forged)
        }
    }

    fn adopt(&mut self, remote: &RemoteEphemeral) -> Result<(), ExchangeError> {
        let theirs = self.their_contents(remote)?;
        let cipher = Cipher::new(&theirs.message_key)
            .ok_or(ExchangeError::RemoteKey(KeyError::Generation))?;
        self.incoming
            .retain(|(known, _)| known.key() != remote.key());
        if self.incoming.len() >= ADOPTED_EPHEMERALS {
            self.incoming.remove(0);
        }
        self.incoming.push((remote.clone(), cipher));
        Ok(())
    }

    fn session(
        &mut self,
        remote: &RemoteEphemeral,
        _context: &SessionContext<'_>,
        rng: &mut dyn CryptoRng,
    ) -> Result<Box<dyn Session>, ExchangeError> {
        let session = self.session_with(remote, IvSource::random(rng))?;
        Ok(Box::new(session))
    }

    fn fresh(&mut self, rng: &mut dyn CryptoRng) -> Result<(), ExchangeError> {
        let ephemeral = Ephemeral::random(&self.remote, rng)?;
        self.replace(ephemeral);
        Ok(())
    }
}

/// The key for packets from the owner of the first ephemeral to that of the second.
pub(super) fn channel_key(
    agreement: &Coordinate,
    from: &Contents,
    to: &Contents,
) -> Zeroizing<[u8; KEY_LEN]> {
    Zeroizing::new(
        Sha256::new()
            .chain_update(agreement)
            .chain_update(from.message_key.as_slice())
            .chain_update(to.message_key.as_slice())
            .finalize()
            .into(),
    )
}

/// The same whichever side asks.
fn session_id(ours: &[u8], theirs: &[u8]) -> SessionId {
    let digest: [u8; 32] = Sha256::new()
        .chain_update(b"telehash/cs2a/session")
        .chain_update(ours.min(theirs))
        .chain_update(ours.max(theirs))
        .finalize()
        .into();
    SessionId::from_bytes(core::array::from_fn(|i| digest[i]))
}

/// The part of KEYS that tokens are made of.
fn prefix(keys: &Block) -> [u8; Token::LEN] {
    core::array::from_fn(|i| keys[i])
}
