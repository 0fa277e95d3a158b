//! Exchanges of the 1x cipher sets.

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;

use rand_core::CryptoRng;
use telehash_hashname::Csid;
use zeroize::Zeroizing;

use super::cipher::{Iv, Key};
use super::curve::Curve;
use super::iv::IvSource;
use super::key::{self, Pair, Peer};
use super::message::{self, MessageBody};
use super::session::{Agreed, Cs1Session};
use crate::ephemerals::{Adopted, Paired, session_id};
use crate::{
    Exchange, ExchangeError, MessageError, Opened, Order, RemoteEphemeral, Rounds, SealError,
    Session, SessionContext, Token,
};

pub(super) struct Cs1Exchange<C: Curve> {
    identity: Arc<Pair<C>>,
    remote: Peer<C>,
    order: Order,
    ephemeral: Pair<C>,
    /// For the messages of our ephemeral.
    ivs: IvSource,
    /// What our identity and the remote one agree on: authenticates messages, both ways.
    identities: Option<Zeroizing<C::X>>,
    /// Of our ephemeral and the remote identity: encrypts our messages.
    outgoing: Option<Key>,
    /// The adopted ephemerals, and the key of our identity and each: decrypt the peer's messages.
    incoming: Adopted<Key>,
    /// The ephemerals of the peer that our present one has made sessions with.
    sessions: Paired<C::Public>,
}

impl<C: Curve> Cs1Exchange<C> {
    pub(super) fn new(
        identity: Arc<Pair<C>>,
        remote: &[u8],
        rng: &mut dyn CryptoRng,
    ) -> Result<Self, ExchangeError> {
        let order = Order::of(identity.public.as_ref(), remote)?;
        let remote = Peer::parse(remote)?;
        Ok(Self {
            identity,
            remote,
            order,
            ephemeral: Pair::random(rng)?,
            ivs: IvSource::random(rng),
            identities: None,
            outgoing: None,
            incoming: Adopted::new(),
            sessions: Paired::new(),
        })
    }

    /// [`Exchange::fresh`] with an ephemeral and IVs of the caller's choice.
    pub(super) fn fresh_with(&mut self, ephemeral: Pair<C>, ivs: IvSource) {
        self.ephemeral = ephemeral;
        self.ivs = ivs;
        self.outgoing = None;
        self.sessions.clear();
    }

    /// [`Exchange::seal`] with an IV of the caller's choice, which must be new to our ephemeral.
    pub(super) fn seal_with(&mut self, inner: &[u8], iv: &Iv) -> Vec<u8> {
        let (identity, remote) = (&self.identity, &self.remote.point);
        let outgoing = self
            .outgoing
            .get_or_insert_with(|| self.ephemeral.message_key(remote));
        let identities = self
            .identities
            .get_or_insert_with(|| identity.agree(remote));
        message::seal::<C>(
            &self.ephemeral.public,
            outgoing,
            (**identities).as_ref(),
            iv,
            inner,
        )
    }

    /// [`Exchange::session`] with IVs of the caller's choice.
    pub(super) fn session_with(
        &mut self,
        remote: &RemoteEphemeral,
        ivs: IvSource,
    ) -> Result<Cs1Session<C>, ExchangeError> {
        let theirs = self.their_key(remote)?;
        self.sessions.check(&theirs)?;
        // Messages with keys off the curve were refused.
        let point = C::decode(&theirs).ok_or(ExchangeError::WeakAgreement)?;
        let agreement = self.ephemeral.agree(&point);
        self.sessions.add(theirs);
        let agreement = (*agreement).as_ref();
        let (ours, theirs) = (self.ephemeral.public.as_ref(), theirs.as_ref());
        let agreed = Agreed {
            outgoing: Key::hashed([agreement, ours, theirs]),
            incoming: Key::hashed([agreement, theirs, ours]),
            id: session_id(C::SESSION_LABEL, ours, theirs),
            local: self.token(),
            local_head_only: self.head_only_token(),
            remote: remote.token(),
        };
        Ok(Cs1Session::new(agreed, ivs))
    }

    /// The KEY of a remote ephemeral that is of this set and not ours.
    fn their_key(&self, remote: &RemoteEphemeral) -> Result<C::Public, ExchangeError> {
        if remote.csid() != C::CSID {
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

    /// Takes a message apart that does not carry our own ephemeral.
    fn parse<'a>(&self, body: &'a [u8]) -> Result<MessageBody<'a, C>, MessageError> {
        let message = MessageBody::parse(body).ok_or(MessageError::Malformed)?;
        if message.key == self.ephemeral.public {
            return Err(MessageError::OwnEphemeral);
        }
        Ok(message)
    }

    fn prefix(&self) -> [u8; Token::LEN] {
        let key = self.ephemeral.public.as_ref();
        core::array::from_fn(|i| key[i])
    }
}

impl<C: Curve> Exchange for Cs1Exchange<C> {
    fn csid(&self) -> Csid {
        C::CSID
    }

    fn token(&self) -> Token {
        Token::of_prefix(&self.prefix())
    }

    fn head_only_token(&self) -> Token {
        Token::head_only_of_prefix(&self.prefix())
    }

    fn order(&self) -> Order {
        self.order
    }

    fn remote_public(&self) -> &[u8] {
        self.remote.public.as_ref()
    }

    fn rounds(&self) -> Rounds {
        Rounds::KeptEphemeral
    }

    fn weak_mac(&self) -> bool {
        true
    }

    fn seal(&mut self, inner: &[u8], _rng: &mut dyn CryptoRng) -> Result<Vec<u8>, SealError> {
        let iv = self.ivs.next().ok_or(SealError::Exhausted)?;
        Ok(self.seal_with(inner, &iv))
    }

    fn open(&self, body: &[u8]) -> Result<Opened, MessageError> {
        let message = self.parse(body)?;
        match self.incoming.find(message.key.as_ref()) {
            Some((remote, key)) => Ok(Opened::new(message.decrypt(key), remote.clone())),
            None => key::open_from_anyone(&self.identity, body),
        }
    }

    fn verify(&mut self, body: &[u8], opened: &Opened) -> Result<(), MessageError> {
        let message = self.parse(body)?;
        if opened.remote.csid() != C::CSID || opened.remote.key() != message.key.as_ref() {
            return Err(MessageError::Malformed);
        }
        let identities = self
            .identities
            .get_or_insert_with(|| self.identity.agree(&self.remote.point));
        if message.is_from((**identities).as_ref()) {
            Ok(())
        } else {
            Err(MessageError::Forged)
        }
    }

    fn adopt(&mut self, remote: &RemoteEphemeral) -> Result<(), ExchangeError> {
        self.their_key(remote)?;
        let secret = remote.secret().try_into();
        let key = Zeroizing::new(secret.map_err(|_| ExchangeError::OtherSet)?);
        self.incoming.adopt(remote, Key::new(key));
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
        let ephemeral = Pair::random(rng)?;
        self.fresh_with(ephemeral, IvSource::random(rng));
        Ok(())
    }
}

impl<C: Curve> core::fmt::Debug for Cs1Exchange<C> {
    /// Shows no secret.
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Cs1Exchange")
            .field("identity", &self.identity)
            .field("remote", &self.remote)
            .field("order", &self.order)
            .field("ephemeral", &self.ephemeral)
            .field("ivs", &self.ivs)
            .field("incoming", &self.incoming)
            .field("sessions", &self.sessions)
            .finish_non_exhaustive()
    }
}
