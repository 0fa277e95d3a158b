//! Exchanges of CS3a.

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;

use rand_core::CryptoRng;
use sha2::{Digest, Sha256};
use telehash_hashname::Csid;

use super::key::{self, Pair};
use super::message::{self, MessageBody};
use super::nacl::{NONCE_LEN, Nonce, PublicKey, SharedKey};
use super::nonce::NonceSource;
use super::session::{Agreed, Cs3aSession};
use crate::ephemerals::{Adopted, Paired, session_id};
use crate::{
    Exchange, ExchangeError, MessageError, Opened, Order, RemoteEphemeral, Rounds, SealError,
    Session, SessionContext, Token,
};

/// What session ids are hashed with.
const SESSION_LABEL: &[u8] = b"telehash/cs3a/session";

#[derive(Debug)]
pub(super) struct Cs3aExchange {
    identity: Arc<Pair>,
    remote: PublicKey,
    order: Order,
    ephemeral: Pair,
    /// Our identity with the remote one: authenticates messages, both ways.
    identities: Option<SharedKey>,
    /// Our ephemeral with the remote identity: encrypts our messages.
    outgoing: Option<SharedKey>,
    /// The adopted ephemerals, and our identity with each: decrypt the peer's messages.
    incoming: Adopted<SharedKey>,
    /// The ephemerals of the peer that our present one has made sessions with.
    sessions: Paired<PublicKey>,
}

impl Cs3aExchange {
    pub(super) fn new(
        identity: Arc<Pair>,
        remote: &[u8],
        ephemeral: Pair,
    ) -> Result<Self, ExchangeError> {
        let order = Order::of(&identity.public, remote)?;
        let remote = key::parse_public(remote)?;
        Ok(Self {
            identity,
            remote,
            order,
            ephemeral,
            identities: None,
            outgoing: None,
            incoming: Adopted::new(),
            sessions: Paired::new(),
        })
    }

    /// [`Exchange::seal`] with a nonce of the caller's choice.
    pub(super) fn seal_with(&mut self, inner: &[u8], nonce: &Nonce) -> Result<Vec<u8>, SealError> {
        let outgoing = cached(&mut self.outgoing, || self.ephemeral.agree(&self.remote))
            .ok_or(SealError::RemoteKey)?;
        let identities = cached(&mut self.identities, || self.identity.agree(&self.remote))
            .ok_or(SealError::RemoteKey)?;
        Ok(message::seal(
            &self.ephemeral.public,
            outgoing,
            identities,
            nonce,
            inner,
        ))
    }

    /// [`Exchange::session`] with nonces of the caller's choice.
    pub(super) fn session_with(
        &mut self,
        remote: &RemoteEphemeral,
        nonces: NonceSource,
    ) -> Result<Cs3aSession, ExchangeError> {
        let theirs = self.their_key(remote)?;
        self.sessions.check(&theirs)?;
        let agreement = self
            .ephemeral
            .agree(&theirs)
            .ok_or(ExchangeError::WeakAgreement)?;
        self.sessions.add(theirs);
        let ours = &self.ephemeral.public;
        let agreed = Agreed {
            outgoing: channel_key(&agreement, ours, &theirs),
            incoming: channel_key(&agreement, &theirs, ours),
            id: session_id(SESSION_LABEL, ours, &theirs),
            local: self.token(),
            local_head_only: self.head_only_token(),
            remote: remote.token(),
        };
        Ok(Cs3aSession::new(agreed, nonces))
    }

    /// The KEY of a remote ephemeral that is of this set and not ours.
    fn their_key(&self, remote: &RemoteEphemeral) -> Result<PublicKey, ExchangeError> {
        if remote.csid() != Csid::CS3A {
            return Err(ExchangeError::OtherSet);
        }
        let theirs = remote
            .key()
            .try_into()
            .map_err(|_| ExchangeError::OtherSet)?;
        if theirs == self.ephemeral.public {
            Err(ExchangeError::OwnEphemeral)
        } else {
            Ok(theirs)
        }
    }
}

