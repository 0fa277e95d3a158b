//! Exchanges of CS42.

use alloc::{boxed::Box, sync::Arc, vec::Vec};

use rand_core::CryptoRng;
use sha2::{Digest, Sha256};
use telehash_hashname::Csid;

use super::{
    agreement::{Agreement, Ephemeral, Public},
    identity::{open_from_anyone, parse_public},
    kdf::{self, Secret},
    message::{MessageBody, Parties, SALT_LEN, Salt},
    session::{Cs42Session, Tokens},
};
use crate::{
    Exchange, ExchangeError, MessageError, Opened, Order, RemoteEphemeral, Rounds, SealError,
    Session, SessionContext, SessionId, Token,
};

/// Ephemerals of the peer that an exchange has adopted. At the limit it forgets the one it adopted
/// first, and messages with that one cost a scalar multiplication again.
pub(super) const ADOPTED_EPHEMERALS: usize = 2;

#[derive(Debug)]
pub(super) struct Cs42Exchange {
    identity: Arc<Ephemeral>,
    remote: Public,
    order: Order,
    /// The secret half is gone once a session was derived or the round gave up.
    ephemeral: Option<Own>,
    /// The public half stays: who sent us our own message is to be recognized.
    public: Public,
    /// Our identity with the remote one: of no ephemeral, so it stays.
    identities: Option<Agreement>,
    /// Ephemerals of the peer whose messages are opened without public-key work.
    adopted: Vec<RemoteEphemeral>,
}

/// Our ephemeral, and what it and the remote identity agree on.
#[derive(Debug)]
struct Own {
    pair: Ephemeral,
    outgoing: Option<Agreement>,
}

impl Cs42Exchange {
    pub(super) fn new(
        identity: Arc<Ephemeral>,
        remote: &[u8],
        ephemeral: Ephemeral,
    ) -> Result<Self, ExchangeError> {
        let order = Order::of(&identity.public(), remote)?;
        let public = ephemeral.public();
        Ok(Self {
            remote: parse_public(remote)?,
            identity,
            order,
            ephemeral: Some(Own::new(ephemeral)),
            public,
            identities: None,
            adopted: Vec::new(),
        })
    }

    /// [`Exchange::seal`] with a salt of the caller's choice.
    pub(super) fn seal_with(&mut self, inner: &[u8], salt: &Salt) -> Result<Vec<u8>, SealError> {
        let own = self.ephemeral.as_mut().ok_or(SealError::NeedsFresh)?;
        let outgoing = cached(&mut own.outgoing, || own.pair.agree(&self.remote));
        let identities = cached(&mut self.identities, || self.identity.agree(&self.remote));
        let (Some(outgoing), Some(identities)) = (outgoing, identities) else {
            return Err(SealError::RemoteKey);
        };
        let parties = Parties {
            key: &self.public,
            sender: &self.identity.public(),
            recipient: &self.remote,
        };
        Ok(parties.seal(outgoing, identities, salt, inner))
    }

    /// [`Exchange::session`], which uses our ephemeral up whether it succeeds or not.
    pub(super) fn derive(
        &mut self,
        remote: &RemoteEphemeral,
        context: &SessionContext<'_>,
    ) -> Result<Cs42Session, ExchangeError> {
        let theirs = self.their_key(remote)?;
        let incoming = Agreement::from_slice(remote.secret()).ok_or(ExchangeError::OtherSet)?;
        let mut own = self.ephemeral.take().ok_or(ExchangeError::NeedsFresh)?;
        self.adopted.clear();
        let ephemerals = own.pair.agree(&theirs);
        let outgoing = cached(&mut own.outgoing, || own.pair.agree(&self.remote));
        cached(&mut self.identities, || self.identity.agree(&self.remote));
        let (Some(ephemerals), Some(outgoing), Some(identities)) =
            (ephemerals, outgoing, &self.identities)
        else {
            return Err(ExchangeError::WeakAgreement);
        };
        let (odd_even, even_odd) = match self.order {
            Order::Odd => (outgoing, &incoming),
            Order::Even => (&incoming, outgoing),
        };
        let agreements = [&ephemerals, odd_even, even_odd, identities];
        let secrets = self.secrets(&theirs, context, agreements);
        let tokens = Tokens {
            local: self.token(),
            local_head_only: self.head_only_token(),
            remote: remote.token(),
        };
        Ok(Cs42Session::new(secrets, tokens))
    }

    /// Everything that the session derives its keys from.
    fn secrets(
        &self,
        theirs: &Public,
        context: &SessionContext<'_>,
        agreements: [&Agreement; 4],
    ) -> Secrets {
        let us = (&self.public, self.identity.public(), context.local);
        let them = (theirs, self.remote, context.remote);
        let (odd, even) = match self.order {
            Order::Odd => (us, them),
            Order::Even => (them, us),
        };
        let salt: [u8; 32] = Sha256::new()
            .chain_update(b"telehash/cs42/session")
            .chain_update(odd.0)
            .chain_update(even.0)
            .chain_update(odd.1)
            .chain_update(even.1)
            .chain_update(odd.2.as_bytes())
            .chain_update(even.2.as_bytes())
            .finalize()
            .into();
        let previous = context.resume.unwrap_or(&[0; 32]);
        let [ee, oe, eo, ss] = agreements.map(Agreement::as_bytes);
        let output = kdf::hkdf::<112>(
            &salt,
            &[previous, ee, oe, eo, ss],
            &[b"telehash/cs42/channel"],
        );
        let part = |at: usize| Secret::new(core::array::from_fn(|i| output[at + i]));
        let (outgoing, incoming) = match self.order {
            Order::Odd => (part(0), part(32)),
            Order::Even => (part(32), part(0)),
        };
        Secrets {
            outgoing,
            incoming,
            resume: part(64),
            id: SessionId::from_bytes(core::array::from_fn(|i| output[96 + i])),
        }
    }

    /// Which secrets it holds beside the identity's: an ephemeral of ours, what both identities agree
    /// on, remote ephemerals. Names every field, so that a new one has to be thought of here.
    #[cfg(test)]
    pub(super) const fn holds(&self) -> (bool, bool, usize) {
        let Self {
            identity: _,
            remote: _,
            order: _,
            ephemeral,
            public: _,
            identities,
            adopted,
        } = self;
        (ephemeral.is_some(), identities.is_some(), adopted.len())
    }

    /// The KEY of a remote ephemeral that is of this set and not ours.
    fn their_key(&self, remote: &RemoteEphemeral) -> Result<Public, ExchangeError> {
        if remote.csid() != Csid::CS42 {
            return Err(ExchangeError::OtherSet);
        }
        let theirs = remote.key().try_into();
        let theirs = theirs.map_err(|_| ExchangeError::OtherSet)?;
        if theirs == self.public || theirs == self.identity.public() {
            Err(ExchangeError::OwnEphemeral)
        } else {
            Ok(theirs)
        }
    }
}

/// What a session is made of.
pub(super) struct Secrets {
    pub(super) outgoing: Secret,
    pub(super) incoming: Secret,
    pub(super) resume: Secret,
    pub(super) id: SessionId,
}

impl Own {
    fn new(pair: Ephemeral) -> Self {
        Self {
            pair,
            outgoing: None,
        }
    }
}

impl Exchange for Cs42Exchange {
    fn csid(&self) -> Csid {
        Csid::CS42
    }

    fn token(&self) -> Token {
        Token::of_prefix(&prefix(&self.public))
    }

    fn head_only_token(&self) -> Token {
        Token::head_only_of_prefix(&prefix(&self.public))
    }

    fn order(&self) -> Order {
        self.order
    }

    fn remote_public(&self) -> &[u8] {
        &self.remote
    }

    fn rounds(&self) -> Rounds {
        Rounds::FreshEphemeral
    }

    fn seal(&mut self, inner: &[u8], rng: &mut dyn CryptoRng) -> Result<Vec<u8>, SealError> {
        let mut salt = [0; SALT_LEN];
        rng.fill_bytes(&mut salt);
        self.seal_with(inner, &salt)
    }

    fn open(&self, body: &[u8]) -> Result<Opened, MessageError> {
        let message = MessageBody::parse(body).ok_or(MessageError::Malformed)?;
        if *message.key == self.public {
            return Err(MessageError::OwnEphemeral);
        }
        let mut adopted = self.adopted.iter();
        let Some(remote) = adopted.find(|remote| remote.key() == message.key) else {
            return open_from_anyone(&self.identity, body);
        };
        let agreement = Agreement::from_slice(remote.secret()).ok_or(MessageError::Malformed)?;
        let inner = message
            .decrypt(&agreement, &self.identity.public())
            .ok_or(MessageError::Forged)?;
        Ok(Opened::new(inner, remote.clone()))
    }

    fn verify(&mut self, body: &[u8], opened: &Opened) -> Result<(), MessageError> {
        let message = MessageBody::parse(body).ok_or(MessageError::Malformed)?;
        if *message.key == self.public {
            return Err(MessageError::OwnEphemeral);
        }
        if opened.remote.csid() != Csid::CS42 || opened.remote.key() != message.key {
            return Err(MessageError::Malformed);
        }
        let ephemeral =
            Agreement::from_slice(opened.remote.secret()).ok_or(MessageError::Malformed)?;
        let identities = cached(&mut self.identities, || self.identity.agree(&self.remote));
        let recipient = self.identity.public();
        match identities {
            Some(identities)
                if message.is_from(&self.remote, &recipient, &ephemeral, identities) =>
            {
                Ok(())
            }
            _ => Err(MessageError::Forged),
        }
    }

    fn adopt(&mut self, remote: &RemoteEphemeral) -> Result<(), ExchangeError> {
        self.their_key(remote)?;
        Agreement::from_slice(remote.secret()).ok_or(ExchangeError::OtherSet)?;
        self.adopted.retain(|known| known.key() != remote.key());
        if self.adopted.len() >= ADOPTED_EPHEMERALS {
            self.adopted.remove(0);
        }
        self.adopted.push(remote.clone());
        Ok(())
    }

    fn session(
        &mut self,
        remote: &RemoteEphemeral,
        context: &SessionContext<'_>,
        _rng: &mut dyn CryptoRng,
    ) -> Result<Box<dyn Session>, ExchangeError> {
        Ok(Box::new(self.derive(remote, context)?))
    }

    fn erase(&mut self) {
        self.ephemeral = None;
        self.adopted.clear();
    }

    fn fresh(&mut self, rng: &mut dyn CryptoRng) -> Result<(), ExchangeError> {
        self.erase();
        let pair = Ephemeral::random(rng);
        self.public = pair.public();
        self.ephemeral = Some(Own::new(pair));
        Ok(())
    }
}

/// What is in the slot, computed now if it never was.
fn cached(
    slot: &mut Option<Agreement>,
    agree: impl FnOnce() -> Option<Agreement>,
) -> Option<&Agreement> {
    if slot.is_none() {
        *slot = agree();
    }
    slot.as_ref()
}

/// The half of a key that tokens are made of.
fn prefix(bytes: &Public) -> [u8; Token::LEN] {
    core::array::from_fn(|i| bytes[i])
}