impl Exchange for Cs3aExchange {
    fn csid(&self) -> Csid {
        Csid::CS3A
    }

    fn token(&self) -> Token {
        Token::of_prefix(&prefix(&self.ephemeral.public))
    }

    fn head_only_token(&self) -> Token {
        Token::head_only_of_prefix(&prefix(&self.ephemeral.public))
    }

    fn order(&self) -> Order {
        self.order
    }

    fn remote_public(&self) -> &[u8] {
        &self.remote
    }

    fn rounds(&self) -> Rounds {
        Rounds::KeptEphemeral
    }

    fn seal(&mut self, inner: &[u8], rng: &mut dyn CryptoRng) -> Result<Vec<u8>, SealError> {
        let mut nonce = [0; NONCE_LEN];
        rng.fill_bytes(&mut nonce);
        self.seal_with(inner, &nonce)
    }

    fn open(&self, body: &[u8]) -> Result<Opened, MessageError> {
        let message = MessageBody::parse(body).ok_or(MessageError::Malformed)?;
        if *message.key == self.ephemeral.public {
            return Err(MessageError::OwnEphemeral);
        }
        match self.incoming.find(message.key) {
            Some((remote, agreement)) => {
                let inner = message.decrypt(agreement).ok_or(MessageError::Forged)?;
                Ok(Opened::new(inner, remote.clone()))
            }
            None => key::open_from_anyone(&self.identity, body),
        }
    }

    fn verify(&mut self, body: &[u8], opened: &Opened) -> Result<(), MessageError> {
        let message = MessageBody::parse(body).ok_or(MessageError::Malformed)?;
        if *message.key == self.ephemeral.public {
            return Err(MessageError::OwnEphemeral);
        }
        if opened.remote.csid() != Csid::CS3A || opened.remote.key() != message.key {
            return Err(MessageError::Malformed);
        }
        let identities = cached(&mut self.identities, || self.identity.agree(&self.remote));
        match identities {
            Some(identities) if message.is_from(identities) => Ok(()),
            _ => Err(MessageError::Forged),
        }
    }

    fn adopt(&mut self, remote: &RemoteEphemeral) -> Result<(), ExchangeError> {
        self.their_key(remote)?;
        let agreement = remote
            .secret()
            .try_into()
            .map_err(|_| ExchangeError::OtherSet)?;
        self.incoming.adopt(remote, SharedKey::new(agreement));
        Ok(())
    }

    fn session(
        &mut self,
        remote: &RemoteEphemeral,
        _context: &SessionContext<'_>,
        rng: &mut dyn CryptoRng,
    ) -> Result<Box<dyn Session>, ExchangeError> {
        let session = self.session_with(remote, NonceSource::random(rng))?;
        Ok(Box::new(session))
    }

    fn fresh(&mut self, rng: &mut dyn CryptoRng) -> Result<(), ExchangeError> {
        self.ephemeral = Pair::random(rng);
        self.outgoing = None;
        self.sessions.clear();
        Ok(())
    }
}

/// What is in the slot, computed now if it never was.
fn cached(
    slot: &mut Option<SharedKey>,
    agree: impl FnOnce() -> Option<SharedKey>,
) -> Option<&SharedKey> {
    if slot.is_none() {
        *slot = agree();
    }
    slot.as_ref()
}

/// The key for packets from the owner of the first ephemeral to that of the second.
fn channel_key(agreement: &SharedKey, from: &PublicKey, to: &PublicKey) -> SharedKey {
    SharedKey::new(
        Sha256::new()
            .chain_update(agreement.as_bytes())
            .chain_update(from)
            .chain_update(to)
            .finalize()
            .into(),
    )
}

/// The half of a key that tokens are made of.
fn prefix(bytes: &[u8; 32]) -> [u8; Token::LEN] {
    core::array::from_fn(|i| bytes[i])
}
